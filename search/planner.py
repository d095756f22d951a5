"""A model and a batched search in one: what plans the moves of many games at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.memory import require_room
from core.policies import best_legal, divergence, legal_policy
from data import BoolArray, Evaluation, FloatArray, IntArray, Model, SearchResult, Weights
from playing.game_table import GameTable
from search.inference import make_model
from search.mcts import Search
from search.noise import RootNoise


class Positions(NamedTuple):
    """What is planned from: n positions, in none of which the game is over."""

    observations: NDArray[np.float32]  # [n, C, H, W] stacked
    to_play: IntArray  # [n] int32
    legal: BoolArray  # [n, A]

    def at(self, rows: slice | NDArray[np.intp]) -> Positions:
        """Those at `rows`."""
        return Positions(self.observations[rows], self.to_play[rows], self.legal[rows])


Stopped = Callable[[], bool]
"""Whether nobody waits any more for what is being searched."""


class SearchStopped(Exception):  # noqa: N818 - nothing has gone wrong
    """A search was given up."""


class StoppableModel:
    """A `data.Model` that refuses to go on with a search for which nobody waits any more."""

    def __init__(self, model: Model, stopped: Stopped) -> None:
        self.model, self.stopped = model, stopped

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """See `Model`."""
        return self.model.root(observations, to_play)

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """See `Model`. Raises `SearchStopped`."""
        if self.stopped():
            raise SearchStopped
        return self.model.recurrent(parents, actions, node)


class Planner:
    """A model and a batched search, for up to `batch` positions at once; with 0 simulations the model alone.

    With `fast_simulations` there is a second search of so many (at most `simulations`), allocated once, too.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        batch: int,
        simulations: int,
        device: str = "cpu",
        fast_simulations: int = 0,
    ) -> None:
        self.config, self.simulations = config, simulations
        latents = 4 * batch * (simulations + 1) * config.latent_size
        require_room(latents, f"latent states of {simulations:,} simulations in {batch} game(s) at a time")
        self.model = make_model(config, batch, max(simulations, 1), device)
        self.search = Search(config, batch, max(simulations, 1))
        self.fast_search = Search(config, batch, fast_simulations) if fast_simulations else None
        self.memory = RootMemory(self.model) if config.policy_surprise else None
        self.version = -1

    def load(self, weights: Weights, version: int) -> None:
        """Plans with `weights`, which `version` updates have made, from now on."""
        self.model.load(weights)
        self.version = version

    def seen(self, table: GameTable, rows: NDArray[np.intp]) -> Positions:
        """The current positions of `rows` [n], as the network reads them: the table may stack more.

        Raises `GameError` where a player moves twice in a row.
        """
        table.require_alternation(rows)
        stacks = np.ascontiguousarray(table.stacks[rows, : self.config.stacked_channels])
        return Positions(stacks, table.to_play[rows], table.legal[rows])

    def plan(
        self,
        positions: Positions,
        noise: RootNoise | None = None,
        fast: bool = False,
        stopped: Stopped | None = None,
    ) -> SearchResult:
        """The greedy choice in each of `positions` [n], which without `noise` is the same every time.

        Searches, if `fast` briefly and without root noise; with 0 simulations the network decides alone.
        Raises `SearchStopped` before the next simulation once `stopped` says so.
        """
        if not self.simulations:
            return self._unsearched(positions)
        search = self.search
        if noise is None:
            noise = RootNoise.none(*positions.legal.shape)
        if fast:
            assert self.fast_search is not None, "made for full searches only"
            search, noise = self.fast_search, without_root_noise(noise)
        model: Model = self.memory or self.model
        return search.run(model if stopped is None else StoppableModel(model, stopped), *positions, noise)

    def _unsearched(self, positions: Positions) -> SearchResult:
        """The network's likeliest actions, its policies over the legal ones, its values; no visits."""
        observations, to_play, legal = positions
        evaluation = self.model.root(observations, to_play)
        return SearchResult(
            action=best_legal(evaluation.policy_logits, legal),
            policy=legal_policy(evaluation.policy_logits.astype(np.float64), legal),
            value=evaluation.value.copy(),
            target_value=evaluation.value.copy(),
            root_value=evaluation.value.copy(),
            visit_counts=np.zeros(legal.shape, np.int32),
            depth=np.zeros(len(legal), np.int32),
        )

    def values(self, stacks: NDArray[Any]) -> FloatArray:
        """What the network alone says of stacked observations [n, C', H, W], to the player to move [n]."""
        return self.model.evaluate(stacks)

    def surprises(self, policies: FloatArray, legal: BoolArray) -> NDArray[np.float32]:
        """KL(policy || the network's policy) [n] of the newest search's roots; 0 without policy surprise."""
        if self.memory is None:
            return np.zeros(len(policies), np.float32)
        return divergence(policies, self.memory.logits, legal)


class GamePlanner(Protocol):
    """What self-play needs of a planner; it does not know where the search runs."""

    @property
    def version(self) -> int:
        """Updates made to the weights that it plans with; -1 before the first."""
        ...

    def load(self, weights: Weights, version: int) -> None:
        """See `Planner`."""
        ...

    def seen(self, table: GameTable, rows: NDArray[np.intp]) -> Positions:
        """See `Planner`."""
        ...

    def plan(self, positions: Positions, noise: RootNoise | None = None, fast: bool = False) -> SearchResult:
        """See `Planner`."""
        ...

    def values(self, stacks: NDArray[Any]) -> FloatArray:
        """See `Planner`."""
        ...

    def surprises(self, policies: FloatArray, legal: BoolArray) -> NDArray[np.float32]:
        """See `Planner`."""
        ...


def self_play_planner(config: MuZeroConfig, device: str) -> Planner:
    """The planner of a self-play worker, in its own process: for all of its games at once."""
    fast = config.fast_simulations if config.full_search_probability < 1 else 0
    return Planner(config, config.games_per_worker, config.num_simulations, device, fast)


class RootMemory:
    """A `data.Model` that keeps the policy logits of the newest roots."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.logits: FloatArray = np.zeros((0, 0), np.float32)  # [B, A]

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """See `Model`."""
        evaluation = self.model.root(observations, to_play)
        self.logits = evaluation.policy_logits.copy()
        return evaluation

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """See `Model`."""
        return self.model.recurrent(parents, actions, node)


def without_root_noise(noise: RootNoise) -> RootNoise:
    """What is left of `noise` when only ties and the choice of the action are random."""
    return noise._replace(dirichlet=np.zeros_like(noise.dirichlet), gumbel=np.zeros_like(noise.gumbel))

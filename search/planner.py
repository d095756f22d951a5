"""A model and a batched search in one: what plans the moves of many games at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.policies import divergence
from data import BoolArray, Evaluation, FloatArray, IntArray, Model, SearchResult, Weights
from playing.game_table import GameTable
from search.inference import make_model
from search.mcts import Search
from search.noise import RootNoise


class Planner:
    """A model and a batched search, for up to `batch` positions at once.

    With `fast_simulations` there is a second search of so many (at most `simulations`), allocated once, too.
    """

    def __init__(
        self, config: MuZeroConfig, batch: int, simulations: int, device: str, fast_simulations: int = 0
    ) -> None:
        self.config = config
        self.model = make_model(config, batch, simulations, device)
        self.search = Search(config, batch, simulations)
        self.fast_search = Search(config, batch, fast_simulations) if fast_simulations else None
        self.memory = RootMemory(self.model) if config.policy_surprise else None
        self.version = -1

    def load(self, weights: Weights, version: int) -> None:
        """Plans with `weights`, which `version` updates have made, from now on."""
        self.model.load(weights)
        self.version = version

    def plan(
        self,
        table: GameTable,
        rows: NDArray[np.intp],
        noise: RootNoise,
        temperature: float = 0.0,
        fast: bool = False,
    ) -> SearchResult:
        """Searches from the current positions of `rows` [n], if `fast` briefly and without root noise."""
        search = self.search
        if fast:
            assert self.fast_search is not None, "made for full searches only"
            search, noise = self.fast_search, without_root_noise(noise)
        return search.run(
            self.memory or self.model,
            self.seen(table, rows),
            table.to_play[rows],
            table.legal[rows],
            noise,
            temperature,
        )

    def seen(self, table: GameTable, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """What the network reads of `rows` [n], [n, C, H, W]; the table may stack more for others."""
        return np.ascontiguousarray(table.stacks[rows, : self.config.stacked_channels])

    def surprises(self, policies: FloatArray, legal: BoolArray) -> NDArray[np.float32]:
        """KL(policy || the network's policy) [n] of the newest search's roots; 0 without policy surprise."""
        if self.memory is None:
            return np.zeros(len(policies), np.float32)
        return divergence(policies, self.memory.logits, legal)


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

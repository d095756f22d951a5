"""A trained agent for people's own programs: what it would play, and what it thinks of a position."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import require
from core.threads import one_thread
from data import SearchResult, Weights
from games.api.files import game_name, is_file_name
from games.api.sources import OWN_GAMES, GameFolder, game_of
from games.api.spec import GameSpec
from playing.game_table import GameTable
from search.planner import Planner, Positions, Stopped
from showing.analysis import Analysis, TreeLimit, read_tree, require_finite, unsearched
from showing.asked import Rows, legal_of, observations_of, players_of

MOST_SIMULATIONS = 100_000
"""That a person may ask for: all that they need is allocated beforehand."""
PLANNERS_KEPT = 4
"""Searches, one for each number of simulations and of positions at once, that an agent keeps allocated."""
FIRST = 0


class Agent:
    """A checkpoint's network with a search, on the CPU. Not for several threads at the same time.

        agent = Agent.load("connect4")
        action = agent.act(observation, legal_actions=[0, 2, 3], to_play=1)
        value = agent.search(observation).value

    Observations are those of the game, unstacked: one of `config.observation_shape` (C, H, W), or n of them
    [n, C, H, W]; all leading axes of length 1 may be left out, so that (4,) stands for (1, 1, 4). An agent
    that was trained on stacked observations keeps the earlier ones of each row; `reset` begins anew.

    Raises `ConfigurationError` on a number of simulations that cannot be.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        weights: Weights,
        version: int = 0,
        simulations: int | None = None,
        name: str = "agent",
        game: str = "",
    ) -> None:
        self.config, self.version, self.name, self.game = config, version, name, game
        self.simulations = _simulations(simulations, config.evaluation_simulations)
        self._weights = weights
        self._planner = functools.lru_cache(PLANNERS_KEPT)(self._make_planner)
        self._rows = Rows(config)
        self._stopped: Stopped | None = None

    @contextmanager
    def stoppable(self, stopped: Stopped | None) -> Iterator[None]:
        """What is searched meanwhile ends with `SearchStopped` at the next simulation once `stopped()`."""
        self._stopped = stopped
        try:
            yield
        finally:
            self._stopped = None

    @classmethod
    def load(
        cls,
        named: str | PathLike[str],
        game: str | GameSpec | None = None,
        simulations: int | None = None,
        *,
        results_path: str | PathLike[str] = "results",
        games: GameFolder = OWN_GAMES,
    ) -> Agent:
        """The agent of a checkpoint's file or a run's folder, or the one in use for a game's name.

        With a `game`, `named` may also be a version (v0003), `shipped`, or a run by its name. Raises
        `CheckpointError` if the checkpoint is unreadable or of another game, `ConfigurationError` if nothing
        is called so.
        """
        from arena.agents import chosen_agent, named_agent
        from saving.checkpoint import load_agent
        from saving.run_folder import best_of

        text, results = str(named), Path(results_path)
        wanted = None if game is None else game_of(game).name
        if wanted is None and (is_file_name(text) or not Path(named).exists()):
            require(games.knows(text), f"agent {text!r}", "is no file, no folder and no game's name")
            wanted = game_name(text)
            path, name, _ = chosen_agent(None, wanted, results, games)
        elif wanted is None or Path(named).exists():
            path, name = best_of(Path(named)), text
        else:
            path, name, _ = named_agent(text, wanted, results, games)
        found = load_agent(path, expect_game=wanted)
        return cls(found.config, found.weights, found.training_step, simulations, name, found.game)

    def _make_planner(self, simulations: int, batch: int) -> Planner:
        planner = Planner(self.config, batch, simulations)
        planner.load(self._weights, self.version)
        return planner

    # --- a program's own positions ---

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Begins new games in `rows`, by default in all: the earlier observations are forgotten.

        Only agents with stacked observations remember any.
        """
        self._rows.reset(rows)

    def act(
        self,
        observation: Any,
        legal_actions: Any = None,
        to_play: int | Sequence[int] | NDArray[np.integer] = 0,
        simulations: int | None = None,
    ) -> Any:
        """The action that the search prefers: an int, or [n] int32 for n observations.

        `legal_actions` lists them, or marks them in a mask [A] of booleans (for n observations a list for
        each, or a mask [n, A]); by default all are legal. `to_play` is the player to move, 0 or 1, one for
        all or one for each. The same position leads to the same action. The action counts as played: where
        another one was, tell `played`. Raises `PositionError` on what is no position of the game.
        """
        seen = self._seen(observation, legal_actions, to_play)
        found = planned(self._planner_of(simulations, seen.positions), seen.positions)
        require_finite(*found.value.ravel())
        actions = found.action
        self._rows.keep(seen.positions.observations, actions)
        return int(actions[FIRST]) if seen.single else actions.copy()

    def played(self, actions: int | Sequence[int] | NDArray[np.integer]) -> None:
        """Says which actions were played in truth after the newest `act`, in as many rows."""
        self._rows.played(np.atleast_1d(np.asarray(actions)))

    def search(
        self,
        observation: Any,
        legal_actions: Any = None,
        to_play: int | Sequence[int] | NDArray[np.integer] = 0,
        simulations: int | None = None,
        limit: TreeLimit = TreeLimit(),  # noqa: B008 - immutable
    ) -> Any:
        """What the agent thinks of a position: an `Analysis` (value, visits, policy, principal variation,
        tree), or a list of n for n observations. Takes what `act` takes, and remembers nothing.
        """
        seen = self._seen(observation, legal_actions, to_play)
        read = self._read(self._planner_of(simulations, seen.positions), seen.positions, limit)
        return read[FIRST] if seen.single else read

    def _seen(self, observation: Any, legal_actions: Any, to_play: Any) -> _Seen:
        """The positions that were asked about. Raises `PositionError` where they cannot be."""
        observations, single = observations_of(observation, self.config)
        players = players_of(to_play, len(observations), self.config)
        legal = legal_of(legal_actions, single, len(observations), self.config)
        return _Seen(Positions(self._rows.stacked(observations), players, legal), single)

    def _planner_of(self, simulations: int | None, positions: Positions) -> Planner:
        """The search that so many simulations in so many positions at once take."""
        return self._planner(_simulations(simulations, self.simulations), len(positions.legal))

    def _read(self, planner: Planner, positions: Positions, limit: TreeLimit) -> list[Analysis]:
        """What `planner` finds in each of `positions`. Raises `ConfigurationError` on figures not finite."""
        found, tree = planned(planner, positions, self._stopped), planner.search.tree
        return [
            checked(
                read_tree(tree, found, planner.simulations, limit, row)
                if planner.simulations
                else unsearched(found, int(positions.to_play[row]), row)
            )
            for row in range(len(found.action))
        ]

    def play(
        self, env: Any, games: int = 1, seed: int | None = None, simulations: int | None = None
    ) -> list[float]:
        """Plays `games` games in a Gymnasium environment `env`; their returns.

        Its observations and actions are those of the agent's game, or of what the game was made from: raw
        ones of CartPole-v1 for `cartpole`. Raises `PositionError` where they are others.
        """
        from showing.in_gymnasium import play_games

        require(games >= 1, f"games={games}", "must be at least 1")
        return play_games(self, env, games, seed, simulations)

    # --- the positions of a table of games ---

    def analyse(
        self,
        table: GameTable,
        row: int = 0,
        simulations: int | None = None,
        limit: TreeLimit = TreeLimit(),  # noqa: B008 - immutable
    ) -> Analysis:
        """Searches the current position of game `row`, which is not over; with 0 simulations not at all.

        The same position and number of simulations lead to the same analysis. Raises `ConfigurationError`
        when the network's figures are not finite.
        """
        planner = self._planner(_simulations(simulations, self.simulations), 1)
        return self._read(planner, planner.seen(table, np.array([row])), limit)[FIRST]


def _simulations(wanted: int | None, usual: int) -> int:
    """As many as are `wanted`, else the `usual`. Raises `ConfigurationError` where nobody can want them."""
    possible = wanted is None or 0 <= wanted <= MOST_SIMULATIONS
    require(possible, f"simulations={wanted}", f"must be from 0 to {MOST_SIMULATIONS}")
    return usual if wanted is None else int(wanted)


def planned(planner: Planner, positions: Positions, stopped: Stopped | None = None) -> SearchResult:
    """What `planner` finds, with one thread: these networks are small, and more would wait for each other."""
    with one_thread():
        return planner.plan(positions, stopped=stopped)


def checked(analysis: Analysis) -> Analysis:
    """`analysis` itself. Raises `ConfigurationError` when its figures are not finite."""
    require_finite(analysis.value, analysis.network_value, *analysis.prior)
    return analysis


class _Seen(NamedTuple):
    """What an agent was asked about."""

    positions: Positions
    single: bool  # one observation, and no batch of them

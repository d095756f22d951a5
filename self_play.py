"""Self-play: plays many games at once by batched search, to learn from them.

One move of all games, read from top to bottom in `SelfPlay._move`: search, choose actions, step, record. The
games, exploration, resignation and records are in `playing/`, the search in `search/planner.py`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.randomness import Stream, make_generator
from data import (
    GameHistory,
    LostGame,
    PlayReport,
    SearchResult,
    Snapshot,
    WeightsSource,
)
from games.api.spec import RAISES, GameSpec
from playing.environment import GamesBreakError
from playing.exploration import NONE, RandomMoves, explored_actions, moves_made
from playing.game_note import NO_CAUTION, Caution, note_at
from playing.game_table import Broken, Moves
from playing.history_builder import HistoryBuilder, ends_of
from playing.make_table import make_table
from playing.resignation import Resignation
from search.noise import RootNoise
from search.planner import GamePlanner
from search.rules.rule import draw_noise, rule_of

LOST_IN_A_ROW = 10
"""Games that may break one after another while none finishes; where more are played side by side, so many."""


class SelfPlay:
    """Plays `games_per_worker` games in lock-step, one batched search per move, with the newest weights."""

    def __init__(
        self,
        game: GameSpec,
        config: MuZeroConfig,
        worker: int,
        source: WeightsSource,
        planner: GamePlanner,
        attempt: int = 0,
        caution: Caution = NO_CAUTION,
    ) -> None:
        """`planner` searches, here or elsewhere (`search/planner.py:self_play_planner`). `attempt` counts the
        actors that had been lost before: their games are not played again, nor those named by `caution`.
        Raises `GamesBreakError` where no game can be started.
        """
        self.config, self.source = config, source
        self.generator = make_generator(config.seed, Stream.SELF_PLAY, worker, attempt)
        batch = config.games_per_worker
        self.table = make_table(game, config, batch, note_at(caution.note))
        self._avoid = caution.avoid
        self.planner = planner
        self._rule = rule_of(config)
        self.rows = np.arange(batch)
        self.anew = 0  # games that could not be gone on with, since the last report
        self.lost: list[LostGame] = []  # since the last report
        self._lost_in_a_row = 0  # none of which was followed by a game that finished
        self._most_lost = max(LOST_IN_A_ROW, batch)
        self.resignation = Resignation(config, self.generator, batch)
        self.random_moves = RandomMoves(config, self.generator, batch)
        first = [self._new_game(row) for row in range(batch)]
        self.recorder = HistoryBuilder(config, batch, first[0].dtype)
        for row, observation in enumerate(first):
            self.recorder.begin(row, observation, self.table)

    def play(self, steps: int, seconds: float = 0.5) -> tuple[PlayReport, list[GameHistory]]:
        """Plays about `steps` environment steps, or for about `seconds`; returns the segments completed.

        Weights are looked for between moves. A game that breaks is lost, and another one takes its row; of
        its record only the segments are kept that are complete. Raises `GamesBreakError` when as many are
        lost one after another as are played side by side, at least ten, and none finishes between them.
        """
        tally = PlayStatistics()
        histories: list[GameHistory] = []
        while tally.steps < steps and tally.seconds < seconds:
            self._load_newer_weights()
            histories += self._move(tally)
        report = tally.report(self.planner.version, self.anew, tuple(self.lost))
        self.anew, self.lost = 0, []
        return report, histories

    def _load_newer_weights(self) -> None:
        newer = self.source.newer_than(self.planner.version)
        if newer is not None:
            self.planner.load(newer.weights, newer.version)

    def _move(self, tally: PlayStatistics) -> list[GameHistory]:
        """One move in every game that is not resigned; returns the segments that this completed."""
        noise = draw_noise(self.generator, self.table.legal, self.config, rule=self._rule)
        result = self._search(noise, tally)
        drawn = self.random_moves.draw(self.table)
        exploratory = drawn != NONE
        moves, explores = moves_made(self.table), self._rule.explores
        searched = explored_actions(self.config, self.planner.version, result, moves, noise.uniform, explores)
        actions = np.where(exploratory, drawn, searched)
        resigned = self.resignation.decide(result.value[:, 0], self.table)
        histories = [self._close(row, self.recorder.resign(row, self.table), tally) for row in resigned]
        histories += self.recorder.full_segments(self.table)
        rows = np.delete(self.rows, resigned)
        if rows.size:
            started = time.perf_counter()
            rows, made, broken = self.table.attempt(rows, actions[rows])
            tally.moved(len(rows), time.perf_counter() - started)
            self.recorder.moved(
                rows, actions[rows], exploratory[rows], made.rewards, made.observations, self.table
            )
            histories += self._finish(rows, made, tally)
            self._replace(broken)
            self._replace(self.table.moved_twice(self.rows))
        return histories

    def _search(self, noise: RootNoise, tally: PlayStatistics) -> SearchResult:
        """Searches the positions of all games and records what was found; a fast search teaches no policy."""
        config, version = self.config, self.planner.version
        fast = (
            config.full_search_probability < 1 and self.generator.random() >= config.full_search_probability
        )
        result = self.planner.plan(self.planner.seen(self.table, self.rows), noise, fast)
        policy = np.zeros_like(result.policy) if fast else result.policy
        surprises = self.planner.surprises(policy, self.table.legal)
        self.recorder.searched(policy, result.target_value[:, 0], surprises, version)
        tally.searched(result, config.fast_simulations if fast else config.num_simulations)
        return result

    def _finish(self, rows: NDArray[np.intp], moves: Moves, tally: PlayStatistics) -> list[GameHistory]:
        """Closes those of the games `rows` [n] that their `moves` have ended.

        A truncated game would have gone on: its last position is worth what the network says of it.
        """
        ends = ends_of(moves.terminated, moves.truncated)
        if not ends.size:
            return []
        values = self.planner.values(self.table.stacks[rows[ends]])
        histories = []
        for row, truncated, value in zip(rows[ends], moves.truncated[ends], values, strict=True):
            bootstrap = float(value) if truncated else 0.0
            history = self.recorder.finish(row, bootstrap, self.planner.version, bool(truncated), self.table)
            histories.append(self._close(row, history, tally))
        return histories

    def _close(self, row: int, history: GameHistory, tally: PlayStatistics) -> GameHistory:
        """Counts the game that `history` ends, and starts a new one in its row."""
        tally.finished(history, self.resignation.was_wrong(row, history))
        self._lost_in_a_row = 0
        self.recorder.begin(row, self._new_game(row), self.table)
        return history

    def _new_game(self, row: int) -> NDArray[Any]:
        """Starts a game with a seed of its own in `row`; returns its first observation [C, H, W]."""
        while True:
            self.resignation.begin(row)
            self.random_moves.begin(row)
            try:
                return self.table.reset(row, self._seed())
            except RAISES as error:
                self._lose(Broken(row, self.table.environments[row].complaint(error)))

    def _seed(self) -> int:
        """The next game's; not one of those to be avoided."""
        while (seed := int(self.generator.integers(2**31))) in self._avoid:
            pass
        return seed

    def _replace(self, broken: list[Broken]) -> None:
        """Starts other games in the rows of those that are `broken`, of which nothing more is recorded."""
        for game in broken:
            self._lose(game)
            self.recorder.begin(game.row, self._new_game(game.row), self.table)

    def _lose(self, broken: Broken) -> None:
        """Counts a game as lost. Raises `GamesBreakError` when there have been too many."""
        self.lost.append(self.table.lose(*broken))
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= self._most_lost:
            raise GamesBreakError(str(broken.error), self.lost) from broken.error

    def state(self) -> Snapshot:
        """What it takes to go on with the same games and the same random numbers."""
        parts = {
            "table": self.table.state(),
            "recorder": self.recorder.state(),
            "resignation": self.resignation.state(),
            "openings": self.random_moves.state(),
        }
        arrays = {
            f"{part}.{key}": array for part, state in parts.items() for key, array in state.arrays.items()
        }
        return Snapshot(arrays, {"generator": self.generator.bit_generator.state})

    def load_state(self, state: Snapshot) -> None:
        """Goes on from `state`; the running games are played again from their seeds and actions.

        A game that then is another one begins anew, and so does one that is to be avoided.
        """

        def part(name: str) -> Snapshot:
            prefix = f"{name}."
            return Snapshot(
                {k.removeprefix(prefix): v for k, v in state.arrays.items() if k.startswith(prefix)}, {}
            )

        otherwise = self.table.load_state(part("table"), self._avoid)
        avoided = [row for row, seed in enumerate(part("table").arrays["seeds"]) if int(seed) in self._avoid]
        self.recorder.load_state(part("recorder"))
        self.resignation.load_state(part("resignation"))
        self.random_moves.load_state(part("openings"))
        self.generator.bit_generator.state = state.facts["generator"]
        for row in (*otherwise, *avoided):
            self.recorder.begin(row, self._new_game(row), self.table)
        self.anew = len(otherwise)


class PlayStatistics:
    """Counts what happens during one call of a self-play worker."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.steps = self.searches = self.simulations = 0
        self.resigned = self.resign_checked = self.wrong_resignations = 0
        self.environment_seconds = self.depth = self.root_value = self.entropy = 0.0
        self.returns: list[float] = []
        self.lengths: list[int] = []

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self.started

    def moved(self, games: int, environment_seconds: float) -> None:
        """One move of each of so many games."""
        self.steps += games
        self.environment_seconds += environment_seconds

    def searched(self, result: SearchResult, simulations: int) -> None:
        """One search of all games."""
        self.searches += 1
        self.simulations += simulations * len(result.action)
        self.depth += float(result.depth.mean())
        self.root_value += float(result.value[:, 0].mean())
        self.entropy += float(-(result.policy * np.log(np.maximum(result.policy, 1e-12))).sum(axis=1).mean())

    def finished(self, history: GameHistory, wrong: bool | None) -> None:
        """One game's end, and what `Resignation.was_wrong` says of it."""
        self.resigned += history.resigned
        self.resign_checked += wrong is not None
        self.wrong_resignations += wrong is True
        if history.game_return is not None and history.game_length is not None:
            self.returns.append(history.game_return)
            self.lengths.append(history.game_length)

    def report(self, version: int, anew: int = 0, lost: tuple[LostGame, ...] = ()) -> PlayReport:
        """The sums and means of all that was counted; see `PlayReport.anew` and `PlayReport.lost`."""
        searches = self.searches or np.nan
        return PlayReport(
            steps=self.steps,
            games=len(self.returns),
            simulations=self.simulations,
            seconds=self.seconds,
            environment_seconds=self.environment_seconds,
            returns=np.array(self.returns, np.float32),
            lengths=np.array(self.lengths, np.int32),
            mean_depth=self.depth / searches,
            mean_root_value=self.root_value / searches,
            policy_entropy=self.entropy / searches,
            version=version,
            resigned=self.resigned,
            resign_checked=self.resign_checked,
            wrong_resignations=self.wrong_resignations,
            anew=anew,
            lost=lost,
        )

"""Plays many games at once by batched search, to learn from them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig, Schedule
from core.randomness import Stream, make_generator
from data import (
    FloatArray,
    GameHistory,
    IntArray,
    PlayReport,
    SearchResult,
    State,
    WeightsSource,
)
from game_table import GameTable, Moves
from games.api.sources import load_game
from mcts import RootNoise
from planner import Planner
from recorder import Recorder, ends_of
from tables import make_table

NOBODY = -1
"""Instead of a player: none of them."""
NONE = -1
"""Instead of an action: none is drawn."""


class SelfPlay:
    """Plays `games_per_worker` games in lock-step, one batched search per move, with the newest weights."""

    def __init__(
        self,
        game: str,
        config: MuZeroConfig,
        worker: int,
        source: WeightsSource,
        device: str,
        attempt: int = 0,
    ) -> None:
        """`attempt` counts the workers that were lost: their games are not played again."""
        self.config, self.source = config, source
        which = (worker, attempt) if attempt else (worker,)
        self.generator = make_generator(config.seed, Stream.SELF_PLAY, *which)
        batch = config.games_per_worker
        self.table = make_table(load_game(game), config, batch)
        fast = config.fast_simulations if config.full_search_probability < 1 else 0
        self.planner = Planner(config, batch, config.num_simulations, device, fast)
        self.rows = np.arange(batch)
        self.resignation = Resignation(config, self.generator, batch)
        self.random_moves = RandomMoves(config, self.generator, batch)
        first = [self._new_game(row) for row in range(batch)]
        self.recorder = Recorder(config, batch, first[0].dtype)
        for row, observation in enumerate(first):
            self.recorder.begin(row, observation, self.table)

    def play(self, steps: int, seconds: float = 0.5) -> tuple[PlayReport, list[GameHistory]]:
        """Plays about `steps` environment steps, or for about `seconds`; returns the segments completed.

        Weights are looked for between moves. Raises `GameError` when the game breaks its contract.
        """
        tally = Tally()
        histories: list[GameHistory] = []
        while tally.steps < steps and tally.seconds < seconds:
            self._load_newer_weights()
            histories += self._move(tally)
        return tally.report(self.planner.version), histories

    def _load_newer_weights(self) -> None:
        newer = self.source.newer_than(self.planner.version)
        if newer is not None:
            self.planner.load(newer.weights, newer.version)

    def _move(self, tally: Tally) -> list[GameHistory]:
        """One move in every game that is not resigned; returns the segments that this completed."""
        noise = RootNoise.draw(self.generator, self.table.legal, self.config)
        result = self._search(noise, tally)
        drawn = self.random_moves.draw(self.table)
        exploratory = drawn != NONE
        actions = np.where(exploratory, drawn, self._actions(result, noise))
        resigned = self.resignation.decide(result.root_value[:, 0], self.table)
        histories = [self._close(row, self.recorder.resign(row, self.table), tally) for row in resigned]
        histories += self.recorder.full_segments(self.table)
        rows = np.delete(self.rows, resigned)
        if rows.size:
            started = time.perf_counter()
            moves = self.table.step(rows, actions[rows])
            tally.moved(len(rows), time.perf_counter() - started)
            self.recorder.moved(
                rows, actions[rows], exploratory[rows], moves.rewards, moves.observations, self.table
            )
            histories += self._finish(rows, moves, tally)
        return histories

    def _search(self, noise: RootNoise, tally: Tally) -> SearchResult:
        """Searches the positions of all games and records what was found; a fast search teaches no policy."""
        config, version = self.config, self.planner.version
        fast = (
            config.full_search_probability < 1 and self.generator.random() >= config.full_search_probability
        )
        result = self.planner.plan(self.table, self.rows, noise, 0.0, fast)
        policy = np.zeros_like(result.policy) if fast else result.policy
        surprises = self.planner.surprises(policy, self.table.legal)
        self.recorder.searched(policy, result.root_value[:, 0], surprises, version)
        tally.searched(result, config.fast_simulations if fast else config.num_simulations)
        return result

    def _actions(self, result: SearchResult, noise: RootNoise) -> IntArray:
        """The actions to play [B]: Gumbel's own, or else sampled from the visits."""
        if self.config.search == "gumbel":
            return result.action
        temperatures = play_temperatures(self.config, self.planner.version, moves_made(self.table))
        return sample_visits(result, temperatures, noise.uniform).astype(np.int32)

    def _finish(self, rows: NDArray[np.intp], moves: Moves, tally: Tally) -> list[GameHistory]:
        """Closes those of the games `rows` [n] that their `moves` have ended.

        A truncated game would have gone on: its last position is worth what the network says of it.
        """
        ends = ends_of(moves.terminated, moves.truncated)
        if not ends.size:
            return []
        values = self.planner.model.evaluate(self.table.stacks[rows[ends]])
        histories = []
        for row, truncated, value in zip(rows[ends], moves.truncated[ends], values, strict=True):
            bootstrap = float(value) if truncated else 0.0
            history = self.recorder.finish(row, bootstrap, bool(truncated), self.table)
            histories.append(self._close(row, history, tally))
        return histories

    def _close(self, row: int, history: GameHistory, tally: Tally) -> GameHistory:
        """Counts the game that `history` ends, and starts a new one in its row."""
        tally.finished(history, self.resignation.was_wrong(row, history))
        self.recorder.begin(row, self._new_game(row), self.table)
        return history

    def _new_game(self, row: int) -> NDArray[Any]:
        """Starts a game with a seed of its own in `row`; returns its first observation [C, H, W]."""
        self.resignation.begin(row)
        self.random_moves.begin(row)
        return self.table.reset(row, int(self.generator.integers(2**31)))

    def state(self) -> State:
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
        return State(arrays, {"generator": self.generator.bit_generator.state})

    def load_state(self, state: State) -> None:
        """Goes on from `state`; the running games are played again from their seeds and actions."""

        def part(name: str) -> State:
            prefix = f"{name}."
            return State(
                {k.removeprefix(prefix): v for k, v in state.arrays.items() if k.startswith(prefix)}, {}
            )

        self.table.load_state(part("table"))
        self.recorder.load_state(part("recorder"))
        self.resignation.load_state(part("resignation"))
        self.random_moves.load_state(part("openings"))
        self.generator.bit_generator.state = state.facts["generator"]


class Resignation:
    """Decides who gives up in B games of two players, and counts when that would have been wrong.

    A player whose root value falls below `resign_value` resigns, but never before a game's first move: a
    game without moves teaches nothing. A share `resign_check` of the games is played out all the same.
    """

    def __init__(self, config: MuZeroConfig, generator: np.random.Generator, batch: int) -> None:
        self.config, self.generator = config, generator
        self.enabled = config.resign_value > -1
        self.played_out = np.zeros(batch, bool)
        self.hopeless = np.full(batch, NOBODY, np.int8)  # who would have resigned first, in a game played out

    def begin(self, row: int) -> None:
        """A new game starts in `row`."""
        if self.enabled:
            self.played_out[row] = self.generator.random() < self.config.resign_check
            self.hopeless[row] = NOBODY

    def decide(self, root_values: FloatArray, table: GameTable) -> list[int]:
        """The rows whose players to move resign, given the values [B] of all rows' positions to them."""
        if not self.enabled:
            return []
        low = (root_values < self.config.resign_value) & (moves_made(table) > 0)
        first = low & self.played_out & (self.hopeless == NOBODY)
        self.hopeless[first] = table.to_play[first]
        return np.flatnonzero(low & ~self.played_out).tolist()

    def was_wrong(self, row: int, history: GameHistory) -> bool | None:
        """Whether the one who would have resigned the game of `row` has not lost it; None if nobody would."""
        player = self.hopeless[row]
        if player == NOBODY or history.game_return is None:
            return None
        return (history.game_return if player == 0 else -history.game_return) >= 0

    def state(self) -> State:
        """What is known of the running games."""
        return State({"played_out": self.played_out.copy(), "hopeless": self.hopeless.copy()}, {})

    def load_state(self, state: State) -> None:
        """Goes on from `state`."""
        self.played_out[...] = state.arrays["played_out"]
        self.hopeless[...] = state.arrays["hopeless"]


class RandomMoves:
    """Draws moves of B games from all legal ones, whatever the searches found.

    These are the first moves of each game, between none and `random_opening_moves`, and every later one
    with `random_move_probability`. Agents who know the best moves would else play the same few games, and the
    model would not learn where the others lead. What the searches of these positions found is learned
    like any other; `targets.n_step_returns` does not look behind such a move.
    """

    def __init__(self, config: MuZeroConfig, generator: np.random.Generator, batch: int) -> None:
        self.explores = config.explores
        self.most, self.later = config.random_opening_moves, config.random_move_probability
        self.generator = generator
        self.lengths = np.zeros(batch, np.int64)

    def begin(self, row: int) -> None:
        """A new game starts in `row`."""
        if self.most:
            self.lengths[row] = self.generator.integers(self.most + 1)

    def draw(self, table: GameTable) -> IntArray:
        """A random legal action for each game [B] that is to play one now, `NONE` for the others."""
        batch = len(self.lengths)
        if not self.explores:
            return np.full(batch, NONE, np.int32)
        now = moves_made(table) < self.lengths
        if self.later:
            now |= self.generator.random(batch) < self.later
        preferences = np.where(table.legal, self.generator.random(table.legal.shape), -1.0)
        return np.where(now, preferences.argmax(axis=1), NONE).astype(np.int32)

    def state(self) -> State:
        """How long the openings of the running games are."""
        return State({"lengths": self.lengths.copy()}, {})

    def load_state(self, state: State) -> None:
        """Goes on from `state`; it is empty in checkpoints from before there were random openings."""
        self.lengths[...] = state.arrays.get("lengths", 0)


def moves_made(table: GameTable) -> NDArray[np.int64]:
    """The moves made so far in each of the running games [B]."""
    return np.array([len(actions) for actions in table.played], np.int64)


def temperatures_at(schedule: Schedule, moves: NDArray[np.int64]) -> NDArray[np.float64]:
    """The temperatures [B] at the moves [B] (from 0) of games, by a schedule of (until move, value) pairs."""
    untils, values = np.array(schedule, np.float64).T
    return np.asarray(values[np.minimum(np.searchsorted(untils, moves, side="right"), len(values) - 1)])


def play_temperatures(config: MuZeroConfig, version: int, moves: NDArray[np.int64]) -> NDArray[np.float64]:
    """The temperatures [B] at which moves [B] (from 0) of games are sampled, with weights of `version`."""
    if config.move_temperature:
        temperatures = temperatures_at(config.move_temperature, moves)
    else:
        temperatures = np.full(len(moves), config.temperature(version))
    late = (config.temperature_threshold > 0) & (moves >= config.temperature_threshold)
    return np.where(late, 0.0, temperatures)


def sample_visits(
    result: SearchResult, temperatures: NDArray[np.float64], uniform: FloatArray
) -> NDArray[np.int64]:
    """Actions [B] sampled by visits ** (1 / temperature), each row at its own temperature.

    `uniform` [B] in [0, 1) does the sampling. Where the temperature is 0 the search's own choice remains,
    which has to be a most visited action.
    """
    warm = temperatures > 0
    visits = result.visit_counts / result.visit_counts.max(axis=1, keepdims=True)
    shares = (visits ** (1.0 / np.where(warm, temperatures, 1.0))[:, None]).cumsum(axis=1)
    thresholds = uniform.astype(np.float64) * shares[:, -1]
    sampled = (shares <= thresholds[:, None]).sum(axis=1)
    return np.where(warm, sampled, result.action)


class Tally:
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
        self.root_value += float(result.root_value[:, 0].mean())
        self.entropy += float(-(result.policy * np.log(np.maximum(result.policy, 1e-12))).sum(axis=1).mean())

    def finished(self, history: GameHistory, wrong: bool | None) -> None:
        """One game's end, and what `Resignation.was_wrong` says of it."""
        self.resigned += history.resigned
        self.resign_checked += wrong is not None
        self.wrong_resignations += wrong is True
        if history.game_return is not None and history.game_length is not None:
            self.returns.append(history.game_return)
            self.lengths.append(history.game_length)

    def report(self, version: int) -> PlayReport:
        """The sums and means of all that was counted."""
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
        )

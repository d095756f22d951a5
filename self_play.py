"""Plays many games at once by batched search, to learn from them."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import (
    GameHistory,
    IntArray,
    PlayReport,
    SearchResult,
    State,
    WeightsSource,
)
from game_table import GameTable
from games import load_game
from mcts import RootNoise
from planner import Planner
from randomness import Stream, make_generator
from recorder import Recorder, ends_of


class SelfPlay:
    """Plays `games_per_worker` games in lock-step, one batched search per move, with the newest weights."""

    def __init__(
        self, game: str, config: MuZeroConfig, worker: int, source: WeightsSource, device: str
    ) -> None:
        self.config, self.source = config, source
        self.generator = make_generator(config.seed, Stream.SELF_PLAY, worker)
        batch = config.games_per_worker
        self.table = GameTable(load_game(game), config, batch)
        self.planner = Planner(config, batch, config.num_simulations, device)
        self.rows = np.arange(batch)
        first = [self.table.reset(row, self._new_seed()) for row in range(batch)]
        self.recorder = Recorder(config, batch, first[0].dtype)
        for row, observation in enumerate(first):
            self.recorder.begin(row, observation, self.table)

    def play(self, steps: int, seconds: float = 0.5) -> tuple[PlayReport, list[GameHistory]]:
        """Plays about `steps` environment steps, or for about `seconds`; returns the segments completed.

        Weights are looked for between moves. Raises `GameError` when the game breaks its contract.
        """
        tally = Tally(self.config.num_simulations)
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
        """One move in every game; returns the segments that it completed."""
        version = self.planner.version
        noise = RootNoise.draw(self.generator, self.table.legal, self.config)
        result = self.planner.plan(self.table, self.rows, noise, self.config.temperature(version))
        self.recorder.searched(result.policy, result.root_value[:, 0], version)
        histories = self.recorder.full_segments(self.table)
        actions = self._actions(result)
        started = time.perf_counter()
        moves = self.table.step(self.rows, actions)
        tally.count(result, time.perf_counter() - started)
        self.recorder.moved(actions, moves.rewards, moves.observations, self.table)
        ended = ends_of(moves.terminated, moves.truncated)
        if ended.size:
            histories += self._finish(ended, moves.truncated, tally)
        return histories

    def _actions(self, result: SearchResult) -> IntArray:
        """The search's choices; from move `temperature_threshold` on the most visited actions."""
        threshold = self.config.temperature_threshold
        if not threshold or self.config.search == "gumbel":
            return result.action
        late = np.array([len(actions) >= threshold for actions in self.table.played])
        return np.where(late, result.visit_counts.argmax(axis=1), result.action).astype(np.int32)

    def _finish(
        self, ended: NDArray[np.intp], truncated: NDArray[np.bool_], tally: Tally
    ) -> list[GameHistory]:
        """Closes the games `ended` and starts new ones.

        A truncated game would have gone on: its last position is worth what the network says of it.
        """
        bootstrap = np.where(truncated[ended], self.planner.model.evaluate(self.table.stacks[ended]), 0.0)
        histories = []
        for row, value in zip(ended.tolist(), bootstrap.tolist(), strict=True):
            histories.append(self.recorder.finish(row, value, bool(truncated[row]), self.table))
            tally.finished(histories[-1])
            self.recorder.begin(row, self.table.reset(row, self._new_seed()), self.table)
        return histories

    def _new_seed(self) -> int:
        return int(self.generator.integers(2**31))

    def state(self) -> State:
        """What it takes to go on with the same games and the same random numbers."""
        parts = {"table": self.table.state(), "recorder": self.recorder.state()}
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
        self.generator.bit_generator.state = state.facts["generator"]


class Tally:
    """Counts what happens during one call of a self-play worker."""

    def __init__(self, simulations: int) -> None:
        self.started = time.perf_counter()
        self.simulations = simulations
        self.steps = self.searches = 0
        self.environment_seconds = self.depth = self.root_value = self.entropy = 0.0
        self.returns: list[float] = []
        self.lengths: list[int] = []

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self.started

    def count(self, result: SearchResult, environment_seconds: float) -> None:
        """One move of all games."""
        self.steps += len(result.action)
        self.searches += 1
        self.environment_seconds += environment_seconds
        self.depth += float(result.depth.mean())
        self.root_value += float(result.root_value[:, 0].mean())
        self.entropy += float(-(result.policy * np.log(np.maximum(result.policy, 1e-12))).sum(axis=1).mean())

    def finished(self, history: GameHistory) -> None:
        """One game's end."""
        if history.game_return is not None and history.game_length is not None:
            self.returns.append(history.game_return)
            self.lengths.append(history.game_length)

    def report(self, version: int) -> PlayReport:
        """The sums and means of all that was counted."""
        searches = self.searches or np.nan
        return PlayReport(
            steps=self.steps,
            games=len(self.returns),
            simulations=self.steps * self.simulations,
            seconds=self.seconds,
            environment_seconds=self.environment_seconds,
            returns=np.array(self.returns, np.float32),
            lengths=np.array(self.lengths, np.int32),
            mean_depth=self.depth / searches,
            mean_root_value=self.root_value / searches,
            policy_entropy=self.entropy / searches,
            version=version,
        )

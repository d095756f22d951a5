"""The two sides never wait for each other, and the ratio is kept whichever of them is the slower."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import MuZeroConfig
from data import Counters
from runs.pacing import UNLIMITED, Pacing

MOVES_PER_CALL = 32


class Simulation:
    """A run whose calls take random times: workers play calls of many games, two updates are in flight."""

    def __init__(self, config: MuZeroConfig, step_seconds: float, update_seconds: float, seed: int) -> None:
        self.config, self.pacing = config, Pacing(config)
        self.step_seconds, self.update_seconds = step_seconds, update_seconds
        self.generator = np.random.default_rng(seed)
        self.played = self.trained = 0
        self.now = self.trainer_free = 0.0
        self.steps_in_flight: dict[int, int] = {}
        self.updates_in_flight = 0
        self.calls: list[tuple[float, int, int, int]] = []  # end, tie-breaker, worker (-1: trainer), made
        self.number = itertools.count()
        self.worst = 0.0

    def run(self, steps: int) -> None:
        """Runs until `steps` have been played, or all updates been made."""
        while self.played < steps and self.trained < self.config.training_steps:
            self._issue()
            assert self.calls, f"deadlock at {self.played} played steps and {self.trained} updates"
            self._finish_one()
            if self.played >= 2000:
                ratio = self.trained / self.played / self.config.ratio if self.config.ratio else 1.0
                self.worst = max(self.worst, abs(ratio - 1))

    def _issue(self) -> None:
        batch = self.config.games_per_worker
        for worker in range(self.config.num_workers):
            claimed = self.played + sum(self.steps_in_flight.values())
            allowed = self.pacing.steps_allowed(claimed, self.trained)
            if worker not in self.steps_in_flight and allowed:
                steps = min(allowed, MOVES_PER_CALL * batch)
                self.steps_in_flight[worker] = steps
                moves = -(-steps // batch)  # games are played in lock-step
                if self.generator.random() < 0.2:  # time is up before
                    moves = int(self.generator.integers(1, moves + 1))
                self._call(worker, moves * batch, self.now, self.step_seconds)
        while sum(worker < 0 for *_, worker, _ in self.calls) < 2:
            allowed = self.pacing.updates_allowed(self.played, self.trained + self.updates_in_flight)
            updates = min(allowed, int(self.generator.integers(1, 65)))
            if not updates:
                break
            self.updates_in_flight += updates
            self._call(-1, updates, max(self.now, self.trainer_free), self.update_seconds)
            self.trainer_free = max(end for end, _, worker, _ in self.calls if worker < 0)

    def _call(self, worker: int, made: int, start: float, seconds: float) -> None:
        end = start + made * seconds * self.generator.uniform(0.5, 2) + 0.001
        heapq.heappush(self.calls, (end, next(self.number), worker, made))

    def _finish_one(self) -> None:
        self.now, _, worker, made = heapq.heappop(self.calls)
        if worker < 0:
            self.trained += made
            self.updates_in_flight -= made
        else:
            self.played += made
            del self.steps_in_flight[worker]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    ratio=st.floats(0.02, 5),
    workers=st.integers(1, 3),
    games=st.sampled_from([1, 4, 16, 32]),
    learning_starts=st.integers(1, 1500),
    slower=st.floats(-2, 2),
    seed=st.integers(0, 10_000),
)
def test_the_ratio_is_kept_from_both_sides(
    ratio: float, workers: int, games: int, learning_starts: int, slower: float, seed: int
) -> None:
    config = MuZeroConfig(
        ratio=ratio,
        num_workers=workers,
        games_per_worker=games,
        learning_starts=learning_starts,
        training_steps=10**9,
    )
    simulation = Simulation(config, 1e-4, 1e-4 * 10**slower / ratio, seed)
    simulation.run(6000)
    assert simulation.worst <= 0.1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    ratio=st.floats(0, 50),
    learning_starts=st.integers(1, 300),
    training_steps=st.integers(1, 300),
    seed=st.integers(0, 10_000),
)
def test_every_run_comes_to_its_end(
    ratio: float, learning_starts: int, training_steps: int, seed: int
) -> None:
    ratio = ratio if ratio >= 0.01 else 0.0
    config = MuZeroConfig(ratio=ratio, learning_starts=learning_starts, training_steps=training_steps)
    simulation = Simulation(config, 1e-4, 1e-4, seed)
    simulation.run(10**9)
    assert simulation.trained == training_steps


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(ratio=st.floats(1e-6, 1e6), training_step=st.integers(0, 10**7))
def test_steps_that_are_played_out_allow_an_update(ratio: float, training_step: int) -> None:
    """Whoever waits for the other does not wait for ever, rounding included."""
    config = MuZeroConfig(ratio=ratio, learning_starts=1, training_steps=10**9)
    pacing = Pacing(config)
    played = pacing.steps_allowed(0, training_step)
    assert pacing.steps_allowed(played, training_step) == 0
    assert pacing.updates_allowed(played, training_step) >= 1


def test_another_ratio_is_kept_from_where_it_was_changed() -> None:
    config = MuZeroConfig(ratio=0.1, learning_starts=10, training_steps=10_000)
    pacing = Pacing(config, Counters(300, 1000, ratio_since_update=300, ratio_since_step=1000))
    assert pacing.updates_allowed(1000, 300) == 0
    assert pacing.updates_allowed(1500, 300) == 50
    assert pacing.steps_allowed(1000, 300) == 10
    assert pacing.steps_allowed(1000, 400) == 1050


def test_nothing_is_learned_before_learning_starts() -> None:
    pacing = Pacing(MuZeroConfig(learning_starts=100, ratio=0.5))
    assert pacing.updates_allowed(99, 0) == 0
    assert pacing.updates_allowed(100, 0) == 50
    assert pacing.steps_allowed(0, 0) == 100
    assert pacing.steps_allowed(100, 0) == 0


def test_updates_end_with_the_training() -> None:
    for ratio in (0.0, 0.5):
        pacing = Pacing(MuZeroConfig(training_steps=60, learning_starts=10, ratio=ratio))
        assert pacing.updates_allowed(1000, 55) == 5
        assert pacing.updates_allowed(1000, 60) == 0


def test_without_a_ratio_nobody_waits() -> None:
    pacing = Pacing(MuZeroConfig(ratio=0.0, learning_starts=10))
    assert pacing.steps_allowed(10**6, 0) == UNLIMITED
    assert pacing.updates_allowed(10, 500) > 0
    assert pacing.updates_allowed(9, 0) == 0


@pytest.mark.parametrize(("reanalysed", "allowed"), [(0, True), (2700, True), (2701, False), (10**6, False)])
def test_reanalysis_follows_the_updates(reanalysed: int, allowed: bool) -> None:
    pacing = Pacing(MuZeroConfig(reanalyse_batch=500, reanalyse_ratio=32.0))
    assert pacing.reanalysis_allowed(reanalysed, 100) is allowed


@pytest.mark.parametrize("stored", [True, False])
def test_players_play_as_much_as_one_call_holds(stored: bool) -> None:
    pacing = Pacing(MuZeroConfig(learning_starts=100, ratio=0.5))
    assert pacing.steps_to_play(0, 0, 32, stored) == 32
    assert pacing.steps_to_play(90, 0, 32, stored) == 10


def test_players_wait_only_for_what_can_come() -> None:
    """With nothing stored there is nothing to train on, so that no update can let them go on."""
    pacing = Pacing(MuZeroConfig(learning_starts=100, ratio=0.5))
    assert pacing.steps_to_play(100, 0, 32, stored=True) == 0
    assert pacing.steps_to_play(100, 0, 32, stored=False) == 32

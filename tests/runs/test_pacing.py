"""The two sides never wait for each other, and the ratio is kept whichever of them is the slower."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from config import MuZeroConfig
from data import Counters
from runs.pacing import UNLIMITED, Pacing

MOVES_PER_CALL = 32


class Simulation:
    """A run whose calls take random times: workers play calls of many games, two updates are in flight.

    Steps reach the buffer when a game, or a segment of it, is complete: after at most `longest` steps.
    """

    def __init__(
        self, config: MuZeroConfig, step_seconds: float, update_seconds: float, seed: int, longest: int
    ) -> None:
        self.longest = longest
        games = config.num_workers, config.games_per_worker
        self.most_running = config.num_workers * config.games_per_worker * longest
        self.running = np.zeros(games, np.int64)  # steps of each running game that are not in the buffer yet
        self.config, self.pacing = config, Pacing(config)
        self.step_seconds, self.update_seconds = step_seconds, update_seconds
        self.generator = np.random.default_rng(seed)
        self.played = self.added = self.trained = 0
        self.lengths = self.generator.integers(1, longest + 1, games)
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
            assert not self.config.ratio or self.trained <= self.config.ratio * self.added + 1e-9
            if self.added >= 2000 and self.config.ratio:
                unpaid = self.added - self.trained / self.config.ratio
                self.worst = max(self.worst, (unpaid - self.most_running) / self.added)

    def _issue(self) -> None:
        while sum(worker < 0 for *_, worker, _ in self.calls) < 2:
            allowed = self.pacing.updates_allowed(self.added, self.trained + self.updates_in_flight)
            updates = min(allowed, int(self.generator.integers(1, 65)))
            if not updates:
                break
            self.updates_in_flight += updates
            self._call(-1, updates, max(self.now, self.trainer_free), self.update_seconds)
            self.trainer_free = max(end for end, _, worker, _ in self.calls if worker < 0)
        for worker in range(self.config.num_workers):
            if worker not in self.steps_in_flight:
                self._issue_play(worker)

    def _issue_play(self, worker: int) -> None:
        batch = self.config.games_per_worker
        claimed = self.added + sum(self.steps_in_flight.values())
        waiting = not self.updates_in_flight
        steps = self.pacing.steps_to_play(claimed, self.trained, MOVES_PER_CALL * batch, waiting)
        if steps:
            self.steps_in_flight[worker] = steps
            moves = -(-steps // batch)  # games are played in lock-step
            if self.generator.random() < 0.2:  # time is up before
                moves = int(self.generator.integers(1, moves + 1))
            self._call(worker, moves * batch, self.now, self.step_seconds)

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
            for _ in range(made // self.config.games_per_worker):
                self._move(worker)

    def _move(self, worker: int) -> None:
        """One move of each of the worker's games; those that are complete reach the buffer."""
        self.running[worker] += 1
        for game in np.flatnonzero(self.running[worker] >= self.lengths[worker]):
            self.added += int(self.running[worker, game])
            self.running[worker, game] = 0
            self.lengths[worker, game] = self.generator.integers(1, self.longest + 1)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    ratio=st.floats(0.02, 5),
    workers=st.integers(1, 3),
    games=st.sampled_from([1, 4, 16, 32]),
    learning_starts=st.integers(1, 1500),
    slower=st.floats(-2, 2),
    longest=st.sampled_from([1, 5, 40, 200]),
    seed=st.integers(0, 10_000),
)
def test_the_ratio_is_kept_from_both_sides(
    ratio: float, workers: int, games: int, learning_starts: int, slower: float, longest: int, seed: int
) -> None:
    """No update is made that steps in the buffer have not paid for, and few steps are not made use of."""
    config = MuZeroConfig(
        ratio=ratio,
        num_workers=workers,
        games_per_worker=games,
        learning_starts=learning_starts,
        training_steps=10**9,
    )
    simulation = Simulation(config, 1e-4, 1e-4 * 10**slower / ratio, seed, longest)
    simulation.run(6000)
    assert simulation.worst <= 0.1


ratios = st.one_of(
    st.just(0.0),
    st.builds(lambda k, n: k / n, st.integers(1, 40), st.integers(1, 97)),
    st.builds(lambda digits, places: digits / 10**places, st.integers(1, 99), st.integers(1, 4)),
    st.floats(0.01, 50),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    ratio=ratios,
    learning_starts=st.integers(1, 700),
    training_steps=st.integers(1, 100),
    longest=st.integers(1, 500),
    games=st.integers(1, 9),
    seed=st.integers(0, 10_000),
)
def test_every_run_comes_to_its_end(
    ratio: float, learning_starts: int, training_steps: int, longest: int, games: int, seed: int
) -> None:
    """Whatever the ratio, and however long games or segments are."""
    training_steps = max(1, min(training_steps, int(5000 * (ratio or 1))))
    config = MuZeroConfig(
        num_workers=1,
        ratio=ratio,
        learning_starts=learning_starts,
        training_steps=training_steps,
        games_per_worker=games,
    )
    simulation = Simulation(config, 1e-4, 1e-4, seed, longest)
    simulation.run(10**9)
    assert simulation.trained == training_steps


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(ratio=st.one_of(ratios, st.floats(1e-12, 1e6)), training_step=st.integers(0, 10**7))
def test_steps_that_are_played_out_allow_an_update(ratio: float, training_step: int) -> None:
    """Whoever waits for the other does not wait for ever, rounding included."""
    assume(ratio > 0)
    config = MuZeroConfig(ratio=ratio, learning_starts=1, training_steps=10**9)
    pacing = Pacing(config)
    played = pacing.steps_allowed(0, training_step)
    assert pacing.steps_allowed(played, training_step) == 0
    assert pacing.updates_allowed(played, training_step) >= 1


@pytest.mark.parametrize(("ratio", "steps", "updates"), [(0.0048, 625, 3), (1 / 49, 147, 3), (0.1, 30, 3)])
def test_whole_numbers_of_updates_are_due_when_they_should_be(ratio: float, steps: int, updates: int) -> None:
    """In floats 0.0048 * 625 and 1 / 49 * 147 are a little less than whole."""
    pacing = Pacing(MuZeroConfig(ratio=ratio, learning_starts=1))
    assert pacing.updates_allowed(steps, 0) == updates
    assert pacing.updates_allowed(steps - 1, 0) == updates - 1
    assert pacing.steps_allowed(0, updates - 1) == steps


def test_reanalysis_is_exact_as_well() -> None:
    pacing = Pacing(MuZeroConfig(reanalyse_batch=29, reanalyse_ratio=0.29))
    assert pacing.reanalysis_allowed(0, 100)


def test_another_ratio_is_kept_from_where_it_was_changed() -> None:
    config = MuZeroConfig(ratio=0.1, learning_starts=10, training_steps=10_000)
    pacing = Pacing(
        config, Counters(300, 1000, ratio_since_update=300, ratio_since_step=1000, added_steps=1000)
    )
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


@pytest.mark.parametrize("waiting", [True, False])
def test_players_play_as_much_as_one_call_holds(waiting: bool) -> None:
    pacing = Pacing(MuZeroConfig(learning_starts=100, ratio=0.5, games_per_worker=4))
    assert pacing.steps_to_play(0, 0, 32, waiting) == 32
    assert pacing.steps_to_play(90, 0, 32, waiting) == 10


def test_players_wait_only_for_what_can_come() -> None:
    """While the trainer waits, games are played on, whatever has been claimed: it is their ends that pay."""
    pacing = Pacing(MuZeroConfig(learning_starts=100, ratio=0.5, games_per_worker=4))
    assert pacing.steps_to_play(100, 0, 32, waiting=False) == 0
    assert pacing.steps_to_play(100, 0, 32, waiting=True) == 4

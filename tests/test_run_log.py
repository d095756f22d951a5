"""Reports of the actors add up to the run's counters and recent rates."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest

import run_log
from config import MuZeroConfig
from data import Counters, EvaluationResult, PlayReport, RunStatus, TrainingMetrics
from run_log import WINDOW, RunLog

NOTHING = np.zeros(0, np.float32)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(run_log, "time", types.SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def play(steps: int, games: int, version: int = 0) -> PlayReport:
    return PlayReport(
        steps, games, steps * 50, 0.5, 0.1, NOTHING, NOTHING.astype(np.int32), 3.0, 1.0, 0.5, version
    )


def train(updates: int, training_step: int) -> TrainingMetrics:
    return TrainingMetrics(training_step, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1, updates, 0.1)


def status(log: RunLog) -> RunStatus:
    return log.status(None, None, {})


def test_reports_add_up(clock: Clock) -> None:
    log = RunLog(MuZeroConfig(), Counters(10, 20, 3, 4, 1000, 100.0))
    clock.now += 5
    log.played(play(32, 2))
    newest = play(16, 0, version=12)
    log.played(newest)
    log.trained(train(8, 18))
    log.reanalysed(7)
    assert log.counters == Counters(18, 68, 5, 11, 3400, 105.0)
    assert log.seconds == 105
    assert status(log).play is newest
    assert status(log).metrics == train(8, 18)
    assert status(log).weights_age == 6
    assert status(log).gpu_memory is None
    log.trained(train(1, 19)._replace(gpu_memory=9))
    assert status(log).gpu_memory == 9


def test_rates_are_recent(clock: Clock) -> None:
    log = RunLog(MuZeroConfig(training_steps=1000), Counters())
    for second in range(200):
        log.played(play(10 if second < 100 else 30, 1))
        log.trained(train(5, 5 * (second + 1)))
        log.reanalysed(2)
        now = status(log)
        clock.now += 1
        if second == 100 - 1:
            assert (now.steps_per_second, now.simulations_per_second) == (10, 500)
            assert (now.updates_per_second, now.reanalysed_per_second) == (5, 2)
            assert now.remaining_seconds == (1000 - 500) / 5
    assert second > 100 + WINDOW
    assert now.steps_per_second == 30
    assert now.remaining_seconds == 0
    assert now.ratio == 1000 / (1000 + 3000)


def test_before_anything_has_happened(clock: Clock) -> None:
    now = status(RunLog(MuZeroConfig(replay_buffer_mb=3), Counters()))
    assert now.counters == Counters()
    assert (now.ratio, now.updates_per_second, now.remaining_seconds) == (0, 0, None)
    assert math.isnan(now.weights_age)
    assert (now.best_evaluation, now.evaluation, now.metrics, now.play) == (None, None, None, None)
    assert (now.buffer.steps, now.buffer.capacity_bytes) == (0, 3 * 2**20)


def test_evaluations_and_memory_are_passed_on(clock: Clock) -> None:
    newest = EvaluationResult(np.float32([1, 2]), np.int32([1, 2]), 3)
    best = EvaluationResult(np.float32([5, 6]), np.int32([5, 6]), 2)
    now = RunLog(MuZeroConfig(training_steps=77), Counters()).status(newest, best, {"driver": 5})
    assert now.evaluation is newest
    assert (now.best_evaluation, now.memory, now.gpu_memory) == (5.5, {"driver": 5}, None)
    assert now.training_steps == 77

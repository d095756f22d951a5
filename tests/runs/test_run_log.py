"""Reports of the actors add up to the run's counters and recent rates."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest

from config import MuZeroConfig
from core.cost import Cost, CpuSeconds, NetworkEvaluations
from data import BufferStatus, Counters, Guarded, PlayReport, TermLoss, TrainingMetrics
from runs import run_log
from runs.process_meter import Usage
from runs.run_log import WINDOW, RunLog
from runs.status import RunStatus
from tests.helpers.results import evaluation_result

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
    return TrainingMetrics(training_step, 1.0, (TermLoss("value", 1.0),), 1.0, 1.0, 1.0, 0.1, updates, 0.1)


def status(log: RunLog) -> RunStatus:
    return log.status((), None)


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


def test_counters_do_not_go_back_with_a_lost_trainer_or_buffer(clock: Clock) -> None:
    log = RunLog(MuZeroConfig(), Counters())
    log.stored(BufferStatus(50, 2, 1, 100, 1, added=60))
    log.trained(train(9, 9)._replace(guarded=Guarded(skipped=3, returns=1)))
    assert log.lost_buffer().steps == 50
    assert (log.buffer.steps, log.counters.added_steps) == (0, 60)
    log.stored(BufferStatus(40, 2, 1, 100, 1, added=0))  # out of a snapshot
    log.stored(BufferStatus(45, 2, 1, 100, 1, added=5))
    assert log.counters.added_steps == 65
    log.trained(train(4, 8)._replace(guarded=Guarded(skipped=2, returns=1)), again=3)
    log.trained(train(2, 10)._replace(guarded=Guarded(skipped=5, returns=2)))
    assert log.counters.training_step == 12
    log.restarted()
    assert log.counters.restarts == 1
    assert log.metrics is not None
    assert log.metrics.guarded == Guarded(skipped=6, returns=2)


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
    newest = evaluation_result(1, 2, version=3)
    best = evaluation_result(5, 6, version=2)
    log = RunLog(MuZeroConfig(training_steps=77), Counters())
    log.measured(Usage({"driver": 5}, CpuSeconds()))
    now = log.status((newest,), best)
    assert now.evaluation is newest
    assert (now.best_evaluation, now.memory, now.gpu_memory) == (5.5, {"driver": 5}, None)
    assert now.training_steps == 77


def measure(log: RunLog, memory: int, cpu_seconds: float) -> None:
    log.measured(Usage({"driver": memory - 1, "ray": 1}, CpuSeconds(driver=cpu_seconds)))


def test_the_cost_of_a_sitting(clock: Clock) -> None:
    config = MuZeroConfig(num_simulations=50, reanalyse_policy=True)
    log = RunLog(config, Counters())
    clock.now += 8
    log.played(play(32, 2)._replace(resigned=3))
    log.trained(train(4, 4))
    log.reanalysed(10)
    log.evaluated(evaluation_result(1, 2, 3, lengths=5)._replace(network_evaluations=70))
    measure(log, 900, 1.5)
    measure(log, 700, 2.5)
    expected = Cost(
        seconds=8.0,
        cpu_seconds=CpuSeconds(driver=2.5),
        gpu_seconds=0.0,
        played_steps=32,
        evaluation_steps=15,
        network_evaluations=NetworkEvaluations(32 * 51 + 3, 10 * 51, 70),
        updates=4,
        peak_memory=900,
    )
    assert log.cost == expected
    assert status(log).cost == expected


def test_reanalysis_without_a_search_evaluates_each_position_once(clock: Clock) -> None:
    log = RunLog(MuZeroConfig(num_simulations=50, reanalyse_policy=False), Counters())
    log.reanalysed(10)
    assert log.cost.network_evaluations == NetworkEvaluations(reanalysis=10)


def test_the_cost_of_earlier_sittings_is_added(clock: Clock) -> None:
    earlier = Cost(100.0, CpuSeconds(driver=30.0), 2.0, 20, 5, NetworkEvaluations(1, 2, 3), 10, 800)
    log = RunLog(MuZeroConfig(), Counters(10, 20, 3, 4, 1000, 100.0), earlier)
    clock.now += 5
    log.played(play(32, 2))
    log.trained(train(8, 18))
    measure(log, 700, 1.5)
    assert log.cost == Cost(
        105.0, CpuSeconds(driver=31.5), 2.0, 52, 5, NetworkEvaluations(1 + 32 * 51, 2, 3), 18, 800
    )


def test_what_cannot_be_measured_is_not_known(clock: Clock) -> None:
    log = RunLog(MuZeroConfig(), Counters())
    assert (log.cost.cpu_seconds, log.cost.peak_memory) == (None, None)
    assert log.cost.gpu_seconds == 0
    later = RunLog(MuZeroConfig(), Counters(seconds=3.0), log.cost)
    measure(later, 700, 1.5)
    assert (later.cost.cpu_seconds, later.cost.peak_memory) == (None, None)


def test_calls_on_a_gpu_are_timed(clock: Clock) -> None:
    log = RunLog(MuZeroConfig(), Counters())
    log.trained(train(8, 8))
    log.played(play(32, 2))
    assert log.cost.gpu_seconds == 0
    log.trained(train(8, 16)._replace(gpu_memory=5))
    assert log.cost.gpu_seconds == 0.1
    log.players_on_gpu = True
    log.played(play(32, 2))
    assert log.cost.gpu_seconds == pytest.approx(0.6)

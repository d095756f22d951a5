"""States of a running training."""

from __future__ import annotations

import dataclasses

import numpy as np

from data import BufferStatus, Counters, PlayReport, TermLoss, TrainingMetrics
from runs.status import RunStatus
from tests.helpers.results import evaluation_result

TERMS = tuple(
    TermLoss(name, loss)
    for name, loss in (("value", 1.25), ("reward", 0.5), ("policy", 2.75), ("consistency", 0.3))
)


def make_status(step: int = 1200, **changes: object) -> RunStatus:
    returns, lengths = np.array([30, 50], np.float32), np.array([31, 51], np.int32)
    status = RunStatus(
        counters=Counters(step, 45_678, 321, 0, 2_000_000, 75.25),
        training_steps=10_000,
        metrics=TrainingMetrics(step, 4.5, TERMS, 1.1, 0.6, 3.5, 0.003, 20, 0.1),
        play=PlayReport(160, 2, 8000, 0.5, 0.1, returns, lengths, 4.5, 17.0, 0.65, step - 30),
        buffer=BufferStatus(40_000, 300, 3 * 2**20, 100_000, 512 * 2**20),
        evaluations=(evaluation_result(400, 425, version=step - 10, lengths=412),),
        best_evaluation=487.5,
        target_reward=None,
        updates_per_second=123.0,
        steps_per_second=246.0,
        simulations_per_second=12_300.0,
        reanalysed_per_second=77.0,
        ratio=0.4987,
        weights_age=30.0,
        remaining_seconds=3725.0,
        memory={"driver": 200 * 2**20, "self_play": 300 * 2**20},
        gpu_memory=None,
    )
    return dataclasses.replace(status, **changes)  # type: ignore[arg-type]


EARLY = make_status(0, metrics=None, play=None, evaluations=(), best_evaluation=None, remaining_seconds=None)

"""The state of a running training, and who watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.cost import NOTHING, Cost
from data import BufferStatus, Counters, EvaluationResult, PlayReport, TrainingMetrics, Video


@dataclass(frozen=True)
class RunStatus:
    """The state of a running training, for the panel, the log lines and TensorBoard. Rates are recent."""

    counters: Counters
    training_steps: int  # configured
    metrics: TrainingMetrics | None  # of the newest updates
    play: PlayReport | None  # of the newest self-play call
    buffer: BufferStatus
    evaluations: tuple[EvaluationResult, ...]  # the newest against each opponent; the first one judges
    best_evaluation: float | None
    target_reward: float | None  # configured
    updates_per_second: float
    steps_per_second: float
    simulations_per_second: float
    reanalysed_per_second: float
    ratio: float  # updates per played step so far
    weights_age: float  # updates made since those that self-play is using
    remaining_seconds: float | None
    memory: dict[str, int]  # proportional set size in bytes by process kind (driver, self_play, ...)
    gpu_memory: int | None  # bytes, where there is a GPU
    cost: Cost = NOTHING  # of the run so far
    video: Video | None = None  # the newest
    players: int = 1

    @property
    def evaluation(self) -> EvaluationResult | None:
        """The newest one of those that judge."""
        return next(iter(self.evaluations), None)


class Observer(Protocol):
    """Someone who watches a run."""

    def status(self, status: RunStatus) -> None:
        """The state of the run, a few times a second."""
        ...

    def event(self, text: str) -> None:
        """A line worth keeping."""
        ...

    def evidence(self, text: str) -> None:
        """What an error leaves behind, of many lines: for the run's log file only."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...

"""Collects what the actors report, and derives the state of the run that people see."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from config import MuZeroConfig
from data import BufferStatus, Counters, EvaluationResult, PlayReport, RunStatus, TrainingMetrics


class Observer(Protocol):
    """Someone who watches a run."""

    def status(self, status: RunStatus) -> None:
        """The state of the run, a few times a second."""
        ...

    def event(self, text: str) -> None:
        """A line worth keeping."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class _Mark(NamedTuple):
    seconds: float
    counters: Counters


class RunLog:
    """Adds up reports into counters and recent rates."""

    def __init__(self, config: MuZeroConfig, counters: Counters) -> None:
        self.config = config
        self.counters = counters
        self.metrics: TrainingMetrics | None = None
        self.play: PlayReport | None = None
        self.buffer = BufferStatus(0, 0, 0, config.replay_buffer_size, config.replay_buffer_mb << 20)
        self._earlier_seconds = counters.seconds
        self._started = time.perf_counter()
        self._marks: deque[_Mark] = deque(maxlen=WINDOW)

    def played(self, report: PlayReport) -> None:
        """A self-play worker's call has returned."""
        self._add(played_steps=report.steps, played_games=report.games, simulations=report.simulations)
        self.play = report

    def trained(self, metrics: TrainingMetrics) -> None:
        """A call of the trainer has returned."""
        self._add(training_step=metrics.updates)
        self.metrics = metrics

    def reanalysed(self, steps: int) -> None:
        """A reanalysis worker's call has returned."""
        self._add(reanalysed_steps=steps)

    def _add(self, **increments: int) -> None:
        values = {name: getattr(self.counters, name) + by for name, by in increments.items()}
        self.counters = replace(self.counters, seconds=self.seconds, **values)

    @property
    def seconds(self) -> float:
        """Wall time of training, earlier sittings included."""
        return self._earlier_seconds + time.perf_counter() - self._started

    def status(
        self,
        newest: EvaluationResult | None,
        best: EvaluationResult | None,
        memory: dict[str, int],
    ) -> RunStatus:
        """The state of the run now."""
        self._add()
        self._marks.append(_Mark(self.seconds, self.counters))
        first, last = self._marks[0], self._marks[-1]
        elapsed = max(last.seconds - first.seconds, 1e-9)

        def rate(name: str) -> float:
            return float((getattr(last.counters, name) - getattr(first.counters, name)) / elapsed)

        counters, updates = self.counters, rate("training_step")
        left = self.config.training_steps - counters.training_step
        return RunStatus(
            counters=counters,
            training_steps=self.config.training_steps,
            metrics=self.metrics,
            play=self.play,
            buffer=self.buffer,
            evaluation=newest,
            best_evaluation=best.mean if best is not None else None,
            updates_per_second=updates,
            steps_per_second=rate("played_steps"),
            simulations_per_second=rate("simulations"),
            reanalysed_per_second=rate("reanalysed_steps"),
            ratio=counters.training_step / max(counters.played_steps, 1),
            weights_age=counters.training_step - self.play.version if self.play is not None else np.nan,
            remaining_seconds=left / updates if updates > 0 else None,
            memory=memory,
            gpu_memory=self.metrics.gpu_memory if self.metrics is not None else None,
        )


WINDOW = 40
"""Statuses over which rates are taken."""

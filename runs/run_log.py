"""Collects what the actors report, and derives the state of the run that people see."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from config import MuZeroConfig
from core.cost import NOTHING, Cost, NetworkEvaluations
from data import BufferStatus, Counters, EvaluationResult, Guarded, PlayReport, TrainingMetrics, Video
from runs.process_meter import Usage
from runs.status import RunStatus


class _Mark(NamedTuple):
    seconds: float
    counters: Counters


class RunLog:
    """Adds up reports into counters, recent rates and the cost; `earlier` is that of the sittings before."""

    def __init__(self, config: MuZeroConfig, counters: Counters, earlier: Cost = NOTHING) -> None:
        self.config = config
        self.counters = counters
        self.metrics: TrainingMetrics | None = None
        self._guarded = Guarded()  # as the trainer said last
        self._skipped_lost = self._returns_lost = 0  # of those that it said, what lost trainers took along
        self.play: PlayReport | None = None
        self.buffer = BufferStatus(0, 0, 0, config.replay_buffer_size, config.replay_buffer_mb << 20)
        self.video: Video | None = None
        self.players_on_gpu = False
        self.usage: Usage | None = None  # None: not measured
        self._peak_memory = 0
        self._gpu_seconds = 0.0
        self._evaluation_steps = 0
        self._network_evaluations = NetworkEvaluations()
        self._earlier, self._before = earlier, counters
        self._started = time.perf_counter()
        self._marks: deque[_Mark] = deque(maxlen=WINDOW)

    def played(self, report: PlayReport) -> None:
        """A self-play worker's call has returned."""
        self._add(played_steps=report.steps, played_games=report.games, simulations=report.simulations)
        searched = report.steps + report.resigned  # one search precedes every move, and giving up
        self._evaluated_positions(self_play=searched + report.simulations)
        if self.players_on_gpu:
            self._gpu_seconds += report.seconds
        self.play = report

    def lost(self, games: int) -> None:
        """So many games broke."""
        self._add(lost_games=games)

    def restarted(self) -> None:
        """A lost actor is started again."""
        self._add(restarts=1)

    @property
    def lost_here(self) -> int:
        """Games that broke in this sitting."""
        return self.counters.lost_games - self._before.lost_games

    def stored(self, status: BufferStatus) -> None:
        """The buffer has taken histories in, or says for the first time what it holds."""
        self._add(added_steps=status.added - self.buffer.added)
        self.buffer = status

    def lost_buffer(self) -> BufferStatus:
        """The buffer is lost: another one counts what is added to it from 0. Returns what it held."""
        held = self.buffer
        self.buffer = held._replace(steps=0, games=0, added=0)
        return held

    def trained(self, metrics: TrainingMetrics, again: int = 0) -> None:
        """A call of the trainer has returned; `again` of its updates had been made before, and were lost."""
        self._add(training_step=metrics.updates - again)
        if metrics.gpu_memory is not None:
            self._gpu_seconds += metrics.seconds
        self.metrics = metrics._replace(guarded=self._guarded_ever(metrics.guarded))

    def _guarded_ever(self, now: Guarded) -> Guarded:
        """What `now` would be if no trainer had been lost, which takes its newest counts along."""
        before, self._guarded = self._guarded, now
        self._skipped_lost += max(before.skipped - now.skipped, 0)
        self._returns_lost += max(before.returns - now.returns, 0)
        skipped, returns = now.skipped + self._skipped_lost, now.returns + self._returns_lost
        return now._replace(skipped=skipped, returns=returns)

    def reanalysed(self, steps: int) -> None:
        """A reanalysis worker's call has returned."""
        self._add(reanalysed_steps=steps)
        simulations = self.config.num_simulations if self.config.reanalyse_policy else 0
        self._evaluated_positions(reanalysis=steps * (1 + simulations))

    def evaluated(self, result: EvaluationResult) -> None:
        """An evaluation has come to its end."""
        self._evaluation_steps += int(result.lengths.sum())
        self._evaluated_positions(evaluation=result.network_evaluations)

    def measured(self, usage: Usage) -> None:
        """The run's processes have been measured."""
        self.usage = usage
        self._peak_memory = max(self._peak_memory, sum(usage.memory.values()))

    def _evaluated_positions(self, **increments: int) -> None:
        counts = self._network_evaluations
        values = {name: getattr(counts, name) + by for name, by in increments.items()}
        self._network_evaluations = replace(counts, **values)

    def _add(self, **increments: int) -> None:
        values = {name: getattr(self.counters, name) + by for name, by in increments.items()}
        self.counters = replace(self.counters, seconds=self.seconds, **values)

    @property
    def seconds(self) -> float:
        """Wall time of training, earlier sittings included."""
        return self._before.seconds + self._elapsed

    @property
    def _elapsed(self) -> float:
        """Wall time of this sitting."""
        return time.perf_counter() - self._started

    @property
    def cost(self) -> Cost:
        """What the run has taken so far, earlier sittings included."""
        before, counters = self._before, self.counters
        sitting = Cost(
            seconds=self._elapsed,
            cpu_seconds=self.usage.cpu_seconds if self.usage is not None else None,
            gpu_seconds=self._gpu_seconds,
            played_steps=counters.played_steps - before.played_steps,
            evaluation_steps=self._evaluation_steps,
            network_evaluations=self._network_evaluations,
            updates=counters.training_step - before.training_step,
            peak_memory=self._peak_memory if self.usage is not None else None,
            added_cpu_seconds=(self.usage.added_cpu_seconds or None) if self.usage is not None else None,
        )
        return self._earlier.plus(sitting)

    def status(self, evaluations: tuple[EvaluationResult, ...], best: EvaluationResult | None) -> RunStatus:
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
            evaluations=evaluations,
            best_evaluation=best.mean if best is not None else None,
            target_reward=self.config.target_reward,
            updates_per_second=updates,
            steps_per_second=rate("played_steps"),
            simulations_per_second=rate("simulations"),
            reanalysed_per_second=rate("reanalysed_steps"),
            ratio=counters.training_step / max(counters.played_steps, 1),
            weights_age=counters.training_step - self.play.version if self.play is not None else np.nan,
            remaining_seconds=left / updates if updates > 0 else None,
            memory=self.usage.memory if self.usage is not None else {},
            gpu_memory=self.metrics.gpu_memory if self.metrics is not None else None,
            cost=self.cost,
            video=self.video,
            players=self.config.players,
        )


WINDOW = 40
"""Statuses over which rates are taken."""

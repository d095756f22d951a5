"""The figures of a run as scalars by tag, and when they are written: what all logs have in common.

A scalar's tag is `<group>/<name>`.
"""

from __future__ import annotations

import dataclasses
import math
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cost import Cost, CpuSeconds, NetworkEvaluations
    from data import BufferStatus, Counters, EvaluationResult, Guarded, PlayReport, TrainingMetrics
    from runs.reports.panel import Clock
    from runs.status import RunStatus

Scalars = dict[str, float]


class ScalarLog(ABC):
    """Observer of a run that writes its scalars, at most one set every `interval` seconds.

    A subclass says where to, in `write`.
    """

    def __init__(self, interval: float = 1.0, clock: Clock = time.monotonic) -> None:
        self.step = 0  # updates made when the newest state came
        self._interval = interval
        self._clock = clock
        self._due = -math.inf
        self._last: RunStatus | None = None  # not written yet
        self._evaluated: dict[str | None, int] = {}  # the newest version written, by opponent

    @abstractmethod
    def write(self, scalars: Scalars, step: int, counters: Counters) -> None:
        """Writes finite `scalars` that belong to `step` (updates) and are known since `counters`."""

    def status(self, status: RunStatus) -> None:
        """Writes the state if it is due; a new evaluation always."""
        self._write_evaluations(status)
        self._last, self.step = status, status.counters.training_step
        if self._clock() >= self._due:
            self._due = self._clock() + self._interval
            self._write_last()

    def event(self, text: str) -> None:
        """A notable line, which is no scalar."""
        return

    def evidence(self, text: str) -> None:
        """What an error leaves behind, which is for the log file only."""
        return

    def close(self) -> None:
        """Writes the last state."""
        self._write_last()

    def _write_last(self) -> None:
        if self._last is not None:
            self.write(finite(status_scalars(self._last)), self.step, self._last.counters)
            self._last = None

    def _write_evaluations(self, status: RunStatus) -> None:
        """Writes the evaluations that were not there before, each at the updates of its weights."""
        for evaluation in status.evaluations:
            if evaluation.version == self._evaluated.get(evaluation.opponent):
                continue
            self._evaluated[evaluation.opponent] = evaluation.version
            scalars = match_scalars(evaluation) if evaluation.opponent else {}
            if evaluation is status.evaluation:
                scalars |= evaluation_scalars(evaluation)
                if status.best_evaluation is not None:
                    scalars["reward/evaluation_best"] = status.best_evaluation
            self.write(finite(scalars), evaluation.version, status.counters)


def finite(scalars: Scalars) -> Scalars:
    """Those that are finite: the others have no point."""
    return {tag: value for tag, value in scalars.items() if math.isfinite(value)}


def status_scalars(status: RunStatus) -> Scalars:
    """Every figure of the run's state by tag; those not known yet are absent."""
    scalars = {
        **progress_scalars(status.counters),
        **throughput_scalars(status),
        **buffer_scalars(status.buffer),
        **memory_scalars(status),
        **cost_scalars(status.cost),
    }
    if status.metrics is not None:
        scalars |= training_scalars(status.metrics)
    if status.play is not None:
        scalars |= play_scalars(status.play)
    return scalars


def progress_scalars(counters: Counters) -> Scalars:
    """How far the run has come."""
    faults = {"progress/lost_games": counters.lost_games, "progress/restarts": counters.restarts}
    return {tag: number for tag, number in faults.items() if number} | {
        "progress/played_steps": counters.played_steps,
        "progress/played_games": counters.played_games,
        "progress/reanalysed_steps": counters.reanalysed_steps,
        "progress/seconds": counters.seconds,
    }


def throughput_scalars(status: RunStatus) -> Scalars:
    """How fast each kind of actor works, and how they keep step."""
    return {
        "throughput/trainer_updates_per_second": status.updates_per_second,
        "throughput/self_play_steps_per_second": status.steps_per_second,
        "throughput/reanalyse_steps_per_second": status.reanalysed_per_second,
        "throughput/simulations_per_second": status.simulations_per_second,
        "throughput/ratio": status.ratio,
        "self_play/weights_age": status.weights_age,
    }


def buffer_scalars(buffer: BufferStatus) -> Scalars:
    """What the replay buffer holds."""
    return {
        "buffer/steps": buffer.steps,
        "buffer/games": buffer.games,
        "buffer/mib": buffer.bytes / 2**20,
    }


def memory_scalars(status: RunStatus) -> Scalars:
    """Memory by kind of process, and the GPU's."""
    scalars = {f"memory/{kind}_mib": size / 2**20 for kind, size in status.memory.items()}
    if status.memory:
        scalars["memory/total_mib"] = sum(status.memory.values()) / 2**20
    if status.gpu_memory is not None:
        scalars["memory/gpu_mib"] = status.gpu_memory / 2**20
    return scalars


def cost_scalars(cost: Cost) -> Scalars:
    """What the run has taken so far, as far as it was measured, and how much of it each step took."""
    cpu, networks = cost.cpu_seconds, cost.network_evaluations
    sums = {
        "wall_seconds": cost.seconds,
        "cpu_seconds": cost.all_cpu_seconds,
        "gpu_seconds": cost.gpu_seconds,
        "environment_steps": cost.environment_steps,
        "network_evaluations": None if networks is None else networks.total,
    }
    scalars: Scalars = {}
    for name, total in sums.items():
        if total is not None:
            scalars |= {f"cost/{name}": total} | unit_scalars(f"cost/{name}", total, cost)
    for name, parts in (("cpu_seconds", cpu), ("network_evaluations", networks)):
        if parts is not None:
            scalars |= parts_scalars(f"cost/{name}", parts)
    added = {f"cpu_seconds/{kind}": seconds for kind, seconds in (cost.added_cpu_seconds or {}).items()}
    others = added | {
        "environment_steps/self_play": cost.played_steps,
        "environment_steps/evaluation": cost.evaluation_steps,
        "peak_memory_mib": None if cost.peak_memory is None else cost.peak_memory / 2**20,
    }
    return scalars | {f"cost/{name}": value for name, value in others.items() if value is not None}


def parts_scalars(tag: str, parts: CpuSeconds | NetworkEvaluations) -> Scalars:
    """Each kind or purpose that there is any of."""
    return {f"{tag}/{name}": value for name, value in dataclasses.asdict(parts).items() if value}


def unit_scalars(tag: str, total: float, cost: Cost) -> Scalars:
    """`total` per step of self-play and per update, once there are any."""
    units = {"played_step": cost.played_steps, "update": cost.updates}
    return {f"{tag}_per_{name}": total / number for name, number in units.items() if number}


def training_scalars(metrics: TrainingMetrics) -> Scalars:
    """What the newest updates did."""
    return {
        "loss/total": metrics.loss,
        **{f"loss/{term.name}": term.loss for term in metrics.terms},
        "entropy/value": metrics.value_entropy,
        "entropy/policy": metrics.policy_entropy,
        "training/gradient_norm": metrics.gradient_norm,
        "training/clipped_targets": metrics.clipped_targets,
        "training/learning_rate": metrics.learning_rate,
        **guard_scalars(metrics.guarded),
    }


def guard_scalars(guarded: Guarded) -> Scalars:
    """How many updates were left out and how often training went back, once there are any."""
    if not guarded.skipped and not guarded.returns:
        return {}
    return {"training/skipped_updates": guarded.skipped, "training/returns": guarded.returns}


def play_scalars(play: PlayReport) -> Scalars:
    """What the newest call of a self-play actor did."""
    scalars = {
        "search/depth": play.mean_depth,
        "search/root_value": play.mean_root_value,
        "entropy/search_policy": play.policy_entropy,
        "self_play/environment_share": play.environment_seconds / max(play.seconds, 1e-9),
    }
    if play.games:
        scalars["reward/self_play_mean"] = float(play.returns.mean())
        scalars["reward/self_play_length"] = float(play.lengths.mean())
        if play.resigned or play.resign_checked:
            scalars["self_play/resigned_share"] = play.resigned / play.games
    if play.resign_checked:
        scalars["self_play/wrong_resignations"] = play.wrong_resignations / play.resign_checked
    return scalars


def match_scalars(evaluation: EvaluationResult) -> Scalars:
    """How games for two went against one opponent."""
    name = f"evaluate/{evaluation.opponent}"
    return {
        f"{name}/score": evaluation.score,
        f"{name}/draw_rate": evaluation.draws / len(evaluation.returns),
        f"{name}/length": float(evaluation.lengths.mean()),
    }


def evaluation_scalars(evaluation: EvaluationResult) -> Scalars:
    """What one evaluation found."""
    return {
        "reward/evaluation_mean": evaluation.mean,
        "reward/evaluation_min": float(evaluation.returns.min()),
        "reward/evaluation_max": float(evaluation.returns.max()),
        "reward/evaluation_length": float(evaluation.lengths.mean()),
    }

"""TensorBoard events of a run, written without importing torch or tensorflow.

A scalar's tag is `<group>/<name>`; the custom layout (the "Custom scalars" tab) draws each group's figures
that belong together into one chart.
"""

from __future__ import annotations

import dataclasses
import math
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from config import MuZeroConfig, field_docs

if TYPE_CHECKING:
    from cost import Cost, CpuSeconds, NetworkEvaluations
    from data import BufferStatus, Counters, EvaluationResult, PlayReport, RunStatus, TrainingMetrics
    from progress import Clock

Scalars = dict[str, float]

LAYOUT: dict[str, dict[str, list[str]]] = {
    "Reward": {
        "reward": ["reward/evaluation_mean", "reward/evaluation_best", "reward/self_play_mean"],
        "game length": ["reward/evaluation_length", "reward/self_play_length"],
    },
    "Loss": {
        "losses": ["loss/total", "loss/value", "loss/reward", "loss/policy"],
        "entropy": ["entropy/value", "entropy/policy", "entropy/search_policy"],
        "gradient norm": ["training/gradient_norm"],
        "learning rate": ["training/learning_rate"],
    },
    "Self-play": {
        "search depth": ["search/depth"],
        "root value": ["search/root_value"],
        "weights' age in updates": ["self_play/weights_age"],
        "share of time in environments": ["self_play/environment_share"],
    },
    "Throughput": {
        "updates and steps": [
            "throughput/trainer_updates_per_second",
            "throughput/self_play_steps_per_second",
            "throughput/reanalyse_steps_per_second",
        ],
        "simulations": ["throughput/simulations_per_second"],
        "ratio": ["throughput/ratio"],
    },
    "Buffer": {
        "steps": ["buffer/steps"],
        "games": ["buffer/games"],
        "MiB": ["buffer/mib"],
    },
    "Memory": {"MiB": ["memory/.*_mib"]},
    "Cost": {
        "CPU seconds": ["cost/cpu_seconds/.*"],
        "GPU seconds": ["cost/gpu_seconds"],
        "CPU seconds per played step and update": [
            "cost/cpu_seconds_per_played_step",
            "cost/cpu_seconds_per_update",
        ],
        "environment steps": ["cost/environment_steps", "cost/environment_steps/.*"],
        "network evaluations": ["cost/network_evaluations", "cost/network_evaluations/.*"],
        "network evaluations per played step and update": [
            "cost/network_evaluations_per_played_step",
            "cost/network_evaluations_per_update",
        ],
        "peak memory in MiB": ["cost/peak_memory_mib"],
    },
    "Progress": {
        "played steps": ["progress/played_steps"],
        "played games": ["progress/played_games"],
        "seconds": ["progress/seconds"],
    },
}
"""Charts by category; an entry is a tag, or a regular expression over tags."""


class TensorBoardLog:
    """Observer that writes the run's scalars, at most one set every `interval` seconds."""

    def __init__(
        self, folder: Path, config: MuZeroConfig, interval: float = 1.0, clock: Clock = time.monotonic
    ) -> None:
        self._config = config
        self._interval = interval
        self._clock = clock
        self._due = -math.inf
        self._last: RunStatus | None = None
        self._evaluated: dict[str | None, int] = {}  # the newest version written, by opponent
        self._events = EventFile(folder)
        self._events.text("hyperparameters", hyperparameter_table(config))
        self._events.layout(LAYOUT)

    def status(self, status: RunStatus) -> None:
        """Writes the state if it is due; a new evaluation always."""
        self._write_evaluation(status)
        self._last = status
        if self._clock() >= self._due:
            self._due = self._clock() + self._interval
            self._write_last()

    def event(self, text: str) -> None:
        """Writes a notable line as text."""
        step = 0 if self._last is None else self._last.counters.training_step
        self._events.text("events", text, step)

    def close(self) -> None:
        """Writes the last state and closes the file."""
        self._write_last()
        self._events.close()

    def _write_last(self) -> None:
        if self._last is not None:
            self._events.scalars(status_scalars(self._last), self._last.counters.training_step)
            self._last = None

    def _write_evaluation(self, status: RunStatus) -> None:
        for evaluation in status.evaluations:
            if evaluation.version == self._evaluated.get(evaluation.opponent):
                continue
            self._evaluated[evaluation.opponent] = evaluation.version
            scalars = match_scalars(evaluation) if evaluation.opponent else {}
            if evaluation is status.evaluation:
                scalars |= evaluation_scalars(evaluation)
                if status.best_evaluation is not None:
                    scalars["reward/evaluation_best"] = status.best_evaluation
            self._events.scalars(scalars, evaluation.version)


class EventFile:
    """One TensorBoard event file in `folder`: records of protocol buffers, flushed after each."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        # TensorBoard reads files of one folder in the order of their names: time first
        name = f"events.out.tfevents.{time.time():017.6f}.{socket.gethostname()}.{os.getpid()}.0"
        self._stream: BinaryIO = (folder / name).open("wb")
        self._writer = RecordWriter(self._stream)
        self._write(file_version="brain.Event:2")

    def scalars(self, scalars: Scalars, step: int) -> None:
        """Writes the finite ones of `scalars`; tags without a value have no point at this step."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        finite = {tag: value for tag, value in scalars.items() if math.isfinite(value)}
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in finite.items()]
        self._write(step=step, summary=Summary(value=values))

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Writes markdown for the "Text" tab."""
        self._plugin("text", tag, markdown.encode(), step)

    def layout(self, layout: dict[str, dict[str, list[str]]]) -> None:
        """Writes the layout of the "Custom scalars" tab."""
        from tensorboard.plugins.custom_scalar import layout_pb2 as pb

        categories = [
            pb.Category(
                title=category,
                chart=[
                    pb.Chart(
                        title=title, multiline=pb.MultilineChartContent(tag=[f"^{tag}$" for tag in tags])
                    )
                    for title, tags in charts.items()
                ],
            )
            for category, charts in layout.items()
        ]
        content = pb.Layout(category=categories).SerializeToString()
        self._plugin("custom_scalars", "custom_scalars__config__", content, 0)

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def _plugin(self, plugin: str, tag: str, content: bytes, step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING

        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin))
        tensor = TensorProto(dtype=DT_STRING, string_val=[content])
        value = Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
        self._write(step=step, summary=Summary(value=[value]))

    def _write(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.write(Event(wall_time=time.time(), **fields).SerializeToString())
        self._writer.flush()


def hyperparameter_table(config: MuZeroConfig) -> str:
    """Every field of the configuration, its value and meaning, as a markdown table."""
    rows = ["| group | option | value | meaning |", "| --- | --- | --- | --- |"]
    for name, field in field_docs().items():
        cells = (field.group, name, f"`{getattr(config, name)}`", field.doc)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


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
    return {
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
    scalars: Scalars = {}
    figures = {
        "gpu_seconds": cost.gpu_seconds,
        "environment_steps": cost.environment_steps,
        "environment_steps/self_play": cost.played_steps,
        "environment_steps/evaluation": cost.evaluation_steps,
    }
    scalars |= {f"cost/{name}": value for name, value in figures.items() if value is not None}
    if cost.peak_memory is not None:
        scalars["cost/peak_memory_mib"] = cost.peak_memory / 2**20
    if cost.cpu_seconds is not None:
        scalars |= parts_scalars("cost/cpu_seconds", cost.cpu_seconds)
        scalars |= unit_scalars("cost/cpu_seconds", cost.cpu_seconds.total, cost)
    if cost.network_evaluations is not None:
        scalars["cost/network_evaluations"] = cost.network_evaluations.total
        scalars |= parts_scalars("cost/network_evaluations", cost.network_evaluations)
        scalars |= unit_scalars("cost/network_evaluations", cost.network_evaluations.total, cost)
    return scalars


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
        "loss/value": metrics.value_loss,
        "loss/reward": metrics.reward_loss,
        "loss/policy": metrics.policy_loss,
        "entropy/value": metrics.value_entropy,
        "entropy/policy": metrics.policy_entropy,
        "training/gradient_norm": metrics.gradient_norm,
        "training/learning_rate": metrics.learning_rate,
    }


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

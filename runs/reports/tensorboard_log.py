"""TensorBoard events of a run, written without importing torch or tensorflow.

A scalar's tag is `<group>/<name>`; the custom layout (the "Custom scalars" tab) draws each group's figures
that belong together into one chart.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from config import MuZeroConfig, field_docs
from runs.reports.scalars import ScalarLog, Scalars

if TYPE_CHECKING:
    from data import Counters, Video
    from runs.reports.panel import Clock
    from runs.status import RunStatus

LAYOUT: dict[str, dict[str, list[str]]] = {
    "Reward": {
        "reward": ["reward/evaluation_mean", "reward/evaluation_best", "reward/self_play_mean"],
        "game length": ["reward/evaluation_length", "reward/self_play_length"],
    },
    "Loss": {
        "losses": ["loss/.*"],
        "entropy": ["entropy/value", "entropy/policy", "entropy/search_policy"],
        "gradient norm": ["training/gradient_norm"],
        "targets beyond the support": ["training/clipped_targets"],
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
        "wall time in seconds": ["cost/wall_seconds"],
        "wall time per played step and update": [
            "cost/wall_seconds_per_played_step",
            "cost/wall_seconds_per_update",
        ],
        "CPU seconds": ["cost/cpu_seconds", "cost/cpu_seconds/.*"],
        "CPU seconds per played step and update": [
            "cost/cpu_seconds_per_played_step",
            "cost/cpu_seconds_per_update",
        ],
        "GPU seconds": ["cost/gpu_seconds"],
        "GPU seconds per played step and update": [
            "cost/gpu_seconds_per_played_step",
            "cost/gpu_seconds_per_update",
        ],
        "environment steps": ["cost/environment_steps", "cost/environment_steps/.*"],
        "environment steps per played step and update": [
            "cost/environment_steps_per_played_step",
            "cost/environment_steps_per_update",
        ],
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


class TensorBoardLog(ScalarLog):
    """Observer that writes the run's scalars, at most one set every `interval` seconds.

    In a run that goes on from a checkpoint at `resumed`, TensorBoard forgets what was written after it.
    """

    def __init__(
        self,
        folder: Path,
        config: MuZeroConfig,
        interval: float = 1.0,
        resumed: Counters | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(interval, clock)
        self._video: Video | None = None  # the newest written
        self._events = EventFile(folder)
        if resumed is not None:
            self._events.restart(resumed.training_step + 1)
        self._events.text("hyperparameters", hyperparameter_table(config))
        self._events.layout(LAYOUT)

    def write(self, scalars: Scalars, step: int, counters: Counters) -> None:
        """See `ScalarLog`."""
        self._events.scalars(scalars, step)

    def status(self, status: RunStatus) -> None:
        """See `ScalarLog`; a new film is written, too."""
        super().status(status)
        if status.video is not None and status.video is not self._video:
            self._video = status.video
            self._events.video("greedy_game", status.video)

    def event(self, text: str) -> None:
        """Writes a notable line as text."""
        self._events.text("events", text, self.step)

    def close(self) -> None:
        """Writes the last state and closes the file."""
        super().close()
        self._events.close()


class EventFile:
    """One TensorBoard event file in `folder`: records of protocol buffers, flushed after each."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        # TensorBoard reads files of one folder in the order of their names: time first
        name = f"events.out.tfevents.{time.time():017.6f}.{socket.gethostname()}.{os.getpid()}.0"
        self._stream: BinaryIO = (folder / name).open("wb")
        self._writer = RecordWriter(self._stream)
        self._write(file_version="brain.Event:2")

    def restart(self, step: int) -> None:
        """Has TensorBoard forget what earlier files of the folder tell of `step` and later."""
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._write(step=step, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, scalars: Scalars, step: int) -> None:
        """Writes one point for each tag."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self._write(step=step, summary=Summary(value=values))

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Writes markdown for the "Text" tab."""
        self._plugin("text", tag, markdown.encode(), step)

    def video(self, tag: str, video: Video) -> None:
        """Writes a film for the "Images" tab, at the updates of its weights."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        image = Summary.Image(
            height=video.height, width=video.width, colorspace=3, encoded_image_string=video.gif
        )
        self._write(step=video.version, summary=Summary(value=[Summary.Value(tag=tag, image=image)]))

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

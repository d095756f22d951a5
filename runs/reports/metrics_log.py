"""Every metric of a run, for programs: `metrics.jsonl` in the run's folder, one JSON object a line.

    {"updates": 120, "played_steps": 512, "seconds": 3.4, "loss/value": 1.25, ...}

JSON lines and not CSV because the set of metrics grows while a run goes on (losses, evaluations, opponents):
a table would have to be written again for each new column, while a line is only ever appended, and one cut
short by a crash costs nothing else. `pandas.read_json(path, lines=True)` reads it.

`updates` are those that the metrics belong to, in an evaluation those of its weights; `played_steps` and
`seconds` (of training, earlier sittings included) are those at which they were known.
"""

from __future__ import annotations

import errno
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.json_text import entries, parse_json, real, text, whole
from core.output import say_on_stderr
from runs.reports.scalars import ScalarLog, Scalars
from saving.appending import AppendedFile, Troubles
from saving.files import write_whole
from saving.reading import METRICS, opened, read_lines
from saving.run_folder import METRICS_NAME

if TYPE_CHECKING:
    from data import Counters
    from runs.reports.panel import Clock

DIGITS = 7
"""Of a number that is written: as many as a float32 has."""


class MetricPoint(NamedTuple):
    """Metrics of one moment."""

    updates: int
    played_steps: int
    seconds: float
    scalars: Scalars


class MetricsLog(ScalarLog):
    """Observer that appends the run's scalars to `folder`/metrics.jsonl, each line at once.

    A run that goes on from a checkpoint at `resumed` first loses the lines that were written after it: what
    they tell of was lost with the process that was killed.
    """

    def __init__(
        self,
        folder: Path,
        interval: float = 3.0,
        resumed: Counters | None = None,
        clock: Clock = time.monotonic,
        troubles: Troubles | None = None,
    ) -> None:
        """Raises `OSError` where the file cannot be opened."""
        super().__init__(interval, clock)
        if resumed is not None and (folder / METRICS_NAME).exists():
            _forget_after(folder / METRICS_NAME, resumed)
        self._file = AppendedFile(folder / METRICS_NAME, troubles or Troubles(say_on_stderr))
        if _cut_short(folder / METRICS_NAME):
            self._file.write(b"\n")

    def write(self, scalars: Scalars, step: int, counters: Counters) -> None:
        """See `ScalarLog`."""
        moment = {
            "updates": step,
            "played_steps": counters.played_steps,
            "seconds": round(counters.seconds, 3),
        }
        line = json.dumps(moment | {tag: _short(value) for tag, value in scalars.items()})
        self._file.write((line + "\n").encode())

    def close(self) -> None:
        """Writes the last state and closes the file."""
        super().close()
        self._file.close()


def read_metrics(path: Path) -> list[MetricPoint]:
    """The points in a metrics.jsonl, in order of time.

    Where a run went on from a checkpoint older than its last line, what was lost between is left out, as is a
    line that a crash has cut short. Of a run of weeks, every second point of earlier times is left out, again
    and again, so that all of them fit into memory. Raises `OSError` when the file cannot be read.
    """
    points: list[MetricPoint] = []
    numbers, names = 0, set[str]()
    for _, point in _parsed(path):
        while points and points[-1].seconds > point.seconds:
            points.pop()
        points.append(point)
        numbers += len(point.scalars)
        names.update(point.scalars)
        if len(names) > MOST_NAMES:
            raise OSError(errno.EFBIG, "more metrics than a run has", str(path))
        if numbers > MOST_NUMBERS:
            points = points[-1::-2][::-1]
            numbers = sum(len(point.scalars) for point in points)
    return points


MOST_NUMBERS = 5_000_000
"""That are kept: a run of three days has so many."""
MOST_NAMES = 10_000
"""Of metrics in one file."""


MOST_DAMAGED = 100_000
"""Lines that say nothing; where there are more, the file is something else."""


class _Line(NamedTuple):
    """A whole line of the file."""

    text: bytes
    point: MetricPoint


def _parsed(path: Path) -> Iterator[_Line]:
    """Those lines of a file that are whole. Raises `OSError` where it cannot be read, or hardly has any."""
    damaged = 0
    for line in read_lines(path, METRICS):
        point = _point_of(line)
        if point is not None:
            yield _Line(line, point)
        elif (damaged := damaged + 1) > MOST_DAMAGED:
            raise OSError(errno.EINVAL, "hardly a line of it has metrics", str(path))


def _point_of(line: bytes) -> MetricPoint | None:
    """What a line says, if it is whole."""
    try:
        values = entries(parse_json(line, constants=True), "a line")
        updates, steps = (whole(values.pop(name), name) for name in ("updates", "played_steps"))
        seconds = real(values.pop("seconds"), "seconds", 0.0, LONGEST_SECONDS)
        scalars = {sys.intern(tag): _number(value, tag) for tag, value in values.items()}
    except (ValueError, LookupError):
        return None
    return MetricPoint(updates, steps, seconds, scalars)


LONGEST_SECONDS = 1e12


def _number(value: Any, tag: str) -> float:
    """`value` as it is, whole or not, if it is one that can be drawn. Raises `ValueError`."""
    real(value, text(tag, "a metric", 1000), -LARGEST_SHOWN, LARGEST_SHOWN)
    number: float = value
    return number


LARGEST_SHOWN = 1e100
"""Of a metric: pictures of larger ones cannot be drawn."""


def _forget_after(path: Path, resumed: Counters) -> None:
    """Rewrites the file without the points of after `resumed`."""
    kept = [
        line
        for line, point in _parsed(path)
        if point.updates <= resumed.training_step and point.seconds <= resumed.seconds
    ]
    write_whole(path, b"".join(kept))


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def _cut_short(path: Path) -> bool:
    """Whether the file's last line has no end."""
    with opened(path, METRICS) as stream:
        if stream.seek(0, 2) == 0:
            return False
        stream.seek(-1, 2)
        return stream.read(1) != b"\n"

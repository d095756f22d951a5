"""How much the processes of a long run grow: memory of their own, descriptors, and the speed of updates.

    python -m benchmarks.growth --json                     # cartpole, connect4 and twentyone, 30 minutes each
    python -m benchmarks.growth --json --games cartpole --minutes 5 --ratio 0.5

Each game is one `python muzero.py GAME` with the target off and a buffer that is soon full; what is not known
here is passed on to it. From outside, every process below it is looked at again and again. One line for each
process that was there from the end of the warm-up on: the slope of its unique set size (what would be freed
if it ended), by least squares, and its descriptors. One line for the run: updates per second of processor
time of all processes, in the first and in the last quarter after the warm-up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from benchmarks.common import called, report
from core.project import PROJECT
from runs.reports.metrics_log import read_metrics
from saving.run_folder import METRICS_NAME

FULL_SOON = {"cartpole": 2_000, "connect4": 20_000, "twentyone": 10_000}
"""Steps of a buffer that is full within the warm-up."""
OTHERS = 10_000


class Process(NamedTuple):
    """One process of a run; numbers are given again, times of starting are not."""

    name: str  # an actor's kind, `driver`, or the program's own
    number: int
    started: float


class Reading(NamedTuple):
    """What one process takes at one moment."""

    minute: float  # since the run's start
    own_bytes: int  # unique set size
    descriptors: int
    cpu_seconds: float


Readings = dict[Process, list[Reading]]


def look(driver: psutil.Process, minute: float, readings: Readings) -> None:
    """Adds a reading of each process of a run; those that are just ending may be missing."""
    for process in [driver, *driver.children(recursive=True)]:
        try:
            with process.oneshot():
                known = Process(called(process, driver.pid), process.pid, process.create_time())
                cpu = process.cpu_times()
                own, files = process.memory_full_info().uss, process.num_fds()
        except psutil.Error:
            continue
        readings[known].append(Reading(minute, own, files, cpu.user + cpu.system))


def train(game: str, minutes: float, every: float, folder: Path, options: Sequence[str]) -> Readings:
    """Trains for so many minutes, and looks at the processes every so many seconds."""
    size = str(FULL_SOON.get(game, OTHERS))
    own = ["--target-reward", "none", "--replay-buffer-size", size, "--training-minutes", str(minutes)]
    command = [sys.executable, "muzero.py", game, *own, "--results-path", str(folder), *options]
    readings: Readings = defaultdict(list)
    started = time.monotonic()
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL) as run:
        driver = psutil.Process(run.pid)
        while run.poll() is None:
            minute = (time.monotonic() - started) / 60
            if minute < minutes:  # after that, it only saves and ends
                look(driver, minute, readings)
            time.sleep(every)
    if run.returncode:
        raise SystemExit(f"the run of {game} ended with status {run.returncode}")
    return readings


def slope(readings: Sequence[Reading]) -> float:
    """MiB per minute, by least squares."""
    sizes = [reading.own_bytes / 2**20 for reading in readings]
    return float(np.polyfit([reading.minute for reading in readings], sizes, 1)[0])


def growth(game: str, process: Process, readings: Sequence[Reading]) -> dict[str, Any]:
    """The line of one process."""
    return {
        "name": "growth",
        "game": game,
        "process": process.name,
        "pid": process.number,
        "minutes": round(readings[-1].minute - readings[0].minute, 1),
        "mib_per_minute": round(slope(readings), 3),
        "mib_first": round(readings[0].own_bytes / 2**20, 1),
        "mib_last": round(readings[-1].own_bytes / 2**20, 1),
        "descriptors_first": readings[0].descriptors,
        "descriptors_last": readings[-1].descriptors,
        "descriptors_most": max(reading.descriptors for reading in readings),
    }


def cpu_seconds(readings: Readings, since: float, until: float) -> float:
    """Of all processes, between two minutes."""
    total = 0.0
    for rows in readings.values():
        taken = [row.cpu_seconds for row in rows if since <= row.minute <= until]
        total += taken[-1] - taken[0] if taken else 0.0
    return total


def speed(game: str, folder: Path, readings: Readings, warm_up: float, end: float) -> dict[str, Any]:
    """The line of the run. Minutes of a run's own clock are a few seconds behind those of its readings."""
    points = read_metrics(next(folder.glob(f"{game}/*/{METRICS_NAME}")))
    times, updates = [point.seconds / 60 for point in points], [point.updates for point in points]
    quarter = (end - warm_up) / 4
    rates = []
    for since in (warm_up, end - quarter):
        made = np.interp([since, since + quarter], times, updates)
        rates.append(float(made[1] - made[0]) / cpu_seconds(readings, since, since + quarter))
    first, last = rates
    return {
        "name": "growth speed",
        "game": game,
        "updates": updates[-1],
        "updates_per_cpu_second_first": round(first, 2),
        "updates_per_cpu_second_last": round(last, 2),
        "ratio": round(last / first, 3),
    }


def main() -> None:
    """Trains each game, and prints its lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--games", default=",".join(FULL_SOON), help="comma-separated")
    parser.add_argument("--minutes", type=float, default=30.0, help="of training, for each game")
    parser.add_argument("--warm-up", type=float, help="minutes that do not count (default: a third)")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two looks")
    parsed, options = parser.parse_known_args()
    warm_up = parsed.minutes / 3 if parsed.warm_up is None else parsed.warm_up
    for game in parsed.games.split(","):
        with tempfile.TemporaryDirectory() as temporary:
            readings = train(game, parsed.minutes, parsed.every, Path(temporary), options)
            line = speed(game, Path(temporary), readings, warm_up, parsed.minutes)
        for process, rows in sorted(readings.items()):
            counted = [row for row in rows if row.minute >= warm_up]
            if len(counted) > 2 and rows[0].minute < warm_up:
                report(growth(game, process, counted), parsed.json)
        report(line, parsed.json)


if __name__ == "__main__":
    main()

"""What the benchmarks share: one core for everything, fair medians, one line per result."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from core.actor_kinds import DRIVER, RAY
from runs.process_meter import process_kind

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def run_on_one_core(module: str) -> None:
    """Starts `python -m module` anew in this process, pinned to one core and with one thread per library,
    unless it already is. Children inherit both.
    """
    if all(os.environ.get(name) == value for name, value in ONE_THREAD.items()):
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], {**os.environ, **ONE_THREAD})


def seconds(function: Callable[[], object], calls: int = 1) -> float:
    """Mean wall time of a call, over `calls` of them."""
    started = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - started) / calls


def medians_in_turns(measurements: list[Callable[[], float]], repeats: int) -> list[float]:
    """The median of each measurement over `repeats` rounds in which they take turns: a noisy neighbour
    then disturbs all of them alike.
    """
    rounds = [[measure() for measure in measurements] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def report(result: dict[str, Any], as_json: bool) -> None:
    """Prints one result on one line."""
    text = json.dumps(result) if as_json else "  ".join(f"{name}={value}" for name, value in result.items())
    print(text, flush=True)


def numbers(text: str) -> list[int]:
    """Comma-separated integers."""
    return [int(number) for number in text.split(",")]


def called(process: psutil.Process, driver: int) -> str:
    """What a process of the run of `driver` is: an actor's kind, `driver`, or else the program's own name.

    Raises `psutil.Error` if it has ended.
    """
    if process.pid == driver:
        return DRIVER
    command = process.cmdline()
    kind = process_kind(command)
    program = command[0].split() if command else []
    return kind if kind != RAY else Path(program[0] if program else process.name()).name


def complain(lines: Iterable[str]) -> None:
    """Prints remarks where they do not mix with results."""
    for line in lines:
        print(line, file=sys.stderr)

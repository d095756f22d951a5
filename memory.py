"""How much memory the run's processes take."""

from __future__ import annotations

import os
import re
import time

import psutil

READ_SECONDS = 5.0


class MemoryMeter:
    """Proportional set sizes of this process and all below it, by kind; read every few seconds."""

    def __init__(self) -> None:
        self._next = 0.0
        self._newest: dict[str, int] = {}

    def read(self) -> dict[str, int]:
        """Bytes by kind of process: driver, SelfPlayActor, TrainerActor, ..., ray (its daemons)."""
        if time.perf_counter() >= self._next:
            self._newest = memory_below(os.getpid())
            self._next = time.perf_counter() + READ_SECONDS
        return self._newest


def memory_below(driver: int) -> dict[str, int]:
    """Proportional set size in bytes of process `driver` and all its descendants, summed by kind."""
    sizes: dict[str, int] = {}
    top = psutil.Process(driver)
    for process in [top, *top.children(recursive=True)]:
        try:
            kind = "driver" if process.pid == driver else process_kind(process.cmdline())
            memory = process.memory_full_info()
        except psutil.Error:
            continue  # it has just ended
        sizes[kind] = sizes.get(kind, 0) + int(getattr(memory, "pss", memory.rss))
    return sizes


def process_kind(command: list[str]) -> str:
    """The actor class in a Ray worker's title (`ray::SelfPlayActor.play`), or `ray` for all else."""
    match = re.match(
        r"ray::(\w+(?:Actor|Storage|Evaluator))\b|ray::(Evaluator)\b", command[0] if command else ""
    )
    return next(name for name in match.groups() if name) if match else "ray"

"""What the run's processes take: memory and processor time, by what they are."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

from core.actor_kinds import ACTOR_KINDS, DRIVER, PROCESS_KINDS, RAY, ActorKind
from core.cost import CpuSeconds

READ_SECONDS = 5.0


class ProcessUsage(NamedTuple):
    """What one process takes."""

    identity: tuple[int, float]  # number, and when it was started: numbers are given again
    kind: str
    memory: int  # bytes, proportional set size
    cpu_seconds: float  # user and system, since its start, without its children's


@dataclass(frozen=True)
class Usage:
    """What all processes of a run take."""

    memory: dict[str, int]  # bytes by kind, now
    cpu_seconds: CpuSeconds  # since the meter was made
    # likewise, by kinds of actors that are not among `PROCESS_KINDS`
    added_cpu_seconds: dict[str, float] = field(default_factory=dict)


class ProcessMeter:
    """Measures this process and all below it, every few seconds.

    Processor time counts from the meter's making; a process that has ended keeps what was last seen of it.
    """

    def __init__(self) -> None:
        self.kinds: Sequence[ActorKind] = ACTOR_KINDS  # by which it tells actors apart
        running = processes_below(os.getpid(), self.kinds)
        self._before = {process.identity: process.cpu_seconds for process in running}
        self._seen: dict[tuple[int, float], ProcessUsage] = {}
        self._next = 0.0
        self._newest = Usage({}, CpuSeconds())

    def read(self, now: bool = False) -> Usage:
        """The newest reading; a fresh one if it is due, or asked for `now`."""
        if now or time.perf_counter() >= self._next:
            processes = processes_below(os.getpid(), self.kinds)
            self._seen |= {process.identity: process for process in processes}
            seconds = self._cpu_seconds()
            usual = CpuSeconds(**{kind: seconds.pop(kind, 0.0) for kind in PROCESS_KINDS})
            self._newest = Usage(memory_by_kind(processes), usual, seconds)
            self._next = time.perf_counter() + READ_SECONDS
        return self._newest

    def _cpu_seconds(self) -> dict[str, float]:
        """By kind."""
        seconds: dict[str, float] = {}
        for process in self._seen.values():
            taken = process.cpu_seconds - self._before.get(process.identity, 0.0)
            seconds[process.kind] = seconds.get(process.kind, 0.0) + taken
        return seconds


def memory_below(driver: int) -> dict[str, int]:
    """Proportional set size in bytes of process `driver` and all its descendants, summed by kind."""
    return memory_by_kind(processes_below(driver))


def memory_by_kind(processes: list[ProcessUsage]) -> dict[str, int]:
    """Bytes by kind of process."""
    sizes: dict[str, int] = {}
    for process in processes:
        sizes[process.kind] = sizes.get(process.kind, 0) + process.memory
    return sizes


def processes_below(driver: int, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> list[ProcessUsage]:
    """What process `driver` and all its descendants take; those that are just ending may be missing."""
    top = psutil.Process(driver)
    found = []
    for process in [top, *top.children(recursive=True)]:
        try:
            with process.oneshot():
                kind = DRIVER if process.pid == driver else process_kind(process.cmdline(), kinds)
                memory, cpu = process.memory_full_info(), process.cpu_times()
                identity = process.pid, process.create_time()
        except psutil.Error:
            continue  # it has just ended
        size = int(getattr(memory, "pss", memory.rss))
        found.append(ProcessUsage(identity, kind, size, cpu.user + cpu.system))
    return found


def process_kind(command: list[str], kinds: Sequence[ActorKind] = ACTOR_KINDS) -> str:
    """The kind of the actor in a Ray worker's title (`ray::SelfPlayActor.play`), or `ray` for all else."""
    match = re.match(r"ray::(\w+)", command[0] if command else "")
    return next((kind.name for kind in kinds if match and kind.actor == match[1]), RAY)

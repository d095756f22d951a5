"""Memory while a run goes on: said when it gets scarce, and the run saved before the kernel ends it.

The rule. Above `SCARCE` of the machine's or the container's memory a line says so, once. Above `TIGHT`, twice
in a row, the replay buffer gives half of its memory back, if at least half of what is used is the run's own,
and again after `SETTLED_SECONDS` if that was not enough. Above `FULL`, twice in a row, the run saves at once,
and ends if at least half of what is used is its own: else it goes on, since ending it would help little. Ray
itself ends processes from 95 % on. A line says, once, if at its present growth the run would be there within
an hour, and if Ray moves objects to the disk.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from core.memory import Memory, memory_now

SCARCE = 0.85
TIGHT = 0.88
FULL = 0.92
SETTLED_SECONDS = 30.0
"""In which memory that is given back is seen to be free."""
LOOK_SECONDS = 1.0
TREND_SECONDS = 1200.0
"""Over which growth is measured: a buffer that fills at first is not to frighten anybody."""
HORIZON = 3600.0
SPILLED = "ray_spilled_objects_*/*"
"""Files in the folder of Ray's session."""


class _Mark(NamedTuple):
    seconds: float
    bytes: int


class MemoryWatch:
    """Looks at the memory about once a second; `spills` is the folder of Ray's session, once there is one."""

    def __init__(
        self,
        memory: Callable[[], Memory | None] = memory_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory, self._clock = memory, clock
        self.spills: Path | None = None
        self.ended: str | None = None  # why the run is to be saved and to end
        self.save_now = False  # whether a checkpoint is to be written although the run goes on
        self.shrink_now = False  # whether the buffer is to give memory back
        self._said: set[str] = set()
        self._due = 0.0
        self._above = 0  # looks in a row at which it was full
        self._tight = 0  # likewise, tight
        self._shrunk = -SETTLED_SECONDS  # when
        self._marks: deque[_Mark] = deque()

    def look(self, own: int) -> Iterator[str]:
        """What there is to say, where the run itself takes `own` bytes (0: not known)."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + LOOK_SECONDS
        memory = self._memory()
        if memory is not None:
            yield from self._judge(memory, own, now)
        if self.spills is not None and "spills" not in self._said and any(self.spills.glob(SPILLED)):
            self._said.add("spills")
            yield (
                "warning: Ray's object store is full, and moves objects to the disk, which is slow: resume "
                "with a larger --object-store-mb, or fewer --num-workers"
            )

    def _judge(self, memory: Memory, own: int, now: float) -> Iterator[str]:
        state = (
            f"{memory.share:.0%} of {memory.whose} ({memory.limit / 2**30:.1f} GiB) is used, "
            f"{own / 2**30:.1f} GiB of it by this run"
        )
        if memory.share >= SCARCE and "scarce" not in self._said:
            self._said.add("scarce")
            yield (
                f"warning: {state}; from {TIGHT:.0%} on its replay buffer becomes smaller, from {FULL:.0%} "
                "on it saves and ends"
            )
        self._tight = self._tight + 1 if memory.share >= TIGHT and 2 * own >= memory.used else 0
        if self._tight >= 2 and now - self._shrunk >= SETTLED_SECONDS:
            self._shrunk, self.shrink_now = now, True
        self._above = self._above + 1 if memory.share >= FULL else 0
        if self._above >= 2 and "full" not in self._said:
            self._said.add("full")
            if 2 * own >= memory.used:
                self.ended = state
            else:
                self.save_now = True
                yield f"warning: {state}: it saves now, and goes on, since others take most of it"
        yield from self._trend(memory, own, now)

    def _trend(self, memory: Memory, own: int, now: float) -> Iterator[str]:
        """Says once that the run grows so fast that the memory would be full within an hour."""
        if not self._marks or now - self._marks[-1].seconds >= TREND_SECONDS / 20:
            self._marks.append(_Mark(now, own))
        while now - self._marks[0].seconds > TREND_SECONDS:
            self._marks.popleft()
        first = self._marks[0]
        long_enough = now - first.seconds >= TREND_SECONDS * 0.9
        grown = own - first.bytes
        left = FULL * memory.limit - memory.used
        rate = grown / max(now - first.seconds, 1.0)  # bytes a second
        if long_enough and "trend" not in self._said and 0 < left < rate * HORIZON:
            self._said.add("trend")
            yield (
                f"warning: this run grows by {rate * 60 / 2**20:.0f} MiB a minute: {memory.whose} "
                f"would be full in {left / rate / 60:.0f} minutes"
            )

"""The newest states of the actors that are restored, in memory between two checkpoints.

They lie in Ray's object store. The driver owns the references, so that they outlive the actors, and never
fetches what they stand for, unless at last to save it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from data import Snapshot
from runs.actors.shell import SnapshotReport
from runs.handles import Pending

SNAPSHOT_SECONDS = 10.0
"""Between two of an actor, and so the work that its loss costs."""
TIMES_TAKING = 100.0
"""Or so many times what taking one takes: a hundredth of the actor's time at most."""
SHARE = 8
"""An actor's state has this part of the store. There are two of it while it is taken, of two actors."""


class Kept(NamedTuple):
    """A snapshot that there is."""

    state: Pending[Snapshot]
    taken: float  # by `time.perf_counter`


class Snapshots:
    """What is kept of each actor, and when it is time for the next."""

    def __init__(self, store_bytes: int) -> None:
        self.room = store_bytes // SHARE  # bytes for one
        self._kept: dict[str, Kept] = {}
        self._next: dict[str, float] = {}

    def due(self, name: str) -> bool:
        """Whether it is time to ask actor `name` for its state."""
        return time.perf_counter() >= self._next.get(name, 0.0)

    def asked(self, name: str) -> None:
        """Actor `name` has been asked."""
        self._next[name] = time.perf_counter() + SNAPSHOT_SECONDS

    def take(self, name: str, state: Pending[Snapshot], report: SnapshotReport) -> None:
        """Keeps a snapshot in the place of the one before, if it was not too large."""
        now = time.perf_counter()
        self._next[name] = now + max(SNAPSHOT_SECONDS, TIMES_TAKING * report.seconds)
        if report.kept:
            self._kept[name] = Kept(state, now)
        else:
            self._kept.pop(name, None)  # an old one is worth less than a checkpoint

    def of(self, name: str) -> Kept | None:
        """The newest of actor `name`."""
        return self._kept.get(name)

    def discard(self, name: str) -> None:
        """It is no more to be had."""
        self._kept.pop(name, None)

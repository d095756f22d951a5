"""The newest states of the actors that are restored, in memory between two checkpoints.

They lie in Ray's object store. The driver owns the references, so that they outlive the actors, and never
fetches what they stand for, unless at last to save it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

from core.actor_kinds import Member
from data import Snapshot
from runs.actors.shell import SavedShell, SnapshotReport
from runs.driver import Driver
from runs.handles import Pending

SNAPSHOT_SECONDS = 10.0
"""Between two of an actor, and so the work that its loss costs."""
TIMES_TAKING = 100.0
"""Or so many times what taking one takes: a hundredth of the actor's time at most."""
SHARE = 8
"""An actor's state has this part of the store. There are two of it while it is taken, of two actors."""
SNAPSHOT = "snapshot"
"""Of the queues of the calls that take one, whose actor's name comes before."""


class Taken(NamedTuple):
    """A snapshot that there is."""

    state: Pending[Snapshot | None]  # there is one
    when: float  # by `time.perf_counter`


class Snapshots:
    """What is kept of each actor of a run, in a store of `store_bytes`, and when it is time for the next."""

    def __init__(self, run: Driver, store_bytes: int) -> None:
        self._run = run
        self._room = store_bytes // SHARE  # bytes for one
        self._taken: dict[str, Taken] = {}
        self._next: dict[str, float] = {}

    def go_on(self) -> None:
        """Asks actors for their states when it is time."""
        now = time.perf_counter()
        for name, member in self._run.members.items():
            due = self._able(member) and now >= self._next.get(name, 0.0)
            if due and not self._run.busy(_queue(name)):
                self._ask(name, now)

    def _able(self, member: Member) -> bool:
        return member.kind.restored and issubclass(self._run.shells[member.kind.name], SavedShell)

    def _ask(self, name: str, now: float) -> None:
        self._next[name] = now + SNAPSHOT_SECONDS
        report, state = self._run.actors[name].call_pair(SavedShell.snapshot, self._room)
        self._run.call(name, report, partial(self._take, name, state), queue=_queue(name), awaited=False)

    def _take(self, name: str, state: Pending[Snapshot | None], report: SnapshotReport) -> None:
        """Keeps a snapshot in the place of the one before, if it was not too large."""
        now = time.perf_counter()
        self._next[name] = now + max(SNAPSHOT_SECONDS, TIMES_TAKING * report.seconds)
        if report.kept:
            self._taken[name] = Taken(state, now)
        else:
            self._taken.pop(name, None)  # an old one is worth less than a checkpoint

    def of(self, name: str) -> Taken | None:
        """The newest of actor `name`."""
        return self._taken.get(name)

    def discard(self, name: str) -> None:
        """It is no more to be had."""
        self._taken.pop(name, None)


def _queue(name: str) -> str:
    return f"{name} {SNAPSHOT}"

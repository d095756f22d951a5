"""How long an actor may take to answer: slow is not hung.

Time counts only while the driver looks: a run that was stopped and goes on, or whose driver was busy, blames
nobody for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.actor_kinds import Member

LEAST_SECONDS = 120.0
"""In which every answer has to come, unless the configuration says otherwise."""
FIRST_SECONDS = 600.0
"""The same for an actor that has not done anything yet: it starts, compiles, waits for the first weights."""
TIMES_SLOWEST = 10.0
LOOK_SECONDS = 1.0
"""What counts of the time between two looks, at most."""
ENDING_SECONDS = 15.0
TIMES_ENDING = 3.0
"""In place of `LEAST_SECONDS` and `TIMES_SLOWEST` where a run is to end: whoever has sent a signal waits."""


@dataclass
class _Work:
    """What an actor is on."""

    call: object  # that waits for it
    seconds: float = 0.0  # since when


class Deadlines:
    """Who has been on what and for how long, as seen by a driver that looks several times a second."""

    def __init__(self, configured: float, members: Mapping[str, Member]) -> None:
        """`configured`: seconds for every call, or 0 for what is usual (`MuZeroConfig.call_deadline`)."""
        self._configured, self._members = configured, members
        self.ending = False  # the run is to end
        self._slowest: dict[str, float] = {}  # seconds of an answer, by kind
        self._working: dict[str, _Work] = {}
        self._at_work: set[str] = set()  # those that have answered a call after that of their start
        self._looked: float | None = None

    def look(self, on: Mapping[str, object], now: float) -> None:
        """Takes note that at `now` seconds the actors in `on` work on these calls, and the others on none."""
        passed = 0.0 if self._looked is None else min(now - self._looked, LOOK_SECONDS)
        self._looked = now
        for name, work in self._working.items():
            work.seconds += passed
            if on.get(name) is not work.call and name in self._at_work:
                kind = self._members[name].kind.name
                self._slowest[kind] = max(self._slowest.get(kind, 0.0), work.seconds)
        before = self._working
        same = {name: work for name, work in before.items() if on.get(name) is work.call}
        self._working = {name: same.get(name) or _Work(call) for name, call in on.items()}

    def answered(self, name: str) -> None:
        """Actor `name` has done what it is there for."""
        self._at_work.add(name)

    def forget(self, name: str) -> None:
        """Actor `name` is gone; what was asked of it says nothing of its kind."""
        self._working.pop(name, None)
        self._at_work.discard(name)

    def late(self) -> dict[str, float]:
        """The actors whose time is up, and the seconds that they have taken."""
        return {name: work.seconds for name, work in self._working.items() if work.seconds > self.of(name)}

    def of(self, name: str) -> float:
        """The seconds that actor `name` has for an answer now."""
        least = self._configured or (ENDING_SECONDS if self.ending else LEAST_SECONDS)
        if not self.ending and name not in self._at_work:
            least = max(least, FIRST_SECONDS)
        usual = 0.0 if self._configured else self.slowest(name)
        return max(least, (TIMES_ENDING if self.ending else TIMES_SLOWEST) * usual)

    def slowest(self, name: str) -> float:
        """The seconds that an answer has taken at most, of all actors of this one's kind."""
        return self._slowest.get(self._members[name].kind.name, 0.0)

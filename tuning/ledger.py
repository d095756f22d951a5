"""What has happened in a search: `ledger.jsonl`, one event a line, appended and on the disk before it counts.

Nothing else is kept: a search is resumed by reading its events again. The file is plain JSON, to be read,
mended and plotted with anything; a last line that a crash has cut short is dropped.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from core.errors import ConfigurationError, require
from core.json_text import LARGEST, entries, parse_json, text
from core.options import coerce
from saving.appending import append_whole
from saving.files import open_own, writing
from saving.reading import LEDGER, read_bytes
from tuning.space import Values

FILE_NAME = "ledger.jsonl"
FORMAT_VERSION = 1
LONGEST_REASON = 300
"""Characters."""


@dataclass(frozen=True)
class Opened:
    """The first event: everything that determines the search."""

    game: str
    parameters: tuple[str, ...]  # as they were written
    options: dict[str, Any]  # of the configuration, the same in all trials
    budget: int  # trials
    parallel: int  # at a time
    minutes: float  # of a trial; 0: no limit
    steps: int  # of a trial, updates; 0: as the game's preset says
    rungs: int
    reduction: int
    games: int  # by which a finished training is scored
    seed: int
    optimizer: str  # of nevergrad
    nevergrad: str  # version
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class Reopened:
    """The search goes on, with these limits."""

    budget: int
    parallel: int


@dataclass(frozen=True)
class Asked:
    """The optimiser has chosen the values of a trial; its training seed is fixed with them."""

    trial: int
    values: Values
    seed: int


@dataclass(frozen=True)
class Started:
    """A trial's process runs; `process` and `created` (seconds since the epoch) identify it."""

    trial: int
    process: int
    created: float


@dataclass(frozen=True)
class RungReached:
    """A trial had `score` in its training's own evaluations after `share` of its budget."""

    trial: int
    rung: int
    share: float
    score: float
    goes_on: bool


@dataclass(frozen=True)
class Finished:
    """A trial ran in full and was scored; the optimiser is told the score."""

    trial: int
    score: float
    error: float | None  # standard error of the score
    seconds: float  # of training
    updates: int
    played_steps: int
    checkpoint: str  # relative to the search's folder


@dataclass(frozen=True)
class Stopped:
    """A trial was stopped after `share` of its budget; the optimiser is `told` this, or nothing."""

    trial: int
    share: float
    score: float  # at the rung
    told: float | None


@dataclass(frozen=True)
class Failed:
    """A trial's process ended badly; the optimiser is told nothing."""

    trial: int
    reason: str


Event = Opened | Reopened | Asked | Started | RungReached | Finished | Stopped | Failed
KINDS: dict[str, type] = {
    "opened": Opened,
    "reopened": Reopened,
    "asked": Asked,
    "started": Started,
    "rung reached": RungReached,
    "finished": Finished,
    "stopped": Stopped,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in KINDS.items()}


class Ledger:
    """The file, open for appending; one process at a time. Raises `ConfigurationError` if another has it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        with writing(self.path):
            self._descriptor = open_own(self.path, os.O_APPEND)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(self._descriptor)
                if isinstance(error, BlockingIOError):
                    raise ConfigurationError(f"another search is running in {folder}") from None
                raise

    def events(self) -> list[Event]:
        """All events so far; a last line that was cut short is removed. Raises `ConfigurationError`."""
        with writing(self.path):
            content = read_bytes(self.path, LEDGER)
            whole = content[: content.rfind(b"\n") + 1]
            os.ftruncate(self._descriptor, len(whole))
        lines = whole.splitlines()
        return [self._event(line, number) for number, line in enumerate(lines, 1) if line.strip()]

    def _event(self, line: bytes, number: int) -> Event:
        try:
            return event_of(parse_json(line, constants=True))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            reason = f"{type(error).__name__}: {str(error)[:LONGEST_REASON]}"
            raise ConfigurationError(f"{self.path}, line {number}, is no event ({reason})") from None

    def append(self, event: Event) -> None:
        """Writes an event; it is on the disk when this returns. Raises `ConfigurationError`."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {"event": _NAMES[type(event)], "time": moment} | dataclasses.asdict(event)
        with writing(self.path):
            append_whole(self._descriptor, json.dumps(line).encode() + b"\n")
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Closes the file and lets others have it."""
        os.close(self._descriptor)


def event_of(line: dict[str, Any]) -> Event:
    """The event that a line of the ledger is about. Raises `ValueError`, `TypeError` or `KeyError`."""
    kind = KINDS[text(entries(line, "an event").pop("event"), "event")]
    del line["time"]
    hints = _FIELD_TYPES[kind]
    event: Event = kind(**{name: _checked(hints.get(name), value, name) for name, value in line.items()})
    if isinstance(event, Opened) and event.format_version != FORMAT_VERSION:
        raise ValueError(f"format {event.format_version}, this version reads format {FORMAT_VERSION}")
    return event


def _checked(expected: Any, value: Any, name: str) -> Any:
    if expected == dict[str, Any]:
        return entries(value, name)
    found = value if expected is None else coerce(expected, value, name)
    if name in BOUNDS and found is not None:
        low, high = BOUNDS[name]
        require(low <= found <= high, f"{name}={found}", f"must be from {low:g} to {high:g}")
    return found


MOST_TRIALS = 1_000_000
BOUNDS: dict[str, tuple[float, float]] = {
    "budget": (0, MOST_TRIALS),
    "parallel": (1, 4096),
    "minutes": (0.0, 1e7),
    "steps": (0, 1e12),
    "rungs": (0, 64),
    "games": (1, 1e9),
    "trial": (1, MOST_TRIALS),
    "process": (1, 2**31),
    "created": (0.0, 1e12),
    "rung": (0, 63),
    "share": (0.0, 1.0),
    "error": (0.0, math.inf),
    "seconds": (0.0, 1e12),
    "updates": (0, LARGEST),
    "played_steps": (0, LARGEST),
}
"""Of the numbers in events, inclusive: a search that was begun by the command line has no others."""


_FIELD_TYPES = {kind: get_type_hints(kind) for kind in KINDS.values()}

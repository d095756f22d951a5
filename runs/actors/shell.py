"""Actors: thin shells over plain classes, made in the process that they are to work in.

What happens when one dies: `runs/failures.py`. Who calls them: their duties, beside them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar, cast

from config import MuZeroConfig
from data import Snapshot, WeightsSource
from games.api.spec import GameSpec
from playing.game_note import NO_CAUTION, Caution
from runs.actors.writing import Done, PartWriter, Place, Refused, Write
from saving.checkpoint import write_part

Part = TypeVar("Part")


class GameSource(Protocol):
    """Where an actor has its game from: with Ray its recipe, `games/api/spec.py:Recipe`."""

    def make(self) -> GameSpec:
        """The game. Raises `ConfigurationError` if it cannot be made here."""
        ...


class Setup(NamedTuple):
    """All that an actor builds its part of the run from."""

    game: GameSource
    config: MuZeroConfig
    device: str
    number: int = 0  # of this actor among those of its kind
    attempt: int = 0  # actors that have been lost before it
    source: WeightsSource | None = None  # of the newest weights, for those launched after the storage
    state: Snapshot | None = None  # to go on from
    caution: Caution = NO_CAUTION  # of games that took their process along


class Stateful(Protocol):
    """An actor whose state checkpoints keep."""

    def state(self) -> Snapshot:
        """What it takes to go on."""
        ...


def copied(state: Snapshot) -> Snapshot:
    """The same in arrays of its own, which stay as they are while the part goes on."""
    return Snapshot({name: array.copy() for name, array in state.arrays.items()}, state.facts)


class NotStartedError(RuntimeError):
    """Something was asked of an actor whose `start` has failed."""


class Shell(ABC, Generic[Part]):
    """An actor around one part of the run.

    Its constructor does nothing, not even take arguments, which cannot be read where a game's file is
    broken: whatever fails, fails in a call, and its error comes back as it was raised.
    """

    def __init__(self) -> None:
        self._part: Part | None = None
        self._writer = PartWriter()

    def start(self, setup: Setup) -> None:
        """Builds the part; the first call of every actor."""
        self._part = self._build(setup)

    def save(self, place: Place) -> int:
        """Begins to write the part's state, as it is now, beside all other work; what it has counted.

        What comes of it, `saved` says.
        """
        self._writer.begin(place, self._write_of(place))
        return self._counted()

    def saved(self) -> Done | Refused | None:
        """How the writing went, or None as long as it goes on."""
        return self._writer.outcome()

    def piece(self, file: str, offset: int) -> bytes:
        """Some bytes from `offset` of a file that was written out of sight of the driver; none at its end."""
        return self._writer.piece(file, offset)

    def _write_of(self, place: Place) -> Write:
        """What writes the state of this moment into a folder, later and in another thread."""
        state = copied(cast(Stateful, self).state())
        return partial(write_part, name=place.part, part=state)

    def _counted(self) -> int:
        """What a checkpoint has to know of this moment: the updates made, the steps added."""
        return 0

    @abstractmethod
    def _build(self, setup: Setup) -> Part:
        """The part, in the state that it goes on from."""

    @property
    def part(self) -> Part:
        """What does the work. Raises `NotStartedError` if it could not be built."""
        if self._part is None:
            raise NotStartedError(f"{type(self).__name__} has not been started")
        return self._part

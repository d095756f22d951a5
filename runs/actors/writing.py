"""How an actor writes its own part of a checkpoint beside its work, in a thread of its own.

It writes into the generation's folder, if it sees that; on a machine that does not, into a folder of its own,
from which the driver fetches the files in pieces.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from saving.checkpoint import Written
from saving.rows import RowFile

PIECE = 4 << 20
"""Bytes that are fetched at a time."""
Write: TypeAlias = Callable[[Path], Written]
"""Writes a part into a folder. Raises `OSError`."""


class Place(NamedTuple):
    """Where a part is to be written."""

    folder: Path  # of the generation
    mark: str  # a file in it, by which it is known to be that folder
    part: str  # the actor's name
    base: tuple[RowFile, ...]  # in an earlier generation, from which the driver takes them


class Done(NamedTuple):
    """A part has been written."""

    written: Written
    elsewhere: bool  # its files have to be fetched


class Refused(NamedTuple):
    """The disk has refused it."""

    reason: str


class PartWriter:
    """Writes one state after another; each is the caller's own, and stays as it is until it is written."""

    def __init__(self) -> None:
        self._newest: _Writing | None = None

    def begin(self, place: Place, write: Write) -> None:
        """Begins to write, once what was begun before has ended, which nobody waits for any more."""
        self._newest = _Writing(place, write, self._newest)

    @property
    def busy(self) -> bool:
        """Whether a state is being written."""
        return self._newest is not None and self._newest.thread.is_alive()

    def outcome(self) -> Done | Refused | None:
        """What came of it, or None as long as it goes on. Raises what was raised, if no `OSError`."""
        if self._newest is None or self.busy:
            return None
        if isinstance(self._newest.outcome, Exception):
            raise self._newest.outcome
        return self._newest.outcome

    def piece(self, file: str, offset: int) -> bytes:
        """At most `PIECE` bytes of a file, from `offset`; none at its end."""
        assert self._newest is not None, "something has been written"
        assert self._newest.own is not None, "the part was written where the driver sees it"
        with (self._newest.own / file).open("rb") as stream:
            stream.seek(offset)
            return stream.read(PIECE)


class _Writing:
    """One state's way to the disk, in a thread: a disk that hangs holds up nobody else."""

    def __init__(self, place: Place, write: Write, before: _Writing | None) -> None:
        self.outcome: Done | Refused | Exception | None = None
        self.own: Path | None = None  # a folder, where the generation's is not seen
        work = partial(self._work, place, write, before)
        self.thread = threading.Thread(target=work, daemon=True, name="saving")
        self.thread.start()

    def _work(self, place: Place, write: Write, before: _Writing | None) -> None:
        try:
            if before is not None:
                before.thread.join()
                before.forget()
            elsewhere = not (place.folder / place.mark).exists()
            if elsewhere:
                self.own = Path(tempfile.mkdtemp(prefix="muzero-part-"))
            self.outcome = Done(write(self.own or place.folder), elsewhere)
        except OSError as error:
            self.outcome = Refused(error.strerror or str(error))
        except Exception as error:  # raised again where it is asked for
            self.outcome = error

    def forget(self) -> None:
        """Removes what was written, which has been fetched, or will not be."""
        if self.own is not None:
            shutil.rmtree(self.own, ignore_errors=True)
            self.own = None

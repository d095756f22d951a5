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
        self._thread: threading.Thread | None = None
        self._outcome: Done | Refused | Exception | None = None
        self._own: Path | None = None

    def begin(self, place: Place, write: Write) -> None:
        """Begins to write. One that still goes on, which nobody waits for any more, is waited for."""
        self.wait()
        self._forget()
        work = partial(self._work, place, write)
        self._thread = threading.Thread(target=work, daemon=True, name="saving")
        self._thread.start()

    def wait(self) -> None:
        """Waits for the state that is being written, if one is."""
        if self._thread is not None:
            self._thread.join()

    def outcome(self) -> Done | Refused | None:
        """What came of it, or None as long as it goes on. Raises what was raised, if no `OSError`."""
        if self._thread is not None and self._thread.is_alive():
            return None
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def piece(self, file: str, offset: int) -> bytes:
        """At most `PIECE` bytes of a file, from `offset`; none at its end."""
        assert self._own is not None, "the part was written where the driver sees it"
        with (self._own / file).open("rb") as stream:
            stream.seek(offset)
            return stream.read(PIECE)

    def _work(self, place: Place, write: Write) -> None:
        try:
            elsewhere = not (place.folder / place.mark).exists()
            if elsewhere:
                self._own = Path(tempfile.mkdtemp(prefix="muzero-part-"))
            self._outcome = Done(write(self._own or place.folder), elsewhere)
        except OSError as error:
            self._outcome = Refused(error.strerror or str(error))
        except Exception as error:  # raised again where it is asked for
            self._outcome = error

    def _forget(self) -> None:
        """Removes what was written before, which has been fetched, or will not be."""
        self._outcome = None
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None

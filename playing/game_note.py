"""Which game a process is moving, noted where it outlives the process: a game may take it along, or hang.

A note is a small file that is mapped into memory: to write it takes half a microsecond and no call of the
system, and the kernel keeps it when the process is killed.
"""

from __future__ import annotations

import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from saving.reading import check_regular

_RECORD = struct.Struct("<qqq")  # row, or `NONE`; seed; moves made
_SUSPECT = _RECORD.size  # where the second record begins
_SIZE = 2 * _RECORD.size
NONE = -1
"""Instead of a row: no game is being moved."""


class Noted(NamedTuple):
    """The game that a process was moving when it ended."""

    row: int
    seed: int
    moves: int  # made before


class Caution(NamedTuple):
    """What a player is told of games that took their process with them."""

    note: Path | None = None  # where it notes what it plays
    avoid: frozenset[int] = frozenset()  # seeds of such games, which are not played again


NO_CAUTION = Caution()
"""For players whom nobody watches."""


class NoNote:
    """Notes nothing."""

    def moving(self, row: int, seed: int, moves: int) -> None:
        """The game of `seed` in `row`, which has had so many `moves`, is made to move, or to start."""

    def rest(self) -> None:
        """No game is being moved."""


class GameNote(NoNote):
    """Notes into the file `path`, whose folder exists. Raises `OSError` where that cannot be."""

    def __init__(self, path: Path) -> None:
        descriptor = _opened(path, os.O_CREAT)
        try:
            suspect = _read(descriptor)[_SUSPECT:]
            os.ftruncate(descriptor, 0)
            # written, not only made long: a page that is not there cannot be had later on a full disk
            os.pwrite(descriptor, _RECORD.pack(NONE, 0, 0) + suspect, 0)
            self._record = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)

    def moving(self, row: int, seed: int, moves: int) -> None:
        """See `NoNote`."""
        _RECORD.pack_into(self._record, 0, row, seed, moves)

    def rest(self) -> None:
        """See `NoNote`."""
        _RECORD.pack_into(self._record, 0, NONE, 0, 0)


def note_at(path: Path | None) -> NoNote:
    """A note at `path`; none where there is to be none, or the folder is not to be had on this machine."""
    with suppress(OSError):
        if path is not None:
            return GameNote(path)
    return NoNote()


def taken(path: Path) -> Noted | None:
    """The game that the writer of `path` was moving when it ended, if it was; the note is empty then."""
    return _take(path, suspected=False)


def taken_if_again(path: Path) -> Noted | None:
    """Like `taken`, but only of a game that was being moved when the writer before that one ended as well.

    For where nobody knows why a process ended: the first time may have been chance.
    """
    return _take(path, suspected=True)


def _take(path: Path, suspected: bool) -> Noted | None:
    with suppress(OSError):
        descriptor = _opened(path)
        try:
            content = _read(descriptor)
            noted, before = (Noted(*_RECORD.unpack_from(content, at)) for at in (0, _SUSPECT))
            if noted.row == NONE:
                return None
            os.pwrite(descriptor, _RECORD.pack(NONE, 0, 0) + _RECORD.pack(*noted), 0)
            return noted if not suspected or (before.row != NONE and before.seed == noted.seed) else None
        finally:
            os.close(descriptor)
    return None


def _opened(path: Path, flags: int = 0) -> int:
    """A descriptor of a regular file that is no link. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o600)
    check_regular(descriptor, path)
    return descriptor


def _read(descriptor: int) -> bytes:
    """Both records; empty ones where the file is new, or is no note."""
    content = os.pread(descriptor, _SIZE + 1, 0)
    return content if len(content) == _SIZE else _RECORD.pack(NONE, 0, 0) * 2

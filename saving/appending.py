"""Files that a run appends to, on a disk that may be full for a while: the run goes on, and tries again."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from saving.files import open_own

MOST_WAITING = 1 << 20
"""Bytes that wait for the disk to take them; of more the oldest are given up."""
Say = Callable[[str], object]


class Troubles:
    """Says once what the disk refuses, and once that it takes what is written again."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self._refused: dict[str, str] = {}  # what could not be written, and why

    def refused(self, what: str, error: OSError) -> None:
        """`what` cannot be written now. A line, unless one has said so of this reason."""
        reason = error.strerror or str(error)
        known = reason in self._refused.values()
        self._refused[what] = reason
        if not known:
            self.say(f"warning: cannot write {what}: {reason}; the run goes on and tries again")

    def written(self, what: str) -> None:
        """`what` can be written. A line if that is new of everything that could not."""
        if self._refused.pop(what, None) is not None and not self._refused:
            self.say(f"{what} can be written again")


class Strict(Troubles):
    """Raises what the disk refuses: for files that are written in one go, and anew if that fails."""

    def refused(self, what: str, error: OSError) -> None:
        """Raises `error`."""
        raise error


class AppendedFile:
    """A file that grows by whole chunks: `write` raises nothing of the disk, and leaves no half of one.

    Chunks that were refused wait, at most `MOST_WAITING` bytes of them, and come before later ones. Making
    it raises `OSError`: a run that cannot even begin its files is not begun. With `later` the file is opened
    by the first chunk only, and where that is refused the chunk waits.
    """

    def __init__(self, path: Path, troubles: Troubles, new: bool = False, later: bool = False) -> None:
        self._path, self._troubles = path, troubles
        self._flags = os.O_APPEND | (os.O_EXCL if new else 0)
        self._descriptor = None if later else open_own(path, self._flags)
        self._waiting: deque[bytes] = deque()

    def fileno(self) -> int:
        """Of the file, which is opened if it is not yet. Raises `OSError`."""
        if self._descriptor is None:
            self._descriptor = open_own(self._path, self._flags)
        return self._descriptor

    def write(self, chunk: bytes) -> None:
        """Appends `chunk`, now or once it is possible."""
        self._waiting.append(chunk)
        try:
            while self._waiting:
                append_whole(self.fileno(), self._waiting[0])
                self._waiting.popleft()
        except OSError as error:
            self._give_up_oldest()
            self._troubles.refused(self._path.name, error)
        else:
            self._troubles.written(self._path.name)

    def close(self) -> None:
        """Tries once more to write what waits, and closes."""
        if self._waiting:
            self.write(b"")
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _give_up_oldest(self) -> None:
        waiting = sum(map(len, self._waiting))
        while waiting > MOST_WAITING:
            waiting -= len(self._waiting.popleft())


def append_whole(descriptor: int, chunk: bytes) -> None:
    """Appends all of `chunk` to a file that is open for that, or nothing. Raises `OSError`."""
    size, written = os.fstat(descriptor).st_size, 0
    try:
        while written < len(chunk):
            written += os.write(descriptor, chunk[written:])
    except OSError:
        os.ftruncate(descriptor, size)
        raise

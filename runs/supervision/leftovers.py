"""The folder that a Ray of our own keeps on the disk: removed with it, or by a later run if it was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from saving.files import open_own
from saving.reading import ANY, opened

MARK = ".of-a-training"
"""A file in it, which its run holds locked: a process that dies leaves no lock."""
NEWEST = "session_latest"
"""Ray's link to the folder of whoever came last."""


class SessionFolder:
    """The folder `path`, which nobody else removes as long as this process lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = open_own(path / MARK, 0)
        with suppress(OSError):  # files cannot be locked here: nobody else can lock it either
            fcntl.flock(self._mark, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Removes it, and Ray's link to it."""
        newest = self.path.parent / NEWEST
        with suppress(OSError):
            if newest.is_symlink() and newest.resolve() == self.path.resolve():
                newest.unlink()
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._mark)


def remove_left_over(parent: Path) -> None:
    """Removes the folders in `parent` of runs that were killed. Those of clusters have no mark, and stay."""
    for mark in parent.glob(f"session_*/{MARK}"):
        if not mark.parent.is_symlink() and _abandoned(mark):
            shutil.rmtree(mark.parent, ignore_errors=True)


def _abandoned(mark: Path) -> bool:
    """Whether nobody holds it."""
    try:
        with opened(mark, ANY) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

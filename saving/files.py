"""Files that are written whole or not at all, and their digests."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from core.errors import ConfigurationError
from saving.reading import BEST, Kind, check_regular, opened


class CheckpointError(ConfigurationError):
    """A checkpoint cannot be read or written; the message says which, why and what to do."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the disk refuses in here into one line about `path`, a `ConfigurationError`."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from None


def check_writable(path: Path) -> None:
    """Makes the file's folder, and tries the file. Raises `ConfigurationError` if that is not possible."""
    exists = path.exists()
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666))
        if not exists:
            path.unlink()


@contextmanager
def synced(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file of ours for writing, see `open_own`; what was written is on the disk afterwards."""
    with open(open_own(path, os.O_TRUNC), "wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a whole file atomically: readers see the old content or all of the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with synced(temporary) as stream:
            stream.write(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")
"""What a temporary file of `write_whole` is called, with its process."""
LEFT_SECONDS = 60.0
"""A temporary file so old belongs to no `write_whole` that still goes on."""


def remove_leftovers(folder: Path) -> None:
    """Removes what a `write_whole` in the folder has left behind whose process was killed."""
    for path in folder.iterdir():
        match = TEMPORARY.fullmatch(path.name)
        with suppress(OSError):
            if match and (not _alive(int(match[1])) or time.time() - path.stat().st_mtime > LEFT_SECONDS):
                path.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    return process != os.getpid()  # our own are written one after another


def open_own(path: Path, flags: int) -> int:
    """A descriptor to read and write the file `path` with, made if it is not there.

    A link is not followed: what is written beside other files of a folder stays there. Raises `OSError`,
    also where a pipe or a device lies at `path`: nothing is waited for.
    """
    flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(
                errno.ELOOP, "this is a symbolic link, which is not written through", str(path)
            ) from None
        raise
    check_regular(descriptor, path)
    return descriptor


def sync_file(path: Path) -> None:
    """Makes a file's content durable that was written without that."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Makes renames inside the folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_file(path: Path, kind: Kind = BEST) -> str:
    """The SHA-256 of a file's content, hexadecimal. Raises `OSError`, see `saving/reading.py:opened`."""
    with opened(path, kind) as stream:
        return digest_of(stream)


def digest_of(stream: IO[bytes], length: int | None = None) -> str:
    """The SHA-256 of an open file's first `length` bytes, by default of all of them, hexadecimal."""
    digest, left = hashlib.sha256(), sys.maxsize if length is None else length
    stream.seek(0)
    while left > 0 and (piece := stream.read(min(PIECE, left))):
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


PIECE = 1 << 20
"""Bytes that are read at a time."""

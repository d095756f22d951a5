"""Files that are written whole or not at all, and their digests."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def appending(path: Path) -> IO[bytes]:
    """The regular file at `path`, made if there is none, for writing at its end; it can be read as well.

    A link is not followed: what is written beside other files of a folder stays there. Raises `OSError`,
    also where a pipe or a device lies at `path`: nothing is waited for.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "this is a link, which is not written through", str(path)) from None
        raise
    check_regular(descriptor, path)
    return open(descriptor, "a+b")


@contextmanager
def synced(path: Path) -> Iterator[IO[bytes]]:
    """Opens `path` for writing; what was written is on the disk afterwards."""
    with path.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a whole file atomically: readers see the old content or all of the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with synced(temporary) as stream:
            stream.write(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


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

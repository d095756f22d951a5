"""Files that are written whole or not at all, and their digests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.errors import ConfigurationError


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
        path.open("a").close()
        if not exists:
            path.unlink()


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


def digest_file(path: Path) -> str:
    """The SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""Files that are written whole or not at all, and their digests."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    """A descriptor to write the file `path` with, made if it is not there.

    Raises `OSError` where it is no regular file: through a link, something would be written elsewhere.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "not a regular file", str(path))
    return descriptor


def read_end(path: Path, most: int) -> bytes:
    """The last `most` bytes of a regular file, or all of it. Raises `OSError` where it is none."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(None, "is no regular file")
    with path.open("rb") as stream:
        stream.seek(max(found.st_size - most, 0))
        return stream.read(most)


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


def digest_file(path: Path) -> str:
    """The SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

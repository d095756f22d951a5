"""The one way to files that somebody else may have written or changed: regular files, of bounded size.

Checkpoints, registries, ledgers, metrics and configurations are handed around, copied and damaged. Whatever
is at a path, reading it must end soon, take little memory, run nothing and fail in a way that becomes one
line. So all such files are opened here (`tests/saving/test_one_reader.py` sees to it), each with the
`Kind` that says how large it may be. Arrays are read by `saving/archives.py`.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from core.json_text import parse_json

LONGEST_LINE = 1 << 20
"""Bytes of one line of a file that is read by lines."""


class Kind(NamedTuple):
    """A kind of file, and the most that is read of one."""

    name: str
    most_bytes: int


MIB = 1 << 20
MANIFEST = Kind("manifest", 1 * MIB)
FACTS = Kind("facts of a checkpoint", 8 * MIB)
CONFIGURATION = Kind("configuration", 1 * MIB)
REGISTRY = Kind("registry", 32 * MIB)
LEDGER = Kind("ledger", 64 * MIB)
METRICS = Kind("metrics", 1024 * MIB)  # of a week: they are read line by line
PROVENANCE = Kind("provenance", 8 * MIB)
SCORE = Kind("score of a trial", 1 * MIB)
NAME = Kind("name of a run", 4096)
BEST = Kind("best checkpoint", 2048 * MIB)
PART = Kind("part of a checkpoint", 1 << 40)  # what its configuration allows is less: `saving/room.py`
OUTPUT = Kind("output of a process", 64 * MIB)
LOG = Kind("log", 1024 * MIB)
GAME_FILE = Kind("game's file", 10_000_000)  # what is longer is none
ANY = Kind("file", sys.maxsize)  # of which only the size is wanted, or the end


@contextmanager
def opened(path: Path, kind: Kind) -> Iterator[IO[bytes]]:
    """The regular file at `path`, of at most `kind.most_bytes`, for reading.

    Raises `OSError`, with `strerror` and `filename`, when there is none, when it is anything else (a folder,
    a pipe, a device: nothing is waited for) or larger.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    size = check_regular(descriptor, path)
    with open(descriptor, "rb") as stream:
        if size > kind.most_bytes:
            raise OSError(errno.EFBIG, _too_large(size, kind), str(path))
        yield stream


def check_regular(descriptor: int, path: Path) -> int:
    """The size in bytes of an open file. Closes it and raises `OSError` unless it is a regular one."""
    try:
        return _regular_size(descriptor, path)
    except OSError:
        os.close(descriptor)
        raise


def _regular_size(descriptor: int, path: Path) -> int:
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "this is no regular file, but a pipe, a device or the like", str(path))
    return found.st_size


def _too_large(size: int, kind: Kind) -> str:
    most = kind.most_bytes / MIB
    return f"it has {size / MIB:,.0f} MiB, and what is read as {kind.name} has at most {most:,.4g}"


def read_bytes(path: Path, kind: Kind) -> bytes:
    """All of the file at `path`. Raises `OSError`, see `opened`."""
    with opened(path, kind) as stream:
        content = stream.read(kind.most_bytes + 1)
    if len(content) > kind.most_bytes:  # it has grown meanwhile
        raise OSError(errno.EFBIG, _too_large(len(content), kind), str(path))
    return content


def read_end(path: Path, most: int) -> bytes:
    """The last `most` bytes of the file at `path`, however long it is. Raises `OSError`, see `opened`."""
    with opened(path, ANY) as stream:
        stream.seek(max(stream.seek(0, os.SEEK_END) - most, 0))
        return stream.read(most)


def size_of(path: Path) -> int:
    """Bytes of the file at `path`. Raises `OSError`, see `opened`."""
    with opened(path, ANY) as stream:
        return os.fstat(stream.fileno()).st_size


def read_text(path: Path, kind: Kind, errors: str = "strict") -> str:
    """All of the file at `path`, as UTF-8. Raises `OSError`, see `opened`, and `UnicodeDecodeError`."""
    return read_bytes(path, kind).decode("utf-8", errors)


def read_json(path: Path, kind: Kind, constants: bool = False) -> Any:
    """What the JSON at `path` says. Raises `OSError`, see `opened`, and `ValueError`, see `parse_json`."""
    return parse_json(read_bytes(path, kind), constants)


def read_lines(path: Path, kind: Kind) -> Iterator[bytes]:
    """The lines of the file at `path`, each with its end; one of more than `LONGEST_LINE` is left out.

    Raises `OSError`, see `opened`.
    """
    with opened(path, kind) as stream:
        yield from lines_of(stream)


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines from the present place in a file on, see `read_lines`."""
    whole = True
    while piece := stream.readline(LONGEST_LINE):
        ended = piece.endswith(b"\n")
        if whole and (ended or len(piece) < LONGEST_LINE):
            yield piece
        whole = ended

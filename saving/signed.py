"""Files whose SHA-256 is known: a generation's, by its manifest, and the best checkpoint, by its own end."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from core.json_text import brief, entries
from saving.archives import ArrayFile
from saving.files import CheckpointError, digest_of
from saving.reading import PART, Kind, opened, read_bytes, size_of

ANOTHER = "use another checkpoint"
SEAL = b"sha256:"
"""Comes before the SHA-256 at a file's end."""
SEAL_DIGITS = 64
NO_SEAL = SEAL + b"0" * SEAL_DIGITS
"""As long as a seal, whose place it takes in what is to be `sealed`."""


class ListedFiles:
    """The files of a `folder` of which a manifest lists the digests.

    Reading raises `CheckpointError` where a file is not the listed one, `KeyError` where it is not listed,
    and what `opened` and `ArrayFile` raise.
    """

    def __init__(self, folder: Path, listed: Any) -> None:
        """Raises `ValueError` unless `listed` has digests by names of files in the folder itself."""
        for name, digest in entries(listed, "files").items():
            if name in ("", "..") or Path(name).name != name or not isinstance(digest, str):
                raise ValueError(f"{brief(name)} is no file of a checkpoint")
        self._folder, self._digests = folder, dict[str, str](listed)

    @property
    def names(self) -> set[str]:
        """Those of all files."""
        return set(self._digests)

    def size(self, name: str) -> int:
        """Bytes that a file has; not whether it is the listed one."""
        return size_of(self._folder / name)

    def content(self, name: str, kind: Kind) -> bytes:
        """All of a file."""
        path, digest = self._folder / name, self._digests[name]
        content = read_bytes(path, kind)
        if hashlib.sha256(content).hexdigest() != digest:
            raise corrupt(path)
        return content

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays in a file."""
        path, digest = self._folder / name, self._digests[name]
        with opened(path, PART) as stream:
            if digest_of(stream) != digest:
                raise corrupt(path)
            return ArrayFile(stream).read_all()


def corrupt(path: Path) -> CheckpointError:
    """What there is to say of a file with another digest."""
    return CheckpointError(f"{path} is corrupt: its checksum differs; {ANOTHER}")


def sealed(content: bytes) -> bytes:
    """`content`, which ends with `NO_SEAL`, with its seal."""
    body = content[:-SEAL_DIGITS]
    return body + hashlib.sha256(body).hexdigest().encode()


def check_seal(path: Path, stream: IO[bytes]) -> None:
    """Raises `CheckpointError` about `path` unless an open archive ends with the SHA-256 of all before it."""
    length = stream.seek(0, io.SEEK_END) - SEAL_DIGITS
    stream.seek(0)
    begins = stream.read(2) == b"PK"
    stream.seek(max(length - len(SEAL), 0))
    if not (begins and stream.read(len(SEAL)) == SEAL):
        raise CheckpointError(f"{path} is not a checkpoint, or is cut short; {ANOTHER}")
    digest = stream.read(SEAL_DIGITS)
    if digest_of(stream, length).encode() != digest:
        raise corrupt(path)

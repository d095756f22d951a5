"""Named arrays in one file, an uncompressed `.npz`: written as they are, and read with bounds.

What a file says of itself is looked at before anything is made of it: all members are stored as they are,
their sizes add up to no more than the file has, and each holds just the array that its header describes.
So reading takes about as much memory as the file has bytes. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import tokenize
import warnings
import zipfile
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DIRECTORY = 4 << 20
"""Bytes of an archive's list of members, at most; and of what is read at once to find it."""
SUFFIX = ".npy"
KINDS = "biuf"
"""NumPy's letters of the dtypes that arrays may have: booleans, whole numbers, numbers."""
HEADER = 4096
"""Bytes of an array's header, at most."""
MOST_MEMBERS = 10_000
"""Arrays in a file."""
PIECE = 1 << 20
"""Bytes of an array that are read at a time."""


class Layout(NamedTuple):
    """What a file says of an array in it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    begin: int  # bytes of the member before its numbers
    columns_first: bool  # whether the first index runs fastest

    @property
    def size(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Of memory."""
        return self.size * self.dtype.itemsize


Layouts = Mapping[str, Layout]


def write_archive(stream: IO[bytes], arrays: Mapping[str, NDArray[Any]], comment: bytes = b"") -> None:
    """Writes `arrays`, and the archive's `comment` behind them."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(name + SUFFIX, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        archive.comment = comment


class ArrayFile:
    """The arrays in a regular file, whose headers are known from the start and which are read one by one.

    Raises `ValueError` on arrays of objects, on what is not a number (infinity may be a mask) and
    where the file does not hold what it says, and what `zipfile` raises on what is no archive.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(_NoLargePiece(stream))
        self._members = _members(self._archive, stream.seek(0, io.SEEK_END))
        self.layouts: Layouts = {
            name: _layout(self._archive, member) for name, member in self._members.items()
        }

    def read(self, name: str) -> NDArray[Any]:
        """The array `name`. Raises `KeyError` if there is none."""
        with self._archive.open(self._members[name]) as stream:
            return _array(stream, self.layouts[name], name)

    def read_all(self) -> dict[str, NDArray[Any]]:
        """All arrays by name."""
        return {name: self.read(name) for name in self._members}


class _NoLargePiece(io.RawIOBase):
    """A file of which no more than `DIRECTORY` bytes are read at once: `zipfile` believes what it reads."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`. Raises `ValueError`."""
        piece = self._stream.read(DIRECTORY + 1 if size < 0 else min(size, DIRECTORY + 1))
        if len(piece) > DIRECTORY:
            raise ValueError("its list of members is too long")
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True


def _members(archive: zipfile.ZipFile, file_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """The members by the names of their arrays."""
    found = {info.filename.removesuffix(SUFFIX): info for info in archive.infolist()}
    if len(found) < len(archive.infolist()):
        raise ValueError("two of its arrays have one name")
    if len(found) > MOST_MEMBERS:
        raise ValueError(f"{len(found)} arrays are too many")
    for info in found.values():
        stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
        if not stored or info.flag_bits & 1 or not info.filename.endswith(SUFFIX):
            raise ValueError(f"{info.filename[:80]!r} is not an array that is stored as it is")
    if sum(info.file_size for info in found.values()) > file_bytes:
        raise ValueError("its arrays are said to be larger than the file")
    return found


def _layout(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Layout:
    """What the header of a member says, which has to be true of its size."""
    with archive.open(member) as stream:
        layout = _header(stream, member.filename[:80])
    plain = layout.dtype.kind in KINDS and layout.dtype.isnative and layout.dtype.itemsize <= 8
    if not plain or min(layout.shape, default=0) < 0 or len(layout.shape) > 8:
        raise ValueError(f"{member.filename[:80]!r} is no array of plain numbers")
    if layout.begin + layout.bytes != member.file_size:
        raise ValueError(f"{member.filename[:80]!r} does not have the size that its header says")
    return layout


def _header(stream: IO[bytes], name: str) -> Layout:
    """What NumPy reads of the header at a member's start. Raises `ValueError`."""
    version = np.lib.format.read_magic(stream)
    if version not in READERS:
        raise ValueError(f"{name!r} is an array of format {version}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 has written
            shape, columns_first, dtype = READERS[version](stream, max_header_size=HEADER)
    except (SyntaxError, tokenize.TokenError):
        raise ValueError(f"the header of {name!r} cannot be read") from None
    return Layout(shape, dtype, stream.tell(), columns_first)


READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""By versions of the format."""


def _array(stream: IO[bytes], layout: Layout, name: str) -> NDArray[Any]:
    """The array of a member that is read from its start. Raises `ValueError` on what is not a number."""
    flat = np.empty(layout.size, layout.dtype)
    place, filled = flat.view(np.uint8).data, 0
    stream.read(layout.begin)
    while filled < len(place):
        piece = stream.read(min(PIECE, len(place) - filled))
        if not piece:
            raise ValueError(f"{name[:80]!r} is cut short")
        place[filled : filled + len(piece)] = piece
        filled += len(piece)
    if flat.size and flat.dtype.kind == "f" and np.isnan(flat.min()):
        raise ValueError(f"the numbers of {name[:80]!r} are not finite: was it damaged?")
    if flat.size and flat.dtype.kind == "b" and flat.view(np.uint8).max() > 1:
        raise ValueError(f"{name[:80]!r} is neither true nor false: was it damaged?")
    return flat.reshape(layout.shape, order="F" if layout.columns_first else "C")

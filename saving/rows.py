"""Rows that only come and go, in files that generations share: no row is written every time.

A part with many rows, the replay buffer, is saved in three kinds of data. What never changes in a row lies in
files of so many rows each, `rows_<part>_<start>_<stop>.npz`; a later generation has a hard link to the same
file and adds those of the rows that are new. What may change in a row lies in the part's own file, of all
rows. What changes with every call is in the part's facts, taken at one moment, the cut; rows are read while
the part goes on working, seconds later. That is right because a row's number is never used again: rows that
have left meanwhile are left out, rows that have come are of the next generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.json_text import brief, text, whole
from data import Snapshot

ROWS = "rows"
"""The fact that lists a part's files of rows: name, first row, row behind the last."""
FILE_BYTES = 16 << 20
"""Of rows in a file, about: what is copied at a time."""
SLICE_ROWS = 1 << 16
LONGEST_NAME = 200
"""Characters of a file's name."""
MOST_SMALL = 32
"""Files beyond those that full ones would be, before all are written anew."""
Arrays = Mapping[str, NDArray[Any]]


class Cut(NamedTuple):
    """A part at one moment."""

    first: int  # number of the oldest row
    stop: int  # number behind the newest row
    facts: dict[str, Any]  # with `first`, which moves on with the rows that leave


class RowSource(Protocol):
    """A part with numbered rows, which another thread may read while it works."""

    @property
    def first(self) -> int:
        """The number of the oldest row."""
        ...

    @property
    def row_bytes(self) -> int:
        """Of one row, about."""
        ...

    def constant_rows(self, start: int, stop: int) -> Arrays:
        """What never changes in the rows of these numbers, copied."""
        ...

    def changing_rows(self, start: int, stop: int) -> Arrays:
        """What may change in them, copied."""
        ...


@dataclass(frozen=True)
class RowFile:
    """Rows in a file of a generation."""

    name: str
    start: int
    stop: int
    digest: str  # SHA-256


class RowPlan(NamedTuple):
    """Which files a generation has of its rows."""

    kept: tuple[RowFile, ...]  # of earlier generations
    new: tuple[range, ...]  # to be written


def plan(cut: Cut, earlier: Sequence[RowFile], row_bytes: int) -> RowPlan:
    """How to have all rows of `cut` in files, `earlier` ones as far as they go."""
    per_file = max(FILE_BYTES // row_bytes, 1)
    kept = tuple(file for file in earlier if file.stop > cut.first)
    whole = not kept or (kept[0].start <= cut.first and kept[-1].stop <= cut.stop)
    if not whole or _torn(kept) or len(kept) > MOST_SMALL + (cut.stop - cut.first) // per_file:
        kept = ()
    begin = kept[-1].stop if kept else cut.first
    starts = range(begin, max(cut.stop, begin + (not kept)), per_file)  # a file of none, if there is no row
    return RowPlan(kept, tuple(range(start, min(start + per_file, cut.stop)) for start in starts))


def _torn(files: Sequence[RowFile]) -> bool:
    """Whether there is a gap between two of them."""
    return any(left.stop != right.start for left, right in pairwise(files))


def written_rows(
    part: str, source: RowSource, planned: RowPlan, write: Callable[[str, Arrays], str]
) -> tuple[RowFile, ...]:
    """Writes the new files by `write`, which is given a name and returns a digest; all files of the plan."""
    new = []
    for rows in planned.new:
        name = f"rows_{part}_{rows.start}_{rows.stop}.npz"
        digest = write(name, source.constant_rows(rows.start, rows.stop))
        new.append(RowFile(name, rows.start, rows.stop, digest))
    return (*planned.kept, *new)


def rest_of(source: RowSource, cut: Cut, files: Sequence[RowFile]) -> Snapshot:
    """What is not in `files` of the rows that are still there of `cut`, once the files are written."""
    start = min(max(cut.first, source.first), cut.stop)
    arrays = _copied_in_slices(source, start, cut.stop)
    first = min(max(start, source.first), cut.stop)  # rows have left while they were copied
    needed = [file for file in files if file.stop > first] or files[-1:]
    listed = [[file.name, file.start, file.stop] for file in needed]
    facts = cut.facts | {"first": first, ROWS: listed}
    return Snapshot({name: array[first - start :] for name, array in arrays.items()}, facts)


def _copied_in_slices(source: RowSource, start: int, stop: int) -> Arrays:
    """What may change in these rows; the part can go on with its work between the slices."""
    starts = range(start, max(stop, start + 1), SLICE_ROWS)
    slices = [source.changing_rows(begin, min(begin + SLICE_ROWS, stop)) for begin in starts]
    return {name: np.concatenate([one[name] for one in slices]) for name in slices[0]}


def files_of(facts: Mapping[str, Any]) -> tuple[RowFile, ...]:
    """The files of rows that a part's facts list, without digests. Raises `ValueError` on other lists."""
    listed = facts.get(ROWS, [])
    if not isinstance(listed, list) or any(not isinstance(one, list) or len(one) != 3 for one in listed):
        raise ValueError(f"{ROWS} is {brief(listed)} and must list files with their first and last rows")
    found = tuple(
        RowFile(text(name, "a file of rows", LONGEST_NAME), whole(start, "start"), whole(stop, "stop"), "")
        for name, start, stop in listed
    )
    if len({file.name for file in found}) < len(found):
        raise ValueError("a file of rows is listed twice")
    return found


def with_rows(part: Snapshot, read: Callable[[str], Arrays]) -> Snapshot:
    """The whole of a part, whose files of rows `read` gives by name; each is read once and then let go.

    Raises `ValueError` on gaps, and on files that do not fit together.
    """
    facts = {name: fact for name, fact in part.facts.items() if name != ROWS}
    files, first = files_of(part.facts), whole(part.facts.get("first"), "first")
    lengths = {array.shape[:1] for array in part.arrays.values()}
    if not files or _torn(files) or len(lengths) != 1 or lengths == {()} or files[0].start > first:
        raise ValueError("its files of rows do not belong together")
    wanted = range(first, first + lengths.pop()[0])
    if files[-1].stop < wanted.stop:
        raise ValueError("its files of rows are too short")
    constant: dict[str, NDArray[Any]] = {}
    for file in files:
        _put(constant, wanted, file, read(file.name))
    return Snapshot(constant | part.arrays, facts)


def _put(columns: dict[str, NDArray[Any]], wanted: range, file: RowFile, arrays: Arrays) -> None:
    """Puts those rows of a file that are wanted into `columns`, which the first file makes.

    What is made is not touched before rows are there for it, and takes no memory until then.
    """
    if any(array.shape[:1] != (file.stop - file.start,) for array in arrays.values()):
        raise ValueError(f"{file.name} has not as many rows as its name says")
    for name, array in arrays.items() if not columns else ():
        columns[name] = np.empty((len(wanted), *array.shape[1:]), array.dtype)
    form = {name: (array.shape[1:], array.dtype) for name, array in arrays.items()}
    if form != {name: (column.shape[1:], column.dtype) for name, column in columns.items()}:
        raise ValueError(f"the rows of {file.name} are not like those of the other files")
    begin = max(file.start, wanted.start)
    end = max(min(file.stop, wanted.stop), begin)
    for name, array in arrays.items():
        columns[name][begin - wanted.start : end - wanted.start] = array[
            begin - file.start : end - file.start
        ]

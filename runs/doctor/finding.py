"""What the doctor found, and reading files that may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

from core.json_text import entries, parse_json
from saving.reading import read_end, size_of

Level = Literal["fine", "note", "fault"]
MOST_BYTES = 16 << 20
MOST_LINES = 200_000
"""Of a file of text that are read; of a longer one its end."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    text: str
    remedy: str = ""  # what to do, if anything


class Unreadable(Exception):  # noqa: N818 - a finding, no error
    """A file is not there, is no regular file, or is damaged; the message says which of these."""


def require_regular(path: Path) -> int:
    """The size of a regular file, in bytes. Raises `Unreadable`."""
    try:
        return size_of(path)
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror or error}") from None


def read_text(path: Path) -> str:
    """A file's text, or the end of a long one's. Raises `Unreadable`."""
    try:
        return read_end(path, MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror or error}") from None


def read_lines(path: Path) -> list[str]:
    """A file's lines, or the last ones of many. Raises `Unreadable`."""
    return read_text(path).splitlines()[-MOST_LINES:]


def read_object(path: Path) -> dict[str, Any]:
    """A file's JSON object. Raises `Unreadable`."""
    return as_object(read_text(path), path.name)


def as_object(text: str, name: str) -> dict[str, Any]:
    """The JSON object that `text`, out of what is called `name`, stands for. Raises `Unreadable`."""
    try:
        found = parse_json(text, constants=True)
    except ValueError:
        raise Unreadable(f"{name}: is damaged: no JSON") from None
    try:
        return entries(found, name)
    except ValueError:
        raise Unreadable(f"{name}: is damaged: no JSON object") from None

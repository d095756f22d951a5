"""What the doctor found, and reading files that may be anything."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Literal, NamedTuple

from saving.files import read_end

Level = Literal["fine", "note", "fault"]
MOST_BYTES = 64 << 20
"""Of a file of text that is read; of a longer one its end."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    text: str
    remedy: str = ""  # what to do, if anything


class Unreadable(Exception):  # noqa: N818 - a finding, no error
    """A file is not there, is no regular file, or is damaged; the message says which of these."""


def require_regular(path: Path) -> int:
    """The size of a regular file, in bytes. Raises `Unreadable`: others may never end."""
    try:
        found = path.lstat()
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror or error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(f"{path.name}: is no regular file")
    return found.st_size


def read_text(path: Path) -> str:
    """A file's text, or the end of a long one's. Raises `Unreadable`."""
    try:
        return read_end(path, MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror or error}") from None


def read_object(path: Path) -> dict[str, Any]:
    """A file's JSON object. Raises `Unreadable`."""
    return as_object(read_text(path), path.name)


def as_object(text: str, name: str) -> dict[str, Any]:
    """The JSON object that `text`, out of what is called `name`, stands for. Raises `Unreadable`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(f"{name}: is damaged: no JSON") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{name}: is damaged: no JSON object")
    return found

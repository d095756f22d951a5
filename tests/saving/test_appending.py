"""Files that a run appends to: a disk that is full for a while leaves no half of anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from saving.appending import MOST_WAITING, AppendedFile, Strict, Troubles


class Disk:
    """Takes so many bytes more, of whatever file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 0
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, descriptor: int, data: Any) -> int:
        fitting = data[: self.room]
        if not fitting:
            raise OSError(28, "No space left on device")
        self.room -= len(fitting)
        return self._write(descriptor, fitting)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_what_was_refused_comes_later_and_in_order(tmp_path: Path, disk: Disk) -> None:
    said: list[str] = []
    file = AppendedFile(tmp_path / "log.txt", Troubles(said.append))
    disk.room = 7
    file.write(b"first\n")
    for chunk in (b"second\n", b"third\n"):
        disk.room = 3
        file.write(chunk)
        assert (tmp_path / "log.txt").read_bytes() == b"first\n", "no half of a line"
    disk.room = 100
    file.write(b"fourth\n")
    file.close()
    assert (tmp_path / "log.txt").read_bytes() == b"first\nsecond\nthird\nfourth\n"
    assert said == [
        "warning: cannot write log.txt: No space left on device; the run goes on and tries again",
        "log.txt can be written again",
    ]


def test_one_line_says_it_of_all_files(tmp_path: Path, disk: Disk) -> None:
    said: list[str] = []
    troubles = Troubles(said.append)
    files = [AppendedFile(tmp_path / name, troubles) for name in ("a", "b", "c")]
    for file in files * 2:
        file.write(b"x")
    assert len(said) == 1
    disk.room = 100
    for file in files:
        file.close()
    assert said[1:] == ["c can be written again"]
    assert [(tmp_path / name).read_bytes() for name in ("a", "b", "c")] == [b"xx"] * 3


def test_what_waits_is_bounded(tmp_path: Path, disk: Disk) -> None:
    file = AppendedFile(tmp_path / "a", Troubles(lambda line: None))
    for number in range(40):
        file.write(bytes([number]) * (MOST_WAITING // 16))
    disk.room = 10 * MOST_WAITING
    file.close()
    content = (tmp_path / "a").read_bytes()
    assert MOST_WAITING // 2 < len(content) <= MOST_WAITING
    assert content[-1] == 39, "the newest are kept"


def test_a_strict_file_raises(tmp_path: Path, disk: Disk) -> None:
    with pytest.raises(OSError, match="No space"):
        AppendedFile(tmp_path / "a", Strict(print)).write(b"x")


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_nothing_is_written_through_a_link_or_into_a_pipe(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    path = tmp_path / "log.txt"
    if kind == "link":
        path.symlink_to(outside)
    else:
        os.mkfifo(path)
    with pytest.raises(OSError, match=r"symbolic|regular|No such device"):
        AppendedFile(path, Troubles(print))
    assert outside.read_bytes() == b""

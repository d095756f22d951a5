"""What is printed where it cannot be shown, or written."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from core.output import Printer
from tests.helpers.command_line import python, run

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "arguments", [["games"], ["--help"], ["train", "--help"], ["models", "list", "tictactoe"]]
)
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    with FULL.open("w") as full:
        finished = python(*arguments, stdout=full)
    assert finished.stderr == "error: cannot write the output: No space left on device\n"
    assert finished.returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_boards_are_shown_in_any_encoding(encoding: str) -> None:
    environment = {"PYTHONIOENCODING": encoding, "PATH": "/usr/bin:/bin", "LANG": "C", "TERM": "dumb"}
    finished = python(
        *("play", "tictactoe", "--checkpoint", "shipped", "--simulations", "2", "--view", "all"),
        input="é\n5\nquit\n",
        env=environment,
        encoding=encoding,
        errors="replace",
    )
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    assert "X |" in finished.stdout
    assert "?" not in finished.stdout.replace("? for help", "").replace("? lists", "").replace("'?", "")
    bar = "-" if encoding != "utf-8" else "━"
    assert bar * 8 in finished.stdout


class Broken(io.StringIO):
    """A stream on a file, on which nothing can be written."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__()
        self._file, self._error = path.open("w"), error

    def write(self, text: str) -> int:
        raise self._error

    def fileno(self) -> int:
        return self._file.fileno()


def test_work_goes_on_where_its_lines_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Printer(Broken(tmp_path / "x", BrokenPipeError())).line("a line")
    assert capsys.readouterr().err == "", "whoever read it has had enough"
    full = Printer(Broken(tmp_path / "x", OSError(28, "No space left on device")))
    for _ in range(3):
        full.line("a line")
    assert capsys.readouterr().err == (
        "warning: cannot write the output: No space left on device; the work goes on and tries again\n"
    )


class Disk(io.RawIOBase):
    """What a stream writes to; nothing fits on it while it is `full`."""

    def __init__(self) -> None:
        self.full, self.content = False, b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        self.content += bytes(data)
        return len(data)


def test_lines_are_tried_again_once_the_disk_has_room(capsys: pytest.CaptureFixture[str]) -> None:
    disk = Disk()
    printer = Printer(io.TextIOWrapper(io.BufferedWriter(disk)))
    for number in range(6):
        disk.full = number in (1, 2, 4)
        printer.line(f"line {number}")
    assert disk.content == b"".join(b"line %d\n" % number for number in range(6))
    assert capsys.readouterr().err.count("warning: cannot write the output") == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_like_one_that_nobody_reads(closed: str) -> None:
    finished = run(["sh", "-c", f"exec {sys.executable} muzero.py --version {closed}"])
    assert finished.returncode == 0
    assert finished.stderr == ""

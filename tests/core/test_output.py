"""What is printed where it cannot be shown, or written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from core.output import print_on
from tests.helpers.command_line import python

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
    print_on(Broken(tmp_path / "x", BrokenPipeError()), "a line")
    assert capsys.readouterr().err == "", "whoever read it has had enough"
    print_on(Broken(tmp_path / "x", OSError(28, "No space left on device")), "a line")
    assert capsys.readouterr().err == (
        "nothing more can be written here: No space left on device; the work goes on\n"
    )

"""What is said of work that takes long."""

from __future__ import annotations

import io
import time

import pytest

from core import progress
from core.progress import Progress


class Screen(io.StringIO):
    """A terminal of a kind."""

    def isatty(self) -> bool:
        return True


def eventually(stream: io.StringIO, text: str) -> str:
    deadline = time.monotonic() + 20
    while text not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    return stream.getvalue()


def test_what_is_soon_over_says_nothing() -> None:
    for stream in (io.StringIO(), Screen()):
        with Progress("evaluating", 3, stream=stream) as shown:
            shown.update(3)
        assert stream.getvalue() == ""


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    stream = io.StringIO()
    with Progress("evaluating", 30, at_first="compiling", stream=stream, silent=0.0) as shown:
        assert "evaluating: compiling\n" in eventually(stream, "compiling\n")
        shown.update(0, "move 4")
        assert "evaluating: 0 of 30 games, move 4\n" in eventually(stream, "move 4\n")
        shown.update(12)
        assert "evaluating: 12 of 30 games\n" in eventually(stream, "12 of 30 games\n")


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "REDRAW_SECONDS", 0.05)
    monkeypatch.setenv("TERM", "xterm")
    stream = Screen()
    with Progress("playing", 4, stream=stream, silent=0.0) as shown:
        shown.update(2, "move 9")
        text = eventually(stream, "playing: 2 of 4 games, move 9")
    assert "━━━━" in text.split("playing: 2 of 4 games, move 9 ")[1]
    assert stream.getvalue().rstrip().endswith("\x1b[2K"), "it leaves nothing"


def test_an_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), Progress("evaluating", 1, stream=io.StringIO(), silent=0.0):
        raise ZeroDivisionError

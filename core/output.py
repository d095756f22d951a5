"""What is printed: where its encoding cannot show all of it, and where nobody reads it or it does not fit."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TextIO

PLAIN = {
    **dict.fromkeys("─━═╌", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╞╡", "+"),
    **dict.fromkeys("█▉▊▋▌▍▎▏▐■●", "#"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    "…": "...",
    "±": "+-",
    "×": "x",
    "–": "-",
    "→": "->",
    "←": "<-",
    "•": "*",
}
"""ASCII for what a terminal without Unicode cannot show."""
HANDLER = "muzero-plain"


def say_plainly() -> None:
    """Has the standard streams show what their encoding lacks as something alike, in place of an error."""
    _open_closed_streams()
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")


def _open_closed_streams() -> None:
    """Opens what was closed when the process began (`>&-`): a file of ours would take its place."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                nowhere = os.open(os.devnull, os.O_RDWR)  # mostly the first free number, which is this one
                os.dup2(nowhere, number)
                if nowhere != number:
                    os.close(nowhere)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - for the process's life


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in text), error.end


def silence(stream: TextIO) -> None:
    """Lets whatever is still written to a stream that takes nothing any more disappear, also at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class Printer:
    """Prints lines of something that goes on, whether anybody reads them (`... | head`) or they fit or not.

    Where they do not fit now, that is said once on stderr, and they are tried again with the next line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._refused = False

    def line(self, text: str) -> None:
        """Prints a line."""
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except BrokenPipeError:
            silence(self._stream)
        except OSError as error:
            if not self._refused and self._stream is not sys.stderr:
                say_on_stderr(
                    f"warning: cannot write the output: {error.strerror}; the work goes on and tries again"
                )
            self._refused = True
        else:
            self._refused = False

    def close(self) -> None:
        """What could not be written until now is given up: the exit must not fail by it."""
        if self._refused:
            silence(self._stream)


def say_on_stderr(line: str) -> None:
    """Prints a line for those who look at the screen, if anybody does."""
    Printer(sys.stderr).line(line)

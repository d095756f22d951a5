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
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in text), error.end


def silence(stream: TextIO) -> None:
    """Lets whatever is still written to a stream that takes nothing any more disappear, also at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def print_on(stream: TextIO, line: str) -> None:
    """Prints a line of something that goes on, whether anybody reads it (`... | head`) or it fits or not."""
    try:
        stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except OSError as error:
        silence(stream)
        print(f"nothing more can be written here: {error.strerror}; the work goes on", file=sys.stderr)

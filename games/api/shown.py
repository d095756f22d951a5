"""A position as a person is shown it."""

from __future__ import annotations

import contextlib
import io
from typing import Any


def draws_itself(game: Any) -> bool:
    """Whether `frame` shows more than the game's text."""
    return hasattr(game, "frame")


def position_text(game: Any) -> str:
    """The position as text: what `text()` returns, or what `render()` prints; without either, nothing."""
    if hasattr(game, "text"):
        return str(game.text())
    if not hasattr(game, "render"):
        return ""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        game.render()
    return printed.getvalue().strip("\n")

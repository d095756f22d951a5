"""Refusing moves in a game that is over."""

from __future__ import annotations

from core.errors import ConfigurationError

OVER = "the game is over; reset() starts another"


def refuse_if(over: bool) -> None:
    """Raises `ConfigurationError` if the game is over."""
    if over:
        raise ConfigurationError(OVER)

"""A game as a value: how to make one, and its default configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from config import MuZeroConfig


@dataclass(frozen=True)
class GameSpec:
    """A game found by name: how to make one, and its default configuration."""

    name: str
    game_class: Callable[..., Any]
    config: MuZeroConfig


def accepts_seed(game_class: Callable[..., Any]) -> bool:
    """Whether the game's `reset` takes a seed, so that one instance can play many reproducible games."""
    return "seed" in inspect.signature(game_class.reset).parameters  # type: ignore[attr-defined]


def game_maker(spec: GameSpec, config: MuZeroConfig) -> Callable[[int], Any]:
    """Makes a game from its seed; a game whose constructor takes a `config` gets `config` as well."""
    takes_config = "config" in inspect.signature(spec.game_class).parameters
    return partial(spec.game_class, config=config) if takes_config else spec.game_class

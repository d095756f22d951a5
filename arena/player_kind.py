"""What a kind of player is, and a player as data: a kind, and how much it thinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.spec import GameSpec
from playing.player import Player

SIMULATIONS = "simulations"


@dataclass(frozen=True)
class PlayerSpec:
    """A player as a value."""

    kind: PlayerKind
    amount: int | None = None  # in what the kind counts (`Amount`); None: the usual
    path: Path | None = None  # of a checkpoint

    def __str__(self) -> str:
        """As it is written on the command line, and as curves are named."""
        name = self.path.as_posix() if self.path is not None else self.kind.name
        return name if self.amount is None or self.path is not None else f"{name}:{self.amount}"


class Order(NamedTuple):
    """A player that is to be made, and for what."""

    spec: PlayerSpec
    game: GameSpec
    batch: int  # games at a time, at most
    generator: np.random.Generator  # to draw from, for those who do
    device: str  # to compute on, for networks


def without_limit() -> float:
    """The highest amount where any will do."""
    return float("inf")


@dataclass(frozen=True)
class Amount:
    """The number that says how much a player thinks, as in `mcts:1000`."""

    counts: str  # what: `SIMULATIONS` per move, which options may set too, or for one a depth
    usual: Callable[[MuZeroConfig], int]  # what holds in a game of this configuration if nothing is said
    lowest: int = 1
    highest: Callable[[], float] = without_limit


def _anywhere(spec: PlayerSpec, game: GameSpec) -> None:
    """The check of those who can play any game."""


@dataclass(frozen=True)
class PlayerKind:
    """One kind of player: all that is known of it. `arena/players.py:KINDS` lists ours."""

    name: str  # which stands for it on the command line
    make: Callable[[Order], Player]  # raises `ConfigurationError` if it cannot be made
    check: Callable[[PlayerSpec, GameSpec], None] = _anywhere  # raises it if the player cannot play the game
    amount: Amount | None = None  # None: there is nothing to count
    varies_little: bool = False  # it plays the same in the same position; others draw among their moves
    by_path: bool = False  # named by a file's path, and not by the kind's name

    @property
    def searches(self) -> bool:
        """Whether it counts simulations."""
        return self.amount is not None and self.amount.counts == SIMULATIONS

    @property
    def called(self) -> str:
        """In a sentence."""
        return f"a {self.name}" if self.by_path else self.name

    def usual(self, config: MuZeroConfig) -> int | None:
        """The amount that holds for those who are named without one; None if there is nothing to count."""
        return None if self.amount is None else self.amount.usual(config)

    def require_possible(self, spec: PlayerSpec) -> None:
        """Raises `ConfigurationError` if the amount of `spec` is none that the kind knows."""
        if spec.amount is None or self.amount is None:
            return
        low, high = self.amount.lowest, self.amount.highest()
        if not low <= spec.amount <= high:
            raise ConfigurationError(
                f"player '{spec}': the {self.amount.counts} must be from {low} to {high}"
            )

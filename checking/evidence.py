"""What the checks look at: random games of a game."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from checking.traces import Made, Seen, Trace
from config import MuZeroConfig
from games.api.spec import GameSpec


class Evidence(NamedTuple):
    """A game, and random games of it."""

    spec: GameSpec
    games: tuple[Trace, ...]
    clock: Callable[[], float]

    @property
    def config(self) -> MuZeroConfig:
        """The game's."""
        return self.spec.config

    def seen(self) -> Iterator[tuple[str, Seen]]:
        """Every position of the games, and where it was."""
        for game in self.games:
            for number, seen in enumerate(game.seen):
                yield f"game {game.seed}, after {number} move(s)", seen

    def made(self) -> Iterator[tuple[str, Made]]:
        """Every move of the games, and where it was."""
        for game in self.games:
            for number, made in enumerate(game.made, 1):
                yield f"game {game.seed}, move {number}", made


def short(value: Any, most: int = 60) -> str:
    """`value` as text of bounded length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= most else text[: most - 3] + "..."

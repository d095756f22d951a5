"""The games there are, for a list of them."""

from __future__ import annotations

from typing import NamedTuple

from core.errors import ConfigurationError
from games.api.sources import GameFolder
from games.api.spec import GameSpec, game_maker


class GameRow(NamedTuple):
    """A game in the list."""

    name: str
    players: int | None  # None where the game's file cannot be used
    observation_shape: tuple[int, ...]
    actions: int
    pretrained: bool  # whether a trained agent ships with the project
    missing: str  # what the game needs that is not installed, or what is wrong with its file
    summary: str  # the first sentence of its file


def listing(games: GameFolder) -> list[GameRow]:
    """All games by name."""
    return [_row(name, games) for name in games.names()]


def _row(name: str, games: GameFolder) -> GameRow:
    pretrained = games.shipped(name).exists()
    try:
        spec = games.load(name)
    except ConfigurationError as error:
        return GameRow(name, None, (), 0, pretrained, str(error), "")
    config = spec.config
    summary = (games.imported(name).__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    return GameRow(
        name, config.players, config.observation_shape, config.num_actions, pretrained, needs(spec), summary
    )


def needs(spec: GameSpec) -> str:
    """What the game says that it needs and that is not installed."""
    try:
        game_maker(spec, spec.config)(0)
    except ConfigurationError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # whatever somebody's game raises
        return f"{spec.name}: its constructor raises {type(error).__name__}: {error}"
    return ""

"""The choice of the table on which games are played side by side."""

from __future__ import annotations

from config import MuZeroConfig
from games.api.spec import GameSpec
from playing.game_table import GameTable


def make_table(spec: GameSpec, config: MuZeroConfig, batch: int) -> GameTable:
    """A table of `batch` games: the fast one for games that are moved by compiled rules and nothing else."""
    if not hasattr(spec.game_class, "rules"):
        return GameTable(spec, config, batch)
    from games.boards.game import BoardGame
    from playing.board_table import BoardTable

    by_rules = ("reset", "step", "observation", "legal_actions", "to_play")
    plain = all(getattr(spec.game_class, name) is getattr(BoardGame, name) for name in by_rules)
    return (BoardTable if plain else GameTable)(spec, config, batch)

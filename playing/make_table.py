"""The choice of the table on which games are played side by side."""

from __future__ import annotations

from config import MuZeroConfig
from games.api.spec import GameSpec
from playing.game_note import NoNote
from playing.game_table import GameTable


def make_table(spec: GameSpec, config: MuZeroConfig, batch: int, note: NoNote | None = None) -> GameTable:
    """A table of `batch` games: the fast one for games that are moved by compiled rules and nothing else.

    `note` is where Python's games are noted while they move.
    """
    if not spec.can.be_moved_by_rules:
        return GameTable(spec, config, batch, note)
    from playing.board_table import BoardTable

    return BoardTable(spec, config, batch, note)

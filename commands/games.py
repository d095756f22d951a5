"""`python muzero.py games`: the games there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands._options import Parser, command_parser
from games.api.sources import OWN_GAMES, GameFolder

if TYPE_CHECKING:
    from games.api.catalogue import GameRow


def games_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    from games.api.catalogue import listing

    parsed = _parser().parse(arguments)
    rows = listing(games)
    if parsed.json:
        print(json.dumps([row._asdict() for row in rows]))
        return 0
    print("\n".join(table(rows)))
    return 0


def table(rows: Sequence[GameRow]) -> list[str]:
    """A heading, and a line for each game."""
    width = max((len(row.name) for row in rows), default=0)
    heading = cells("game", "players", "observation", "actions", "pretrained", "about", width)
    return [heading, *(row_text(row, width) for row in rows)]


def row_text(row: GameRow, width: int) -> str:
    """A row as a line."""
    shipped = "yes" if row.pretrained else "no"
    if row.players is None:
        return cells(row.name, "-", "-", "-", shipped, row.missing, width)
    shape = " x ".join(map(str, row.observation_shape))
    about = row.missing or row.summary.split(". ")[0].removesuffix(".")
    return cells(row.name, str(row.players), shape, str(row.actions), shipped, about, width)


def cells(
    name: str, players: str, observation: str, actions: str, pretrained: str, about: str, width: int
) -> str:
    """The cells of a line, in columns."""
    return f"{name:{width}}  {players:>7}  {observation:13}  {actions:>7}  {pretrained:10}  {about}"


def _parser() -> Parser:
    parser = command_parser("games", "List the games: what an agent sees and can do in them.", "games")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    return parser

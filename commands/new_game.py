"""`python muzero.py new-game NAME`: writes a small, complete game to start one's own from."""

from __future__ import annotations

import keyword
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from commands import NAMES
from commands._options import Parser, command_parser
from core.errors import ConfigurationError
from core.project import INSTALLED, PROJECT
from games.api.files import game_name, is_file_name
from games.api.sources import OWN_GAMES, GameFolder
from saving.files import writing

TEMPLATES = {1: "one_player.py", 2: "two_players.py"}
"""The games to start from, by players."""


def new_game_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    # the installed package is no place for somebody's files
    wanted = f"{parsed.name}.py" if INSTALLED and not is_file_name(parsed.name) else parsed.name
    path = write_game(wanted, int(parsed.players), games)
    players = "one" if parsed.players == "1" else "two"
    typed = shlex.quote(wanted)
    print(
        f"{path} is written: a small game for {players}, to be changed into yours. Next:\n"
        f"  python muzero.py check-game {typed}   whether it keeps the games' contract\n"
        f"  python muzero.py {typed}              trains\n"
        f"  python muzero.py watch {typed}        shows what was learned"
    )
    return 0


def write_game(wanted: str, players: int, games: GameFolder = OWN_GAMES) -> Path:
    """Writes the file of a new game, to the path `wanted` or as the game of that name; returns its path.

    Raises `ConfigurationError` when there cannot be a game of that name, or it cannot be written.
    """
    name, path = game_name(wanted), games.file(wanted)
    check_name(name, [] if is_file_name(wanted) else games.names())
    if path.exists():
        raise ConfigurationError(f"{path} exists already: choose another name")
    text = (PROJECT / "games" / "templates" / TEMPLATES[players]).read_text(encoding="utf-8")
    with writing(path), path.open("x", encoding="utf-8") as file:
        file.write(text.replace("NAME", name).replace("TYPED", shlex.quote(wanted)))
    return path


def check_name(name: str, taken: Sequence[str]) -> None:
    """Raises `ConfigurationError` unless a game can be called `name`."""
    if name in taken:
        raise ConfigurationError(f"there is a game {name!r} already: choose another name")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigurationError(
            f"{name!r} cannot be a game's name: use small letters, digits and _, beginning with a letter, "
            "and no word of Python's own"
        )
    if name in NAMES or name == "abstract_game":
        raise ConfigurationError(f"{name!r} cannot be a game's name: it means something else here")


def _parser() -> Parser:
    parser = command_parser(
        "new-game NAME",
        "Write a small, complete game to games/NAME.py, or to the file NAME.py, to start from.",
        "new-game mygame",
        "new-game mygame --players 2",
        "new-game mazes/mymaze.py",
    )
    parser.add_argument("name", metavar="NAME", help="of the game: letters, digits and _; or a path, NAME.py")
    parser.add_argument("--players", choices=["1", "2"], default="1", help="of the game; default: 1")
    return parser

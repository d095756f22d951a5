"""`python muzero.py --help` and `--version`: all commands at a glance."""

from __future__ import annotations

import argparse

from commands import DESCRIPTIONS
from commands._config_options import FIRST, add_config_options
from commands._options import Parser
from config import MuZeroConfig
from games.api.sources import GameFolder
from runs.provenance import project_version

EXAMPLES = """  python muzero.py                          a menu
  python muzero.py cartpole                 train now
  python muzero.py play connect4 --web      play against an agent in the browser
  python muzero.py new-game mygame          begin a game of your own"""


def overview(games: GameFolder) -> str:
    """What can be done, and the options of a training that matter first."""
    commands = "\n".join(f"  {name:11} {text}" for name, text in DESCRIPTIONS.items())
    options = Parser(usage=argparse.SUPPRESS, add_help=False)
    add_config_options(options, MuZeroConfig(), FIRST)
    return (
        "usage: python muzero.py [COMMAND] [GAME] [options]\n\n"
        "MuZero for your own game: plan with a learned model, train by self-play.\n\n"
        f"{EXAMPLES}\n\ncommands, each with its own --help:\n{commands}\n\n"
        f"games: {', '.join(games.names())}\n\n"
        f"{options.format_help().strip()}\n\n"
        "python muzero.py GAME --help shows a game's own values; with --help all every option is shown."
    )


def version() -> str:
    """The project's name and version."""
    return f"muzero {project_version()}"

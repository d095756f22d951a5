"""`python muzero.py resume [RUN] [options]`: goes on with a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from commands._config_options import add_config_options, canonical, config_values
from commands._finding import find_run
from commands._launching import add_launch_options, exit_status
from commands._options import command_parser
from config import MuZeroConfig
from games.api.sources import OWN_GAMES, GameFolder
from runs.facade import MuZero


def resume_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """`python muzero.py resume [RUN] [options]`."""
    parser = command_parser("resume [RUN]", "Go on with a run from its newest checkpoint.")
    parser.add_argument("run", nargs="?", help="run folder, generation or game; default: the newest run")
    add_launch_options(parser)
    add_config_options(parser, MuZeroConfig())
    parsed = parser.parse(canonical(arguments))
    options = config_values(parsed)
    run = find_run(parsed.run, Path(options.pop("results_path", MuZeroConfig().results_path)), games)
    outcome = MuZero.resume(run, options, local=parsed.local, address=parsed.address, games=games)
    return exit_status(outcome)

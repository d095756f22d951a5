"""`python muzero.py resume [RUN] [options]`: goes on with a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from commands._config_options import (
    add_config_options,
    canonical,
    config_values,
    say_without_effect,
    shown_fields,
)
from commands._finding import find_run
from commands._launching import add_launch_options, exit_status
from commands._options import command_parser
from config import MuZeroConfig, field_docs
from games.api.sources import OWN_GAMES, GameFolder
from runs.facade import MuZero, resumable
from saving.reading import CONFIGURATION, read_text
from saving.run_folder import RUN_CONFIG, run_folder_of


def resume_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """`python muzero.py resume [RUN] [options]`."""
    parser = command_parser(
        "resume [RUN]",
        "Go on with a run from its newest checkpoint, in the same folder. What would make another run of it "
        "(network, search, game) stays as it is.",
        "resume",
        "resume cartpole --training-steps 50000",
        "resume results/connect4/2026-01-31--12-00-00 --lr-init 0.0005",
    )
    parser.add_argument("run", nargs="?", help="run folder, generation or game; default: the newest run")
    add_launch_options(parser)
    possible = [name for name in field_docs() if resumable(name)]
    add_config_options(parser, None, shown_fields(arguments, possible))
    parsed = parser.parse(canonical(arguments))
    options = config_values(parsed)
    run = find_run(parsed.run, Path(options.get("results_path", MuZeroConfig().results_path)), games)
    _say_without_effect(run, options, local=parsed.local)
    outcome = MuZero.resume(
        run, options, local=parsed.local, address=parsed.address, games=games, say_idle=False
    )
    return exit_status(outcome)


def _say_without_effect(run: Path, options: dict[str, Any], *, local: bool) -> None:
    """Says which options change nothing in the run; one that it cannot go on with is refused afterwards."""
    with suppress(OSError, ValueError):
        earlier = MuZeroConfig.from_json(read_text(run_folder_of(run) / RUN_CONFIG, CONFIGURATION))
        say_without_effect(earlier.replace(**options), options, local=local)

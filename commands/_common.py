"""What the commands of the command line have in common: finding games, runs and checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path

from commands._options import Parser, whole_number
from config import MuZeroConfig
from core.errors import ConfigurationError, nearest
from games.api.sources import OWN_GAMES, GameFolder
from saving.run_folder import BEST_NAME, best_of

NAMES = (
    *("train", "resume", "evaluate", "models", "play", "watch", "diagnose", "tune", "plot"),
    *("games", "new-game", "check-game"),
)
"""Of the commands."""


def command_parser(usage: str, description: str) -> Parser:
    """A parser for `python muzero.py <usage>`."""
    return Parser(usage=f"python muzero.py {usage} [options]", description=description)


def add_checkpoint_option(parser: Parser) -> None:
    """`--checkpoint PATH`: the agent that a command is about."""
    parser.add_argument(
        "--checkpoint",
        metavar="PATH",
        type=Path,
        help="best.checkpoint file, run folder or generation; default: the newest run's best, or else the "
        "one that ships with the project",
    )


def add_simulations_option(parser: Parser) -> None:
    """`--simulations INT`: how the agent searches."""
    parser.add_argument(
        "--simulations",
        metavar="INT",
        type=whole_number(0),
        help="per move; 0: the network's policy alone; default: the checkpoint's own",
    )


def add_seed_option(parser: Parser) -> None:
    """`--seed INT`, by default 0."""
    parser.add_argument("--seed", metavar="INT", type=whole_number(0), default=0)


def add_results_path_option(parser: Parser) -> None:
    """`--results-path PATH`: where runs are looked for."""
    parser.add_argument(
        "--results-path", metavar="PATH", type=Path, default=Path(MuZeroConfig().results_path)
    )


def add_agent_options(parser: Parser) -> None:
    """What a command takes that lets an agent play: which, how it searches, the seed, where runs are."""
    add_checkpoint_option(parser)
    add_simulations_option(parser)
    add_seed_option(parser)
    add_results_path_option(parser)


def known_game(name: str, games: GameFolder = OWN_GAMES) -> str:
    """`name`, or the game that it misspells, if the person at the terminal says so.

    Raises `ConfigurationError` on any other unknown name.
    """
    names = games.names()
    near = nearest(name, [*names, *NAMES])
    if name in names:
        return name
    if near in names and sys.stdin.isatty():
        answer = input(f"unknown game {name!r}: did you mean {near!r}? [Y/n] ").strip().lower()
        if answer in ("", "y", "yes"):
            return near
    suggestion = f", did you mean {near!r}?" if near else ""
    raise ConfigurationError(f"unknown game {name!r}{suggestion} (games: {', '.join(names)})")


def find_run(run: str | None, results_path: Path, games: GameFolder = OWN_GAMES) -> Path:
    """The run that was asked for: a path, a path under the results, a game's newest, or the newest.

    Raises `ConfigurationError` when there is none.
    """
    from saving.run_folder import newest_run

    if run is None or run in games.names():
        return newest_run(results_path, run)
    for path in (Path(run), results_path / run):
        if path.exists():
            return path
    raise ConfigurationError(f"no run at {run} nor under {results_path}: name a run's folder or a game")


def shipped_checkpoint(game: str, games: GameFolder) -> Path:
    """Where the checkpoint that ships with a game is, if one does."""
    return games.pretrained / game / BEST_NAME


def best_checkpoint(game: str, results_path: Path, games: GameFolder = OWN_GAMES) -> Path:
    """The best checkpoint of the game's newest run, or else the one that ships with the project.

    Raises `ConfigurationError` when there is neither.
    """
    shipped = shipped_checkpoint(game, games)
    try:
        return best_of(find_run(game, results_path, games))
    except ConfigurationError:
        if shipped.exists():
            return shipped
        raise

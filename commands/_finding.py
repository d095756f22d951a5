"""Finding what a command is about: a game, a run, a checkpoint."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from commands import NAMES
from core.errors import ConfigurationError, nearest
from core.prompts import read_line
from games.api.files import game_name
from games.api.sources import OWN_GAMES, GameFolder
from games.api.spec import GameSpec, on_board

if TYPE_CHECKING:
    from saving.checkpoint import Checkpoint

SURE = 0.75
"""How alike a command must be to be suggested where a game stands."""


def known_game(name: str, games: GameFolder = OWN_GAMES, commands: bool = False) -> str:
    """`name`, or the game that it misspells, if the person at the terminal says so.

    With `commands` one of these may have been meant. Raises `ConfigurationError` on any other unknown name.
    """
    if games.knows(name):
        return name
    names = games.names()
    near = nearest(name, names)
    if commands:
        near = nearest(name, list(NAMES), SURE) or near
    if near in names and sys.stdin.isatty():
        answer = read_line(f"unknown game {name!r}: did you mean {near!r}? [Y/n] ").lower()
        if answer in ("", "y", "yes"):
            return near
    suggestion = f", did you mean {near!r}?" if near else ""
    raise ConfigurationError(
        f"unknown game {name!r}{suggestion} (games: {', '.join(names)}; or the path of a file, NAME.py)"
    )


def game_and_agent(parsed: Namespace, games: GameFolder = OWN_GAMES) -> GameSpec:
    """The game that a command line names, on the board that it asks for, else the one of its --checkpoint.

    Raises `ConfigurationError` if it names neither.
    """
    if parsed.game is not None:
        return on_board(games.load(known_game(parsed.game, games)), parsed.board_size)
    if parsed.checkpoint is None:
        raise ConfigurationError("name a GAME, or an agent by its path: --checkpoint PATH (see --help)")
    return on_board(games.load(_checkpoint_of(parsed).game_text), parsed.board_size)


def _checkpoint_of(parsed: Namespace) -> Checkpoint:
    """The checkpoint that is named by a path, or by the name of its run."""
    from saving.checkpoint import load_checkpoint
    from saving.run_folder import best_of

    named = parsed.checkpoint
    path = _at_path_or_named(named, parsed.results_path)
    if path is None:
        raise ConfigurationError(f"no checkpoint at {named}: name the game as well, if it is one of a game's")
    return load_checkpoint(best_of(path))


def _at_path_or_named(text: str, results_path: Path) -> Path | None:
    """What is at the path `text`, or there under the results, or the run of that name."""
    from saving.run_folder import first_existing, named_runs

    return first_existing(Path(text), results_path / text) or named_runs(results_path).get(text)


def _has_runs(game: str, results_path: Path) -> bool:
    """Whether there are runs of a game of this name, to be gone on with."""
    from saving.run_folder import runs_by_age

    return Path(game).name == game and bool(runs_by_age(results_path, game))


def _under(results_path: Path) -> list[Path]:
    """The folders of all games' folders."""
    return sorted(path for path in results_path.glob("*/*") if path.is_dir())


def game_with_results(text: str, results_path: Path, games: GameFolder = OWN_GAMES) -> str:
    """The name of the game that `text` means: one that has results, or one that is known."""
    name = game_name(text)
    has_some = bool(name.strip(".")) and Path(name).name == name and (results_path / name).is_dir()
    return name if has_some else game_name(known_game(text, games))


def find_run(run: str | None, results_path: Path, games: GameFolder = OWN_GAMES) -> Path:
    """The run that was asked for: a path, a path under the results, its name, a game's newest, or the newest.

    Raises `ConfigurationError` when there is none.
    """
    from saving.run_folder import newest_run

    if run is None:
        return newest_run(results_path)
    if games.knows(run) or _has_runs(run, results_path):
        return newest_run(results_path, game_name(run))
    path = _at_path_or_named(run, results_path)
    path = path or next((found for found in _under(results_path) if found.name == run), None)
    if path is not None:
        return path
    raise ConfigurationError(f"no run at {run} nor under {results_path}: name a run's folder or a game")

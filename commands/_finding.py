"""Finding what a command is about: a game, a run, a checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

from commands import NAMES
from core.errors import ConfigurationError, nearest
from core.prompts import read_line
from games.api.sources import OWN_GAMES, GameFolder

SURE = 0.75
"""How alike a command must be to be suggested where a game stands."""


def known_game(name: str, games: GameFolder = OWN_GAMES, commands: bool = False) -> str:
    """`name`, or the game that it misspells, if the person at the terminal says so.

    With `commands` one of these may have been meant. Raises `ConfigurationError` on any other unknown name.
    """
    names = games.names()
    near = nearest(name, names)
    if commands:
        near = nearest(name, list(NAMES), SURE) or near
    if name in names:
        return name
    if near in names and sys.stdin.isatty():
        answer = read_line(f"unknown game {name!r}: did you mean {near!r}? [Y/n] ").lower()
        if answer in ("", "y", "yes"):
            return near
    suggestion = f", did you mean {near!r}?" if near else ""
    raise ConfigurationError(f"unknown game {name!r}{suggestion} (games: {', '.join(names)})")


def find_run(run: str | None, results_path: Path, games: GameFolder = OWN_GAMES) -> Path:
    """The run that was asked for: a path, a path under the results, its name, a game's newest, or the newest.

    Raises `ConfigurationError` when there is none.
    """
    from saving.run_folder import first_existing, named_runs, newest_run

    if run is None or run in games.names():
        return newest_run(results_path, run)
    path = first_existing(Path(run), results_path / run) or named_runs(results_path).get(run)
    path = path or next(iter(sorted(results_path.glob(f"*/{run}/"))), None)
    if path is not None:
        return path
    raise ConfigurationError(f"no run at {run} nor under {results_path}: name a run's folder or a game")

"""The runs under a folder of results: what they are, how far they came, what they take on the disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from arena.agents import means_an_agent
from core.errors import ConfigurationError
from core.json_text import entries, whole
from games.api.files import is_file_name
from games.api.sources import OWN_GAMES
from runs.reports.metrics_log import MetricPoint, read_metrics
from saving.files import write_whole
from saving.reading import CONFIGURATION, read_json
from saving.run_folder import BEST_NAME, METRICS_NAME, NAME_FILE, RUN_CONFIG, in_runs, is_running, name_of

BEST = "reward/evaluation_best"
LARGE = 5 << 30
"""Bytes of results from which on a training says so."""


class RunRow(NamedTuple):
    """One run."""

    folder: Path
    game: str
    name: str  # that a person gave it; else empty
    date: str  # its folder's name
    updates: int
    played_steps: int
    seconds: float  # of training
    best: float | None  # mean return of its best evaluation
    players: int
    bytes: int  # on the disk
    running: bool


def runs_in(results_path: Path, game: str | None = None) -> list[RunRow]:
    """The runs of `game`, or of all games, the oldest first."""
    folders = sorted(in_runs(results_path, game, RUN_CONFIG), key=lambda path: path.parent.name)
    return [row_of(path.parent) for path in folders]


def row_of(folder: Path) -> RunRow:
    """What is known of the run in `folder`; a damaged file of it says nothing."""
    points = _points(folder / METRICS_NAME)
    last = points[-1] if points else MetricPoint(0, 0, 0.0, {})
    best = next((point.scalars[BEST] for point in reversed(points) if BEST in point.scalars), None)
    return RunRow(
        folder=folder,
        game=folder.parent.name,
        name=name_of(folder),
        date=folder.name,
        updates=max((point.updates for point in points), default=0),
        played_steps=last.played_steps,
        seconds=last.seconds,
        best=best,
        players=_players(folder / RUN_CONFIG),
        bytes=size_of(folder),
        running=is_running(folder),
    )


def _points(path: Path) -> list[MetricPoint]:
    try:
        return read_metrics(path)
    except OSError:
        return []


def _players(path: Path) -> int:
    try:
        found = entries(read_json(path, CONFIGURATION, constants=True), "configuration")
        return whole(found["players"], "players")
    except (OSError, ValueError, LookupError):  # of another version, or damaged
        return 1


def size_of(folder: Path) -> int:
    """Bytes of all files in and below `folder`."""
    return sum(_bytes(Path(path) / name) for path, _, names in os.walk(folder) for name in names)


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # it has just been removed
        return 0


# --- names ---


def give_name(results_path: Path, folder: Path, name: str) -> None:
    """Names a run, or with an empty name takes its name away.

    Raises `ConfigurationError` on a name that means something else already.
    """
    if not name:
        (folder / NAME_FILE).unlink(missing_ok=True)
        return
    if not name.isprintable() or "/" in name or name != name.strip() or name.startswith("-"):
        raise ConfigurationError(f"{name!r} is no name: letters, digits and signs but '/', no '-' in front")
    if means_an_agent(name) or Path(name).exists() or is_file_name(name) or name in OWN_GAMES.names():
        raise ConfigurationError(f"{name!r} means an agent, a game or a file already: choose another name")
    for row in runs_in(results_path):
        taken = name in (row.name, row.date, row.game) and row.folder.resolve() != folder.resolve()
        if taken:
            raise ConfigurationError(f"{name!r} means {row.folder} already: choose another name")
    write_whole(folder / NAME_FILE, f"{name}\n".encode())


# --- room ---


def delete(row: RunRow) -> None:
    """Removes a run's folder. Raises `ConfigurationError` when it is running, or cannot be removed."""
    if is_running(row.folder):  # asked again: a person may have thought about it for long
        raise ConfigurationError(f"{row.folder} seems to be running: stop it first")
    try:
        shutil.rmtree(row.folder)
    except OSError as error:
        raise ConfigurationError(f"cannot remove {row.folder}: {error.strerror or error}") from None


def surplus(rows: list[RunRow], kept: int) -> Iterator[RunRow]:
    """Of each game all runs but the newest `kept`; those with a name, and those that are running, stay."""
    games = {row.game for row in rows}
    for game in sorted(games):
        of_game = [row for row in rows if row.game == game]
        older = of_game[: max(len(of_game) - kept, 0)]
        yield from (row for row in older if not row.name and not row.running)


def room_note(results_path: Path) -> str | None:
    """A line that says that the results take much room, if they do."""
    size = size_of(results_path)
    if size < LARGE:
        return None
    runs = sum(1 for _ in in_runs(results_path, None, RUN_CONFIG))
    return (
        f"{results_path} takes {size / 2**30:.1f} GiB ({runs} runs): python muzero.py runs list shows them, "
        "python muzero.py runs delete removes some"
    )


def as_json(row: RunRow) -> str:
    """A row as one JSON object."""
    return json.dumps(row._asdict() | {"folder": str(row.folder)})


def has_best(row: RunRow) -> bool:
    """Whether the run has a best checkpoint."""
    return (row.folder / BEST_NAME).exists()

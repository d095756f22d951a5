"""`python muzero.py runs`: the trainings there are: list, show, name, delete."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from commands._finding import find_run, game_with_results
from commands._options import (
    Action,
    Parser,
    add_results_path_option,
    carry_out,
    command_parser,
    whole_number,
)
from core.errors import ConfigurationError
from core.prompts import read_line
from core.wording import counted, grouped, judged
from games.api.sources import OWN_GAMES, GameFolder
from runs import provenance
from runs.reports.catalogue import RunRow, as_json, delete, give_name, has_best, row_of, runs_in, surplus
from saving.run_folder import RUN_CONFIG, run_folder_of


def runs_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    return carry_out("runs", ACTIONS, USAGE, arguments, games)


USAGE = """usage: python muzero.py runs COMMAND [options]

  list [GAME]        all runs: when, how far, how good, how large
  show RUN           one run, and where it comes from: version, packages, machine, command
  name RUN NAME      give a run a name, by which every command knows it
  delete RUN...      remove runs for good; or all but the newest few: delete GAME --keep 3

RUN is a folder, its time, a name, or a game: its newest run. Each takes --help.

for example:
  python muzero.py runs list
  python muzero.py runs name cartpole first-try
  python muzero.py play cartpole --checkpoint first-try
  python muzero.py runs delete cartpole --keep 3"""


# --- list ---


def list_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`runs list [GAME]`."""
    parser = _parser("list [GAME]", "All runs, the oldest first.", "list", "list cartpole --json")
    parser.add_argument("game", metavar="GAME", nargs="?", help="of this game only")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parsed = parser.parse(arguments)
    game = None if parsed.game is None else game_with_results(parsed.game, parsed.results_path, games)
    rows = runs_in(parsed.results_path, game)
    if parsed.json:
        for row in rows:
            print(as_json(row))
        return 0
    if not rows:
        print(f"no runs{f' of {game}' if game else ''} under {parsed.results_path} yet: train first")
    for line in listing(rows):
        print(line)
    return 0


def listing(rows: Sequence[RunRow]) -> Iterator[str]:
    """The rows as lines with a heading, and their sum."""
    if not rows:
        return
    heading: tuple[str, ...] = ("run", "updates", "played steps", "minutes", "best", "MiB", "name")
    cells = [heading, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        first, *middle, last = (
            text.ljust(width) if number in (0, 4, 6) else text.rjust(width)
            for number, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join([first, *middle, last]).rstrip()
    size = sum(row.bytes for row in rows)
    yield f"{counted(len(rows), 'run')}, {size / 2**20:,.0f} MiB"


def _cells(row: RunRow) -> tuple[str, ...]:
    return (
        f"{row.game}/{row.date}",
        f"{row.updates:,}",
        f"{row.played_steps:,}",
        f"{row.seconds / 60:.1f}",
        "-" if row.best is None else judged(row.best, row.players),
        f"{row.bytes / 2**20:.1f}",
        row.name + (" (running)" if row.running else ""),
    )


# --- show ---


def show_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`runs show RUN`."""
    parser = _parser("show RUN", "One run, and where it comes from.", "show cartpole", "show first-try")
    parser.add_argument("run", metavar="RUN", help="folder, time, name, or a game: its newest")
    parsed = parser.parse(arguments)
    row = _found(parsed.run, parsed.results_path, games)
    for name, value in _facts(row):
        print(f"{name:14} {value}")
    for number, sitting in enumerate(provenance.read(row.folder), 1):
        print(f"sitting {number}")
        for name, value in sitting.items():
            if value not in (None, [], {}):
                print(f"  {name:12} {_in_words(value)}")
    return 0


def _facts(row: RunRow) -> Iterator[tuple[str, str]]:
    yield "folder", str(row.folder)
    if row.name:
        yield "name", row.name
    yield "game", row.game
    yield "updates", f"{row.updates:,}"
    yield "played", grouped(row.played_steps, "step")
    yield "training", f"{row.seconds / 60:.1f} minutes" + (", running now" if row.running else "")
    yield "best", "-" if row.best is None else judged(row.best, row.players)
    yield "agent", str(row.folder / "best.checkpoint") if has_best(row) else "none that was evaluated"
    yield "size", f"{row.bytes / 2**20:.1f} MiB"


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {text}" for name, text in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# --- name, delete ---


def name_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`runs name RUN NAME`."""
    parser = _parser("name RUN NAME", "Gives a run a name.", "name cartpole first-try", 'name first-try ""')
    parser.add_argument("run", metavar="RUN", help="folder, time, name, or a game: its newest")
    parser.add_argument(
        "name", metavar="NAME", help='by which commands know it from then on; "" takes it away'
    )
    parsed = parser.parse(arguments)
    row = _found(parsed.run, parsed.results_path, games)
    give_name(parsed.results_path, row.folder, parsed.name)
    print(f"{row.folder} is {parsed.name}" if parsed.name else f"{row.folder} has no name")
    return 0


def delete_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`runs delete RUN...`."""
    parser = _parser(
        "delete RUN...",
        "Removes runs for good. Registered versions are copies, and stay.",
        "delete cartpole/2026-01-31--12-00-00",
        "delete cartpole --keep 3",
        "delete --keep 5 --yes",
    )
    parser.add_argument("runs", metavar="RUN", nargs="*", help="folder, time or name; with --keep a game")
    parser.add_argument(
        "--keep",
        metavar="INT",
        type=whole_number(0),
        help="all but the newest so many runs of each game; those with a name stay",
    )
    parser.add_argument("--yes", action="store_true", help="without asking")
    parsed = parser.parse(arguments)
    rows = _to_delete(parsed, games)
    if not rows:
        print("nothing to delete")
        return 0
    for line in listing(rows):
        print(line)
    if not parsed.yes and not _agreed(len(rows)):
        print("nothing was deleted")
        return 0
    for row in rows:
        delete(row)
    print(f"{counted(len(rows), 'run')} deleted")
    return 0


def _to_delete(parsed: Any, games: GameFolder) -> list[RunRow]:
    if parsed.keep is not None:
        if len(parsed.runs) > 1:
            raise ConfigurationError("with --keep name one game, or none: for all")
        game = game_with_results(parsed.runs[0], parsed.results_path, games) if parsed.runs else None
        return list(surplus(runs_in(parsed.results_path, game), parsed.keep))
    if not parsed.runs:
        raise ConfigurationError("name the runs, or --keep INT (see --help)")
    for run in parsed.runs:
        if run in games.names():
            raise ConfigurationError(f"{run} is a game: name a run of it, or how many to --keep")
    rows = [_found(run, parsed.results_path, games) for run in parsed.runs]
    return list({row.folder.resolve(): row for row in rows}.values())


def _agreed(number: int) -> bool:
    """Whether a person agrees. Raises `ConfigurationError` where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise ConfigurationError("nobody is there to be asked: add --yes")
    return read_line(f"delete {counted(number, 'run')} for good? [y/N] ").lower() in ("y", "yes")


def _found(run: str, results_path: Path, games: GameFolder) -> RunRow:
    folder = run_folder_of(find_run(run, results_path, games))
    if not (folder / RUN_CONFIG).exists():
        raise ConfigurationError(f"{folder} is no run's folder: it has no {RUN_CONFIG}")
    return row_of(folder)


def _parser(usage: str, description: str, *examples: str) -> Parser:
    parser = command_parser(f"runs {usage}", description, *(f"runs {example}" for example in examples))
    add_results_path_option(parser)
    return parser


ACTIONS: dict[str, Action] = {
    "list": list_command,
    "show": show_command,
    "name": name_command,
    "delete": delete_command,
}

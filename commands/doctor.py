"""`python muzero.py doctor [RUN]`: what happened to a run, what is missing here, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from commands._finding import find_run
from commands._options import Parser, add_results_path_option, command_parser
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.wording import counted
from games.api.sources import OWN_GAMES, GameFolder
from saving.run_folder import RUN_CONFIG, in_runs, run_folder_of

if TYPE_CHECKING:
    from runs.doctor.finding import Finding

FAULTS = 1
"""Exit status where something is wrong."""
SIGNS = {"fine": "ok", "note": "note", "fault": "FAULT"}


def doctor_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    from runs.doctor import of_machine, of_run

    folder = _folder(parsed.run, parsed.results_path, games)
    run = [] if folder is None else list(of_run.examined(folder))
    machine = list(of_machine.examined(_config_of(folder), parsed.results_path))
    faults = sum(finding.level == "fault" for finding in (*run, *machine))
    if parsed.json:
        found = {"run": None if folder is None else str(folder), "faults": faults}
        lists = {"of_run": run, "of_machine": machine}
        print(json.dumps(found | {name: [one._asdict() for one in some] for name, some in lists.items()}))
    else:
        said = "no run yet" if folder is None else f"run {folder}"
        for line in (said, *_lines(run), "this machine", *_lines(machine), _summary(faults)):
            print(line)
    return FAULTS if faults else 0


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for level, text, remedy in findings:
        yield f"  {SIGNS[level]:6}{_one_line(text)}"
        if remedy:
            yield f"        -> {_one_line(remedy)}"


def _one_line(text: str) -> str:
    """`text` without what a terminal might obey: it may come from a file of anybody's."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _summary(faults: int) -> str:
    return f"{counted(faults, 'fault')} found" if faults else "nothing is wrong"


def _folder(run: str | None, results_path: Path, games: GameFolder) -> Path | None:
    """The folder that was asked for, by default the newest run's, with a checkpoint or without.

    Raises `ConfigurationError` where there is none at all under the name.
    """
    if run is not None:
        path = Path(run)
        folder = run_folder_of(path if path.is_dir() else find_run(run, results_path, games))
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is no run's folder: name a run, or a game for its newest")
        return folder
    found = [path.parent for path in in_runs(results_path, None, RUN_CONFIG)]
    return max(found, key=lambda folder: folder.name, default=None)


def _config_of(folder: Path | None) -> MuZeroConfig:
    """The run's configuration; where it cannot be read, the usual one."""
    from runs.doctor.finding import Unreadable, read_text

    try:
        config = MuZeroConfig() if folder is None else MuZeroConfig.from_json(read_text(folder / RUN_CONFIG))
    except (Unreadable, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        config = MuZeroConfig()
    return config.replace(num_workers=config.num_workers or 1)


def _parser() -> Parser:
    parser = command_parser(
        "doctor [RUN]",
        "Read a run's folder and look at this machine: what happened, what is missing, what to do. The exit "
        "status is 1 where something is wrong.",
        "doctor",
        "doctor cartpole",
        "doctor results/cartpole/2026-01-31--12-00-00 --json",
    )
    parser.add_argument(
        "run", metavar="RUN", nargs="?", help="folder, time, name, or a game: its newest; default: the newest"
    )
    add_results_path_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser

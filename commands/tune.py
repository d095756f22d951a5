"""`python muzero.py tune GAME --param lr_init=log:1e-4:1e-1`: a search for better hyperparameters."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

from commands._config_options import (
    add_config_options,
    asks_help,
    canonical,
    config_values,
    say_without_effect,
    shown_fields,
)
from commands._finding import known_game
from commands._options import Parser, command_parser, whole_number
from config import MuZeroConfig, field_docs
from core.errors import INTERRUPTED, ConfigurationError
from core.wording import counted, grouped
from games.api.sources import OWN_GAMES, GameFolder
from tuning.halving import REDUCTION, RUNGS
from tuning.space import FORMS
from tuning.wanted import BUDGET, GAMES, OWN_FIELDS, PARALLEL, Wanted, opened

if TYPE_CHECKING:
    from tuning.display import SearchLines, SearchTable
    from tuning.sitting import Sitting
    from tuning.study import Study

DETERMINING = ("param", "minutes", "steps", "games", "rungs", "reduction")
"""Options, beside those of the configuration, that a search that is resumed has already."""


def tune_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status.

    The folder has to be the project's own: trials are processes that look for their game there.
    """
    parsed = _parse(arguments, games)
    return _search(_new(parsed, games) if parsed.resume is None else _resumed(parsed))


def _new(parsed: Namespace, games: GameFolder) -> AbstractContextManager[Sitting]:
    """The search that was asked for. Raises `ConfigurationError` before anything is written or started."""
    from tuning.sitting import first_sitting, new_search_folder

    if parsed.game is None:
        raise ConfigurationError("name a game, or --resume FOLDER (see --help)")
    wanted = Wanted(
        game=games.load(known_game(parsed.game, games)),
        parameters=tuple(parsed.param or ()),
        options=config_values(parsed),
        budget=parsed.budget,
        parallel=parsed.parallel,
        minutes=parsed.minutes,
        steps=parsed.steps,
        games=parsed.games,
        rungs=parsed.rungs,
        reduction=parsed.reduction,
    )
    checked = opened(wanted)
    say_without_effect(wanted.game.config.replace(**checked.options), checked.options)
    results_path = Path(wanted.options.get("results_path", MuZeroConfig().results_path))
    return first_sitting(new_search_folder(results_path, checked.game), checked)


def _resumed(parsed: Namespace) -> AbstractContextManager[Sitting]:
    """The search to go on with. Raises `ConfigurationError` when it would become another."""
    from tuning.sitting import Limits, next_sitting

    given = [f"--{name}" for name in DETERMINING if getattr(parsed, name) is not None]
    given += [f"--{name.replace('_', '-')}" for name in config_values(parsed)]
    if given:
        raise ConfigurationError(
            f"{given[0]} is settled for a search that is resumed; only --budget and --parallel may be given"
        )
    return next_sitting(parsed.resume, parsed.game, Limits(parsed.budget, parsed.parallel))


def _search(begun: AbstractContextManager[Sitting]) -> int:
    """Runs a search, a new one or one that was begun earlier; returns the exit status."""
    from tuning.sitting import terminable

    with begun as sitting:
        print(_plan(sitting.study, sitting.folder) + _memory_warning(sitting), flush=True)
        try:
            with terminable(), closing(_shown()) as shown:
                sitting.run(shown)
        except KeyboardInterrupt:
            print(f"interrupted; to go on: python muzero.py tune --resume {sitting.folder}", flush=True)
            return INTERRUPTED
        finally:
            sitting.draw()
    print(_summary(sitting.study, sitting.folder))
    return 0


def _shown() -> SearchTable | SearchLines:
    from tuning.display import SearchLines, SearchTable

    return SearchTable() if sys.stdout.isatty() else SearchLines(sys.stdout)


# --- what is said ---


def _plan(state: Study, folder: Path) -> str:
    opened = state.opened
    steps = opened.steps or state.base.training_steps
    minutes = "1 minute" if opened.minutes == 1 else f"{opened.minutes:g} minutes"
    budget = minutes if opened.minutes else grouped(steps, "update")
    at_once = f", {state.parallel} at a time" if state.parallel > 1 else ""
    again = [str(trial.number) for trial in state.trials.values() if not trial.ended]
    ended = f"; {len(state.ended)} have ended" if state.trials else ""
    ended += f", to be run again: {', '.join(again)}" if again else ""
    trials = f"{counted(state.budget, 'trial')} of {opened.game}, {budget} each"
    return f"search folder: {folder}\n{trials}{at_once}{ended}"


def _memory_warning(sitting: Sitting) -> str:
    """A line that says that so many trials at a time may not fit into this machine's memory, if so."""
    import psutil

    needed, free = sitting.memory, psutil.virtual_memory().available
    if needed <= free:
        return ""
    return (
        f"\nwarning: {sitting.study.parallel} trials at a time may take {needed / 2**30:.1f} GiB, and "
        f"{free / 2**30:.1f} GiB are free: a trial that runs out of memory is recorded as failed"
    )


def _summary(state: Study, folder: Path) -> str:
    """The best trial and how to train like it. Raises `ConfigurationError` when no trial ran in full."""
    from tuning.display import score_text
    from tuning.report import BEST_NAME, RESULTS_NAME
    from tuning.space import listed

    best = state.best
    if best is None or best.finished is None:
        failed = [trial.failed for trial in state.ended if trial.failed is not None]
        reason = f"; the last that failed: {failed[-1].reason}" if failed else ""
        raise ConfigurationError(f"no trial of {folder} ran in full{reason}")
    return (
        f"best: trial {best.number}, score {score_text(best.finished)}: {listed(best.values)}\n"
        f"all trials: {folder / RESULTS_NAME}, {folder / 'search.png'}; tensorboard --logdir {folder}\n"
        f"to train with it: python muzero.py {state.opened.game} --config {folder / BEST_NAME}"
    )


# --- the command line ---


def _parse(arguments: Sequence[str], games: GameFolder) -> Namespace:
    named = [text for text in arguments if games.knows(text)]
    defaults = games.load(named[0]).config if named and asks_help(arguments) else MuZeroConfig()
    possible = [name for name in field_docs() if name not in OWN_FIELDS]
    return _parser(defaults, shown_fields(arguments, possible)).parse(canonical(arguments))


def _parser(defaults: MuZeroConfig, shown: Sequence[str]) -> Parser:
    parser = command_parser(
        "tune GAME --param NAME=SCALE:...",
        "Search hyperparameters: nevergrad chooses values, each trial is a full training of its own, trials "
        "that lag behind are stopped early (ASHA), and the best checkpoint of the others is scored by games. "
        "Options of the configuration hold in all trials; --seed is that of the search.",
        "tune cartpole --param lr_init=log:1e-4:1e-1 --budget 20 --minutes 2",
        "tune --resume results/tune/cartpole/2026-01-31--12-00-00",
    )
    parser.add_argument("game", metavar="GAME", nargs="?", help="its name; not needed to go on")
    parser.add_argument(
        "--param", metavar="PARAM", action="append", help=f"what to search: {FORMS}; repeatable"
    )
    parser.add_argument("--budget", metavar="INT", type=whole_number(1), help=f"trials (default {BUDGET})")
    parser.add_argument(
        "--parallel", metavar="INT", type=whole_number(1), help=f"trials at a time (default {PARALLEL})"
    )
    parser.add_argument(
        "--minutes", metavar="FLOAT", type=_positive, help="of a trial; default: the game's own"
    )
    parser.add_argument("--steps", metavar="INT", type=whole_number(1), help="updates of a trial instead")
    parser.add_argument(
        "--games", metavar="INT", type=whole_number(1), help=f"that score a trial (default {GAMES})"
    )
    parser.add_argument(
        "--rungs",
        metavar="INT",
        type=whole_number(0),
        help=f"points at which trials are compared and stopped; 0: none is stopped (default {RUNGS})",
    )
    parser.add_argument(
        "--reduction",
        metavar="INT",
        type=whole_number(2),
        help=f"of so many trials at a point one goes on; also the ratio between points (default {REDUCTION})",
    )
    parser.add_argument("--resume", metavar="FOLDER", type=Path, help="go on with a search")
    add_config_options(parser, defaults, shown)
    return parser


def _positive(text: str) -> float:
    import argparse
    import math

    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number

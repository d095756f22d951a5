"""`python muzero.py tune GAME --param lr_init=log:1e-4:1e-1`: a search for better hyperparameters."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from commands._common import command_parser, known_game
from commands._options import Parser, add_config_options, canonical, config_values, whole_number
from config import MuZeroConfig
from core.errors import INTERRUPTED, ConfigurationError
from games.api.sources import OWN_GAMES, GameFolder
from tuning.halving import REDUCTION, RUNGS, rung_shares
from tuning.space import FORMS, parse_space

if TYPE_CHECKING:
    from tuning.display import SearchLines, SearchTable
    from tuning.ledger import Ledger, Opened
    from tuning.study import Study

BUDGET = 20
PARALLEL = 1
GAMES = 100
TRIAL_MIB = 1100
"""Memory of a trial's processes, Ray's included, beside the replay buffer (measured: cartpole)."""
SEARCHES = "tune"
"""Folder under the results with a folder for each game, and in it one for each search."""
DETERMINING = ("param", "minutes", "steps", "games", "rungs", "reduction")
"""Options, beside those of the configuration, that a search that is resumed has already."""
OWN_FIELDS = {
    "training_minutes": "give the budget of a trial by --minutes",
    "training_steps": "give the budget of a trial by --steps",
    "target_reward": "every trial uses its whole budget",
    "checkpoint_interval": "trials keep no checkpoints but the best",
    "keep_checkpoints": "trials keep no checkpoints but the best",
    "log_interval": "trials are read every second",
}
"""Fields that the search sets in every trial, and why."""


def tune_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status.

    The folder has to be the project's own: trials are processes that look for their game there.
    """
    parsed = _parse(arguments, games)
    from saving.run_folder import new_folder

    if parsed.resume is not None:
        return _resume(parsed)
    opened = _opened(parsed, games)
    results_path = Path(config_values(parsed).get("results_path", MuZeroConfig().results_path))
    folder = new_folder(results_path / SEARCHES / opened.game, results_path)
    return _search(folder, opened)


# --- what to search ---


def _opened(parsed: Namespace, games: GameFolder) -> Opened:
    """The search that was asked for. Raises `ConfigurationError` before anything is written or started."""
    from arena.players import check_opponents
    from tuning.ledger import Opened
    from tuning.suggester import OPTIMIZER, nevergrad_version

    if parsed.game is None:
        raise ConfigurationError("name a game, or --resume FOLDER (see --help)")
    game, options = known_game(parsed.game, games), _fixed_options(parsed)
    spec = games.load(game)
    base = spec.config.replace(**options)
    check_opponents(spec, base)
    space = parse_space(parsed.param or (), base)
    for parameter in space:
        if parameter.name in options:
            raise ConfigurationError(
                f"{parameter.name} is searched, so it cannot be given as an option as well"
            )
    if not base.evaluation_interval:
        raise ConfigurationError("evaluation_interval=0: trials are compared by their evaluations")
    opened = Opened(
        game=game,
        parameters=tuple(parsed.param),
        options=options,
        budget=_or(parsed.budget, BUDGET),
        parallel=_or(parsed.parallel, PARALLEL),
        minutes=_minutes(parsed, base),
        steps=_or(parsed.steps, 0),
        rungs=_or(parsed.rungs, RUNGS),
        reduction=_or(parsed.reduction, REDUCTION),
        games=_or(parsed.games, GAMES),
        seed=config_values(parsed).get("seed", 0),
        optimizer=OPTIMIZER,
        nevergrad=nevergrad_version(),
    )
    rung_shares(opened.rungs, opened.reduction)
    return opened


def _fixed_options(parsed: Namespace) -> dict[str, Any]:
    """The options of the configuration that are the same in all trials."""
    options = config_values(parsed)
    for name in options:
        if name in OWN_FIELDS:
            raise ConfigurationError(f"{name} cannot be given to a search: {OWN_FIELDS[name]}")
    return {name: value for name, value in options.items() if name not in ("seed", "results_path")}


def _minutes(parsed: Namespace, base: MuZeroConfig) -> float:
    """The minutes of a trial; 0 where its updates are limited."""
    if parsed.minutes is not None and parsed.steps is not None:
        raise ConfigurationError("give either --minutes or --steps")
    if parsed.steps is not None:
        return 0.0
    return base.training_minutes if parsed.minutes is None else parsed.minutes


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


# --- going on with one ---


def _resume(parsed: Namespace) -> int:
    """Goes on with a search. Raises `ConfigurationError` when there is none, or it would become another."""
    from tuning.ledger import FILE_NAME

    given = [f"--{name}" for name in DETERMINING if getattr(parsed, name) is not None]
    given += [f"--{name.replace('_', '-')}" for name in config_values(parsed)]
    if given:
        raise ConfigurationError(
            f"{given[0]} is settled for a search that is resumed; only --budget and --parallel may be given"
        )
    if not (parsed.resume / FILE_NAME).is_file():
        raise ConfigurationError(f"no search in {parsed.resume}: it has no {FILE_NAME}")
    return _search(parsed.resume, None, parsed)


# --- searching ---


def _search(folder: Path, opened: Opened | None, resumed: Namespace | None = None) -> int:
    """Runs a search in `folder`: a new one, or the one whose ledger is there."""
    from tuning.ledger import Ledger

    with _writing(folder), closing(Ledger(folder)) as ledger:
        state = _fresh(ledger, opened) if opened is not None else _restored(ledger, folder, resumed)
        print(_plan(state, folder) + _memory_warning(state), flush=True)
        try:
            with _terminable():
                _run(state, ledger, folder)
        except KeyboardInterrupt:
            print(f"interrupted; to go on: python muzero.py tune --resume {folder}", flush=True)
            return INTERRUPTED
        finally:
            _draw(state, folder)
    print(_summary(state, folder))
    return 0


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """One line for what cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot go on in {folder}: {error.strerror or error}") from None


def _fresh(ledger: Ledger, opened: Opened) -> Study:
    from tuning.study import Study

    state = Study(opened)
    ledger.append(opened)
    return state


def _restored(ledger: Ledger, folder: Path, resumed: Namespace | None) -> Study:
    from tuning.ledger import Opened, Reopened
    from tuning.study import Study

    events = ledger.events()
    if not events or not isinstance(events[0], Opened):
        raise ConfigurationError(f"{ledger.path} does not begin with what is searched")
    try:
        state = Study(events[0])
        state.apply_all(events)
    except ConfigurationError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{ledger.path} does not fit together ({error!r}): was it edited?") from None
    assert resumed is not None
    if resumed.game not in (None, state.opened.game):
        raise ConfigurationError(f"{folder} is a search of {state.opened.game}, not of {resumed.game}")
    reopened = Reopened(_or(resumed.budget, state.budget), _or(resumed.parallel, state.parallel))
    ledger.append(reopened)
    state.apply(reopened)
    return state


def _run(state: Study, ledger: Ledger, folder: Path) -> None:
    from tuning.report import StudyFiles
    from tuning.trial import TrialProcess
    from tuning.tuner import Tuner

    with closing(_shown()) as shown:
        Tuner(state, ledger, folder, TrialProcess, [shown, StudyFiles(folder)]).run()


def _shown() -> SearchTable | SearchLines:
    from tuning.display import SearchLines, SearchTable

    return SearchTable() if sys.stdout.isatty() else SearchLines(sys.stdout)


@contextmanager
def _terminable() -> Iterator[None]:
    """A SIGTERM is like Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


# --- what is said ---


def _plan(state: Study, folder: Path) -> str:
    opened = state.opened
    steps = opened.steps or state.base.training_steps
    minutes = "1 minute" if opened.minutes == 1 else f"{opened.minutes:g} minutes"
    budget = minutes if opened.minutes else f"{steps:,} updates"
    at_once = f", {state.parallel} at a time" if state.parallel > 1 else ""
    again = [str(trial.number) for trial in state.trials.values() if not trial.ended]
    ended = f"; {len(state.ended)} have ended" if state.trials else ""
    ended += f", to be run again: {', '.join(again)}" if again else ""
    return f"search folder: {folder}\n{state.budget} trials of {opened.game}, {budget} each{at_once}{ended}"


def _memory_warning(state: Study) -> str:
    """A line that says that so many trials at a time may not fit into this machine's memory, if so."""
    import psutil

    needed = state.parallel * ((TRIAL_MIB + state.base.replay_buffer_mb) << 20)
    free = psutil.virtual_memory().available
    if needed <= free:
        return ""
    return (
        f"\nwarning: {state.parallel} trials at a time may take {needed / 2**30:.1f} GiB, and "
        f"{free / 2**30:.1f} GiB are free: a trial that runs out of memory is recorded as failed"
    )


def _draw(state: Study, folder: Path) -> None:
    """Draws what there is; reports that a kill kept from being written are written now."""
    from tuning.picture import PICTURE_NAME, draw_search
    from tuning.report import write_hparams, write_reports

    write_reports(state, folder)
    for trial in state.ended:
        write_hparams(trial, folder)
    draw_search(state, folder / PICTURE_NAME)


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
    arguments = canonical(arguments)
    named = [game for game in games.names() if game in arguments]
    shown = games.load(named[0]).config if named and {"-h", "--help"} & set(arguments) else MuZeroConfig()
    return _parser(shown).parse(arguments)


def _parser(defaults: MuZeroConfig) -> Parser:
    parser = command_parser(
        "tune GAME --param NAME=SCALE:...",
        "Search hyperparameters: nevergrad chooses values, each trial is a full training of its own, trials "
        "that lag behind are stopped early (ASHA), and the best checkpoint of the others is scored by games. "
        "Options of the configuration hold in all trials; --seed is that of the search.",
    )
    parser.add_argument("game", metavar="GAME", nargs="?")
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
    add_config_options(parser, defaults)
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

"""One sitting of a search: its folder is opened, its trials are run, and what came of them is drawn."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from core.errors import ConfigurationError
from core.json_text import brief
from games.api.files import game_name
from saving.run_folder import new_folder
from tuning import trial
from tuning.ledger import FILE_NAME, Ledger, Opened, Reopened
from tuning.picture import PICTURE_NAME, draw_search
from tuning.report import StudyFiles, write_hparams, write_reports
from tuning.study import Study
from tuning.tuner import Tuner, Watcher
from tuning.wanted import given

SEARCHES = "tune"
"""Folder under the results with a folder for each game, and in it one for each search."""
TRIAL_MIB = 1100
"""Memory of a trial's processes, Ray's included, beside the replay buffer (measured: cartpole)."""


class Limits(NamedTuple):
    """What may be changed in a search that is gone on with; None: as it was."""

    budget: int | None  # trials
    parallel: int | None  # at a time


class Sitting:
    """A search in `folder`, as `ledger` has it, for as long as this process works on it."""

    def __init__(self, study: Study, ledger: Ledger, folder: Path) -> None:
        self.study, self.ledger, self.folder = study, ledger, folder

    @property
    def memory(self) -> int:
        """Bytes that the trials which run at a time may take."""
        return self.study.parallel * ((TRIAL_MIB + self.study.base.replay_buffer_mb) << 20)

    def run(self, watcher: Watcher) -> None:
        """Runs the trials that are left, and keeps the reports up to date."""
        watchers = [watcher, StudyFiles(self.folder)]
        Tuner(self.study, self.ledger, self.folder, trial.TrialProcess, watchers).run()

    def draw(self) -> None:
        """Draws what there is; reports that a kill kept from being written are written now."""
        write_reports(self.study, self.folder)
        for ended in self.study.ended:
            write_hparams(ended, self.folder)
        draw_search(self.study, self.folder / PICTURE_NAME)


def new_search_folder(results_path: Path, game: str) -> Path:
    """Makes a folder for a search. Raises `ConfigurationError` when that is not possible."""
    return new_folder(results_path / SEARCHES / game_name(game), results_path)


@contextmanager
def first_sitting(folder: Path, opened: Opened) -> Iterator[Sitting]:
    """A new search in `folder`. Raises `ConfigurationError`, also when something cannot be written later."""
    with _writing(folder), closing(Ledger(folder)) as ledger:
        study = Study(opened)
        ledger.append(opened)
        yield Sitting(study, ledger, folder)


@contextmanager
def next_sitting(folder: Path, game: str | None, limits: Limits) -> Iterator[Sitting]:
    """The search that is in `folder`, as `first_sitting`; it must be one of `game`, if that is given."""
    if not (folder / FILE_NAME).is_file():
        raise ConfigurationError(f"no search in {folder}: it has no {FILE_NAME}")
    with _writing(folder), closing(Ledger(folder)) as ledger:
        study = _restored(ledger)
        if game not in (None, study.opened.game):
            raise ConfigurationError(f"{folder} is a search of {study.opened.game}, not of {game}")
        reopened = Reopened(given(limits.budget, study.budget), given(limits.parallel, study.parallel))
        ledger.append(reopened)
        study.apply(reopened)
        yield Sitting(study, ledger, folder)


def _restored(ledger: Ledger) -> Study:
    """What the events in `ledger` add up to. Raises `ConfigurationError` if they are none of a search."""
    events = ledger.events()
    if not events or not isinstance(events[0], Opened):
        raise ConfigurationError(f"{ledger.path} does not begin with what is searched")
    try:
        study = Study(events[0])
        study.apply_all(events)
    except ConfigurationError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError) as error:
        why = f"{type(error).__name__}: {brief(str(error))}"
        raise ConfigurationError(f"{ledger.path} does not fit together ({why}): was it edited?") from None
    return study


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """One line for what cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot go on in {folder}: {error.strerror or error}") from None


@contextmanager
def terminable() -> Iterator[None]:
    """In here a SIGTERM is like Ctrl-C, and raises `KeyboardInterrupt`."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)

"""A run's folder, `results/<game>/<time>/`: how it is named, made and found."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from core.errors import ConfigurationError
from saving.files import CheckpointError
from saving.reading import ANY, LOG, NAME, opened, read_text

BEST_NAME = "best.checkpoint"
GENERATIONS = "checkpoints"
MANIFEST = "manifest.json"
LOG_NAME = "log.txt"
RUN_CONFIG = "config.json"
NAME_FILE = "name.txt"
"""With the name that a person gave a run, beside its folder's."""


def time_stamp() -> str:
    """Now, as folders and files are named."""
    return time.strftime("%Y-%m-%d--%H-%M-%S")


def new_folder(parent: Path, results_path: Path) -> Path:
    """Makes `parent/<time>/`, which is under `results_path`.

    Raises `ConfigurationError` when that is not possible.
    """
    stamp = time_stamp()
    for number in range(1000):
        folder = parent / (stamp if number == 0 else f"{stamp}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError as error:
            if folder.exists():
                continue
            raise _unwritable(results_path, error) from None
        except OSError as error:
            raise _unwritable(results_path, error) from None
        return folder
    raise ConfigurationError(f"results_path: {parent} has too many folders of this second")


def new_run_folder(results_path: Path, game: str) -> Path:
    """Makes `results_path/game/<time>/`. Raises `ConfigurationError` when that is not possible."""
    folder = new_folder(results_path / game, results_path)
    try:
        (folder / GENERATIONS).mkdir()
    except OSError as error:
        raise _unwritable(results_path, error) from None
    return folder


METRICS_NAME = "metrics.jsonl"
EVIDENCE = "Traceback"
"""What a log has where something went wrong in a way that is worth to be kept."""


@contextmanager
def discarded_if_empty(folder: Path) -> Iterator[None]:
    """Removes a new run's `folder` when its training fails before anything was measured or saved."""
    try:
        yield
    except BaseException:
        log = folder / LOG_NAME
        measured = (folder / METRICS_NAME).exists() and (folder / METRICS_NAME).stat().st_size > 0
        saved = any((folder / GENERATIONS).iterdir())
        evidence = log.exists() and EVIDENCE in read_text(log, LOG, errors="replace")
        if not (measured or saved or evidence):
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # other runs are in it
                folder.parent.rmdir()
        raise


def newest_run(results_path: Path, game: str | None = None) -> Path:
    """The run folder under `results_path` whose newest generation is youngest.

    Raises `CheckpointError` when there is none.
    """
    runs = runs_by_age(results_path, game)
    if not runs:
        what = f"run of {game!r}" if game else "run"
        raise CheckpointError(
            f"no {what} with a checkpoint under {results_path}: train first, or name the run"
        )
    return runs[-1]


def runs_by_age(results_path: Path, game: str | None = None) -> list[Path]:
    """The run folders under `results_path` with a generation, that with the youngest last."""
    inside = in_runs(results_path, game, f"{GENERATIONS}/*/{MANIFEST}")
    manifests = sorted(inside, key=lambda path: path.stat().st_mtime_ns)
    newest = {path.parents[2]: number for number, path in enumerate(manifests)}
    return sorted(newest, key=newest.__getitem__)


def in_runs(results_path: Path, game: str | None, inside: str) -> Iterator[Path]:
    """What matches the pattern `inside` in the folders of all runs, or of those of a game."""
    return results_path.glob(f"{glob.escape(game) if game else '*'}/*/{inside}")


def first_existing(*paths: Path) -> Path | None:
    """The first of these at which there is something."""
    return next((path for path in paths if path.exists()), None)


class Open(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...


def hold(log: Open, folder: Path) -> str | None:
    """Marks a run as running as long as its `log` is open: a process that dies leaves no mark.

    A line where that is not possible here. Raises `ConfigurationError` where another process trains in its
    `folder`.
    """
    try:
        _lock(log)
    except BlockingIOError:
        process = _holder(log)
        which = "" if process is None else f" (process {process})"
        raise ConfigurationError(f"a training is running in {folder}{which}: stop it first") from None
    except OSError as error:
        why = f"files cannot be locked here: {error.strerror}"
        return f"warning: {why}; nothing keeps a second training out of {folder}"
    return None


LOCK_TRIES = 5
"""Somebody who looks whether the run is running holds the lock for a moment."""


def _lock(log: Open) -> None:
    for _ in range(LOCK_TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(log.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.02)
    fcntl.flock(log.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCKS = Path("/proc/locks")


def _holder(log: Open) -> int | None:
    """The process that has locked the file, as far as Linux tells."""
    inode = os.fstat(log.fileno()).st_ino
    with suppress(OSError):
        for line in LOCKS.read_text().splitlines():
            fields = line.split()
            if fields[1:2] == ["FLOCK"] and fields[5].rpartition(":")[2] == str(inode) and int(fields[4]) > 0:
                return int(fields[4])
    return None


def is_running(folder: Path) -> bool:
    """Whether a process trains in a run's `folder`."""
    try:
        with opened(folder / LOG_NAME, ANY) as log:
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no log, or a file system without locks
        return False
    return False


def name_of(folder: Path) -> str:
    """The name that a person gave a run; else, or where its file is damaged, empty."""
    try:
        return read_text(folder / NAME_FILE, NAME).strip()
    except (OSError, ValueError):
        return ""


def named_runs(results_path: Path, game: str | None = None) -> dict[str, Path]:
    """The run folders to which a person gave a name, by that name; of several of one name the first."""
    folders = sorted(path.parent for path in in_runs(results_path, game, NAME_FILE))
    return {name: folder for folder in reversed(folders) if (name := name_of(folder))}


def run_folder_of(path: Path) -> Path:
    """The run folder that `path` (a run folder or a generation in it) belongs to."""
    return path.parents[1] if path.parent.name == GENERATIONS else path


def folder_for_files(checkpoint: Path, game: str, results_path: Path) -> Path:
    """Where files about `checkpoint` go: the run's folder, or the game's results for what is of no run."""
    folder = run_folder_of(checkpoint if checkpoint.is_dir() else checkpoint.parent)
    return folder if (folder / RUN_CONFIG).exists() else results_path / game


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"results_path: cannot write to {path}: {error.strerror or error}; choose another with --results-path"
    )


def best_of(run: Path) -> Path:
    """The best checkpoint of a run folder; without one the folder itself, that is its newest generation."""
    return run / BEST_NAME if (run / BEST_NAME).exists() else run

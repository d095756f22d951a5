"""What happened to a run, by its folder."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.wording import counted, grouped
from runs.doctor.finding import (
    Finding,
    Unreadable,
    as_object,
    read_lines,
    read_object,
    read_text,
    require_regular,
)
from runs.lost_games import LOST_GAMES
from saving.files import TEMPORARY, digest_file
from saving.reading import PART
from saving.run_folder import (
    BEST_NAME,
    EVIDENCE,
    GENERATIONS,
    LOG_NAME,
    MANIFEST,
    METRICS_NAME,
    RUN_CONFIG,
    is_running,
)

MOST_DIGESTED = 4 << 30
"""Bytes of a generation whose digests are compared; larger ones only by their files' names."""
_RESTARTED = re.compile(r"actor '(\w+)' was lost(?:[^:]*: (.+))?")
_ENDED = "training ended: "
_GENERATION = re.compile(r"(\d+)-step-(\d+)")


class _Moment(NamedTuple):
    """How far the run had come when something was written."""

    updates: int
    seconds: float


def examined(folder: Path) -> Iterator[Finding]:
    """What there is to say of the run in `folder`, in the order in which a person wants to know it."""
    running = is_running(folder)
    if running:
        yield Finding("fine", "the run is running now")
    parts: tuple[Callable[[Path], Iterator[Finding]], ...] = (_config, _log, _lost_games, _leftovers)
    yield from _progress(folder, running)
    for part in parts:
        yield from _safely(part, folder)


def _safely(part: Callable[[Path], Iterator[Finding]], folder: Path) -> Iterator[Finding]:
    """What `part` finds; what it cannot read is a fault."""
    try:
        yield from part(folder)
    except Unreadable as problem:
        yield Finding("fault", str(problem))


def _is_file(path: Path) -> bool:
    try:
        require_regular(path)
    except Unreadable:
        return False
    return True


def _resume(folder: Path) -> str:
    return f"python muzero.py resume {shlex.quote(str(folder))}"


# --- how far it came, and what is kept ---


def _progress(folder: Path, running: bool) -> Iterator[Finding]:
    """What was measured last, what is saved, and what lies between."""
    last = None
    try:
        last = _last_moment(read_lines(folder / METRICS_NAME))
        yield Finding("fine", _came(last) if last else "nothing was measured yet")
    except Unreadable as problem:
        yield Finding(
            "fault", str(problem), "plot and runs list show less of the run; it can be resumed all the same"
        )
    saved = None
    for path in _generations(folder):
        fault = generation_fault(path)
        if fault is None:
            saved = int(path.name.rpartition("-")[2])
            yield Finding("fine", f"newest complete checkpoint: {path.name}")
            break
        yield Finding("fault", f"checkpoint {path.name}: {fault}", "the one before it is used")
    if saved is None:
        yield _nothing_saved(folder, running)
    elif last is not None and last.updates > saved and not running:
        yield Finding(
            "fault",
            f"the run ended without saving: {grouped(last.updates - saved, 'update')} after the newest "
            "checkpoint are lost (killed, out of memory, or the machine went down)",
            f"{_resume(folder)} goes on from update {saved:,}",
        )
    elif not running:
        yield Finding("note", "the run has ended, and all of it is saved", f"{_resume(folder)} goes on")


def _came(last: _Moment) -> str:
    return f"it came to {grouped(last.updates, 'update')} in {last.seconds / 60:.1f} minutes of training"


def _nothing_saved(folder: Path, running: bool) -> Finding:
    if running:
        return Finding("note", "no checkpoint yet: the first comes after checkpoint_interval seconds")
    best = folder / BEST_NAME
    remedy = (
        f"{best} can still be played with, and begins a new run by --weights-from" if _is_file(best) else ""
    )
    return Finding(
        "fault", "there is no complete checkpoint: the run cannot be resumed", remedy or "train anew"
    )


def _last_moment(lines: Sequence[str]) -> _Moment | None:
    """That of the newest line that is whole; of updates the most."""
    found = None
    for line in lines:
        try:
            values = as_object(line, METRICS_NAME)
            moment = _Moment(int(values["updates"]), float(values["seconds"]))
        except (Unreadable, LookupError, TypeError, ValueError, OverflowError):
            continue
        if found is None or moment.updates >= found.updates:
            found = moment
    return found


def _generations(folder: Path) -> list[Path]:
    """The run's checkpoints, the newest first, complete or not."""
    try:
        found = [p for p in (folder / GENERATIONS).iterdir() if _GENERATION.fullmatch(p.name) and p.is_dir()]
    except OSError:
        return []
    return sorted(found, key=lambda path: int(path.name.partition("-")[0]), reverse=True)


def generation_fault(path: Path) -> str | None:
    """What is wrong with the checkpoint in folder `path`; None: nothing."""
    try:
        files = read_object(path / MANIFEST).get("files")
        if not isinstance(files, dict) or not files:
            return f"{MANIFEST}: is damaged: it lists no files"
        if any(Path(name).name != name for name in files):
            return f"{MANIFEST}: is damaged: it lists files elsewhere"
        size = sum(require_regular(path / name) for name in files)
        if size > MOST_DIGESTED:
            return None
        wrong = [name for name, digest in files.items() if digest_file(path / name, PART) != digest]
    except Unreadable as problem:
        return str(problem)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return f"{wrong[0]}: is damaged: its checksum differs" if wrong else None


# --- the other files ---


def _config(folder: Path) -> Iterator[Finding]:
    text = read_text(folder / RUN_CONFIG)
    try:
        MuZeroConfig.from_json(text)
    except ConfigurationError as error:
        yield Finding("fault", f"{RUN_CONFIG}: {error}")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        yield Finding(
            "fault", f"{RUN_CONFIG}: is damaged", "its checkpoints have a copy, with which it resumes"
        )


def _log(folder: Path) -> Iterator[Finding]:
    """What the log tells of: actors started again, warnings, errors."""
    lines = read_lines(folder / LOG_NAME)
    found = [match for line in lines if (match := _RESTARTED.match(line))]
    for actor, number in Counter(match[1] for match in found).most_common():
        reasons = Counter(match[2] for match in found if match[1] == actor and match[2])
        why = "; ".join(f"{reason} ({times})" for reason, times in reasons.most_common(3))
        yield Finding(
            "note" if number < 3 else "fault",
            f"actor {actor} was lost {counted(number, 'time')} and started again{why and f': {why}'}",
            f"all of it is in {folder / LOG_NAME}: search for it there",
        )
    ended = [line.removeprefix(_ENDED) for line in lines if line.startswith(_ENDED)]
    if ended:
        yield Finding("note", f"it once ended so: {ended[-1]}")
    for text in dict.fromkeys(
        line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")
    ):
        yield Finding("note", f"it warned: {text}")
    if any(EVIDENCE in line for line in lines):
        raised = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
        newest = f": {raised[-1]}" if raised else ""
        yield Finding("fault", f"an error was raised{newest}", f"all of it is in {folder / LOG_NAME}")


def _lost_games(folder: Path) -> Iterator[Finding]:
    """The games that broke, by their reasons."""
    path = folder / LOST_GAMES
    if not path.exists() and not path.is_symlink():
        return
    reasons: Counter[str] = Counter()
    for line in read_lines(path):
        try:
            reasons[str(as_object(line, LOST_GAMES).get("reason", "for no known reason"))] += 1
        except Unreadable:
            reasons["of which the line is damaged"] += 1
    for reason, number in reasons.most_common(5):
        yield Finding(
            "note", f"{counted(number, 'game')} lost: {reason}", f"seeds and moves are in {path}: check-game"
        )


def _leftovers(folder: Path) -> Iterator[Finding]:
    """Files that a process which was killed has left behind."""
    try:
        found = [path for path in folder.iterdir() if TEMPORARY.fullmatch(path.name)]
    except OSError as error:
        raise Unreadable(f"{folder}: {error.strerror or error}") from None
    if found:
        names = ", ".join(sorted(path.name for path in found)[:3])
        yield Finding("note", f"half-written files were left behind: {names}", "they may be removed")

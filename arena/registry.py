"""Versions of a game's agents, and the matches between them: `results_path/models/<game>/`.

    v0001.checkpoint, ...  copies of best.checkpoint files, never changed
    registry.json          what is known of each version, all match results, and which version is promoted
    registry.lock          held by the process that changes the registry

Every change reads the registry, writes all of it into a new file and renames that into place, under the lock:
a crash leaves the old registry or the new one, and two processes lose nothing of each other's.
"""

from __future__ import annotations

import base64
import dataclasses
import fcntl
import hashlib
import json
import math
import os
import re
import time
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from arena.ratings import Sprt, Tally
from core.cost import Cost, facts_of
from core.errors import ConfigurationError, did_you_mean, require
from core.options import coerce
from saving.checkpoint import Checkpoint, load_checkpoint
from saving.files import digest_file, open_own, write_whole
from saving.reading import BEST, read_bytes, read_json
from saving.reading import REGISTRY as REGISTRY_FILE
from saving.run_folder import BEST_NAME

FOLDER = "models"
REGISTRY = "registry.json"
LOCK = "registry.lock"
FORMAT: Final = "muzero-ray registry"
FORMAT_VERSION = 3
_NAME = re.compile(r"v(\d{4,})")


@dataclass(frozen=True)
class Version:
    """A registered agent."""

    name: str  # v0001, v0002, ...
    date: str  # when it was added, UTC, ISO 8601
    source: str  # the file it is a copy of
    sha256: str  # of the file, hexadecimal
    cost: Cost  # of the training up to it, as the checkpoint knows it
    training_steps: int  # updates made to its weights
    played_steps: int  # steps of self-play until then
    evaluation: float | None  # mean return of its evaluation, where known
    note: str = ""

    def __post_init__(self) -> None:
        require(_NAME.fullmatch(self.name) is not None, f"version {self.name!r}", "must be v0001, v0002, ...")
        require(self.evaluation is None or math.isfinite(self.evaluation), "evaluation", "must be finite")


@dataclass(frozen=True)
class MatchRecord:
    """A match of two players (versions or others, such as `random`), as `first` sees it.

    A player against itself shows how far chance alone goes. Raises `ConfigurationError` on a match of more
    games than were wanted.
    """

    first: str
    second: str
    seats: tuple[Tally, Tally]  # games in which `first` had seat 0 (moved first), and seat 1
    games: int  # wanted; a sequential test may end the match with fewer
    seed: int
    simulations: int  # per move
    finished: bool  # all games were played, or the sequential test has decided
    sprt: Sprt | None = None  # the sequential test that the match was played under, if any
    digests: str = ""  # of the different games, see `digests_text`; none in matches of format 1
    openings: int | None = None  # random first moves of each pair of games; None in formats 1 and 2

    def __post_init__(self) -> None:
        require(0 <= self.tally.games <= self.games, "match", f"has more than the {self.games} games wanted")

    @property
    def tally(self) -> Tally:
        """The games of both seats."""
        return self.seats[0] + self.seats[1]

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it this match: the pairing, the seed and the settings."""
        return self.first, self.second, self.games, self.seed, self.simulations, self.sprt

    @property
    def different(self) -> int:
        """The number of different games; of matches of format 1, which do not know it, of all."""
        return len(digests_of(self.digests)) if self.digests else int(self.tally.games)

    @property
    def told(self) -> Tally:
        """What the games tell: their shares of results, in as many games as are different."""
        return self.tally.scaled(self.different)


def digests_text(digests: NDArray[np.uint32]) -> str:
    """The different ones of `digests` [n] of games (`PlayedBatch.digests`), for JSON."""
    return base64.b64encode(np.unique(digests).astype("<u4").tobytes()).decode()


def digests_of(text: str) -> NDArray[np.uint32]:
    """What `digests_text` wrote. Raises `ConfigurationError` on anything else."""
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<u4")
    except ValueError:
        raise ConfigurationError("the digests of a match's games are damaged") from None


def told_of(matches: Iterable[MatchRecord], name: str, other: str) -> Tally:
    """What all `matches` between `name` and `other` tell of `name`, whatever their seeds.

    A game that was played in several of them counts once.
    """
    tallies: dict[int, Tally] = {}  # by simulations
    known: dict[int, set[int]] = {}
    unknown: dict[int, int] = {}  # games of matches that do not know which were the same
    for match in matches:
        if {match.first, match.second} != {name, other} or name == other:
            continue
        tally, by = match.tally if match.first == name else match.tally.reversed, match.simulations
        tallies[by] = tallies.get(by, Tally()) + tally
        known.setdefault(by, set()).update(digests_of(match.digests).tolist())
        unknown[by] = unknown.get(by, 0) + (0 if match.digests else match.different)
    told = Tally()
    for by, tally in tallies.items():
        told += tally.scaled(min(tally.games, len(known[by]) + unknown[by]))
    return told


@dataclass(frozen=True)
class Contents:
    """All of registry.json."""

    format: Literal["muzero-ray registry"] = FORMAT
    format_version: int = FORMAT_VERSION
    promoted: str | None = None
    versions: tuple[Version, ...] = ()
    matches: tuple[MatchRecord, ...] = ()

    def __post_init__(self) -> None:
        names = [version.name for version in self.versions]
        require(len(set(names)) == len(names), "versions", "must have different names")
        require(self.promoted is None or self.promoted in names, "promoted", "must name a version")


class Registry:
    """The versions of one game. Making this object touches no file; all methods read afresh.

    All methods raise `ConfigurationError` when registry.json is damaged (it is left as it is), when files
    cannot be read or written, and when another process keeps the lock for longer than `patience` seconds.
    """

    def __init__(self, results_path: Path, game: str, patience: float = 10.0) -> None:
        self.game, self.patience = game, patience
        self.folder = results_path / FOLDER / game

    # --- versions ---

    def add(self, checkpoint_path: Path, note: str = "") -> Version:
        """Registers a copy of a best.checkpoint file (or of the one in a run folder) as the next version.

        An identical file added again returns the version that it is already (and restores its copy, should it
        be missing). Raises `CheckpointError` when the file is damaged or of another game.
        """
        path = checkpoint_path / BEST_NAME if checkpoint_path.is_dir() else checkpoint_path
        content, checkpoint = _read_checkpoint(path, self.game)
        digest = hashlib.sha256(content).hexdigest()
        with self._locked():
            contents = self._read()
            known = _copy_of(contents.versions, digest)
            version = known or _describe(self._next_name(contents), path, digest, checkpoint, note)
            with _disk(self.folder):
                if not self.path(version).exists():
                    write_whole(self.path(version), content)
            if known is None:
                self._write(dataclasses.replace(contents, versions=(*contents.versions, version)))
            return version

    def versions(self) -> tuple[Version, ...]:
        """All versions, oldest first."""
        return self._read().versions

    def version(self, name_or_path: str | Path) -> Version:
        """The version of that name, or the one that the file at that path is a copy of."""
        versions = self.versions()
        for version in versions:
            if version.name == str(name_or_path):
                return version
        path = Path(name_or_path)
        if path.is_file():
            with _disk(path):
                digest = digest_file(path)
            known = _copy_of(versions, digest)
            if known is None:
                raise ConfigurationError(f"{path} is not a version of {self.game!r} yet: add it first")
            return known
        names = [version.name for version in versions]
        all_names = f"{names[0]} to {names[-1]}" if names else "none yet: add a checkpoint first"
        raise ConfigurationError(
            f"no version {str(name_or_path)!r} of {self.game!r}{did_you_mean(str(name_or_path), names)} "
            f"(versions: {all_names})"
        )

    def path(self, version: Version) -> Path:
        """The checkpoint file of a version."""
        return self.folder / f"{version.name}.checkpoint"

    def _next_name(self, contents: Contents) -> str:
        """The first name after all that were given away, by registry.json or by a file in the folder."""
        names = {version.name for version in contents.versions} | {
            path.stem for path in self.folder.glob("v*.checkpoint")
        }
        numbers = [int(match[1]) for match in map(_NAME.fullmatch, names) if match]
        return f"v{max(numbers, default=0) + 1:04d}"

    # --- matches ---

    def matches(self) -> tuple[MatchRecord, ...]:
        """All match results, finished or not, oldest first."""
        return self._read().matches

    def record(self, match: MatchRecord) -> None:
        """Keeps a result, in place of that of the same pairing, seed and settings if there is one.

        So the result of an interrupted match is replaced as it goes on. A finished result gives way to a
        finished one only: a repetition that is under way or was interrupted does not undo it.
        """
        with self._locked():
            contents = self._read()
            same = [earlier for earlier in contents.matches if earlier.key == match.key]
            if any(earlier.finished for earlier in same) and not match.finished:
                return
            others = tuple(earlier for earlier in contents.matches if earlier.key != match.key)
            self._write(dataclasses.replace(contents, matches=(*others, match)))

    def unfinished(
        self, first: str, second: str, games: int, seed: int, simulations: int, sprt: Sprt | None = None
    ) -> MatchRecord | None:
        """The result so far of an interrupted match, to go on from; None if there is none."""
        wanted = (first, second, games, seed, simulations, sprt)
        return next((match for match in self.matches() if match.key == wanted and not match.finished), None)

    # --- promotion ---

    @property
    def promoted(self) -> Version | None:
        """The version in use, if one has been promoted."""
        contents = self._read()
        return next((version for version in contents.versions if version.name == contents.promoted), None)

    def promote(self, name: str | Path, force: bool = False) -> Version:
        """Makes the version of that name the promoted one.

        Raises `ConfigurationError` unless `force`, no version is promoted yet, or the sequential test accepts
        that it is stronger than the promoted one, asked over all their matches together: so trying one seed
        after another does not promote.
        """
        version = self.version(name)
        with self._locked():
            contents = self._read()
            promoted = contents.promoted
            if not (force or promoted in (None, version.name)):
                self._check_stronger(contents, version.name, str(promoted))
            self._write(dataclasses.replace(contents, promoted=version.name))
        return version

    def _check_stronger(self, contents: Contents, name: str, promoted: str) -> None:
        """Raises `ConfigurationError` unless all matches together show that `name` beats `promoted`."""
        told = told_of(contents.matches, name, promoted)
        if Sprt().decide(told) == "h1":
            return
        why = "they have not played a match"
        if told.games:
            why = (
                f"a score of {told.score:.1%} in {told.games:.0f} different games of all their matches does "
                "not show that it is stronger"
            )
        raise ConfigurationError(
            f"{name} cannot replace the promoted {promoted}: {why}; compare them over more games, or force it"
        )

    # --- the file ---

    def _read(self) -> Contents:
        path = self.folder / REGISTRY
        try:
            value = read_json(path, REGISTRY_FILE)
            _check_format(value, path)
            contents: Contents = _decoded(Contents, value, "registry")
            return contents
        except FileNotFoundError:
            return Contents()
        except OSError as error:
            raise _refused(path, error) from None
        except _OtherFormatError:
            raise
        except (ValueError, OverflowError) as error:  # includes those of JSON, of Unicode, and our own
            why = " ".join(str(error)[:1000].split())[:200]
            raise ConfigurationError(
                f"{path} is corrupt ({why}); put a copy of it back, or move it away to start a new one"
            ) from None

    def _write(self, contents: Contents) -> None:
        with _disk(self.folder):
            text = json.dumps(dataclasses.asdict(contents, dict_factory=facts_of), indent=1, allow_nan=False)
            write_whole(self.folder / REGISTRY, text.encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the lock. The system frees it when the process ends, however that happens."""
        path = self.folder / LOCK
        with _disk(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = open_own(path, os.O_APPEND)
        try:
            give_up = time.monotonic() + self.patience
            while not _try_lock(lock, path):
                if time.monotonic() > give_up:
                    raise ConfigurationError(
                        f"{self.folder} is being changed by another process, which holds {LOCK}: "
                        "wait until it is done, then try again"
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(lock)


def _try_lock(lock: int, path: Path) -> bool:
    """Takes the lock if it is free; closing the file frees it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _refused(path, error) from None
    return True


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turns what the disk refuses into a `ConfigurationError` about `path`."""
    try:
        yield
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"cannot read or write {path}: {error.strerror or error}; check its permissions and the disk"
    )


def _copy_of(versions: tuple[Version, ...], digest: str) -> Version | None:
    """The version whose file has this SHA-256."""
    return next((version for version in versions if version.sha256 == digest), None)


def _read_checkpoint(path: Path, game: str) -> tuple[bytes, Checkpoint]:
    """The file's bytes and what they hold, of the same moment: a training may be replacing the file."""
    while True:
        checkpoint = load_checkpoint(path, expect_game=game)
        with _disk(path):
            content = read_bytes(path, BEST)
        after = load_checkpoint(path, expect_game=game)
        if (after.counters, after.evaluation) == (checkpoint.counters, checkpoint.evaluation):
            return content, checkpoint


def _describe(name: str, source: Path, digest: str, checkpoint: Checkpoint, note: str) -> Version:
    counters, evaluation = checkpoint.counters, checkpoint.evaluation
    return Version(
        name=name,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        source=str(source.absolute()),
        sha256=digest,
        cost=checkpoint.cost,
        training_steps=counters.training_step,
        played_steps=counters.played_steps,
        evaluation=evaluation if evaluation is not None and math.isfinite(evaluation) else None,
        note=note,
    )


# --- JSON ---


class _OtherFormatError(ConfigurationError):
    """The registry is whole, but another version of the project wrote it."""


def _check_format(value: Any, path: Path) -> None:
    """Raises `_OtherFormatError` when `value` is a registry of another format version."""
    if isinstance(value, dict) and value.get("format") == FORMAT:
        number = value.get("format_version")
        if isinstance(number, int) and not 1 <= number <= FORMAT_VERSION:
            raise _OtherFormatError(
                f"{path} has registry format {number}, this version reads formats 1 to {FORMAT_VERSION}; use "
                "the version of the project that wrote it"
            )


MOST = 10_000
"""Versions, and matches, in a registry."""


@cache
def _fields_of(expected: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields, by name."""
    return typing.get_type_hints(expected)


def _decoded(expected: Any, value: Any, name: str) -> Any:
    """`value`, as JSON gave it, as type `expected`: dataclasses from objects, tallies and tuples from lists.

    Raises `ConfigurationError` when it is of another type, or lacks a field or has one too many.
    """
    arguments = typing.get_args(expected)
    if type(None) in arguments:
        return None if value is None else _decoded(arguments[0], value, name)
    if dataclasses.is_dataclass(expected):
        make: Any = expected
        fields = _fields_of(make)
        optional = {"digests", "openings", "added_cpu_seconds"}  # not in formats 1 and 2; not in most costs
        complete = isinstance(value, dict) and fields.keys() - optional <= value.keys() <= fields.keys()
        require(complete, name, f"must have {', '.join(fields)}")
        return make(**{key: _decoded(fields[key], value[key], f"{name}.{key}") for key in value})
    if expected is Tally:
        tally = Tally(*coerce(tuple[int, int, int], value, name))
        require(min(tally) >= 0, name, "must not be negative")
        return tally
    if typing.get_origin(expected) is tuple:
        require(isinstance(value, list) and len(value) <= MOST, name, f"must be a list of at most {MOST}")
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        require(len(inner) == len(value), name, f"must have {len(inner)} entries")
        return tuple(_decoded(t, v, name) for t, v in zip(inner, value, strict=True))
    return coerce(expected, value, name)

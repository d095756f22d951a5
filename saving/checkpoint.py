"""Checkpoints of a run: everything needed to go on, and the best weights (which those are: `runs/judge.py`).

They lie in the run's folder, `results/<game>/<time>/`:

    config.json               the configuration
    log.txt, events.*         progress lines and TensorBoard events
    best.checkpoint           weights and configuration that evaluated best, one small file to share
    checkpoints/<n>-step-<s>  one directory per generation: everything needed to go on training; rows of the
                              buffer that an earlier generation has as well are links to the same files

A generation becomes visible when its manifest (format version and a SHA-256 of every other file) is renamed
into place after everything else is on the disk: it is complete, or it does not exist. Loading reads JSON and
plain arrays only and never executes code from a file.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.cost import Cost
from core.errors import ConfigurationError
from core.json_text import brief, entries, parse_json
from core.output import say_on_stderr
from data import Counters, Snapshot, Weights
from saving.archives import ArrayFile, write_archive
from saving.facts import Told, told
from saving.files import (
    CheckpointError,
    digest_file,
    remove_leftovers,
    sync_folder,
    synced,
    write_whole,
)
from saving.fitting import check_weights
from saving.reading import BEST, PART, opened, read_json
from saving.reading import FACTS as FACTS_FILE
from saving.reading import MANIFEST as MANIFEST_FILE
from saving.room import FREE, check_room
from saving.rows import ROWS, files_of, with_rows
from saving.run_folder import BEST_NAME, GENERATIONS, MANIFEST
from saving.signed import ANOTHER, NO_SEAL, ListedFiles, check_seal, sealed

FORMAT = "muzero-ray checkpoint"
PLAIN_VERSION, FORMAT_VERSION = 2, 3
"""Those that are read; the newer one is of generations in which rows of a part lie in files of their own."""
FACTS = "facts.json"
WEIGHTS = "weights.npz"
WEIGHTS_PART = "weights"
"""What the network's weights are called where parts have names."""
_IN_BEST = "weights/"
_FACTS_IN_BEST = "facts"
Say = Callable[[str], object]
_GENERATION_NAME = re.compile(r"(\d+)-step-\d+")


@dataclass(frozen=True)
class Checkpoint:
    """A state of a run to return to. A best checkpoint has no `parts`."""

    game: str
    config_json: str  # MuZeroConfig.to_json()
    weights: Weights
    counters: Counters
    parts: dict[str, Snapshot] = field(default_factory=dict)  # "trainer", "buffer", "self_play_0", ...
    evaluation: float | None = None  # mean return of the evaluation these weights had, where known
    measured_cost: Cost | None = None  # of the run until then; None: saved before costs were kept
    recipe: str | None = None  # what a person types to mean the game; "": it is a program's own; None: `game`
    game_digest: str = ""  # SHA-256 of the source of a game that is a file of somebody's own
    format_version: int = PLAIN_VERSION

    @property
    def config(self) -> MuZeroConfig:
        """The run's configuration. Raises `ConfigurationError` if it is none of this version's."""
        return MuZeroConfig.from_json(self.config_json)

    @property
    def game_text(self) -> str:
        """What a person types to mean the game. Raises `CheckpointError` if only a program has it."""
        if self.recipe == "":
            raise CheckpointError(
                f"the game {self.game!r} of this checkpoint is a class of a program: go on from there, with "
                "MuZero.resume(run, game=...)"
            )
        return self.game if self.recipe is None else self.recipe

    @property
    def training_step(self) -> int:
        """Updates made to the weights."""
        return self.counters.training_step

    def with_ratio_from_here(self) -> Checkpoint:
        """The same, from which on another ratio of updates to played steps is kept."""
        counters = self.counters
        changed = {"ratio_since_update": counters.training_step, "ratio_since_step": counters.added_steps}
        return dataclasses.replace(self, counters=dataclasses.replace(counters, **changed))

    @property
    def cost(self) -> Cost:
        """What the run had taken until then, as far as it is known."""
        counters = self.counters
        counted = Cost(counters.seconds, played_steps=counters.played_steps, updates=counters.training_step)
        return self.measured_cost or counted


# --- generations ---


class Written(NamedTuple):
    """A part of a generation whose files are on the disk."""

    facts: dict[str, Any]  # of its snapshot
    digests: dict[str, str]  # SHA-256 of its files, by name


def save_generation(run_folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Writes `checkpoint` as the newest generation, then removes all but the newest `keep`.

    Returns the generation's directory. A crash at any moment leaves the earlier generations loadable.
    Raises `CheckpointError` when the disk refuses.
    """
    folder = begin_generation(run_folder, checkpoint.training_step)
    with _writing(folder.parent), removed_if_it_fails(folder):
        parts = {name: write_part(folder, name, part) for name, part in checkpoint.parts.items()}
        weights = write_weights(folder, checkpoint.weights)
        complete_generation(folder, checkpoint, parts, weights, keep)
    return folder


def begin_generation(run_folder: Path, training_step: int) -> Path:
    """Makes the folder of the next generation, which is none before it is completed.

    Raises `CheckpointError` when the disk refuses.
    """
    parent = run_folder / GENERATIONS
    with _writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        number = max((_number(path) for path in parent.iterdir()), default=0) + 1
        folder = parent / f"{number:06d}-step-{training_step}"
        folder.mkdir()
    return folder


@contextmanager
def removed_if_it_fails(folder: Path) -> Iterator[None]:
    """Leaves nothing of a generation that could not be written."""
    try:
        yield
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_part(folder: Path, name: str, part: Snapshot) -> Written:
    """Writes a part into a generation's `folder`. Raises `OSError`."""
    file = part_file(name)
    return Written(part.facts, {file: write_arrays(folder / file, part.arrays)})


def write_weights(folder: Path, weights: Weights) -> dict[str, str]:
    """Writes the weights into a generation's `folder`; their file's SHA-256 by name. Raises `OSError`."""
    return {WEIGHTS: write_arrays(folder / WEIGHTS, weights)}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Writes an uncompressed `.npz` that is on the disk afterwards; its SHA-256. Raises `OSError`."""
    with synced(path) as stream:
        write_archive(stream, arrays)
    return digest_file(path, PART)


def complete_generation(
    folder: Path, checkpoint: Checkpoint, parts: Mapping[str, Written], digests: Mapping[str, str], keep: int
) -> None:
    """Makes the files in `folder`, those of `parts` and of the other `digests`, the newest generation.

    All but the newest `keep` are removed. The parts and weights of `checkpoint` itself are ignored. Raises
    `OSError`.
    """
    facts = _facts(checkpoint) | {"parts": {name: part.facts for name, part in parts.items()}}
    with synced(folder / FACTS) as stream:
        stream.write(json.dumps(facts).encode())
    files = {FACTS: digest_file(folder / FACTS, FACTS_FILE), **digests}
    for part in parts.values():
        files |= part.digests
    sync_folder(folder)
    rows = any(ROWS in part.facts for part in parts.values())
    version = FORMAT_VERSION if rows else checkpoint.format_version
    manifest = {"format": FORMAT, "format_version": version, "files": files}
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    sync_folder(folder.parent)
    _remove_old(folder.parent, keep)


def newest_generation(run_folder: Path) -> Path | None:
    """The newest complete generation of a run, if it has one."""
    complete = _complete(run_folder / GENERATIONS)
    return complete[-1] if complete else None


def newest_whole(run_folder: Path, say: Say) -> Checkpoint:
    """The checkpoint in the newest generation of a run that is not damaged; a line if that is not the last.

    Raises `CheckpointError` if there is none.
    """
    complete = _complete(run_folder / GENERATIONS)
    damage: list[CheckpointError] = []
    for path in reversed(complete):
        try:
            whole = load_generation(path)
        except CheckpointError as error:
            damage.append(error)
        else:
            _say_what_is_passed_over(path, damage, say)
            return whole
    if len(damage) == 1:
        raise damage[0]
    if damage:
        raise CheckpointError(f"none of the {len(damage)} checkpoints in {run_folder} is whole; {damage[0]}")
    raise CheckpointError(f"no complete checkpoint in {run_folder}: give a {BEST_NAME} file or a run folder")


def _say_what_is_passed_over(path: Path, damage: list[CheckpointError], say: Say) -> None:
    """One line about the generations that are newer than the whole one at `path`."""
    unfinished = [found for found in path.parent.iterdir() if _number(found) > _number(path)]
    if damage:
        say(f"warning: {str(damage[0]).removesuffix(f'; {ANOTHER}')}; {path.name} before it is taken")
    elif unfinished:
        say(f"the newest checkpoint was not written to its end; {path.name} before it is taken")


def remove_unfinished(run_folder: Path) -> None:
    """Removes what a killed process has left of generations, and of files that were to be written whole."""
    parent = run_folder / GENERATIONS
    if parent.is_dir():
        for path in parent.iterdir():
            if _number(path) and not (path / MANIFEST).exists():
                shutil.rmtree(path, ignore_errors=True)
    for folder in (run_folder, *_complete(parent)):
        if not folder.is_symlink():
            remove_leftovers(folder)


def load_generation(path: Path) -> Checkpoint:
    """The checkpoint in the generation directory `path`. Raises `CheckpointError`."""
    with _reading(path):
        manifest = read_json(path / MANIFEST, MANIFEST_FILE)
        _check_format(path, manifest)
        files = ListedFiles(path, manifest["files"])
        facts = told(entries(parse_json(files.content(FACTS, FACTS_FILE), constants=True), FACTS))
        _check_files(path, files, facts)
        parts = {name: _read_part(files, name, of_part) for name, of_part in facts.parts.items()}
        return _checkpoint(facts, files.arrays(WEIGHTS), parts)


def _check_files(path: Path, files: ListedFiles, facts: Told) -> None:
    """Raises `CheckpointError` unless the generation at `path` has all files, none of which is too large."""
    own = {
        name: [part_file(name), *(file.name for file in files_of(of_part))]
        for name, of_part in facts.parts.items()
    }
    own[WEIGHTS_PART] = [WEIGHTS]
    if {FACTS}.union(*own.values()) != files.names:
        raise CheckpointError(f"{path} is incomplete: {MANIFEST} does not list all files; {ANOTHER}")
    sizes = {name: sum(map(files.size, names)) for name, names in own.items()}
    check_room(sizes, json.dumps(facts.config))


def _read_part(files: ListedFiles, name: str, facts: dict[str, Any]) -> Snapshot:
    """A part, whose rows may lie in files of their own."""
    part = Snapshot(files.arrays(part_file(name)), facts)
    return with_rows(part, files.arrays) if ROWS in facts else part


def part_file(name: str) -> str:
    """The file of a part in its generation's folder. Raises `CheckpointError` if it cannot be named so."""
    if not re.fullmatch(r"\w+", name):
        raise CheckpointError(f"{name!r} cannot name a part of a checkpoint")
    return f"part_{name}.npz"


def _complete(parent: Path) -> list[Path]:
    """The complete generations, oldest first."""
    found = [path for path in parent.glob("*") if _number(path) and (path / MANIFEST).exists()]
    return sorted(found, key=_number)


def _remove_old(parent: Path, keep: int) -> None:
    """Removes incomplete generations and all but the newest `keep`; a manifest goes before its files."""
    kept = set(_complete(parent)[-keep:])
    for path in parent.iterdir():
        if _number(path) and path not in kept and not path.is_symlink():
            (path / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)


def _number(path: Path) -> int:
    """A generation's number, from 1; 0 for any other path."""
    match = _GENERATION_NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


# --- the best checkpoint, one file ---


def save_best(path: Path, checkpoint: Checkpoint) -> None:
    """Writes weights, configuration, counters and evaluation as one file, atomically.

    It is an `.npz` container whose archive comment is the SHA-256 of everything before it.
    """
    stream = io.BytesIO()
    arrays: dict[str, NDArray[Any]] = {_IN_BEST + name: array for name, array in checkpoint.weights.items()}
    arrays[_FACTS_IN_BEST] = np.frombuffer(json.dumps(_facts(checkpoint)).encode(), np.uint8)
    write_archive(stream, arrays, NO_SEAL)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, sealed(stream.getvalue()))


def load_best(path: Path) -> Checkpoint:
    """The checkpoint in the file `path`. Raises `CheckpointError`."""
    with _reading(path), opened(path, BEST) as stream:
        if os.fstat(stream.fileno()).st_size > FREE:
            _facts_in_best(path, stream, ArrayFile(stream))  # before so much is summed
        check_seal(path, stream)
        arrays = ArrayFile(stream)
        facts = _facts_in_best(path, stream, arrays)
        names = [name for name in arrays.layouts if name != _FACTS_IN_BEST]
        weights = {name.removeprefix(_IN_BEST): arrays.read(name) for name in names}
        return _checkpoint(facts, weights, {})


def _facts_in_best(path: Path, stream: IO[bytes], arrays: ArrayFile) -> Told:
    """What the open file at `path` says of itself. Raises `CheckpointError` if it is larger than that."""
    if arrays.layouts[_FACTS_IN_BEST].bytes > FACTS_FILE.most_bytes:
        raise ValueError("its facts are too long")
    said = parse_json(arrays.read(_FACTS_IN_BEST).tobytes(), constants=True)
    _check_format(path, said)
    facts = told(said)
    check_room({WEIGHTS_PART: os.fstat(stream.fileno()).st_size}, json.dumps(facts.config))
    return facts


def load_checkpoint(path: Path, expect_game: str | None = None, say: Say = say_on_stderr) -> Checkpoint:
    """The checkpoint at `path`: a best.checkpoint file, a generation, or a run folder (its newest).

    `say` is told in a line when the newest generation is damaged, and the one before is taken.

    Raises `CheckpointError` when there is none, when it cannot be read, or when it is of another game than
    `expect_game`.
    """
    if not path.exists():
        raise CheckpointError(f"no checkpoint at {path}: give a {BEST_NAME} file or a run folder")
    if not path.is_dir():
        checkpoint = load_best(path)
    else:
        one = _number(path) or (path / MANIFEST).exists()
        checkpoint = load_generation(path) if one else newest_whole(path, say)
    if expect_game is not None and checkpoint.game != expect_game:
        raise CheckpointError(f"{path} is a checkpoint of {checkpoint.game!r}: give one of {expect_game!r}")
    return checkpoint


def load_agent(path: Path, expect_game: str | None = None) -> Checkpoint:
    """The checkpoint at `path`, to be played with: its weights are those of its configuration.

    Raises `CheckpointError`, as `load_checkpoint` does.
    """
    found = load_checkpoint(path, expect_game)
    with _reading(path):
        check_weights(found.weights, found.config)
    return found


# --- facts and arrays ---


def _facts(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": checkpoint.format_version,
        "game": checkpoint.game,
        "recipe": checkpoint.recipe,
        "game_digest": checkpoint.game_digest,
        "config": json.loads(checkpoint.config_json),
        "counters": dataclasses.asdict(checkpoint.counters),
        "evaluation": checkpoint.evaluation,
        "cost": checkpoint.cost.to_facts(),
    }


def _checkpoint(facts: Told, weights: Weights, parts: dict[str, Snapshot]) -> Checkpoint:
    return Checkpoint(
        game=facts.game,
        config_json=json.dumps(facts.config, indent=2),
        weights=_single(weights),
        counters=facts.counters,
        parts=parts,
        evaluation=facts.evaluation,
        measured_cost=facts.cost,
        recipe=facts.recipe,
        game_digest=facts.game_digest,
    )


def _single(weights: Weights) -> Weights:
    """`weights` themselves. Raises `ValueError` unless they are in single precision."""
    for name, array in weights.items():
        if array.dtype != np.float32:
            raise ValueError(f"the weights {brief(name)} are {array.dtype}, not float32")
    return weights


def _check_format(path: Path, facts: Any) -> None:
    """Raises `CheckpointError` unless `facts` are those of a checkpoint of this format version."""
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of this project; {ANOTHER}")
    if facts.get("format_version") not in (PLAIN_VERSION, FORMAT_VERSION):
        raise CheckpointError(
            f"{path} has checkpoint format {facts.get('format_version')}, this version reads format "
            f"{FORMAT_VERSION}; use the version of the project that wrote it"
        )


# --- damage ---

_DAMAGE = (
    OSError,
    ValueError,  # includes JSON and Unicode errors, and pickled arrays, which are refused
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    MemoryError,
    RecursionError,
    NotImplementedError,  # zip features that zipfile does not know
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns whatever a missing or damaged file causes into a `CheckpointError` about `path`."""
    try:
        yield
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is incomplete: {error.filename} is missing; {ANOTHER}") from None
    except ConfigurationError as error:
        raise CheckpointError(f"{path} cannot be read: {error}; {ANOTHER}") from None
    except _DAMAGE as error:
        raise CheckpointError(f"{path} cannot be read ({_brief(error)}); {ANOTHER}") from None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {path}: {error.strerror or error}") from None


def _brief(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return " ".join(f"{type(error).__name__}: {str(error)[:1000]}".split())[:200]

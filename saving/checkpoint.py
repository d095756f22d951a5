"""Checkpoints of a run: everything needed to go on, and the best weights (which those are: `runs/judge.py`).

They lie in the run's folder, `results/<game>/<time>/`:

    config.json               the configuration
    log.txt, events.*         progress lines and TensorBoard events
    best.checkpoint           weights and configuration that evaluated best, one small file to share
    checkpoints/<n>-step-<s>  one directory per generation: everything needed to go on training

A generation becomes visible when its manifest (format version and a SHA-256 of every other file) is renamed
into place after everything else is on the disk: it is complete, or it does not exist. Loading reads JSON and
plain arrays only and never executes code from a file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.cost import Cost
from core.errors import ConfigurationError
from core.json_text import brief, entries, parse_json
from data import Counters, Snapshot, Weights
from saving.archives import ArrayFile, write_arrays
from saving.facts import Told, told
from saving.files import CheckpointError, digest_file, digest_of, sync_folder, synced, write_whole
from saving.fitting import check_weights
from saving.reading import BEST, PART, opened, read_bytes, read_json
from saving.reading import FACTS as FACTS_FILE
from saving.reading import MANIFEST as MANIFEST_FILE
from saving.room import check_room
from saving.run_folder import BEST_NAME, GENERATIONS, MANIFEST

FORMAT = "muzero-ray checkpoint"
FORMAT_VERSION = 2
FACTS = "facts.json"
WEIGHTS = "weights.npz"
WEIGHTS_PART = "weights"
"""What the network's weights are called where parts have names."""
_IN_BEST = "weights/"
_FACTS_IN_BEST = "facts"
_DIGEST_MARK = b"sha256:"
_DIGEST_LENGTH = 64
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
    format_version: int = FORMAT_VERSION

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


def save_generation(run_folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Writes `checkpoint` as the newest generation, then removes all but the newest `keep`.

    Returns the generation's directory. A crash at any moment leaves the earlier generations loadable.
    Raises `CheckpointError` when the disk refuses.
    """
    parent = run_folder / GENERATIONS
    with _writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        number = max((_number(path) for path in parent.iterdir()), default=0) + 1
        folder = parent / f"{number:06d}-step-{checkpoint.training_step}"
        folder.mkdir()
        _write_generation(folder, checkpoint)
        sync_folder(parent)
        _remove_old(parent, keep)
    return folder


def newest_generation(run_folder: Path) -> Path | None:
    """The newest complete generation of a run, if it has one."""
    complete = _complete(run_folder / GENERATIONS)
    return complete[-1] if complete else None


def load_generation(path: Path) -> Checkpoint:
    """The checkpoint in the generation directory `path`. Raises `CheckpointError`."""
    with _reading(path):
        manifest = read_json(path / MANIFEST, MANIFEST_FILE)
        _check_format(path, manifest)
        digests = _digests(manifest["files"])
        content = read_bytes(path / FACTS, FACTS_FILE)
        if hashlib.sha256(content).hexdigest() != digests.get(FACTS):
            raise _corrupt(path / FACTS)
        facts = told(entries(parse_json(content, constants=True), FACTS))
        files = {name: _part_file(name) for name in facts.parts} | {WEIGHTS_PART: WEIGHTS}
        if {FACTS, *files.values()} != set(digests):
            raise CheckpointError(f"{path} is incomplete: {MANIFEST} does not list all files; {_ANOTHER}")
        sizes = {name: (path / file).stat().st_size for name, file in files.items()}
        check_room(sizes, json.dumps(facts.config))
        arrays = {name: _arrays_of(path / file, digests[file]) for name, file in files.items()}
        weights = arrays.pop(WEIGHTS_PART)
        parts = {name: Snapshot(of_part, facts.parts[name]) for name, of_part in arrays.items()}
        return _checkpoint(facts, weights, parts)


def _digests(files: Any) -> dict[str, str]:
    """The digests that a manifest has, by names of files in its own folder."""
    for name, digest in entries(files, "files").items():
        if Path(name).name != name or not isinstance(digest, str):
            raise ValueError(f"{brief(name)} is no file of a checkpoint")
    return dict(files)


def _arrays_of(path: Path, digest: str) -> dict[str, NDArray[Any]]:
    """The arrays in a file with this SHA-256. Raises what `ArrayFile` does, and `CheckpointError`."""
    with opened(path, PART) as stream:
        if digest_of(stream) != digest:
            raise _corrupt(path)
        return ArrayFile(stream).read_all()


def _corrupt(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is corrupt: its checksum differs; {_ANOTHER}")


def _write_generation(folder: Path, checkpoint: Checkpoint) -> None:
    facts = _facts(checkpoint) | {"parts": {name: part.facts for name, part in checkpoint.parts.items()}}
    files = {WEIGHTS: checkpoint.weights} | {
        _part_file(name): part.arrays for name, part in checkpoint.parts.items()
    }
    for name, arrays in files.items():
        with synced(folder / name) as stream:
            write_arrays(stream, arrays)
    with synced(folder / FACTS) as stream:
        stream.write(json.dumps(facts).encode())
    digests = {name: digest_file(folder / name, PART) for name in (FACTS, *files)}
    sync_folder(folder)
    manifest = {"format": FORMAT, "format_version": checkpoint.format_version, "files": digests}
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=1).encode())


def _part_file(name: str) -> str:
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
        if _number(path) and path not in kept:
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
    write_arrays(stream, arrays, _DIGEST_MARK + b"0" * _DIGEST_LENGTH)
    content = stream.getvalue()[:-_DIGEST_LENGTH]
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content + hashlib.sha256(content).hexdigest().encode())


def load_best(path: Path) -> Checkpoint:
    """The checkpoint in the file `path`. Raises `CheckpointError`."""
    with _reading(path), opened(path, BEST) as stream:
        _check_whole(path, stream)
        arrays = ArrayFile(stream)
        if arrays.layouts[_FACTS_IN_BEST].bytes > FACTS_FILE.most_bytes:
            raise ValueError("its facts are too long")
        said = parse_json(arrays.read(_FACTS_IN_BEST).tobytes(), constants=True)
        _check_format(path, said)
        facts = told(said)
        check_room({WEIGHTS_PART: os.fstat(stream.fileno()).st_size}, json.dumps(facts.config))
        names = [name for name in arrays.layouts if name != _FACTS_IN_BEST]
        weights = {name.removeprefix(_IN_BEST): arrays.read(name) for name in names}
        return _checkpoint(facts, weights, {})


def _check_whole(path: Path, stream: IO[bytes]) -> None:
    """Raises `CheckpointError` unless a file ends with the SHA-256 of all before it."""
    length = stream.seek(0, io.SEEK_END) - _DIGEST_LENGTH
    stream.seek(0)
    begins = stream.read(2) == b"PK"
    stream.seek(max(length - len(_DIGEST_MARK), 0))
    if not (begins and stream.read(len(_DIGEST_MARK)) == _DIGEST_MARK):
        raise CheckpointError(f"{path} is not a checkpoint, or is cut short; {_ANOTHER}")
    digest = stream.read(_DIGEST_LENGTH)
    if digest_of(stream, length).encode() != digest:
        raise _corrupt(path)


def load_checkpoint(path: Path, expect_game: str | None = None) -> Checkpoint:
    """The checkpoint at `path`: a best.checkpoint file, a generation, or a run folder (its newest).

    Raises `CheckpointError` when there is none, when it cannot be read, or when it is of another game than
    `expect_game`.
    """
    if not path.exists():
        raise CheckpointError(f"no checkpoint at {path}: give a {BEST_NAME} file or a run folder")
    if not path.is_dir():
        checkpoint = load_best(path)
    else:
        generation = path if _number(path) or (path / MANIFEST).exists() else newest_generation(path)
        if generation is None:
            raise CheckpointError(
                f"no complete checkpoint in {path}: give a {BEST_NAME} file or a run folder"
            )
        checkpoint = load_generation(generation)
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
        raise CheckpointError(f"{path} is not a checkpoint of this project; {_ANOTHER}")
    if facts.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {facts.get('format_version')}, this version reads format "
            f"{FORMAT_VERSION}; use the version of the project that wrote it"
        )


# --- damage ---

_ANOTHER = "use another checkpoint"
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
        raise CheckpointError(f"{path} is incomplete: {error.filename} is missing; {_ANOTHER}") from None
    except ConfigurationError as error:
        raise CheckpointError(f"{path} cannot be read: {error}; {_ANOTHER}") from None
    except _DAMAGE as error:
        raise CheckpointError(f"{path} cannot be read ({_brief(error)}); {_ANOTHER}") from None


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

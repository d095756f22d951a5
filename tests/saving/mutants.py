"""Files of a run, a registry and a search, changed in every way that we could think of, and read in a child.

A `Mutator` draws a file and a change from a seed. What is guarded by digests is signed again, so that the
contents are reached. Each mutant is read by the commands that read such a file, in a forked child that has
everything imported and compiled already; how it ended, how long it took, what memory it needed and whether
anything was written outside of its results is an `Outcome`. By hand: `python -m benchmarks.mutants`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import struct
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

import muzero
from arena.registry import LOCK
from commands.doctor import FAULTS
from core.errors import ConfigurationError
from core.project import PROJECT
from data import LostGame
from replay_buffer import ReplayBuffer
from runs import provenance
from runs.lost_games import LOST_GAMES, NOTES, line_of
from saving.checkpoint import (
    Written,
    begin_generation,
    complete_generation,
    load_checkpoint,
    write_arrays,
    write_part,
    write_weights,
)
from saving.rows import FILE_BYTES, Arrays, plan, rest_of, written_rows
from saving.run_folder import BEST_NAME, METRICS_NAME, NAME_FILE
from tests.helpers.small_runs import SMALL

EARLIER = PROJECT / "tests" / "data" / "earlier_results"
SECONDS = 5.0
"""Of processor time: how long it takes by the clock is up to who else is at work."""
MEMORY = 1 << 30
CUT_OFF = 60.0
"""Seconds by the clock after which a child is killed: it waits for something."""
HUGE = (-1, 0, 2**31, 2**63, 10**30, 10**60, -(10**18), 1e308, -1e308, 1e999, float("nan"), 0.5, True, None)
ODD: tuple[Any, ...] = (
    *HUGE,
    "",
    "x",
    "\ud800",
    "../../elsewhere/x",
    "a" * 1_000_000,
    "\x00",
    [],
    {},
    [[]],
    "é\n\n",
)


class Outcome(NamedTuple):
    """How the reading of a mutant ended."""

    what: str  # was changed
    seconds: float  # of processor time
    memory: int  # bytes beyond those before
    fault: str  # a traceback, a signal, more than one line; empty: none
    said: str  # its error
    elsewhere: bool  # something was written where nothing may be

    @property
    def faulty(self) -> bool:
        """Whether it is one that there should be none of."""
        return bool(self.fault) or self.seconds > SECONDS or self.memory > MEMORY or self.elsewhere


class Places(NamedTuple):
    """The folders of a mutant."""

    root: Path
    results: Path
    elsewhere: Path

    @property
    def run(self) -> Path:
        return next((self.results / "cartpole").iterdir())

    @property
    def best(self) -> Path:
        return self.run / BEST_NAME

    @property
    def generation(self) -> Path:
        return next((self.run / "checkpoints").iterdir())

    @property
    def notes(self) -> Path:
        return self.run / NOTES

    @property
    def kept(self) -> Path:
        return self.results / "models" / "cartpole" / "v0001.checkpoint"

    @property
    def registry(self) -> Path:
        return self.results / "models" / "cartpole" / "registry.json"

    @property
    def search(self) -> Path:
        return next((self.results / "tune" / "cartpole").iterdir())


# --- changing bytes, JSON and arrays ---


def change_bytes(content: bytes, random: np.random.Generator) -> tuple[bytes, str]:
    """Cut short, a bit flipped, a piece doubled, removed or zeroed, something before or behind it."""
    size = max(len(content), 1)
    a, b = sorted(int(place) for place in random.integers(size, size=2))
    kind = int(random.integers(8))
    flipped = bytearray(content or b"x")
    flipped[a] ^= 1 << int(random.integers(8))
    return [
        (content[:a], f"cut at {a}"),
        (bytes(flipped), f"bit flipped at {a}"),
        (content[:b] + content[a:], f"{a} to {b} twice"),
        (content[:a] + content[b:], f"without {a} to {b}"),
        (content[:a] + bytes(b - a) + content[b:], f"zeros from {a} to {b}"),
        (b"\x00" * 100 + content, "zeros before"),
        (content + random.bytes(1000), "noise behind"),
        (b"", "empty"),
    ][kind]


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all values in JSON."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places_in(one, (*path, key))


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def change_json(value: Any, random: np.random.Generator) -> tuple[Any, str]:
    """One value replaced, removed, doubled under another name or put deep inside."""
    ways = list(places_in(value))
    if not ways:
        return {"x": 1}, "something else"
    way = ways[int(random.integers(len(ways)))]
    holder = value
    for key in way[:-1]:
        holder = holder[key]
    return value, f"{way} {_change_value(holder, way[-1], random)}"


def _change_value(holder: Any, key: Any, random: np.random.Generator) -> str:
    kind = int(random.integers(10))
    if kind == 0:
        del holder[key]
        return "removed"
    if kind == 1 and isinstance(holder, dict):
        holder["added " + "y" * int(random.integers(3) * 1000)] = holder[key]
        return "twice"
    if kind == 3 and isinstance(holder[key], int | float):
        holder[key] = -holder[key] - 1
    elif kind == 4 and isinstance(holder[key], list):
        holder[key] = holder[key] * 1000
    elif kind == 2:
        holder[key] = nested(int(random.choice([40, 900, 20_000])))
    else:
        holder[key] = ODD[int(random.integers(len(ODD)))]
    return f"= {'nested' if kind == 2 else str(holder[key])[:40]!r}"


def text_of(value: Any) -> bytes:
    """JSON, however deep it is."""
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(1_000_000)
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 100_000 + b"]" * 100_000
    finally:
        sys.setrecursionlimit(limit)


TEXTS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("depth", lambda content: b"[" * 200_000),
    ("a long number", lambda content: b'{"a":' + b"9" * 100_000 + b"}"),
    ("a name twice", lambda content: content.replace(b"{", b'{"format": 1, "format": 2, ', 1)),
    ("many lists", lambda content: b"[" + b"[]," * 5_000_000 + b"1]"),
    ("another encoding", lambda content: content.decode().encode("utf-16")),
]


def change_text(content: bytes, random: np.random.Generator) -> tuple[bytes, str]:
    """JSON by its values, seldom by its letters."""
    kind = int(random.integers(12))
    if kind < len(TEXTS):
        what, change = TEXTS[kind]
        return change(content), what
    if kind == len(TEXTS):
        return change_bytes(content, random)
    changed, what = change_json(json.loads(content), random)
    return text_of(changed), what


FORMS: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [
    ("float64", lambda array: array.astype(np.float64)),
    ("complex", lambda array: array.astype(np.complex64)),
    ("half", lambda array: array.reshape(-1)[: array.size // 2]),
    ("no rows", lambda array: np.zeros((0, *array.shape[1:]), array.dtype)),
    ("one more axis", lambda array: array[None]),
    ("big-endian", lambda array: array.astype(array.dtype.newbyteorder(">"))),
    ("text", lambda array: np.array([str(number) for number in array.reshape(-1)[:10]])),
    ("twice", lambda array: np.concatenate([array, array]) if array.ndim else array),
]


def change_array(array: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, str]:
    """Another shape or dtype, or another number in it."""
    kind = int(random.integers(len(FORMS) + 6))
    if kind < len(FORMS):
        what, change = FORMS[kind]
        return change(array), what
    flat = array.copy().reshape(-1)
    if not flat.size:
        return array, "as it is"
    numbers: list[Any] = [np.nan, np.inf, -np.inf, 1e38, -1.0, 1e-40]
    if array.dtype.kind == "b":
        numbers = [False, True]
    elif array.dtype.kind != "f":
        numbers = [np.iinfo(array.dtype).min, np.iinfo(array.dtype).max]
    places = slice(None) if kind == len(FORMS) else int(random.integers(flat.size))
    flat[places] = numbers[int(random.integers(len(numbers)))]
    return flat.reshape(array.shape), f"number {places}"


class Pickled:
    """Leaves a trace where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def change_archive(content: bytes, random: np.random.Generator, elsewhere: Path) -> tuple[bytes, str]:
    """An `.npz` with one array changed, added, removed or renamed, or with what archives can do beside."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
        comment = archive.zip.comment
    kind = int(random.integers(14))
    name = list(arrays)[int(random.integers(len(arrays)))] if arrays else "none"
    if kind < len(RAW):
        what, raw = RAW[kind]
        return packed(arrays, comment, {name: raw}), f"{name}: {what}"
    if kind == len(RAW):
        bomb = {"bomb": np.zeros(1 << 26, np.uint8)}
        return packed(arrays | bomb, comment, compression=zipfile.ZIP_DEFLATED), "compressed"
    what = _change_member(arrays, name, kind - len(RAW), random, elsewhere)
    return packed(arrays, comment), what


def _change_member(
    arrays: dict[str, np.ndarray], name: str, kind: int, random: np.random.Generator, elsewhere: Path
) -> str:
    if kind == 1:
        arrays.pop(name, None)
        return f"without {name}"
    if kind == 2:
        arrays["../" * 3 + name] = np.zeros(3)
        return "a name that leads out"
    if kind == 3:
        arrays["object"] = np.array([Pickled(elsewhere / "executed")], object)
        return "pickled"
    if kind == 4 and arrays:
        other = list(arrays)[int(random.integers(len(arrays)))]
        arrays[name], arrays[other] = arrays[other], arrays[name]
        return f"{name} for {other}"
    if name not in arrays:
        return "as it is"
    arrays[name], how = change_array(arrays[name], random)
    return f"{name}: {how}"


def packed(
    arrays: dict[str, np.ndarray],
    comment: bytes,
    raw: dict[str, bytes] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """An archive of `arrays`, of which those in `raw` are replaced by bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for member, array in arrays.items():
            with archive.open(member + ".npy", "w", force_zip64=True) as file:
                if raw and member in raw:
                    file.write(raw[member])
                else:
                    np.lib.format.write_array(file, np.asanyarray(array))
        archive.comment = comment
    return stream.getvalue()


def _header(said: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, said)
    return stream.getvalue()


RAW: list[tuple[str, bytes]] = [
    ("a huge shape", _header({"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})),
    ("a negative shape", _header({"descr": "<f4", "fortran_order": False, "shape": (-1, 5)})),
    ("a long header", b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + b"{"),
    ("fields", _header({"descr": [("a", "<f4")], "fortran_order": False, "shape": (2,)})),
]
"""In an array's place."""


# --- signing ---


def sign_best(content: bytes) -> bytes:
    """With the digest that the content has now."""
    body = content[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def sign_generation(folder: Path) -> None:
    """The manifest with the digests that the files have now."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for name in manifest["files"]:
        if (folder / name).is_file() and (folder / name).stat().st_size < 1 << 28:
            manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))


# --- mutants ---


def put_something_else(path: Path, random: np.random.Generator, elsewhere: Path) -> str:
    """A pipe, a device, a folder, a link or a sparse file in a file's place."""
    kind = int(random.integers(8))
    path.unlink()
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.symlink_to("/dev/zero")
    elif kind == 2:
        path.symlink_to(elsewhere / "kept.txt")
    elif kind == 3:
        path.symlink_to(path.name)
    elif kind == 4:
        path.mkdir()
    elif kind == 5:
        path.symlink_to("/dev/tty")
    elif kind == 6:
        with path.open("wb") as stream:
            stream.truncate(20 << 30)
    else:
        with path.open("wb") as stream:
            stream.truncate(300 << 20)
    names = ("a pipe", "zeros", "a link", "a loop", "a folder", "a tty", "20 GiB", "300 MiB")
    return f"{path.name}: {names[kind]}"


def mutate_best(path: Path, places: Places, random: np.random.Generator) -> str:
    """A file of weights and their configuration."""
    content, kind = path.read_bytes(), int(random.integers(10))
    if kind == 0:
        return put_something_else(path, random, places.elsewhere)
    if kind == 1:
        content, what = change_bytes(content, random)
        if random.integers(2):
            content = sign_best(content)
    elif kind < 6:
        content, what = _with_facts(content, random)
        content = sign_best(content)
    else:
        content, what = change_archive(content, random, places.elsewhere)
        content = sign_best(content)
    path.write_bytes(content)
    return f"{path.name}: {what}"


def _with_facts(content: bytes, random: np.random.Generator) -> tuple[bytes, str]:
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
        comment = archive.zip.comment
    text, what = change_text(arrays["facts"].tobytes(), random)
    arrays["facts"] = np.frombuffer(text, np.uint8)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.comment = comment
    return stream.getvalue(), what


def mutate_generation(places: Places, random: np.random.Generator) -> str:
    files = sorted(places.generation.iterdir())
    path, kind = files[int(random.integers(len(files)))], int(random.integers(10))
    if random.integers(3) == 0:
        path = places.generation / "facts.json"
    if kind == 0:
        what = put_something_else(path, random, places.elsewhere)
    elif kind == 1:
        content, what = change_bytes(path.read_bytes(), random)
        path.write_bytes(content)
    elif path.suffix == ".json":
        content, what = change_text(path.read_bytes(), random)
        path.write_bytes(content)
    else:
        content, what = change_archive(path.read_bytes(), random, places.elsewhere)
        path.write_bytes(content)
    if path.name != "manifest.json" and random.integers(8):
        sign_generation(places.generation)
    return f"{path.name}: {what}"


def mutate_rows(places: Places, random: np.random.Generator) -> str:
    """Files of rows, where the facts list them, or any other file of such a generation."""
    files = sorted(places.generation.glob("rows_*"))
    kind, path = int(random.integers(8)), files[int(random.integers(len(files)))]
    if kind < 2:
        return mutate_generation(places, random)
    if kind == 2:
        what = f"{path.name}: {put_something_else(path, random, places.elsewhere)}"
    elif kind == 3:
        other = files[int(random.integers(len(files)))]
        content = other.read_bytes()
        path.write_bytes(content)
        what = f"{path.name}: {other.name}"
    elif kind < 6:
        content, what = change_archive(path.read_bytes(), random, places.elsewhere)
        path.write_bytes(content)
        what = f"{path.name}: {what}"
    else:
        what = f"facts.json: {_change_listed(places.generation / 'facts.json', random)}"
    sign_generation(places.generation)
    return what


def _change_listed(path: Path, random: np.random.Generator) -> str:
    """What the facts say of the buffer's rows: their files, and where they begin and end."""
    facts = json.loads(path.read_bytes())
    buffer = facts["parts"]["buffer"]
    kept = {name: buffer[name] for name in ("rows", "first", "cursor")}
    changed, what = change_json(kept, random)
    facts["parts"]["buffer"] = {name: fact for name, fact in buffer.items() if name not in kept} | changed
    path.write_bytes(text_of(facts))
    return what


def mutate_notes(places: Places, random: np.random.Generator) -> str:
    """What a player was moving when it ended, or the folder of such notes."""
    path, kind = places.notes / "self_play_0", int(random.integers(6))
    if kind == 0:
        return put_something_else(path, random, places.elsewhere)
    if kind == 1:
        shutil.rmtree(places.notes)
        places.notes.symlink_to(places.elsewhere)
        return "notes: a link"
    numbers = [int(number) for number in random.integers(-(2**63), 2**63 - 1, 6)]
    path.write_bytes(struct.pack("<qqqqqq", *numbers) if kind < 4 else random.bytes(int(random.integers(99))))
    return f"{path.name}: {path.read_bytes()!r}"


def mutate_any(places: Places, random: np.random.Generator) -> str:
    """Any file of a run."""
    files = sorted(path for path in places.run.rglob("*") if path.is_file())
    path, kind = files[int(random.integers(len(files)))], int(random.integers(8))
    if kind == 0:
        return put_something_else(path, random, places.elsewhere)
    if path.suffix == ".json" and kind < 5:
        return mutate_text(path, places, random)
    if path.suffix == ".jsonl" and kind < 5:
        return mutate_lines(path, places, random)
    content, what = change_bytes(path.read_bytes(), random)
    path.write_bytes(content)
    return f"{path.name}: {what}"


def mutate_bytes(path: Path, places: Places, random: np.random.Generator) -> str:
    """One file that is no JSON."""
    if random.integers(2):
        return put_something_else(path, random, places.elsewhere)
    content, what = change_bytes(path.read_bytes(), random)
    path.write_bytes(content)
    return f"{path.name}: {what}"


def mutate_text(path: Path, places: Places, random: np.random.Generator) -> str:
    kind = int(random.integers(8))
    if kind == 0:
        return put_something_else(path, random, places.elsewhere)
    content, what = change_text(path.read_bytes(), random)
    path.write_bytes(content)
    return f"{path.name}: {what}"


def mutate_lines(path: Path, places: Places, random: np.random.Generator) -> str:
    """One line of JSON lines changed, doubled, removed or swapped."""
    kind = int(random.integers(8))
    if kind == 0:
        return put_something_else(path, random, places.elsewhere)
    lines = path.read_bytes().splitlines(keepends=True)
    at, other = (int(place) for place in random.integers(len(lines), size=2))
    if kind == 1:
        lines[at], lines[other], what = lines[other], lines[at], f"lines {at} and {other} swapped"
    elif kind == 2:
        lines[at : at + 1], what = [lines[at]] * 3, f"line {at} three times"
    elif kind == 3:
        del lines[at]
        what = f"without line {at}"
    elif kind == 4:
        lines[at], what = b"x" * 3_000_000 + b"\n", "a long line"
    else:
        text, what = change_text(lines[at], random)
        lines[at] = text + b"\n"
    path.write_bytes(b"".join(lines))
    return f"{path.name}: {what}"


def command(*arguments: object) -> Callable[[], int]:
    return lambda: muzero.run([str(argument) for argument in arguments])


class Kind(NamedTuple):
    """A kind of files: how they are changed, and what reads them."""

    mutate: Callable[[Places, np.random.Generator], str]
    read: Callable[[Places], list[Callable[[], int]]]
    apart: bool = False  # whether the buffer's rows lie in files of their own


def _evaluate(places: Places, agent: object) -> list[Callable[[], int]]:
    common = ["--results-path", places.results]
    return [command("evaluate", "cartpole", "--checkpoint", agent, "--games", 1, "--simulations", 1, *common)]


def _best(places: Places) -> list[Callable[[], int]]:
    add = command("models", "add", "cartpole", places.best, "--results-path", places.results)
    return [*_evaluate(places, places.best), add]


def _registered(places: Places) -> list[Callable[[], int]]:
    return [*_evaluate(places, "v0001"), *_models(places)]


def _doctor(places: Places) -> list[Callable[[], int]]:
    """It says what is wrong, by its status too."""
    examine = command("doctor", places.run, "--results-path", places.results)
    return [lambda: examine() & ~FAULTS]


def _resume(places: Places) -> list[Callable[[], int]]:
    options = ["--local", "--training-steps", 151, "--evaluation-interval", 0, "--training-minutes", 0.01]
    return [command("resume", places.run, *options)]


def _games_from(places: Places) -> list[Callable[[], int]]:
    options = SMALL | {"training_steps": 1, "results_path": str(places.results), "training_minutes": 0.01}

    def train() -> int:
        muzero.MuZero("cartpole", options).train(local=True, games_from=places.run)
        return 0

    return [train]


def _models(places: Places) -> list[Callable[[], int]]:
    common = ["cartpole", "--results-path", places.results]
    return [command("models", "list", *common), command("models", "add", *common, places.best)]


def _listed(places: Places) -> list[Callable[[], int]]:
    common = ["--results-path", places.results]
    return [command("runs", "list", *common), command("runs", "show", places.run, *common)]


def _plotted(places: Places) -> list[Callable[[], int]]:
    out = places.results / "picture.png"
    return [
        command("runs", "list", "--results-path", places.results),
        command("plot", places.run, "--out", out),
    ]


def _tune(places: Places) -> list[Callable[[], int]]:
    def restore() -> int:
        from tuning.sitting import Limits, next_sitting
        from tuning.trial import Plan, TrialProcess
        from tuning.tuner import Tuner

        def refuse(*_: object) -> None:
            raise AssertionError("a signal was sent")

        def not_started(plan: Plan) -> TrialProcess:
            raise ConfigurationError("far enough")

        with (
            mock.patch("os.kill", refuse),
            mock.patch("os.killpg", refuse),
            mock.patch("psutil.Process.terminate", refuse),
            next_sitting(places.search, None, Limits(None, None)) as sitting,
        ):
            sitting.draw()
            Tuner(sitting.study, sitting.ledger, sitting.folder, not_started, []).run()
        return 0

    return [restore]


KINDS: dict[str, Kind] = {
    "best": Kind(lambda places, random: mutate_best(places.best, places, random), _best),
    "generation": Kind(mutate_generation, _resume),
    "rows": Kind(mutate_rows, _resume, apart=True),
    "games_from": Kind(mutate_generation, _games_from),
    "rows_from": Kind(mutate_rows, _games_from, apart=True),
    "registered": Kind(lambda places, random: mutate_best(places.kept, places, random), _registered),
    "registry": Kind(lambda places, random: mutate_text(places.registry, places, random), _models),
    "ledger": Kind(
        lambda places, random: mutate_lines(places.search / "ledger.jsonl", places, random), _tune
    ),
    "metrics": Kind(lambda places, random: mutate_lines(places.run / METRICS_NAME, places, random), _plotted),
    "forgotten": Kind(
        lambda places, random: mutate_lines(places.run / METRICS_NAME, places, random), _resume
    ),
    "lost_games": Kind(
        lambda places, random: mutate_lines(places.run / LOST_GAMES, places, random), _resume, apart=True
    ),
    "notes": Kind(mutate_notes, _resume),
    "run": Kind(mutate_any, _doctor, apart=True),
    "name": Kind(lambda places, random: mutate_bytes(places.run / NAME_FILE, places, random), _listed),
    "provenance": Kind(
        lambda places, random: mutate_text(places.run / "provenance.json", places, random), _listed
    ),
    "lock": Kind(
        lambda places, random: mutate_bytes(places.registry.with_name(LOCK), places, random), _models
    ),
    "config": Kind(lambda places, random: mutate_text(places.run / "config.json", places, random), _plotted),
    "log": Kind(
        lambda places, random: put_something_else(places.run / "log.txt", random, places.elsewhere), _resume
    ),
}


# --- reading ---


def make_origins(root: Path) -> None:
    """Makes what mutants are copied from: results of an earlier version, as they are and with rows apart."""
    for apart in (False, True):
        places = Places(root, root / _origin(apart), root)
        shutil.copytree(EARLIER, places.results)
        _add_other_files(places.run)
        if apart:
            _put_rows_apart(places)


def _origin(apart: bool) -> str:
    return "rows_apart" if apart else "as_they_are"


def _add_other_files(run: Path) -> None:
    """What runs of later versions have as well."""
    (run / NAME_FILE).write_text("a name\n")
    provenance.note(run, provenance.here(("a note",)))
    (run / NOTES).mkdir()
    (run / NOTES / "self_play_0").write_bytes(struct.pack("<qqqqqq", 0, 5, 3, 0, 5, 2))
    lost = [LostGame("cartpole", seed, 2, "it broke", (0, 1), fatal=seed % 2 == 0) for seed in range(6)]
    (run / LOST_GAMES).write_text("".join(line_of(game, "self_play_0") for game in lost))


def _put_rows_apart(places: Places) -> None:
    """Writes the generation anew, the buffer's rows in files of their own."""
    earlier = load_checkpoint(places.run)
    buffer = ReplayBuffer(earlier.config, np.random.default_rng(0))
    buffer.load_state(earlier.parts["buffer"])
    folder, cut = begin_generation(places.run, earlier.training_step), buffer.cut()
    parts = {name: write_part(folder, name, part) for name, part in earlier.parts.items() if name != "buffer"}

    def write(name: str, arrays: Arrays) -> str:
        return write_arrays(folder / name, arrays)

    files = written_rows("buffer", buffer, plan(cut, (), 4 * FILE_BYTES // (cut.stop - cut.first)), write)
    rest = write_part(folder, "buffer", rest_of(buffer, cut, files))
    parts["buffer"] = Written(rest.facts, rest.digests | {file.name: file.digest for file in files})
    complete_generation(folder, earlier, parts, write_weights(folder, earlier.weights), keep=1)


def prepared(root: Path, apart: bool = False) -> Places:
    """A fresh copy of the results, and a folder where nothing may be written. `make_origins` comes first."""
    results, elsewhere = root / "results", root / "elsewhere"
    for folder in (results, elsewhere):
        if folder.exists():
            shutil.rmtree(folder)
    shutil.copytree(root / _origin(apart), results)
    elsewhere.mkdir(parents=True)
    (elsewhere / "kept.txt").write_text("kept")
    return Places(root, results, elsewhere)


def warm(root: Path) -> None:
    """Imports and compiles all that the commands need, in this process: children have it then."""
    torch.set_num_threads(1)
    make_origins(root)
    for kind in {kind.read: kind for kind in KINDS.values()}.values():
        for action in kind.read(prepared(root, kind.apart)):
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(ConfigurationError):
                action()


def outcome(root: Path, name: str, seed: int, trains: bool = False) -> Outcome:
    """A mutant of kind `name` is made and read; if it `trains`, runs are gone on with. `warm` comes first."""
    kind, random = KINDS[name], np.random.default_rng([seed, *name.encode()])
    places = prepared(root, kind.apart)
    what = f"{name} {seed}: {kind.mutate(places, random)}"
    before = listed(root)
    child = os.fork()
    if not child:
        _read_in_child(places, kind, trains)
    status, usage = _waited(child)
    said = (root / "said.txt").read_text(errors="replace") if (root / "said.txt").exists() else ""
    memory = max(usage.ru_maxrss - resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0) << 10
    seconds = usage.ru_utime + usage.ru_stime
    return Outcome(what, seconds, memory, _fault(status, said), said, listed(root) != before)


def listed(root: Path) -> list[tuple[str, int]]:
    """What there is beside the results."""
    found = (path for path in root.rglob("*") if "results" not in path.relative_to(root).parts[:1])
    return sorted((str(path), path.lstat().st_size) for path in found if path.name != "said.txt")


def _waited(child: int) -> tuple[int, resource.struct_rusage]:
    """Its exit status (negative: the signal), and what it has used."""
    deadline = time.monotonic() + CUT_OFF
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


def _read_in_child(places: Places, kind: Kind, trains: bool) -> None:
    """Never returns. Exit status: 0, 2, or 70 after what should not have been raised."""
    status = 0
    stderr = (places.root / "said.txt").open("w")
    null = os.open(os.devnull, os.O_RDWR)
    for number, target in ((0, null), (1, null), (2, stderr.fileno())):
        os.dup2(target, number)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), io.StringIO(), os.fdopen(2, "w", closefd=False)
    try:
        os.chdir(places.root)
        torch.set_num_threads(1)  # a pool of threads does not outlive a fork
        if not trains:
            mock.patch("runs.local_run.LocalRun._rounds", return_value="interrupted").start()
        mock.patch("os.fsync").start()  # nobody cuts the power, and it takes longer than all else
        mock.patch("runs.provenance._git", return_value=None).start()
        for action in kind.read(places):
            status = max(status, muzero._reported(action))
    except BaseException:  # whatever it is, it is what is looked for
        traceback.print_exc(file=sys.stderr)
        status = 70
    sys.stderr.flush()
    os._exit(status)


def _fault(status: int, said: str) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    if status not in (0, 2, 130):
        return f"exit status {status}"
    if "Traceback" in said:
        return "a traceback"
    long = [line for line in said.splitlines() if len(line) > 3000]
    return "a line of a megabyte" if long else ""


def outcomes(root: Path, count: int, seed: int, trains: bool = False) -> Iterator[Outcome]:
    """`count` mutants, of each kind by turns."""
    names = list(KINDS)
    for number in range(count):
        yield outcome(root, names[number % len(names)], seed + number // len(names), trains)

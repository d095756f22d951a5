"""Files that somebody else may have written are opened in one place, and by nobody else but those below."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from core.project import PROJECT
from tests.test_floors import project_files

ALLOWED = {
    "saving/reading.py": "the reader",
    "saving/files.py": "the writer",
    "saving/archives.py": "arrays, in what the reader has opened",
    "core/json_text.py": "JSON, with bounds",
    "core/kernels.py": "our own sources and their cache",
    "core/memory.py": "the kernel's files",
    "core/output.py": "/dev/null",
    "core/processes.py": "the kernel's files",
    "building/backend.py": "our own sources",
    "runs/provenance.py": "our own pyproject.toml, and the kernel's files",
    "checking/in_child.py": "a file that was made a moment ago, in a folder of its own",
    "commands/new_game.py": "a template of ours, and a new file for it",
    "tuning/space.py": "JSON of what is in memory",
    "tuning/trial.py": "what a trial prints, to be written",
    "showing/web/app.py": "the body of a request, which has a limit of its own",
    "saving/checkpoint.py": "JSON of a configuration that is in memory",
    "runs/reports/curves.py": "JSON of the defaults",
    "saving/run_folder.py": "the kernel's files",
    "playing/game_note.py": "a record of fixed length, to be mapped into memory",
    "runs/actors/writing.py": "what it has written itself, a moment ago",
    "runs/background_save.py": "pieces of files, to be written",
    "benchmarks/edges.py": "what our own command prints",
    "benchmarks/bit_for_bit.py": "what it has written itself",
    "benchmarks/strength.py": "what our own command prints",
    "benchmarks/solve.py": "what our own command prints",
}
"""Who opens or parses something all the same, and what."""
OPENING = {"open", "read_text", "read_bytes", "load", "loads", "fromfile", "memmap", "loadtxt", "genfromtxt"}
OF_MODULES = {"load", "loads", "fromfile", "memmap", "loadtxt", "genfromtxt"}
"""Of these only the functions of such modules, as many things of ours are loaded."""
MODULES = {"json", "np", "numpy", "torch", "pickle", "marshal", "shelve", "yaml", "tomllib", "csv"}
OWN = {"read_text", "read_bytes"}
"""The reader's own functions are called by their name alone."""


def openings(source: str) -> Iterator[int]:
    """The lines in which something is opened or parsed."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id == "open":
            yield node.lineno
        if not isinstance(called, ast.Attribute) or called.attr not in OPENING:
            continue
        module = called.value.id if isinstance(called.value, ast.Name) else ""
        if called.attr not in OF_MODULES or module in MODULES:
            yield node.lineno


def test_nobody_else_opens_files_from_outside() -> None:
    found = {
        path: list(openings((PROJECT / path).read_text("utf-8")))
        for path in project_files()
        if path not in ALLOWED
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_list_is_no_longer_than_it_must_be() -> None:
    assert [path for path in ALLOWED if not list(openings((PROJECT / path).read_text("utf-8")))] == []


@pytest.mark.parametrize(
    "line",
    [
        "open('x')",
        "path.open()",
        "path.read_text()",
        "(folder / 'x').read_bytes()",
        "json.load(stream)",
        "json.loads(text)",
        "np.load(path)",
        "torch.load(path)",
        "pickle.loads(content)",
    ],
)
def test_an_opening_is_found(line: str) -> None:
    assert list(openings(line)) == [1]


@pytest.mark.parametrize("line", ["read_text(path, NAME)", "games.load(name)", "Agent.load(path)"])
def test_what_opens_nothing_is_not(line: str) -> None:
    assert list(openings(line)) == []

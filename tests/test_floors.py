"""The order of the rooms: every file stands on a floor and imports from lower ones and its own package only.

Imports are read as they are written, those inside functions and under `TYPE_CHECKING` too.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from core.project import PROJECT

FLOORS: list[tuple[str, ...]] = [
    ("data",),
    ("core",),
    ("config",),
    ("saving",),
    ("models",),
    ("games",),
    ("playing",),
    ("learning",),
    ("search",),
    ("networks",),
    ("replay_buffer", "shared_storage", "trainer", "self_play"),
    ("arena",),
    ("showing",),
    ("checking",),
    ("diagnosis",),
    ("runs",),
    ("tuning",),
    ("commands",),
    ("muzero",),
    ("docs", "benchmarks", "building"),
]
"""From the ground up. What shares a floor does not import each other."""
ROOT_FILES = {"muzero", "models", "self_play", "replay_buffer", "shared_storage", "trainer", "config", "data"}
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_LINES = 600
MOST_FILES = 15
MANY = re.compile(r"(teen|ty(-\w+)?) files")
"""A package of more files says how many, and how to read them."""


class Import(NamedTuple):
    """One name that one file takes from another."""

    path: str  # of the file
    line: int
    room: str  # the file's: a package or a module of the root
    module: str  # that is imported, as far as it is known

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def project_files() -> list[str]:
    """Python files that git tracks or would track, but tests."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    files = [path for path in listed.stdout.split("\n") if path and (PROJECT / path).exists()]
    return [path for path in files if not path.startswith("tests/")]


def room_of(path: str) -> str:
    """The package of a file, or the name of a file in the root."""
    return Path(path).parts[0].removesuffix(".py")


def imports_in(path: str, source: str) -> Iterator[Import]:
    """All imports of our own modules, wherever they stand."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            if module.split(".")[0] in FLOOR_OF:
                yield Import(path, node.lineno, room_of(path), module)


def runs_upward(found: Import) -> bool:
    """Whether something is imported from a higher floor, or from a neighbour on the same one."""
    target = found.module.split(".")[0]
    return found.room != target and FLOOR_OF[target] >= FLOOR_OF[found.room]


ALLOWED = {("games/templates/one_player.py", "muzero"), ("games/templates/two_players.py", "muzero")}
"""Files for people to start from say what people say."""


def all_imports() -> list[Import]:
    return [
        found for path in project_files() for found in imports_in(path, (PROJECT / path).read_text("utf-8"))
    ]


def test_every_file_has_a_floor() -> None:
    assert {room_of(path) for path in project_files()} == set(FLOOR_OF)


def test_the_root_is_a_closed_list() -> None:
    assert {Path(path).stem for path in project_files() if "/" not in path} == ROOT_FILES


def test_no_import_runs_upward() -> None:
    upward = [found for found in all_imports() if runs_upward(found)]
    wrong = [str(found) for found in upward if (found.path, found.module.split(".")[0]) not in ALLOWED]
    assert not wrong


def test_no_imports_run_in_a_circle() -> None:
    modules = {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in project_files()
    }
    arrows: dict[str, set[str]] = {path: set() for path in project_files()}
    for found in all_imports():
        target = modules.get(found.module) or modules.get(found.module.rpartition(".")[0])
        if target is not None and target != found.path:
            arrows[found.path].add(target)
    done: set[str] = set()

    def visit(path: str, way: tuple[str, ...]) -> None:
        assert path not in way, f"a circle: {' -> '.join([*way, path])}"
        if path not in done:
            for target in sorted(arrows[path]):
                visit(target, (*way, path))
            done.add(path)

    for path in arrows:
        visit(path, ())


def test_modules_and_packages_are_small() -> None:
    lines = {path: len((PROJECT / path).read_text("utf-8").splitlines()) for path in project_files()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}
    packages = {str(Path(path).parent) for path in project_files() if "/" in path}
    for package in packages:
        files = [path for path in project_files() if str(Path(path).parent) == package]
        reason = (PROJECT / package / "__init__.py").read_text("utf-8")
        assert len(files) - 1 <= MOST_FILES or MANY.search(reason), f"{package}: {len(files)} files"


def test_tests_mirror_the_packages() -> None:
    """A folder of tests is named after the package that it tests."""
    folders = {
        path.parent.relative_to(PROJECT / "tests").as_posix()
        for path in (PROJECT / "tests").rglob("test_*.py")
    }
    packages = {Path(path).parent.as_posix() for path in project_files()}
    assert folders <= packages


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("data.py", "from core.cost import Cost"),
        ("core/errors.py", "def f():\n    import config"),
        (
            "search/mcts.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from arena import players",
        ),
        ("trainer.py", "import replay_buffer"),
        ("runs/session.py", "from commands.tune import tune_command"),
        ("commands/train.py", "from muzero import MuZero"),
    ],
)
def test_an_upward_import_is_found_wherever_it_stands(path: str, source: str) -> None:
    assert any(runs_upward(found) for found in imports_in(path, source))


def test_imports_downward_and_at_home_are_not() -> None:
    source = "import numpy\nfrom search.tree import Tree\nimport config\nfrom data import Model"
    found = list(imports_in("search/mcts.py", source))
    assert len(found) == 3
    assert not any(runs_upward(each) for each in found)

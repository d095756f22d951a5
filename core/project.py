"""Where the project's own files lie, and what its modules are called: in a checkout, and installed by pip.

Installed, all of ours is under `muzero.`, and the import statements say so. A name in a string has to go
through `ours`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).parent.parent
"""The folder of `muzero.py`, or the installed package."""
PRETRAINED = PROJECT / "results" / "pretrained"
"""Checkpoints that ship with the project, by game."""
_PREFIX = __name__.removesuffix("core.project")
INSTALLED = bool(_PREFIX)
"""Whether pip has installed the project; else it is a checkout."""


def ours(module: str) -> str:
    """The name by which `module`, called so in a checkout, can be imported."""
    return _PREFIX + module


def is_ours(name: str) -> bool:
    """Whether an import of `name` means a module of ours."""
    return name.startswith(_PREFIX) if INSTALLED else (PROJECT / name.partition(".")[0]).exists()


def own_module(module: str) -> ModuleType:
    """Our module that is called so in a checkout, imported now."""
    return importlib.import_module(ours(module))


def command_line() -> list[str]:
    """How a process of its own runs the command line."""
    return [sys.executable, "-m", "muzero"] if INSTALLED else [sys.executable, str(PROJECT / "muzero.py")]


def python_path(first: Sequence[str], last: Sequence[str]) -> str:
    """PYTHONPATH for processes of our own: the folders `first`, the present ones, and `last`."""
    paths = [*first, *os.environ.get("PYTHONPATH", "").split(os.pathsep), *last]
    return os.pathsep.join(dict.fromkeys(path for path in paths if path))

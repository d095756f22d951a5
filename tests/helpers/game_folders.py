"""Folders of games for tests: a test's own, and the project's without the checkpoints that ship."""

from __future__ import annotations

import dataclasses
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from games.api.sources import OWN_GAMES, GameFolder

NOTHING_SHIPS = dataclasses.replace(OWN_GAMES, pretrained=Path("no such folder"))
"""The project's games, of which none has a checkpoint to begin with."""


def folder_of(path: Path) -> GameFolder:
    """The games in `path`, whose modules are no other test's, and the checkpoints in its `pretrained`."""
    return GameFolder(path, re.sub(r"\W", "_", f"games_in_{path}"), path / "pretrained")


def folder_with(path: Path, monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> GameFolder:
    """A folder `path` with a game `name`, whose module has this content."""
    folder = folder_of(path)
    folder.file(name).touch()
    module = types.ModuleType(f"{folder.package}.{name}")
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return folder

"""Games by name: the files in `games/`, or in another folder."""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean
from core.project import PRETRAINED, PROJECT
from games.api.muzero_general import adopt
from games.api.spec import GameSpec


@dataclass(frozen=True)
class GameFolder:
    """A folder of games, a file for each, and the checkpoints that ship with them."""

    path: Path
    package: str  # whose modules the files are
    pretrained: Path = PRETRAINED  # folder of the checkpoints, by game

    def names(self) -> list[str]:
        """The names of all games in the folder, sorted."""
        names = (path.stem for path in self.path.glob("*.py"))
        return sorted(name for name in names if name != "abstract_game" and not name.startswith("_"))

    def file(self, name: str) -> Path:
        """The file of game `name`, whether there is one or not."""
        return self.path / f"{name}.py"

    def load(self, name: str) -> GameSpec:
        """The game called `name`. Raises `ConfigurationError` if there is none or its file is not a game."""
        names = self.names()
        if name not in names:
            raise ConfigurationError(
                f"unknown game {name!r}{did_you_mean(name, names)} (games: {', '.join(names)})"
            )
        module = self.imported(name)
        for attribute in ("Game", "MuZeroConfig"):
            if not hasattr(module, attribute):
                raise ConfigurationError(f"games/{name}.py must define {attribute}")
        config = module.MuZeroConfig()
        return GameSpec(
            name, module.Game, config if isinstance(config, MuZeroConfig) else adopt(config, name)
        )

    def imported(self, name: str) -> ModuleType:
        """The module of game `name`. Raises `ConfigurationError`, with the line, on a mistake in its file."""
        self._make_package()
        try:
            return importlib.import_module(f"{self.package}.{name}")
        except ConfigurationError:
            raise
        except Exception as error:  # whatever somebody's file raises
            file = str(self.file(name))
            lines = [
                frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
            ]
            line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
            where = f", line {line}" if line else ""
            what = error.msg if isinstance(error, SyntaxError) else error
            raise ConfigurationError(f"games/{name}.py{where}: {type(error).__name__}: {what}") from error

    def _make_package(self) -> None:
        """Makes a package of the folder, unless there is one of that name."""
        if self.package not in sys.modules:
            package = ModuleType(self.package)
            package.__path__ = [str(self.path)]
            sys.modules[self.package] = package


OWN_GAMES = GameFolder(PROJECT / "games", "games")
"""The project's own."""


def load_game(name: str) -> GameSpec:
    """The project's own game called `name`. Raises `ConfigurationError` as `GameFolder.load` does."""
    return OWN_GAMES.load(name)


def game_of(game: str | GameSpec) -> GameSpec:
    """The game itself, or the project's own of that name.

    For those who are far away: compiled rules cannot be sent to another process, a name can.
    """
    return load_game(game) if isinstance(game, str) else game

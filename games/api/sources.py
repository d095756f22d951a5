"""Where games come from: a name in the folder `games/`, or in another one, or the path of a file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from core.errors import ConfigurationError, did_you_mean
from core.project import PRETRAINED, PROJECT, ours
from games.api.files import GameFile, faults_in, is_file_name, nobody_types, spec_of_module
from games.api.spec import GameSpec, Recipe


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
        """The file of game `name`, whether there is one or not; `name` may be a file's path itself."""
        return Path(name).resolve() if is_file_name(name) else self.path / f"{name}.py"

    def shipped(self, name: str) -> Path:
        """Where the checkpoint that ships with game `name` is, if one does."""
        from saving.run_folder import BEST_NAME

        return self.pretrained / name / BEST_NAME

    def knows(self, text: str) -> bool:
        """Whether `text` stands for a game: one of the folder, or a file."""
        return is_file_name(text) or text in self.names()

    def load(self, text: str) -> GameSpec:
        """The game called `text`, or in the file at that path.

        Raises `ConfigurationError` if there is none or the file is not a game.
        """
        if is_file_name(text):
            return GameFile.read(text).make()
        names = self.names()
        if text not in names:
            raise ConfigurationError(
                f"unknown game {text!r}{did_you_mean(text, names)} "
                f"(games: {', '.join(names)}; or the path of a file, NAME.py)"
            )
        return spec_of_module(text, self.imported(text), self.file(text), self._recipe(text))

    def _recipe(self, name: str) -> Recipe:
        """Our own folder is another one on another machine; where it is made, it is that process's."""
        own = (self.path, self.package) == (OWN_GAMES.path, OWN_GAMES.package)
        return NamedGame(name, None if own else self)

    def imported(self, name: str) -> ModuleType:
        """The module of game `name`. Raises `ConfigurationError`, with the line, on a mistake in its file."""
        self._make_package()
        with faults_in(self.file(name)):
            return importlib.import_module(f"{self.package}.{name}")

    def _make_package(self) -> None:
        """Makes a package of the folder, unless there is one of that name."""
        if self.package not in sys.modules:
            package = ModuleType(self.package)
            package.__path__ = [str(self.path)]
            sys.modules[self.package] = package


OWN_GAMES = GameFolder(PROJECT / "games", ours("games"))
"""The project's own."""


@dataclass(frozen=True)
class NamedGame:
    """The recipe of a game in a folder: rules that are compiled cannot be sent anywhere, a name can."""

    text: str  # the name
    folder: GameFolder | None = None  # None: the project's own
    digest: str = ""

    def make(self) -> GameSpec:
        """The game. Raises `ConfigurationError` as `GameFolder.load` does."""
        return (self.folder or OWN_GAMES).load(self.text)


def load_game(name: str) -> GameSpec:
    """The project's own game called `name`. Raises `ConfigurationError` as `GameFolder.load` does."""
    return OWN_GAMES.load(name)


AnyGame = str | GameSpec | type | Callable[[], Any]
"""How a program names a game: by name or path, as a value, by its class, or by what makes a Gymnasium
environment."""


def game_of(game: AnyGame | Recipe) -> GameSpec:
    """The game that is meant. Raises `ConfigurationError` if it cannot be found, or is none."""
    if isinstance(game, str):
        return load_game(game)
    if isinstance(game, GameSpec):
        nobody_types(game.game_class)  # in a process that has only now imported its file
        return game
    if isinstance(game, Recipe):
        return game.make()
    from games.api.objects import spec_of

    return spec_of(game)

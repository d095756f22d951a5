"""Games by name: the files in `games/`, or in another folder."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean
from core.project import PRETRAINED, PROJECT
from games.api.muzero_general import Adopted, adopt
from games.api.spec import GameSpec, capabilities_of


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

    def shipped(self, name: str) -> Path:
        """Where the checkpoint that ships with game `name` is, if one does."""
        from saving.run_folder import BEST_NAME

        return self.pretrained / name / BEST_NAME

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
                raise ConfigurationError(f"{self._shown(name)} must define {attribute}")
        with self._faults(name):
            config = module.MuZeroConfig()
            own = isinstance(config, MuZeroConfig)
            adopted = Adopted(config, ()) if own else adopt(config, capabilities_of(module.Game).advise)
        nobody_types(module.Game)
        notes = tuple(f"{self._shown(name)}: {note}" for note in adopted.notes)
        return GameSpec(name, module.Game, adopted.config, notes)

    def imported(self, name: str) -> ModuleType:
        """The module of game `name`. Raises `ConfigurationError`, with the line, on a mistake in its file."""
        self._make_package()
        with self._faults(name):
            return importlib.import_module(f"{self.package}.{name}")

    @contextmanager
    def _faults(self, name: str) -> Iterator[None]:
        """Says of whatever the file of game `name` raises in which line, `sys.exit` included."""
        try:
            yield
        except (Exception, SystemExit) as error:
            line = line_of(error, str(self.file(name)))
            if isinstance(error, ConfigurationError):
                if str(self._shown(name)) in str(error) or (line is None and "install" in str(error)):
                    raise
                raise ConfigurationError(f"{self._shown(name)}: {error}") from error
            where = f", line {line}" if line else ""
            what = error.msg if isinstance(error, SyntaxError) else error
            raise ConfigurationError(f"{self._shown(name)}{where}: {type(error).__name__}: {what}") from error

    def _shown(self, name: str) -> Path:
        """The game's file as people know it."""
        file = self.file(name)
        return file.relative_to(PROJECT) if file.is_relative_to(PROJECT) else file

    def _make_package(self) -> None:
        """Makes a package of the folder, unless there is one of that name."""
        if self.package not in sys.modules:
            package = ModuleType(self.package)
            package.__path__ = [str(self.path)]
            sys.modules[self.package] = package


def line_of(error: BaseException, file: str) -> int | None:
    """The line of `file` in which `error` was raised, or from which what raised it was called."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


def nobody_types(game_class: Any) -> None:
    """Has `input` answer at once, with nothing, in the files that the game's class and its parents are from.

    Files for muzero-general wait for Enter in `render`: nobody would see the prompt, or be there.
    """
    own = sys.modules.get(game_class.__module__)
    owners = inspect.getmro(game_class) if isinstance(game_class, type) else (game_class,)
    for owner in owners:
        module = sys.modules.get(owner.__module__)
        if module is not None and (module is own or _side_by_side(module, own)):
            vars(module).setdefault("input", _nothing_typed)


def _side_by_side(module: ModuleType, other: ModuleType | None) -> bool:
    """Whether the files of two modules lie in the same folder."""
    files = [getattr(one, "__file__", None) for one in (module, other)]
    return None not in files and len({Path(str(file)).parent for file in files}) == 1


def _nothing_typed(prompt: object = "") -> str:
    return ""


OWN_GAMES = GameFolder(PROJECT / "games", "games")
"""The project's own."""


def load_game(name: str) -> GameSpec:
    """The project's own game called `name`. Raises `ConfigurationError` as `GameFolder.load` does."""
    return OWN_GAMES.load(name)


def game_of(game: str | GameSpec) -> GameSpec:
    """The game itself, or the project's own of that name.

    For those who are far away: compiled rules cannot be sent to another process, a name can.
    """
    if isinstance(game, str):
        return load_game(game)
    nobody_types(game.game_class)  # in a process that has only now imported its file
    return game

"""Files of games: what is wrong in them is one line with its place, and one from anywhere is a game too."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.project import PROJECT
from games.api.muzero_general import Adopted, adopt
from games.api.spec import GameSpec, Recipe, capabilities_of
from saving.reading import GAME_FILE, read_text

ENDING = ".py"


def is_file_name(text: str) -> bool:
    """Whether `text` stands for a file, and not for a game's name."""
    return text.endswith(ENDING)


def game_name(text: str) -> str:
    """The name of the game that `text` stands for, a name or a path."""
    return Path(text).stem if is_file_name(text) else text


@dataclass(frozen=True)
class GameFile:
    """The recipe of a game in a file, with its source: where it is made there may be no such file."""

    text: str  # the file's absolute path
    source: str

    @classmethod
    def read(cls, text: str) -> GameFile:
        """The file at `text`. Raises `ConfigurationError` if it cannot be read."""
        path = Path(text)
        if not re.fullmatch(r"[\w-]+", path.stem):
            raise ConfigurationError(f"{path}: a game is called as its file: letters, digits, - and _")
        try:
            if not path.is_file() or path.stat().st_size > GAME_FILE.most_bytes:
                raise ConfigurationError(f"{path} is no file of a game")
            return cls(str(path.resolve()), read_text(path, GAME_FILE))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise ConfigurationError(f"{path} cannot be read: {reason}") from None

    @property
    def digest(self) -> str:
        """SHA-256 of its source."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def make(self) -> GameSpec:
        """The game. Raises `ConfigurationError` if the file is none, with the line of a mistake."""
        path = Path(self.text)
        module = self._module(path)
        return spec_of_module(path.stem, module, path, self)

    def _module(self, path: Path) -> ModuleType:
        """What the source defines: once in a process, so that its classes are the same ones."""
        word = path.stem.replace("-", "_")
        name = f"game_{word}_{self.digest[:16]}"
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__file__ = self.text
        sys.modules[name] = module
        folder = str(path.parent)
        if path.parent.is_dir() and folder not in sys.path:
            sys.path.append(folder)  # the files beside it, after everybody else's
        try:
            with faults_in(path):
                exec(compile(self.source, self.text, "exec"), vars(module))
        except ConfigurationError:
            del sys.modules[name]
            raise
        return module


def spec_of_module(name: str, module: ModuleType, file: Path, recipe: Recipe) -> GameSpec:
    """The game that a file's `module` defines. Raises `ConfigurationError` if it defines none."""
    for attribute in ("Game", "MuZeroConfig"):
        if not hasattr(module, attribute):
            raise ConfigurationError(f"{shown(file)} must define {attribute}")
    with faults_in(file):
        adopted = configuration_of(module.Game, module.MuZeroConfig)
    nobody_types(module.Game)
    notes = tuple(f"{shown(file)}: {note}" for note in adopted.notes)
    return GameSpec(name, module.Game, adopted.config, notes, recipe)


def configuration_of(game_class: Any, config_class: Any) -> Adopted:
    """What a game's configuration says in this project's form; raises whatever its class does."""
    config = config_class()
    own = isinstance(config, MuZeroConfig)
    return Adopted(config, ()) if own else adopt(config, capabilities_of(game_class).advise)


@contextmanager
def faults_in(file: Path) -> Iterator[None]:
    """Says of whatever the `file` of a game raises in which line, `sys.exit` included."""
    try:
        yield
    except (Exception, SystemExit) as error:
        line = line_of(error, str(file))
        if isinstance(error, ConfigurationError):
            if str(shown(file)) in str(error) or (line is None and "install" in str(error)):
                raise
            raise ConfigurationError(f"{shown(file)}: {error}") from error
        where = f", line {line}" if line else ""
        what = error.msg if isinstance(error, SyntaxError) else error
        raise ConfigurationError(f"{shown(file)}{where}: {type(error).__name__}: {what}") from error


@contextmanager
def faults_in_program(name: str) -> Iterator[None]:
    """Says of whatever a program's game `name` raises while it is looked at."""
    try:
        yield
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"game {name}: {type(error).__name__}: {error}") from error


def shown(file: Path) -> Path:
    """The file as people know it."""
    return file.relative_to(PROJECT) if file.is_relative_to(PROJECT) else file


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
        if owner.__module__ == "__main__":  # somebody's program or notebook, which may well ask people
            continue
        if module is not None and (module is own or _side_by_side(module, own)):
            vars(module).setdefault("input", _nothing_typed)


def _side_by_side(module: ModuleType, other: ModuleType | None) -> bool:
    """Whether the files of two modules lie in the same folder."""
    files = [getattr(one, "__file__", None) for one in (module, other)]
    return None not in files and len({Path(str(file)).parent for file in files}) == 1


def _nothing_typed(prompt: object = "") -> str:
    return ""

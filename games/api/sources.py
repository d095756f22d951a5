"""Games by name: the files in `games/`."""

from __future__ import annotations

import importlib
import traceback
from types import ModuleType

from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean
from core.project import PROJECT
from games.api.muzero_general import adopt
from games.api.spec import GameSpec

FOLDER = PROJECT / "games"


def game_names() -> list[str]:
    """The names of all games in `games/`, sorted."""
    names = (path.stem for path in FOLDER.glob("*.py"))
    return sorted(name for name in names if name != "abstract_game" and not name.startswith("_"))


def load_game(name: str) -> GameSpec:
    """The game called `name`. Raises `ConfigurationError` if there is none or its file is not a game."""
    names = game_names()
    if name not in names:
        raise ConfigurationError(
            f"unknown game {name!r}{did_you_mean(name, names)} (games: {', '.join(names)})"
        )
    module = imported(name)
    for attribute in ("Game", "MuZeroConfig"):
        if not hasattr(module, attribute):
            raise ConfigurationError(f"games/{name}.py must define {attribute}")
    config = module.MuZeroConfig()
    return GameSpec(name, module.Game, config if isinstance(config, MuZeroConfig) else adopt(config, name))


def imported(name: str) -> ModuleType:
    """The module of game `name`. Raises `ConfigurationError`, with the line, if its file has a mistake."""
    try:
        return importlib.import_module(f"games.{name}")
    except ConfigurationError:
        raise
    except Exception as error:  # whatever somebody's file raises
        file = str(FOLDER / f"{name}.py")
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
        ]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
        where = f", line {line}" if line else ""
        what = error.msg if isinstance(error, SyntaxError) else error
        raise ConfigurationError(f"games/{name}.py{where}: {type(error).__name__}: {what}") from error

"""The games. A file `games/<name>.py` defines `Game` and `MuZeroConfig`; its name is the game's name.

`Game(seed)` needs `reset()` and `step(action)`; `reset` may take a `seed` keyword, and the constructor a
`config` keyword, if the game depends on options such as `board_size`. `step` returns
`observation, reward, done` or gymnasium's five values. Optional: `legal_actions()`, `to_play()`, `close()`;
and for people `text()` (or `render()`, which prints it), `action_to_string(action)`, `frame()` (a picture,
[H, W, 3] uint8), `symbols` (of the two players in the text) and `expert_agent()`. The reward belongs to the
player who moved. `MuZeroConfig` is a subclass of `config.MuZeroConfig` that states what differs, or
muzero-general's plain class. `python muzero.py new-game` writes such a file, `check-game` checks one; see
docs/your-own-game.md.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from config import MuZeroConfig, Schedule, field_docs
from core.errors import ConfigurationError, did_you_mean
from core.project import PROJECT

FOLDER = PROJECT / "games"


@dataclass(frozen=True)
class GameSpec:
    """A game found by name: how to make one, and its default configuration."""

    name: str
    game_class: Callable[..., Any]
    config: MuZeroConfig


def game_names() -> list[str]:
    """The names of all games in this folder, sorted."""
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


def adopt(plain: Any, name: str) -> MuZeroConfig:
    """The configuration of a muzero-general file, whose class is plain and sets attributes in `__init__`.

    What has another form here is converted; what steers parts that do not exist here is dropped. Raises
    `ConfigurationError` on an attribute that nobody knows.
    """
    values = {key: value for key, value in vars(plain).items() if key not in OBSOLETE}
    if "downsample" in values:
        values["downsample"] = values["downsample"] or "none"
    if "players" in values:
        values["players"] = len(values["players"])
    if values.get("temperature_threshold", 0) is None:
        values["temperature_threshold"] = 0
    if values.get("ratio", 0) is None:
        values["ratio"] = 0.0
    if values.get("optimizer") == "Adam":
        values["optimizer"] = "AdamW"
    if values.pop("train_on_gpu", True) is False:
        values["device"] = "cpu"
    values["results_path"] = "results"
    temperature = getattr(plain, "visit_softmax_temperature_fn", None)
    if callable(temperature):
        values["visit_softmax_temperature"] = sampled_schedule(
            temperature, values.get("training_steps", 10_000)
        )
    for key in values:
        if key not in field_docs():
            raise ConfigurationError(
                f"games/{name}.py: unknown option {key!r}{did_you_mean(key, list(field_docs()))}"
            )
    return MuZeroConfig(**values)


OBSOLETE = (
    *("max_num_gpus", "muzero_player", "opponent", "save_model", "use_last_model_value", "reanalyse_on_gpu"),
    *("self_play_delay", "training_delay", "checkpoint_interval", "replay_buffer_size"),
)
"""Attributes of muzero-general's configurations without a counterpart here, or counted in other units."""


def sampled_schedule(function: Callable[[int], float], training_steps: int, parts: int = 100) -> Schedule:
    """A schedule given as a method of the training step, as data: its value in each of `parts` parts."""
    values = [float(function(training_steps * part // parts)) for part in range(parts)]
    ends = [part for part in range(1, parts) if values[part] != values[part - 1]] + [parts]
    return tuple((end / parts, values[end - 1]) for end in ends)


def accepts_seed(game_class: Callable[..., Any]) -> bool:
    """Whether the game's `reset` takes a seed, so that one instance can play many reproducible games."""
    return "seed" in inspect.signature(game_class.reset).parameters  # type: ignore[attr-defined]

"""Games that a program hands over: a class with the game API, or whatever makes Gymnasium environments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.files import configuration_of, faults_in_program, nobody_types
from games.api.spec import GameSpec, Recipe, capabilities_of, lacking, own_configuration


class GameClassError(ConfigurationError):
    """A program's object is no game, or cannot be sent to the processes that are to play it."""


@dataclass(frozen=True)
class PackedGame:
    """The recipe of a game that is in no file: its class, pickled; classes of notebooks with their code."""

    name: str
    content: bytes
    text: str = ""  # nobody can find it by a text
    digest: str = ""

    def make(self) -> GameSpec:
        """The game. Raises `GameClassError` where its class cannot be had."""
        import cloudpickle

        try:
            name, game_class, config, notes = cloudpickle.loads(self.content)
        except Exception as error:  # an import of the program's that fails here
            what = f"{type(error).__name__}: {error}"
            raise GameClassError(
                f"the game {self.name!r} cannot be made in another process ({what}): give a file's path"
            ) from error
        return GameSpec(name, game_class, MuZeroConfig.from_json(config), notes, self)


def recipe_of(spec: GameSpec) -> Recipe:
    """What is sent in a game's place. Raises `GameClassError` if a program has made it, and it cannot be."""
    if spec.found is not None:
        return spec.found
    import cloudpickle

    try:
        content = cloudpickle.dumps((spec.name, spec.game_class, spec.config.to_json(), spec.notes))
    except Exception as error:  # whatever hangs on the class
        raise GameClassError(
            f"the game {spec.name!r} cannot be sent to other processes ({type(error).__name__}: {error}): "
            "make in its constructor what cannot be pickled, write it to a file and give its path, or train "
            "with local=True"
        ) from error
    return PackedGame(spec.name, content)


def spec_of(game: Any) -> GameSpec:
    """The game that `game` is: a class with the game API, or what makes a Gymnasium environment.

    A class says its configuration by an attribute `MuZeroConfig`, or its file does; else the shape of its
    observations is looked up, and a training's options say how many actions and players it has. A callable
    takes no arguments, or the seed of a game. Raises `GameClassError` on anything else.
    """
    import gymnasium

    if not callable(game):
        raise GameClassError(f"{game!r} is no game: give a name, a path, a class, or what makes environments")
    if isinstance(game, type) and not issubclass(game, gymnasium.Env):
        return _of_game_class(_name_of(game), game)
    with faults_in_program(_name_of(game)):
        made = game(0) if _takes_seed(game) else game()
    if isinstance(made, gymnasium.Env):
        from games.tools.gymnasium import GymnasiumGame, environment_config

        name = made.spec.id.rpartition("/")[2] if made.spec is not None else _name_of(game)
        config = environment_config(made)
        made.close()
        return GameSpec(_as_folder(name), partial(GymnasiumGame, game), config)
    return _of_game_class(_name_of(game), game, made)


def _of_game_class(name: str, make: Callable[..., Any], made: Any = None) -> GameSpec:
    """The game whose class, or maker, is `make`; `made` is one of its games, if there is one."""
    game_class = make if isinstance(make, type) else type(made)
    for method in lacking(game_class):
        raise GameClassError(f"{name} is no game: it has no method {method}")
    nobody_types(game_class)
    seeded: Callable[..., Any] = make if _takes_seed(make) else partial(_unseeded, make)
    own = own_configuration(game_class)
    with faults_in_program(name):
        if own is None:
            config = MuZeroConfig(observation_shape=_first_shape(seeded))
            return GameSpec(_as_folder(name), seeded, config, says_facts=False)
        config, notes = configuration_of(game_class, own)
    return GameSpec(_as_folder(name), seeded, config, notes)


def _first_shape(make: Callable[..., Any]) -> tuple[int, ...]:
    """The shape of a game's first observation."""
    import numpy as np

    game = make(0)
    shape: tuple[int, ...] = np.shape(game.reset())
    if capabilities_of(game).close:
        game.close()
    return shape


def _takes_seed(function: Callable[..., Any]) -> bool:
    """Whether the first argument of `function` is a game's seed: it is called so, or must be given."""
    try:
        first = next(iter(inspect.signature(function).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_POSITIONAL, first.VAR_KEYWORD):
        return False
    return first.name == "seed" or first.default is first.empty


def _unseeded(make: Callable[[], Any], seed: int) -> Any:
    """A game whose constructor takes no seed; its `reset` may."""
    return make()


def _name_of(thing: Any) -> str:
    """What a class or a function is called, in the words of its program."""
    name = getattr(thing, "__name__", type(thing).__name__)
    module = getattr(thing, "__module__", "")
    if name == "Game" and module not in ("", "__main__"):
        return str(module).rpartition(".")[2]
    return str(name)


def _as_folder(name: str) -> str:
    """`name` as a folder under results/ may be called: MyMaze is my-maze."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "game"

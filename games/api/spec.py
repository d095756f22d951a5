"""A game as a value: how to make one, what it can do, and its default configuration."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

from config import MuZeroConfig
from core.errors import ConfigurationError, require

RAISES = (Exception, SystemExit)
"""What somebody's game may raise; `sys.exit` in it is no end of the program that plays it."""

FACTS = ("observation_shape", "action_space", "players", "board_size")
"""Fields in which a configuration describes its game."""


MANDATORY = ("reset", "step")
"""Methods that every game has."""
CONFIGURATION = "MuZeroConfig"
"""What the class of a game's configuration is called."""


class Capabilities(NamedTuple):
    """What a game can do beyond `step` and a `reset` without arguments. By default nothing."""

    reseed: bool = False  # `reset(seed=...)`: one instance plays many games, each of which can be repeated
    say_whose_turn: bool = False  # `to_play()`; without it, it is always player 0's
    mask_actions: bool = False  # `legal_actions()`; without it all are legal
    close: bool = False  # `close()`
    draw_itself: bool = False  # `frame()`: a picture
    describe_itself: bool = False  # `text()`: the position in lines
    print_itself: bool = False  # `render()`: prints those lines, as muzero-general's games do
    mark_stones: bool = False  # `symbols`: which letters of the text are stones of player 0 and of player 1
    name_actions: bool = False  # `action_to_string(action)`
    explain_moves: bool = False  # `move_help`: what a person types to make a move
    advise: bool = False  # `expert_agent()`: a good move
    resample: bool = False  # `resample(generator)`: draws anew all that the player to move cannot know
    see_gymnasium: bool = False  # `from_gymnasium(observation)`, of the class: Gymnasium's as the game's own
    be_searched: bool = False  # `rules`: compiled, so that kernels can play it
    be_moved_by_rules: bool = False  # by nothing but them, so that one kernel moves in many games


@runtime_checkable
class Recipe(Protocol):
    """How a game is found: this travels to other processes and is kept by runs, and no game ever is.

    It can be pickled. Whatever is wrong with a game is said by `make`, where the game is wanted.
    """

    @property
    def text(self) -> str:
        """What a person types to mean this game: a name, or a path; "" if only a program has it."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the game's source, if the recipe holds it; else ""."""
        ...

    def make(self) -> GameSpec:
        """The game. Raises `ConfigurationError` if it cannot be made here."""
        ...


@dataclass(frozen=True)
class GameSpec:
    """A game: how to make one, its default configuration, and where it comes from."""

    name: str  # of its folder in results/
    game_class: Callable[..., Any]  # or a function that makes games
    config: MuZeroConfig
    notes: tuple[str, ...] = ()  # what of its file has no effect here, in lines
    found: Recipe | None = field(default=None, compare=False)  # None: a program has made this value itself
    says_facts: bool = True  # whether it has a configuration of its own; else options may say what it is

    @property
    def text(self) -> str:
        """What a person types to mean it; its name, if only a program has it."""
        return self.name if self.found is None or not self.found.text else self.found.text

    @property
    def digest(self) -> str:
        """Of its source, where its recipe holds that; else ""."""
        return "" if self.found is None else self.found.digest

    @cached_property
    def can(self) -> Capabilities:
        """What all of its games can do, as their class says; a function has to make one that says it.

        Raises whatever such a function raises.
        """
        if isinstance(self.game_class, type):
            return capabilities_of(self.game_class)
        game = game_maker(self, self.config)(0)
        can = capabilities_of(game)
        if can.close:
            game.close()
        return can

    @cached_property
    def takes_config(self) -> bool:
        """Whether the constructor takes a configuration, on which the game then depends."""
        return _takes(self.game_class, "config")


def check_facts(game: GameSpec, config: MuZeroConfig) -> None:
    """Raises `ConfigurationError` where `config` contradicts the game: what the game is, is no option.

    A game with a `board_size` says itself what follows from it.
    """
    if game.config.board_size or not game.says_facts:
        return
    for name in FACTS:
        own, given = (json.dumps(getattr(source, name)) for source in (game.config, config))
        if given != own:
            raise ConfigurationError(
                f"{name}={given} contradicts {game.name}, whose own is {own}: leave it out"
            )


MOST_LEARNED = 2
"""Players of a game for which agents are trained: of more, each would need a value of its own."""


def check_learnable(config: MuZeroConfig) -> None:
    """Raises `ConfigurationError` where no agent can learn the game, but only matches can be played."""
    require(
        config.players <= MOST_LEARNED,
        f"players={config.players}",
        "is for matches between players such as random or expert: agents are trained for games of one and "
        "two players only",
    )


def on_board(game: GameSpec, board_size: int) -> GameSpec:
    """`game` on a board of `board_size`, if it is not 0. Raises `ConfigurationError` if it has none such."""
    if not board_size:
        return game
    if not game.config.board_size:
        raise ConfigurationError(f"--board-size: {game.name} has one board")
    return dataclasses.replace(game, config=game.config.replace(board_size=board_size))


def game_maker(spec: GameSpec, config: MuZeroConfig) -> Callable[[int], Any]:
    """Makes a game from its seed; a game whose constructor takes a `config` gets `config` as well."""
    return partial(spec.game_class, config=config) if spec.takes_config else spec.game_class


def capabilities_of(game: Any) -> Capabilities:
    """What `game` can do, a class or one of its games. Nobody else looks at a game for that.

    What the class defines or inherits counts, and what a game sets on itself in `__init__` or `reset`. So who
    has a game asks it, once it has been started; who has none yet asks the class.
    """
    game_class = game if isinstance(game, type) else type(game)

    def has(name: str) -> bool:
        return hasattr(game_class, name) or hasattr(game, name)

    return Capabilities(
        reseed=_takes(getattr(game_class, "reset", None), "seed"),
        say_whose_turn=has("to_play"),
        mask_actions=has("legal_actions"),
        close=has("close"),
        draw_itself=has("frame"),
        describe_itself=has("text"),
        print_itself=has("render"),
        mark_stones=has("symbols"),
        name_actions=has("action_to_string"),
        explain_moves=has("move_help"),
        advise=has("expert_agent"),
        resample=has("resample"),
        see_gymnasium=has("from_gymnasium"),
        be_searched=has("rules"),
        be_moved_by_rules=_moved_by_rules(game_class),
    )


def lacking(game_class: Any) -> list[str]:
    """Which of the methods that every game must have this class has not."""
    return [name for name in MANDATORY if not callable(getattr(game_class, name, None))]


def own_configuration(game_class: type) -> Any:
    """The configuration's class that a game's class names by an attribute, or its file beside it; or None."""
    beside = getattr(inspect.getmodule(game_class), CONFIGURATION, None)
    return getattr(game_class, CONFIGURATION, None) or (beside if beside is not MuZeroConfig else None)


def _takes(function: Any, parameter: str) -> bool:
    """Whether `function` has a parameter of that name; not if there is no function, or none to look into."""
    try:
        return parameter in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _moved_by_rules(game_class: type) -> bool:
    """Whether the game has `Rules` and is a `BoardGame` in all that moves it and shows it to an agent."""
    if not hasattr(game_class, "rules"):
        return False
    from games.boards.game import BoardGame

    by_rules = ("reset", "step", "observation", "legal_actions", "to_play")
    return all(getattr(game_class, name, None) is getattr(BoardGame, name) for name in by_rules)

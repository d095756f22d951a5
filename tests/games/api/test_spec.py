"""What a game can do is asked in one place, and counts wherever the game says it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config import MuZeroConfig
from core.project import PROJECT
from games import tictactoe
from games.abstract_game import AbstractGame
from games.api.shown import ShownGame
from games.api.spec import Capabilities, GameSpec, capabilities_of, game_maker
from playing.board_table import BoardTable
from playing.environment import Environment
from playing.make_table import make_table
from showing.interactive import InteractiveGame
from tests.helpers.toy_games import OldWalk, Walk, WalkConfig

ALL = Capabilities(*[True] * len(Capabilities._fields))


class Bare:
    """A game that can do nothing else."""

    def __init__(self, seed: int | None = None) -> None:
        pass

    def reset(self) -> Any:
        return np.zeros((1, 1, 3))

    def step(self, action: int) -> Any:
        return np.zeros((1, 1, 3)), 0.0, False


class Talking(Bare):
    """Sets what it can do on itself, when it is made and when it is started."""

    def __init__(self, seed: int | None = None) -> None:
        self.symbols, self.move_help = "AB", "type a number"
        self.action_to_string = ["left", "right", "up"].__getitem__

    def reset(self) -> Any:
        self.text = lambda: f"{self.symbols[0]}.."
        self.legal_actions = lambda: [1]
        return super().reset()


def spec_of(game: Any, **changes: Any) -> GameSpec:
    return GameSpec("mine", game, WalkConfig(players=1, **changes))


# --- who says it ---


def test_a_class_says_what_its_games_can_do() -> None:
    assert capabilities_of(Bare) == spec_of(Bare).can == Capabilities()
    assert capabilities_of(tictactoe.Game) == ALL._replace(
        close=False, draw_itself=False, resample=False, see_gymnasium=False
    )
    walk = Capabilities(reseed=True, say_whose_turn=True, mask_actions=True)
    assert (capabilities_of(Walk), capabilities_of(OldWalk)) == (walk, walk._replace(reseed=False))
    assert capabilities_of(Walk(3)) == walk


def test_what_is_inherited_from_muzero_generals_base_class_counts() -> None:
    assert capabilities_of(AbstractGame) == Capabilities(say_whose_turn=True, close=True)


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("to_play", "say_whose_turn"),
        ("legal_actions", "mask_actions"),
        ("close", "close"),
        ("frame", "draw_itself"),
        ("text", "describe_itself"),
        ("render", "print_itself"),
        ("symbols", "mark_stones"),
        ("action_to_string", "name_actions"),
        ("move_help", "explain_moves"),
        ("expert_agent", "advise"),
        ("rules", "be_searched"),
    ],
)
def test_each_capability_is_one_attribute_of_the_class_or_of_the_game(name: str, capability: str) -> None:
    expected = Capabilities()._replace(**{capability: True})
    assert capabilities_of(type("Able", (Bare,), {name: None})) == expected
    game = Bare()
    setattr(game, name, None)
    assert capabilities_of(game) == expected


def test_what_a_game_sets_on_itself_is_known_once_it_has_been_started() -> None:
    assert spec_of(Talking).can == Capabilities()
    environment = Environment(spec_of(Talking), WalkConfig(players=1))
    environment.reset(0)
    talks = {"mark_stones", "explain_moves", "name_actions", "describe_itself", "mask_actions"}
    assert {name for name, able in environment.can._asdict().items() if able} == talks
    assert environment.legal_mask().tolist() == [False, True, False]
    game = InteractiveGame(spec_of(Talking), None)
    assert (game.player_name(1), game.action_name(2), game.text()) == ("player 2 (B)", "up", "A..")
    assert (game.shown.symbols, game.shown.move_help) == ("AB", "type a number")


def test_a_game_that_says_nothing_is_shown_by_numbers() -> None:
    game = ShownGame.of(Bare())
    assert (game.text(), game.symbols, game.move_help, game.action_name(2)) == ("", "", None, None)
    assert InteractiveGame(spec_of(Bare), None).action_name(2) == "2"


def test_an_environment_asks_once() -> None:
    asked: list[str] = []

    class Asked(Bare):
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

    environment = Environment(spec_of(Asked), WalkConfig(players=1))
    environment.reset(0)
    first = len(asked)
    assert first > 0
    for seed in range(3):
        environment.reset(seed)
        environment.step(0)
        environment.legal_mask()
        environment.to_play()
    environment.close()
    assert len(asked) == first


# --- functions that make games ---


def test_a_function_that_makes_games_is_asked_for_one() -> None:
    made: list[int] = []

    def make(seed: int) -> Walk:
        made.append(seed)
        return Walk(seed)

    spec = GameSpec("walk", make, WalkConfig())
    assert spec.can == capabilities_of(Walk)
    environments = [Environment(each, WalkConfig()) for each in (spec, GameSpec("walk", Walk, WalkConfig()))]
    for seed in (7, 8):
        one, other = (environment.reset(seed) for environment in environments)
        np.testing.assert_array_equal(one, other)
    assert made == [0, 7], "one to see what it can do, one that plays all games"


def test_board_games_made_by_a_function_are_moved_by_their_rules() -> None:
    def make(seed: int | None = None, config: MuZeroConfig | None = None) -> tictactoe.Game:
        configs.append(config)
        return tictactoe.Game(seed)

    configs: list[MuZeroConfig | None] = []
    config = tictactoe.MuZeroConfig()
    assert type(make_table(GameSpec("tictactoe", make, config), config, 1)) is BoardTable
    assert configs == [config], "it takes the configuration"


def test_the_game_that_was_made_to_be_asked_is_closed() -> None:
    closed: list[bool] = []

    class Closing(Bare):
        def close(self) -> None:
            closed.append(True)

    assert spec_of(partial(Closing)).can.close
    assert closed == [True]


def test_the_constructor_gets_the_configuration_if_it_takes_one() -> None:
    class Configured(Bare):
        def __init__(self, seed: int, config: MuZeroConfig) -> None:
            self.config = config

    config = WalkConfig(players=1, board_size=9)
    assert spec_of(Configured).takes_config
    assert game_maker(spec_of(Configured), config)(0).config is config
    assert not spec_of(Bare).takes_config


def test_a_class_without_reset_cannot_be_reseeded() -> None:
    assert not capabilities_of(object).reseed


# --- nobody else asks ---

CONTRACT = ("reset", "step", "observation", "to_play", "legal_actions", "close", "rules")
FOR_PEOPLE = ("frame", "text", "render", "symbols", "move_help", "action_to_string", "human_to_action")
NAMES = {*CONTRACT, *FOR_PEOPLE, "expert_agent"}
"""Of what a game may have."""
GAMES = {"game", "_game", "game_class", "instance"}
"""What the sources call a game."""


def probes_in(source: str) -> Iterator[int]:
    """The lines in which a game is asked whether it has something."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func).split(".")[-1]
        first, *rest = map(ast.unparse, node.args)
        of_a_game = bool(GAMES & set(first.split(".")[-2:]))
        by_name = called in ("hasattr", "getattr") and rest[0].strip("'\"") in NAMES
        if by_name or (of_a_game and called in ("hasattr", "getattr", "signature", "vars", "dir")):
            yield node.lineno


@pytest.mark.parametrize(
    "source",
    [
        'hasattr(self._game, "to_play")',
        'getattr(anything, "symbols", "")',
        "hasattr(trace.game, question)",
        "inspect.signature(spec.game_class).parameters",
        "inspect.signature(game_class.reset).parameters",
    ],
)
def test_a_probe_is_found(source: str) -> None:
    assert list(probes_in(f"x = {source}")) == [1]


def test_no_game_is_probed_but_in_the_one_place() -> None:
    files = [
        path
        for path in PROJECT.rglob("*.py")
        if not {"tests", ".venv", "results"} & set(path.relative_to(PROJECT).parts)
    ]
    found = {path.relative_to(PROJECT): list(probes_in(path.read_text("utf-8"))) for path in files}
    assert {path for path, lines in found.items() if lines} == {Path("games/api/spec.py")}

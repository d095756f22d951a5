"""Games in files of somebody's own, found by their path."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import pytest

from commands.new_game import write_game
from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.files import GameFile, game_name, is_file_name
from games.api.objects import recipe_of
from games.api.sources import OWN_GAMES, NamedGame, game_of
from playing.environment import Environment


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A game's file in a folder of its own."""
    return write_game(str(tmp_path / "my-maze.py".replace("-", "_")), 1)


def test_a_path_is_a_game(file: Path) -> None:
    game = OWN_GAMES.load(str(file))
    assert (game.name, game.text) == ("my_maze", str(file))
    assert game.config.observation_shape == (2, 1, 9)
    assert Environment(game, game.config).reset(0).shape == (2, 1, 9)
    assert (game_name(str(file)), is_file_name(str(file)), is_file_name("cartpole")) == (
        "my_maze",
        True,
        False,
    )


def test_its_source_travels_and_not_its_class(file: Path) -> None:
    """In another process there may be no such file; the same source is the same class twice."""
    game = OWN_GAMES.load(str(file))
    recipe = pickle.loads(pickle.dumps(recipe_of(game)))
    assert type(recipe) is GameFile
    shutil.rmtree(file.parent)
    assert recipe.make().game_class is game.game_class
    del sys.modules[game.game_class.__module__]
    made = game_of(recipe)
    assert made.game_class is not game.game_class
    assert (
        Environment(made, made.config).reset(3).tolist() == Environment(game, game.config).reset(3).tolist()
    )


def test_another_source_is_another_game(file: Path) -> None:
    first = OWN_GAMES.load(str(file))
    file.write_text(file.read_text().replace("CELLS = 9", "CELLS = 7"))
    second = OWN_GAMES.load(str(file))
    assert (first.config.observation_shape[2], second.config.observation_shape[2]) == (9, 7)
    assert recipe_of(first).digest != recipe_of(second).digest


def test_files_beside_it_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "how_many_cells.py").write_text("CELLS = 5\n")
    file = write_game(str(tmp_path / "corridor.py"), 1)
    file.write_text(file.read_text().replace("CELLS = 9", "from how_many_cells import CELLS"))
    assert OWN_GAMES.load(str(file)).config.observation_shape == (2, 1, 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 +", r"line 1: SyntaxError: invalid syntax"),
        ("x = 1\nraise SystemExit(3)", r"line 2: SystemExit: 3"),
        ("class Game: pass", r"must define MuZeroConfig"),
        (
            "class Game: pass\nclass MuZeroConfig:\n    def __init__(self): 1 / 0",
            r"line 3: ZeroDivisionError",
        ),
        ("import no_such_module_here", r"line 1: ModuleNotFoundError: No module named 'no_such_module_here'"),
    ],
)
def test_what_is_wrong_with_it_is_one_line_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.py"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=rf"\A{file}[^\n]*{message}[^\n]*\Z"):
        OWN_GAMES.load(str(file))


@pytest.mark.parametrize(
    ("name", "message"), [("none.py", "is no file"), ("a b.py", "is called as its file")]
)
def test_what_is_no_file_of_a_game(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        OWN_GAMES.load(str(tmp_path / name))
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="no text in UTF-8"):
        OWN_GAMES.load(str(tmp_path / "binary.py"))


def test_our_own_game_travels_by_name_and_is_the_other_processs(tmp_path: Path) -> None:
    assert recipe_of(OWN_GAMES.load("tictactoe")) == NamedGame("tictactoe", None)
    assert recipe_of(OWN_GAMES.load("tictactoe")).make().config == game_of("tictactoe").config
    assert isinstance(game_of("tictactoe").config, MuZeroConfig)

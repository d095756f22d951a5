"""`new-game` writes games that are sound and that learn; `games` lists what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checking.conformance import check_game
from commands.games import games_command
from commands.new_game import new_game_command, write_game
from core.errors import ConfigurationError
from games.api.sources import GameFolder
from muzero import MuZero
from tests.helpers.game_folders import folder_of


@pytest.fixture
def games(tmp_path: Path) -> GameFolder:
    """An empty folder of games."""
    return folder_of(tmp_path)


@pytest.mark.parametrize("players", [1, 2])
def test_the_new_game_is_sound(players: int, games: GameFolder) -> None:
    write_game("mine", players, games)
    spec = games.load("mine")
    assert spec.config.players == players
    assert check_game(spec).findings == ()


@pytest.mark.parametrize("players", [1, 2])
def test_the_new_game_is_trained(players: int, games: GameFolder, tmp_path: Path) -> None:
    write_game("mine", players, games)
    options = {"training_steps": 20, "results_path": str(tmp_path / "results"), "learning_starts": 100}
    outcome = MuZero(games.load("mine"), options | {"evaluation_interval": 0.0}).train(local=True)
    assert outcome.counters.training_step >= 20


@pytest.mark.parametrize("players", [1, 2])
def test_the_file_speaks_of_its_own_name(players: int, games: GameFolder) -> None:
    text = write_game("treasure_hunt", players, games).read_text()
    assert text.startswith('"""treasure_hunt: ')
    assert "NAME" not in text


def test_the_command_says_how_to_go_on(games: GameFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert new_game_command(["mine", "--players", "2"], games) == 0
    printed = capsys.readouterr().out
    assert str(games.path / "mine.py") in printed
    assert "python muzero.py check-game mine" in printed
    assert games.load("mine").config.players == 2


@pytest.mark.parametrize("name", ["", "2048", "_mine", "my-game", "My", "my game", "../up", "class", "é"])
def test_what_is_no_name_is_refused(name: str, games: GameFolder) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a game's name: use small letters"):
        new_game_command([name], games)
    assert list(games.path.iterdir()) == []


@pytest.mark.parametrize("name", ["train", "play", "abstract_game"])
def test_names_that_mean_something_are_refused(name: str, games: GameFolder) -> None:
    with pytest.raises(ConfigurationError, match="means something else"):
        new_game_command([name], games)


def test_a_game_is_never_overwritten(games: GameFolder) -> None:
    path = write_game("mine", 1, games)
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="there is a game 'mine' already"):
        write_game("mine", 1, games)
    assert path.read_text() == "precious"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write .*missing/mine.py"):
        write_game("mine", 1, folder_of(tmp_path / "missing"))


# --- files with mistakes ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import config\n\nclass Game\n", r"/mine.py, line 3: SyntaxError: expected ':'"),
        ("import config\nx = 1\ny = x / 0\n", r"/mine.py, line 3: ZeroDivisionError"),
        ("import no_such_module\n", r"/mine.py, line 1: ModuleNotFoundError: .*no_such_module"),
    ],
)
def test_a_mistake_in_a_games_file_is_one_line(text: str, message: str, games: GameFolder) -> None:
    (games.path / "mine.py").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        games.load("mine")


# --- the list ---


def test_the_games_are_listed(games: GameFolder, capsys: pytest.CaptureFixture[str]) -> None:
    (games.pretrained / "drop").mkdir(parents=True)
    (games.pretrained / "drop" / "best.checkpoint").touch()
    write_game("drop", 2, games)
    write_game("a_game_with_a_long_name", 1, games)
    (games.path / "broken.py").write_text("1 / 0\n")
    assert games_command([], games) == 0
    heading, long, broken, board = capsys.readouterr().out.splitlines()
    assert heading.split() == ["game", "players", "observation", "actions", "pretrained", "about"]
    assert long.split()[:8] == ["a_game_with_a_long_name", "1", "2", "x", "1", "x", "9", "2"]
    assert "ZeroDivisionError" in broken
    assert board.split()[:8] == ["drop", "2", "2", "x", "4", "x", "4", "4"]
    assert " yes " in board, "a trained agent ships with it"
    assert " no " in long
    assert board.index("drop stones") == heading.index("about") + len("drop: ")


def test_what_a_game_lacks_is_listed(games: GameFolder, capsys: pytest.CaptureFixture[str]) -> None:
    text = write_game("mine", 1, games).read_text()
    missing = 'raise muzero.ConfigurationError("needs Box2D; run: pip install box2d")'
    (games.path / "mine.py").write_text(text.replace("self.generator = np.random", f"{missing}\n#", 1))
    assert games_command(["--json"], games) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["missing"] == "needs Box2D; run: pip install box2d"
    assert row["players"] == 1

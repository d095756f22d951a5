"""Commands about a game in a file of somebody's own; agents that know their game."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import muzero
from commands.new_game import write_game
from core.errors import ConfigurationError
from games.api.sources import GameFolder, game_of
from games.api.spec import GameSpec
from runs.facade import MuZero
from saving.checkpoint import load_checkpoint
from tests.helpers.small_runs import SMALL

QUICK = SMALL | {"training_steps": 10, "evaluation_interval": 0.0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a game's file and a run of it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_game(str(folder / "mazes.py"), 1)
    MuZero(str(folder / "mazes.py"), QUICK | {"results_path": str(folder / "results")}).train(local=True)
    return folder


def run_of(folder: Path) -> Path:
    (run,) = (folder / "results" / "mazes").iterdir()
    return run


def test_a_run_knows_its_games_file(trained: Path) -> None:
    checkpoint = load_checkpoint(run_of(trained))
    assert (checkpoint.game, checkpoint.game_text) == ("mazes", str(trained / "mazes.py"))
    assert len(checkpoint.game_digest) == 64


def test_commands_take_the_path_or_the_agents_game(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    assert muzero.run(["evaluate", "mazes.py", "--games", "2", "--json"]) == 0
    by_path = json.loads(capsys.readouterr().out)
    run = str(run_of(trained))
    assert muzero.run(["evaluate", "--checkpoint", run, "--games", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == by_path
    assert muzero.run(["watch", "--checkpoint", run, "--games", "1"]) == 0
    assert "game 1, move 0" in capsys.readouterr().out
    assert muzero.run(["runs", "list", "mazes"]) == 0
    assert "mazes/" in capsys.readouterr().out
    assert muzero.run(["check-game", "mazes.py", "--games", "2"]) == 0
    with pytest.raises(ConfigurationError, match="name a GAME, or an agent by its path"):
        muzero.run(["evaluate"])
    with pytest.raises(ConfigurationError, match="name the game as well"):
        muzero.run(["evaluate", "--checkpoint", "v0001"])


def test_a_run_goes_on_by_itself_and_says_if_the_file_is_another(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    assert muzero.run(["resume", "mazes", "--training-steps", "12", "--local"]) == 0
    assert "has been changed" not in capsys.readouterr().out
    file = trained / "mazes.py"
    file.write_text(file.read_text() + "\n# another\n")
    assert muzero.run(["resume", str(run_of(trained)), "--training-steps", "14", "--local"]) == 0
    assert f"warning: {file} has been changed since" in capsys.readouterr().out
    file.rename(trained / "gone.py")
    with pytest.raises(ConfigurationError, match=rf"{file} is no file of a game"):
        muzero.run(["resume", "--training-steps", "16", "--local"])
    (trained / "gone.py").rename(file)


class Corridors:
    """A source of games of somebody's own: `corridor:N` is N cells long."""

    digest = ""

    def __init__(self, text: str) -> None:
        self.text = text

    def make(self) -> GameSpec:
        cells = int(self.text.partition(":")[2])
        return GameSpec(f"corridor-{cells}", lambda seed: Corridor(cells), CORRIDOR(cells), (), self)


class Corridor:
    def __init__(self, cells: int) -> None:
        self.cells = cells

    def reset(self) -> object:
        import numpy as np

        self.cell = 0
        return np.zeros((1, 1, self.cells), np.float32)

    def step(self, action: int) -> object:
        import numpy as np

        self.cell += 1
        return np.full((1, 1, self.cells), self.cell, np.float32), float(action), self.cell == self.cells


def CORRIDOR(cells: int) -> muzero.MuZeroConfig:  # noqa: N802
    return muzero.MuZeroConfig(observation_shape=(1, 1, cells), max_moves=cells)


def test_a_source_of_ones_own(tmp_path: Path) -> None:
    game = game_of(Corridors("corridor:5"))
    options = QUICK | {"results_path": str(tmp_path), "max_moves": 5}
    outcome = MuZero(game, options).train(local=True)
    assert load_checkpoint(outcome.folder).game_text == "corridor:5"
    again = MuZero.resume(outcome.folder, {"training_steps": 12}, local=True, game=game)
    assert again.counters.training_step == 12


def test_the_games_of_a_folder_and_files_are_known(games_folder: GameFolder) -> None:
    assert games_folder.knows("any/where.py")
    assert not games_folder.knows("cartpole")


@pytest.fixture
def games_folder(tmp_path: Path) -> GameFolder:
    return GameFolder(tmp_path, "nothing_here")


def test_a_game_is_checked_on_another_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert muzero.run(["check-game", "othello", "--board-size", "8", "--games", "2"]) == 0
    moves = capsys.readouterr().out.split(" moves")[0].split(", ")[-1]
    assert int(moves.replace(",", "")) > 80, "a game on 8 x 8 has about 60 moves"
    with pytest.raises(ConfigurationError, match="tictactoe has one board"):
        muzero.run(["check-game", "tictactoe", "--board-size", "4"])

"""docs/your-own-game.md: its commands work in their order, and what it says of the checks is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from checking.conformance import check_game, check_names
from checking.in_child import OUTSIDE
from commands.new_game import write_game
from core.project import PROJECT
from games.api.sources import GameFolder
from muzero import run
from tests.helpers.game_folders import folder_of

DOCUMENT = (PROJECT / "docs" / "your-own-game.md").read_text(encoding="utf-8")
SHORTER = [
    *("--local", "--training-steps", "20", "--learning-starts", "100"),
    *("--evaluation-interval", "0.01", "--evaluation-games", "4"),
]
"""Options that make a training a matter of seconds."""


@pytest.fixture
def games(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GameFolder:
    """The `games` in a folder to work in; those of the project are not among them."""
    (tmp_path / "games").mkdir()
    monkeypatch.chdir(tmp_path)
    return folder_of(tmp_path / "games")


def documented_commands() -> list[list[str]]:
    """The arguments of every command in the document's shell blocks."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.S) for line in block.splitlines()]
    assert all(line.startswith("python muzero.py ") for line in lines)
    return [shlex.split(line.removeprefix("python muzero.py ")) for line in lines]


def test_the_documents_commands_work_in_their_order(
    games: GameFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed: dict[str, str] = {}
    for arguments in documented_commands():
        trains = arguments[0] in games.names()
        assert run([*arguments, *SHORTER] if trains else arguments, games) == 0, arguments
        printed[" ".join(arguments)] = capsys.readouterr().out
    assert games.names() == ["connect3", "corridor"]
    assert printed["check-game corridor"].count("the game keeps the contract") == 1
    assert "100 games, mean" in printed["evaluate corridor --games 100"]
    assert "next: right" in printed["watch corridor"] or "next: left" in printed["watch corridor"]
    assert (tmp_path / "corridor.gif").read_bytes().startswith(b"GIF89a")
    assert "score" in printed["evaluate connect3 --opponent random"]
    assert "its opponent" in printed["watch connect3 --opponent mcts:200"]
    for name in ("corridor", "connect3"):
        assert list((tmp_path / "results" / name).glob("*/best.checkpoint")), f"{name} was trained"


def test_the_finding_that_the_document_shows_is_real(games: GameFolder) -> None:
    path = write_game("connect3", 2, games)
    text = path.read_text()
    path.write_text(text.replace('0 or 1."""\n        return self.player', '0 or 1."""\n        return 0'))
    assert path.read_text() != text
    (finding,) = check_game(games.load("connect3")).faults
    shown = [line.strip() for line in str(finding).splitlines()]
    assert shown == [line.strip() for line in DOCUMENT.splitlines() if line.strip() in shown]


def test_every_check_is_documented() -> None:
    table = DOCUMENT.split("## What check-game checks")[1]
    documented = [name for row in table.splitlines() if row.startswith("| `") for name in names_in(row)]
    assert sorted(documented) == sorted([*check_names(), *OUTSIDE])
    advice = {name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)` \(advice\)", row)}
    assert advice == {
        *(
            "observation-range",
            "no-reward",
            "text-of-position",
            "speed",
            "values-of-long-games",
            "never-ending",
        ),
    }


def names_in(row: str) -> list[str]:
    """The checks that a row of the table is about."""
    return re.findall(r"`([a-z-]+)`", row.split("|")[1])

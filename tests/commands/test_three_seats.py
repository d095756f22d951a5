"""Commands that are given a game for three: who sits where, and what only games for one and two have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import muzero
from tests.helpers.checkpoints import saved
from tests.helpers.heap import HEAP


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def line(*arguments: str) -> int:
    return muzero._reported(lambda: muzero.run(arguments))


def refusal(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """The one line in which a command line is refused."""
    assert line(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return str(said)


def score(capsys: pytest.CaptureFixture, player: str, *opponents: str) -> float:
    named = [word for opponent in opponents for word in ("--opponent", opponent)]
    assert line("evaluate", HEAP, "--player", player, *named, "--games", "300", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [seat["games"] for seat in found["by_seat"]] == [100, 100, 100]
    assert found["score"] == found["wins"] / 300
    return float(found["score"])


def test_evaluate_seats_one_opponent_everywhere_or_one_in_each_seat(capsys: pytest.CaptureFixture) -> None:
    everywhere = score(capsys, "random", "expert")
    assert everywhere == score(capsys, "random", "expert", "expert")
    mixed = score(capsys, "random", "expert", "random")
    assert everywhere < mixed < score(capsys, "expert", "random")


def test_evaluate_says_against_whom(capsys: pytest.CaptureFixture) -> None:
    command = ["evaluate", HEAP, "--player", "expert", "--games", "9"]
    for opponents, against in (
        ((), "against random:"),
        (("random", "expert"), "against random, expert:"),
    ):
        assert line(*command, *(word for name in opponents for word in ("--opponent", name))) == 0
        assert f"heap, expert {against}" in capsys.readouterr().out


def test_opponents_are_counted(capsys: pytest.CaptureFixture) -> None:
    command = ["evaluate", HEAP, "--player", "random", *(["--opponent", "random"] * 3)]
    expected = "heap is a game for three: name one opponent, or one for each of the 2 other seats, not 3"
    assert expected in refusal(capsys, *command)


@pytest.mark.parametrize(
    "arguments",
    [
        [HEAP, "--local"],
        [HEAP],
        ["tune", HEAP, "--param", "lr_init=log:1e-4:1e-2"],
        ["evaluate", HEAP],
        ["watch", HEAP],
    ],
)
def test_no_agent_is_trained_or_looked_for(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    said = refusal(capsys, *arguments)
    assert said.startswith("error: players=3 is for matches between players such as random or expert")
    assert not Path("results").exists()


def test_a_checkpoint_cannot_play_it(capsys: pytest.CaptureFixture) -> None:
    path = str(saved(Path("best.checkpoint")))
    assert "players=3 is for matches" in refusal(capsys, "evaluate", HEAP, "--player", path)


def test_mcts_plays_it(capsys: pytest.CaptureFixture) -> None:
    command = ["evaluate", HEAP, "--player", "mcts:60", "--opponent", "random", "--games", "60"]
    assert line(*command) == 0
    share = re.search(r"score (\d+)\.\d%", capsys.readouterr().out)
    assert share is not None
    assert int(share[1]) > 45  # a third by chance


def test_pairs_of_its_players_are_not_rated(capsys: pytest.CaptureFixture) -> None:
    assert "heap is a game for more than two" in refusal(
        capsys, "models", "compare", HEAP, "random", "expert"
    )


def test_the_page_does_not_show_it(capsys: pytest.CaptureFixture) -> None:
    assert "the page shows games of one and two players" in refusal(capsys, "play", HEAP, "--web")


def test_the_game_keeps_the_contract(capsys: pytest.CaptureFixture) -> None:
    assert line("check-game", HEAP) == 0
    assert "the game keeps the contract" in capsys.readouterr().out


# --- at the terminal ---


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    waiting = iter([*answers, "quit"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(waiting))


def test_a_person_plays_in_the_third_seat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Of 6 the experts take one each, the person two, and the last two go to the first of them."""
    typed(monkeypatch, "1")
    assert line("play", HEAP, "--seat", "3", "--opponent", "expert") == 0
    printed = capsys.readouterr().out
    assert "expert and expert play against you" in printed
    assert "player 3, your turn" in printed
    assert "4 moves   player 1 wins" in printed


def test_opponents_keep_their_order_behind_a_person_who_changes_seats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    typed(monkeypatch, "0", "swap", "0")
    assert line("play", HEAP, "--opponent", "expert", "--opponent", "random") == 0
    told = [line for line in capsys.readouterr().out.splitlines() if " plays " in line or "changed" in line]
    assert [word.split()[0] for word in told[:2]] == ["expert", "random"]
    assert "seats changed" in "".join(told)


def test_a_person_moves_all_three(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    typed(monkeypatch, "2", "2")
    assert line("play", HEAP) == 0
    assert "2 moves   player 2 wins" in capsys.readouterr().out


def test_nobody_else_plays_alone(capsys: pytest.CaptureFixture) -> None:
    assert line("play", HEAP, "--seat", "none", "--opponent", "expert") == 0
    assert " wins" in capsys.readouterr().out
    assert "heap is a game for three" in refusal(capsys, "play", HEAP, "--seat", "4", "--opponent", "expert")

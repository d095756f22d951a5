"""`python muzero.py models` and `evaluate`, on real files and real games."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import muzero
from arena import standings
from arena.minimax_player import usual_depth
from arena.ratings import Sprt, Tally
from arena.registry import MatchRecord, Registry
from arena.standings import player_name, rate
from data import Counters
from games.api.sources import load_game
from saving.checkpoint import Checkpoint, save_best
from tests.helpers.checkpoints import saved


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(standings, "BATCH", 10)


def line(*arguments: str) -> int:
    return muzero._reported(lambda: muzero.run(arguments))


def output(capsys: pytest.CaptureFixture, *arguments: str) -> Any:
    """What a command prints with --json."""
    assert line(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def played(first: str, second: str, wins: int, losses: int, simulations: int = 50) -> MatchRecord:
    """A finished match without draws."""
    seats = (Tally(wins, 0, losses), Tally(0, 0, 0))
    return MatchRecord(first, second, seats, wins + losses, 0, simulations, True)


def add_two() -> None:
    for number in (1, 2):
        saved(Path(f"{number}.checkpoint"), seed=number)
        assert line("models", "add", "tictactoe", f"{number}.checkpoint", "--note", f"number {number}") == 0


def test_versions_are_added_listed_and_shown(capsys: pytest.CaptureFixture) -> None:
    add_two()
    capsys.readouterr()
    rows = output(capsys, "models", "list", "tictactoe")
    assert [(row["name"], row["note"], row["elo"]) for row in rows] == [
        ("v0001", "number 1", None),
        ("v0002", "number 2", None),
    ]
    shown = output(capsys, "models", "show", "tictactoe", "v0002")
    assert (shown["name"], shown["source"]) == ("v0002", str(Path("2.checkpoint").resolve()))
    assert line("models", "show", "tictactoe", "v0002") == 0
    text = capsys.readouterr().out
    assert "evaluation_simulations 4" in text
    assert "rating          none: no matches with others yet" in text


def test_show_tells_configuration_and_strength(capsys: pytest.CaptureFixture) -> None:
    add_two()
    for match in (played("v0001", "v0002", 30, 10), played("random", "mcts:20", 1, 9)):
        Registry(Path("results"), "tictactoe").record(match)
    capsys.readouterr()
    shown = output(capsys, "models", "show", "tictactoe", "v0001")
    preset = json.loads(load_game("tictactoe").config.to_json())
    assert shown["configuration"] == preset | {"evaluation_simulations": 4}
    (rating,) = shown["ratings"]
    assert (rating["simulations"], rating["group"], rating["games"]) == (50, 1, 40)
    win = 30.5 / 41  # with one virtual draw
    assert rating["elo"] == pytest.approx(200 * math.log10(win / (1 - win)))
    assert rating["error"] == pytest.approx(400 / math.log(10) / math.sqrt(4 * 41 * win * (1 - win)))
    assert [match["simulations"] for match in shown["matches"]] == [50]
    assert line("models", "show", "tictactoe", "v0001") == 0
    wanted = "rating          +93 ± 31 Elo in 40 games with 50 simulations (group 2 of 2)\n"
    assert wanted in capsys.readouterr().out


def test_show_lists_an_option_that_the_checkpoint_is_too_old_to_have(capsys: pytest.CaptureFixture) -> None:
    """It loads as the general default, which is not the game's own."""
    config = json.loads(load_game("tictactoe").config.to_json())
    assert config.pop("support_transform") is False
    save_best(Path("old.checkpoint"), Checkpoint("tictactoe", json.dumps(config), {}, Counters(7)))
    assert line("models", "add", "tictactoe", "old.checkpoint") == 0
    capsys.readouterr()
    assert (
        output(capsys, "models", "show", "tictactoe", "v0001")["configuration"]["support_transform"] is True
    )
    assert line("models", "show", "tictactoe", "v0001") == 0
    assert "support_transform True\n" in capsys.readouterr().out


def test_players_who_never_met_are_listed_apart(capsys: pytest.CaptureFixture) -> None:
    add_two()
    registry = Registry(Path("results"), "tictactoe")
    for match in (played("random", "mcts:20", 0, 40), played("v0001", "expert", 10, 30)):
        registry.record(match)
    capsys.readouterr()
    rows = output(capsys, "models", "list", "tictactoe")
    assert [(row["name"], row["group"]) for row in rows] == [
        ("expert", 0),
        ("v0001", 0),
        ("mcts:20", 1),
        ("random", 1),
        ("v0002", None),
    ]
    assert line("models", "list", "tictactoe") == 0
    lines = capsys.readouterr().out.splitlines()
    words = ["group", "expert", "v0001", "group", "mcts:20", "random", "no", "v0002"]
    assert [text.split()[0] for text in lines] == words
    registry.record(played("random", "expert", 0, 10))
    assert {row["group"] for row in output(capsys, "models", "list", "tictactoe")} == {0, None}
    assert line("models", "list", "tictactoe") == 0
    assert "group" not in capsys.readouterr().out, "there is one"


def test_random_is_rated_0_in_its_group_and_the_mean_in_others() -> None:
    matches = [played("random", "mcts:20", 4, 36), played("v0001", "expert", 10, 30)]
    rated = {player.name: rating for player, rating in rate(matches).items()}
    assert (rated["random"].elo, rated["random"].error) == (0, 0)
    assert rated["mcts:20"].elo > 200
    assert rated["v0001"].elo == pytest.approx(-rated["expert"].elo)


def test_a_version_is_another_player_with_another_number_of_simulations(
    capsys: pytest.CaptureFixture,
) -> None:
    add_two()
    for match in (played("v0001", "mcts", 2, 38, 0), played("mcts", "v0001", 10, 30, 4)):
        Registry(Path("results"), "tictactoe").record(match)
    capsys.readouterr()
    rows = output(capsys, "models", "list", "tictactoe")
    assert [(row["name"], row["simulations"], row["games"]) for row in rows] == [
        ("v0001", 4, 40),
        ("mcts", None, 80),
        ("v0001", 0, 40),
        ("v0002", None, 0),
    ]
    shown = output(capsys, "models", "show", "tictactoe", "v0001")
    assert [rating["simulations"] for rating in shown["ratings"]] == [0, 4]
    assert line("models", "list", "tictactoe") == 0
    assert "v0001 (4 simulations) " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("game", "given", "recorded"),
    [
        ("tictactoe", "mcts:1000", "mcts"),
        ("tictactoe", "mcts:20", "mcts:20"),
        ("tictactoe", "minimax:9", "minimax"),
        ("tictactoe", "minimax:4", "minimax:4"),
        ("connect4", "minimax:4", "minimax"),
        ("connect4", "minimax:9", "minimax:9"),
    ],
)
def test_a_built_in_player_is_recorded_by_one_name(game: str, given: str, recorded: str) -> None:
    assert player_name(Registry(Path("results"), game), load_game(game), given) == recorded


@pytest.mark.parametrize("game", ["tictactoe", "connect4"])
def test_the_depth_that_is_left_out_is_the_one_that_minimax_takes(game: str) -> None:
    spec = load_game(game)
    named = f"minimax:{usual_depth(spec.config)}"
    assert player_name(Registry(Path("results"), game), spec, named) == "minimax"


def test_a_match_is_recorded_rated_and_decides_promotion(capsys: pytest.CaptureFixture) -> None:
    add_two()
    assert line("models", "promote", "tictactoe", "v0001") == 0
    assert line("models", "promote", "tictactoe", "v0002") == 2
    assert "v0002 cannot replace the promoted v0001" in capsys.readouterr().err
    match = output(capsys, "models", "compare", "tictactoe", "minimax", "random", "--games", "200")
    assert match["finished"]
    assert match["games"] < 200
    assert match["stronger"] == "first"
    assert match["losses"] == 0
    assert sum(seat["wins"] + seat["draws"] + seat["losses"] for seat in match["by_seat"]) == match["games"]
    names = [row["name"] for row in output(capsys, "models", "list", "tictactoe")]
    assert names.index("minimax") < names.index("random")
    assert line("models", "promote", "tictactoe", "v0002", "--force") == 0
    promoted = Registry(Path("results"), "tictactoe").promoted
    assert promoted is not None
    assert promoted.name == "v0002"


@pytest.mark.parametrize(
    ("opponent", "said"),
    [("expert", "pairs of games begin with 3 random moves"), ("random", "no random openings")],
)
def test_the_two_commands_say_how_games_began(
    opponent: str, said: str, capsys: pytest.CaptureFixture
) -> None:
    """They contradicted each other where one drew openings and the other did not."""
    between = ["--player", "expert", "--opponent", opponent]
    for command in (
        ["models", "compare", "tictactoe", "expert", opponent],
        ["evaluate", "tictactoe", *between],
    ):
        assert line(*command, "--games", "20") == 0
        assert said in capsys.readouterr().out


def test_an_interrupted_match_keeps_its_games_and_goes_on(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["models", "compare", "tictactoe", "random", "mcts:5", "--games", "44", "--all-games"]
    assert line(*command, "--results-path", "elsewhere") == 0
    [uninterrupted] = Registry(Path("elsewhere"), "tictactoe").matches()
    record = Registry.record

    def interrupted(registry: Registry, match: Any) -> None:
        record(registry, match)
        raise KeyboardInterrupt

    monkeypatch.setattr(Registry, "record", interrupted)
    assert line(*command) == 130
    monkeypatch.setattr(Registry, "record", record)
    kept = Registry(Path("results"), "tictactoe").matches()
    assert [(match.tally.games, match.finished) for match in kept] == [(10, False)]
    capsys.readouterr()
    assert line(*command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [text.split()[3] for text in lines] == ["20", "30", "40", "44", "44"]
    kept = Registry(Path("results"), "tictactoe").matches()
    assert [(match.tally.games, match.finished) for match in kept] == [(44, True)]
    assert kept[0].seats == uninterrupted.seats


def test_a_version_against_itself_is_even(capsys: pytest.CaptureFixture) -> None:
    add_two()
    capsys.readouterr()
    match = output(capsys, "models", "compare", "tictactoe", "v0001", "v0001", "--games", "60", "--all-games")
    assert match["games"] == 60
    assert match["score_low"] < 0.5 < match["score_high"]
    rows = output(capsys, "models", "list", "tictactoe")
    assert {row["name"] for row in rows} >= {"v0001", "v0002"}
    assert line("models", "promote", "tictactoe", "v0001") == 0
    assert line("models", "promote", "tictactoe", "v0001") == 0


def test_the_stronger_second_may_be_promoted(capsys: pytest.CaptureFixture) -> None:
    """A match decides for either side, in whichever order the two were named."""
    add_two()
    registry = Registry(Path("results"), "tictactoe")
    registry.promote("v0001")
    match = MatchRecord(
        "v0001",
        "v0002",
        (Tally(10, 0, 190), Tally(10, 0, 190)),
        2000,
        0,
        50,
        True,
        Sprt(),
    )
    registry.record(match)
    assert line("models", "promote", "tictactoe", "v0002") == 0


def test_evaluate_prints_seats_and_interval(capsys: pytest.CaptureFixture) -> None:
    path = str(saved(Path("best.checkpoint")))
    printed = output(
        capsys, "evaluate", "tictactoe", "--checkpoint", path, "--opponent", "minimax", "--games", "30"
    )
    assert printed["games"] == printed["wins"] + printed["draws"] + printed["losses"] == 30
    assert printed["wins"] == 0
    assert printed["score_low"] <= printed["score"] <= printed["score_high"]
    assert [seat["games"] for seat in printed["by_seat"]] == [15, 15]
    assert line("evaluate", "tictactoe", "--player", "minimax", "--opponent", "random") == 0
    assert "as player 2: 50 games" in capsys.readouterr().out


def test_evaluate_counts_the_different_games(capsys: pytest.CaptureFixture) -> None:
    path = str(saved(Path("best.checkpoint")))
    command = ["evaluate", "tictactoe", "--checkpoint", path, "--opponent"]
    itself = output(capsys, *command, path, "--openings", "0", "--games", "30")
    assert (itself["games"], itself["distinct_games"]) == (30, 1)
    assert line(*command, path, "--openings", "0", "--games", "30") == 0
    assert " in 30 games, all the same: " in capsys.readouterr().out
    varied = output(capsys, *command, path, "--games", "30")
    assert 10 < varied["distinct_games"] <= 15, "the same game in either seat"
    assert line(*command, path, "--games", "30") == 0
    assert f" in 30 games, {varied['distinct_games']} different ones: " in capsys.readouterr().out
    few = output(capsys, *command, "expert", "--games", "2")["distinct_games"]
    assert few == 2
    assert line(*command, "expert", "--games", "2") == 0
    assert " in 2 games: " in capsys.readouterr().out


MCTS = ["evaluate", "tictactoe", "--player", "mcts:2", "--opponent"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "lst", "tictactoe"], "did you mean 'list'"),
        (["models", "show", "tictactoe"], "no version of tictactoe is promoted: name one"),
        (["models", "show", "tictactoe", "v0009"], "no version 'v0009'"),
        (["models", "add", "tictactoe", "nowhere"], "nowhere"),
        (["models", "compare", "tictactoe", "random", "v0001"], "no version 'v0001'"),
        (["models", "compare", "tictacto", "random", "expert"], "did you mean 'tictactoe'"),
        (["evaluate", "tictactoe", "--player", "minimax", "--opponent", "minmax"], "did you mean 'minimax'"),
        (["evaluate", "cartpole", "--player", "random", "--opponent", "random"], "is a game for one"),
        (["evaluate", "cartpole", "--player", "expert"], "no expert_agent"),
        ([*MCTS, "mcts:20", "--opponent-simulations", "5"], "'mcts:20' says how many simulations"),
        ([*MCTS, "mcts", "--opponent-simulations", "0"], "'mcts' needs at least 1 simulation, not 0"),
        ([*MCTS, "minimax", "--opponent-simulations", "5"], "'minimax' makes no simulations"),
        ([*MCTS, "random", "--opponent-simulations", "0"], "'random' makes no simulations"),
        ([*MCTS, "expert", "--opponent-simulations", "5"], "'expert' makes no simulations"),
        ([*MCTS, "random", "--simulations", "5"], "'mcts:2' says how many simulations"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert line(*arguments) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


def test_versions_play_as_opponents(capsys: pytest.CaptureFixture) -> None:
    add_two()
    capsys.readouterr()
    command = ["evaluate", "tictactoe", "--opponent", "v0002", "--games", "8"]
    assert line(*command, "--player", "v0001", "--opponent-simulations", "2") == 0
    assert "v0001.checkpoint against " in capsys.readouterr().out.replace("\n", "")
    assert line(*command, "--player", "random") == 0
    assert "random against results/models/tictactoe/v0002.checkpoint:" in capsys.readouterr().out
    assert line("evaluate", "tictactoe", "--player", "random", "--opponent", "v0009") == 2
    assert "v0009" in capsys.readouterr().err

"""Playing at the terminal: moves, commands, both seats, and everything that can be typed wrongly."""

from __future__ import annotations

import io
import re
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from commands.play import play_command
from core.errors import ConfigurationError
from core.project import PRETRAINED
from core.randomness import game_seed
from games.api.sources import OWN_GAMES, GameFolder, load_game
from games.api.spec import GameSpec
from showing.agent import Agent
from showing.interactive import InteractiveGame
from showing.screen import STONES, Screen, analysis_picture, board_picture
from showing.terminal import COMMANDS, TerminalPlay, TerminalSettings
from tests.helpers.game_folders import NOTHING_SHIPS
from tests.helpers.toy_games import Walk, WalkConfig

Play = Callable[..., str]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Play:
    """Plays a command line, with `typed` typed and then Ctrl-D; returns what was printed."""
    monkeypatch.setenv("COLUMNS", "100")

    def played(line: str, *typed: str, games: GameFolder = OWN_GAMES) -> str:
        waiting = iter(typed)

        def answer(prompt: str) -> str:
            text = next(waiting, None)
            if text is None:
                raise EOFError
            print(f"{prompt}{text}")
            return text

        monkeypatch.setattr("builtins.input", answer)
        assert play_command([*line.split(), "--results-path", "nowhere"], games) == 0
        assert next(waiting, None) is None, "everything was read"
        return capsys.readouterr().out

    return played


def boards(printed: str) -> list[str]:
    """The stones of each tic-tac-toe board that was shown, such as `XO7`, row by row."""
    lines = [line for line in printed.splitlines() if line.count(" | ") == 2]
    rows = ["".join(line.split("│")[1].split(" | ")).replace(" ", "") for line in lines]
    return ["".join(rows[first : first + 3]) for first in range(0, len(rows), 3)]


# --- games ---


def test_a_game_by_hand(play: Play) -> None:
    printed = play("tictactoe --opponent human", "1", "4", "2", "5", "3", "new", "9")
    assert printed.startswith("tictactoe, 0 moves   player 1 (X) to move")
    assert "Play by hand. ? lists what you can type." in printed
    assert "your move (a number on the board; ? for help): 4" in printed
    assert "tictactoe, 5 moves   player 1 (X) wins" in printed
    assert "new, undo or quit: new" in printed
    assert boards(printed)[5:] == ["XXXOO6789", "123456789", "12345678X"]
    assert "MuZero" not in printed


def test_a_game_against_the_agent(play: Play) -> None:
    printed = play("tictactoe --simulations 20", "1", "undo", "2")
    assert "MuZero: " in printed
    assert "20 simulations per move" in printed
    stones = boards(printed)
    assert stones[:2] == ["123456789", "X23456789"]
    assert stones[2].count("O") == 1
    assert stones[3:5] == ["123456789", "1X3456789"]
    assert stones[5].count("O") == 1
    assert printed.count("MuZero before its move, 20 simulations") >= 2
    assert "MuZero plays 5" in printed
    assert "expects 5 " in printed
    shares = [int(share) for share in re.findall(r"X +(\d+)% ━", printed)]
    assert len(shares) >= 2
    assert all(45 <= share <= 55 for share in shares), "a draw"


def test_the_agent_begins_when_the_person_is_second(play: Play) -> None:
    printed = play("tictactoe --seat 2", "undo", "1", "undo")
    stones = boards(printed)
    assert stones[:3] == ["123456789", "1234X6789", "O234X6789"]
    assert "there is no move of yours to take back" in printed
    assert stones[-1] == "1234X6789", "back to the person's turn, the agent's first move stays"


def test_the_agent_alone(play: Play) -> None:
    printed = play("tictactoe --seat none")
    assert "tictactoe, 9 moves   a draw" in printed
    assert printed.count("MuZero plays") == 9
    assert "your move" not in printed


def test_a_game_for_one(play: Play) -> None:
    printed = play("cartpole", "left", "hint", "push right", "undo", "resign", "quit")
    assert "cartpole, 2 moves, return 2" in printed
    assert "MuZero's hint, 16 simulations" in printed
    assert "MuZero would play push " in printed
    assert re.search(r"expects push \w+, push \w+, \.\.\. ", printed)
    assert "expected from here (discounted), network alone" in printed
    assert "cartpole, 1 move   stopped after 1 move, return 1" in printed
    watched = play("cartpole --seat none --simulations 0")
    assert "MuZero before its move, the network alone" in watched
    assert "moves, return " in watched


def test_other_opponents(play: Play) -> None:
    printed = play("tictactoe --opponent minimax", "1", "hint")
    assert "minimax plays 5" in printed
    assert "MuZero would play " in printed
    printed = play("othello --opponent random --seed 3", "c2", "view all", games=NOTHING_SHIPS)
    assert "random plays against you; no checkpoint to ask for hints was found." in printed
    assert "there is no agent to ask" in printed
    assert "othello, 2 moves" in printed


def test_without_a_checkpoint_people_play(play: Play) -> None:
    printed = play("tictactoe", "1", "hint", "2", games=NOTHING_SHIPS)
    assert "No checkpoint of tictactoe was found: play by hand." in printed
    assert "there is no agent to ask: name a --checkpoint (? for help)" in printed
    assert boards(printed)[-1] == "XO3456789"
    with pytest.raises(ConfigurationError, match="nobody is there to play tictactoe"):
        play("tictactoe --seat none", games=NOTHING_SHIPS)


# --- what can be typed ---


def test_what_cannot_be_played_is_asked_again(play: Play) -> None:
    printed = play("tictactoe --opponent human", "5", "5", "", "  ", "xyz", "0", "undo 3 4", "6")
    assert "'5' is no legal move; legal: 1, 2, 3, 4, 6, 7, 8, 9 (? for help)" in printed
    assert "'xyz' is no legal move" in printed
    assert boards(printed) == ["123456789", "1234X6789", "123456789", "12345X789"]


def test_help_lists_every_command(play: Play) -> None:
    for word in ("help", "?", "HELP"):
        printed = play("tictactoe", word)
        for name, command in COMMANDS.items():
            assert name in "?q" or f"  {name:12} {command.help}" in printed
    assert all(len(command.help) < 66 for command in COMMANDS.values()), "it fits into 80 columns"


def test_a_hint_is_what_the_agent_would_play(play: Play) -> None:
    spec = load_game("tictactoe")
    game = InteractiveGame(spec, Agent.load(PRETRAINED / "tictactoe" / "best.checkpoint", spec))
    for action in (0, 4, 2):
        game.play(action)
    best = game.action_name(game.analyse(33).action)
    assert best == "2", "the only move that does not lose"
    printed = play("tictactoe --seat both --view own", "1", "5", "3", "simulations 33", "hint")
    assert f"MuZero would play {best}" in printed
    assert "MuZero's hint, 33 simulations" in printed
    assert f"> {best} " in printed


def test_views(play: Play) -> None:
    printed = play("tictactoe --seat both --simulations 9", "view none", "view", "view own", "1")
    assert printed.count("9 simulations ─") == 1, "all where one plays both sides, until it is changed"
    assert "write one of: view own, view all, view none" in printed
    assert play("tictactoe --view none", "1").count(" simulations ─") == 0
    assert play("tictactoe --view all", "1").count(" simulations ─") == 3


def test_a_hint_goes_with_the_move(play: Play) -> None:
    assert play("tictactoe --seat both --view none", "hint", "1", "2").count("hint, ") == 1


def test_numbers_of_simulations(play: Play) -> None:
    printed = play(
        "tictactoe",
        "simulations",
        "simulations many",
        "simulations 100001",
        "simulations -1",
        "simulations 0",
        "1",
    )
    assert printed.count("write a number from 0 to 100000") == 4
    assert "MuZero before its move, the network alone" in printed


def test_seats_are_swapped(play: Play) -> None:
    printed = play("tictactoe", "1", "swap")
    assert [stones.count("X") for stones in boards(printed)] == [0, 1, 1, 1, 2]
    assert "player 2 (O), your turn" in printed
    assert "there is nobody to change seats with" in play("tictactoe --seat both", "swap")
    assert "there is nobody to change seats with" in play("cartpole", "swap")


def test_resigning(play: Play) -> None:
    printed = play("tictactoe", "1", "resign", "hint", "3", "undo", "3")
    assert "player 1 (X) resigns, player 2 (O) wins" in printed
    assert "the game is over: there is nothing to analyse" in printed
    assert "'3' is no legal move; legal: none" in printed
    assert boards(printed)[-1].count("O") == 2


def test_a_new_game_starts_elsewhere(play: Play) -> None:
    printed = play("cartpole --opponent human", "new", "q")
    first, second = (line for line in printed.splitlines() if "cart at" in line)
    assert first != second
    assert play(f"cartpole --opponent human --seed {game_seed(0, 1)}").count(second.strip("│ ")) == 1
    assert second.strip("│ ") not in play("cartpole --opponent human --seed 1")


def test_a_move_goes_before_a_command_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Swapping(Walk):
        players = 1

        def action_to_string(self, action: int) -> str:
            return ("new", "undo", "swap")[action]

        def legal_actions(self) -> list[int]:
            return [0, 1, 2]

    spec = GameSpec("swapping", Swapping, WalkConfig(players=1))
    game = InteractiveGame(spec, None, seed=39)
    answers = iter(["undo", "new", "swap", "NEW", "undo me", "quit"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    screen = Screen(Console(file=io.StringIO()))
    TerminalPlay(game, TerminalSettings(frozenset({0})), screen).run()
    assert game.moves == (1, 0, 2), "`undo me` is no move but the command"


# --- the command line ---


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("tictac", "did you mean 'tictactoe'"),
        ("tictactoe --opponent bogus", "unknown player 'bogus'"),
        ("tictactoe --opponent here.checkpoint", "unknown player"),
        (f"tictactoe --opponent {PRETRAINED}/tictactoe/best.checkpoint", "name a checkpoint by --checkpoint"),
        ("tictactoe --checkpoint nofile", "no checkpoint at nofile"),
        (f"cartpole --checkpoint {PRETRAINED}/tictactoe/best.checkpoint", "checkpoint of 'tictactoe'"),
        ("tictactoe --simulations few", "not a whole number"),
        ("tictactoe --simulations 100001", "at most 100000"),
        ("tictactoe --seat 3", "--seat: tictactoe is a game for two"),
        ("tictactoe --seat third", "'third' is neither both nor none nor the number of a player"),
        ("tictactoe --web --seat 3", "--web: --seat 3 is none of 1, 2, both, none"),
        ("tictactoe --web --opponent random --opponent expert", "--web: name one --opponent"),
        ("tictactoe --opponent random --opponent expert", "name one opponent, not 2"),
        ("cartpole --seat 2", "a game for one"),
        ("cartpole --opponent random", "a game for one"),
        ("tictactoe --opponent human --seat none", "nobody is there to play"),
        ("tictactoe --port 80", "--port needs --web"),
        ("tictactoe --no-browser", "--no-browser needs --web"),
        ("tictactoe --web --view own", "--view is chosen on the page"),
        ("tictactoe --web --opponent nobody", "nobody"),
        ("cartpole --web --opponent random", "is not in a game for one"),
    ],
)
def test_refusals(line: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refusal:
        play_command(line.split())
    assert "\n" not in str(refusal.value)


def test_the_browser_is_handed_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Any, ...]] = []

    def serve(spec: Any, agent: Any, **settings: Any) -> None:
        served.append((spec.name, agent and agent.simulations, settings))

    monkeypatch.setitem(sys.modules, "showing.web.server", types.SimpleNamespace(serve=serve))
    assert play_command(["tictactoe", "--web", "--simulations", "7", "--port", "0", "--no-browser"]) == 0
    assert play_command(["cartpole", "--web", "--opponent", "human", "--seed", "5"]) == 0
    assert play_command(["tictactoe", "--web", "--seat", "2", "--opponent", "expert"]) == 0
    usual = {"port": 8000, "open_browser": True, "seed": 0, "seat": None, "opponent": None}
    lobbies = [(settings.pop("others"), settings.pop("open_game")) for _, _, settings in served]
    assert [settings for _, _, settings in served] == [
        usual | {"port": 0, "open_browser": False},
        usual | {"seed": 5, "seat": "both"},
        usual | {"seat": "second", "opponent": "expert"},
    ]
    assert [(name, simulations) for name, simulations, _ in served[:2]] == [
        ("tictactoe", 7),
        ("cartpole", None),
    ]
    others, open_game = lobbies[0]
    assert {"connect4", "gomoku", "othello"} <= set(others)
    rooms = open_game("connect4")  # with its own agent, of as many simulations
    assert (rooms.spec.name, rooms.agent.simulations, rooms.defaults.opponent) == ("connect4", 7, "agent")


# --- the picture ---


def styled(picture: Text) -> dict[str, str]:
    """What is styled, by style."""
    return {str(span.style): picture.plain[span.start : span.end] for span in picture.spans}


def test_stones_are_coloured_and_new_ones_stand_out() -> None:
    before, now = "  a b\n1 X .\n2 . .", "  a b\n1 X .\n2 . O"
    picture = board_picture(now, before, "XO")
    assert styled(picture) == {STONES[0]: "X", STONES[1]: "O", "reverse": "O"}
    assert "reverse" not in styled(board_picture(now, "", "XO"))
    assert "reverse" not in styled(board_picture(before, now, "XO")), "a stone taken back leaves nothing"
    assert styled(board_picture("A # G", "", ""))["dim"] == "#"


def test_the_first_player_stands_on_the_left_whoever_moves() -> None:
    spec = load_game("tictactoe")
    game = InteractiveGame(spec, Agent.load(PRETRAINED / "tictactoe" / "best.checkpoint", spec))
    for action in (0, 3, 1, 4, 8):  # now O wins
        game.play(action)
    console = Console(width=80, record=True, file=io.StringIO())
    analysis = game.analyse(50)
    assert analysis.win_probability > 0.9
    console.print(analysis_picture(game, analysis, "MuZero"))
    share = analysis.win_probability
    assert re.search(rf"X +{1 - share:.0%} ━+ +{share:.0%} O", console.export_text())


@pytest.mark.parametrize(("width", "beside"), [(80, True), (50, False)])
def test_the_view_stands_beside_the_board_where_there_is_room(width: int, beside: bool) -> None:
    spec = load_game("tictactoe")
    game = InteractiveGame(spec, Agent.load(PRETRAINED / "tictactoe" / "best.checkpoint", spec))
    console = Console(width=width, record=True, file=io.StringIO())
    analysis = game.analyse(100)
    Screen(console).show(game, {0}, analysis_picture(game, analysis, "MuZero"), "hello")
    lines = console.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    assert any("╮ ╭" in line for line in lines) == beside
    assert lines[0].startswith("tictactoe, 0 moves   player 1 (X), your turn")
    assert lines[-1] == "hello"
    assert f"X {analysis.win_probability:4.0%} ━" in "\n".join(lines)

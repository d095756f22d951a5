"""Steps back and forth in a game on the page, opponents, and the row that has won."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import ConfigurationError
from core.project import PRETRAINED
from games.api.sources import load_game
from showing.interactive import InteractiveGame
from showing.web.rooms import AGENT, Room, Rooms, RoomSettings
from showing.web.view import layout, position, winning_line
from tests.helpers.web_agents import untrained

CONNECT4 = untrained("connect4")


def room(game: str = "connect4", *moves: int, **settings: Any) -> Room:
    made = Rooms(load_game(game), CONNECT4 if game == "connect4" else None)
    opened = made.make(made.checked(made.defaults._replace(**settings)))
    for action in moves:
        opened.play(action)
    return opened


def moves(opened: Room) -> tuple[list[int], list[int]]:
    told = position(opened)
    return list(told["moves"]), list(told["ahead"])


def test_going_back_and_forth_loses_nothing() -> None:
    opened = room("connect4", 3, 3, 4, 2, 5)
    opened.values = dict.fromkeys(range(6), 0.5)
    for ply in (1, 4, 0, 5, 2):
        opened.go(ply)
        assert moves(opened) == ([3, 3, 4, 2, 5][:ply], [3, 3, 4, 2, 5][ply:])
    assert opened.revision == 10
    opened.play(4)  # the same again
    assert moves(opened) == ([3, 3, 4], [2, 5])
    assert opened.values.keys() == set(range(6))
    opened.play(6)  # another one
    assert moves(opened) == ([3, 3, 4, 6], [])
    assert opened.values.keys() == set(range(4))
    opened.undo(2)
    assert moves(opened) == ([3, 3], [4, 6])


@pytest.mark.parametrize("ply", [-1, 4])
def test_there_is_no_other_position(ply: int) -> None:
    opened = room("connect4", 3, 3, 4)
    with pytest.raises(ConfigurationError, match=f"move {ply} is none of the 3 that were made"):
        opened.go(ply)
    assert moves(opened) == ([3, 3, 4], [])


def test_an_illegal_move_keeps_what_lies_ahead() -> None:
    opened = room("tictactoe", 4, 0, 8)
    opened.go(2)
    with pytest.raises(ConfigurationError):
        opened.play(4)
    assert moves(opened) == ([4, 0], [8])


@pytest.mark.parametrize("opponent", ["expert", "mcts:20", "random", AGENT])
def test_opponents_reply(opponent: str) -> None:
    opened = room("connect4", 0, 1, 0, 1, 0, opponent=opponent, simulations=4)
    opened.reply()
    assert len(opened.game.moves) == 6
    if opponent == "expert":
        assert opened.game.moves[-1] == 0, "the fourth in the column would win"


def test_whom_one_can_play_against() -> None:
    both = Rooms(load_game("connect4"), CONNECT4)
    assert both.opponents == ["agent", "expert", "mcts:100", "mcts:1000", "random"]
    assert both.defaults == RoomSettings("first", CONNECT4.simulations, "agent")
    alone = Rooms(load_game("gomoku"), None)
    assert alone.opponents[0] == alone.defaults.opponent == "expert"
    assert alone.defaults.seat == "first", "there is somebody to play against"
    chosen = Rooms(load_game("connect4"), CONNECT4, seat="second", opponent="mcts:50")
    assert chosen.defaults[::2] == ("second", "mcts:50")
    one = Rooms(load_game("gridworld"), None)
    assert (one.opponents, one.defaults.seat) == (["agent"], "both")


def test_a_game_for_one_is_begun_by_the_person() -> None:
    assert Rooms(load_game("cartpole"), untrained("cartpole")).defaults.seat == "first"


@pytest.mark.parametrize(
    ("game", "settings", "said"),
    [
        ("tictactoe", {"opponent": "agent"}, "needs an agent, or another opponent"),
        ("tictactoe", {"opponent": "nobody"}, "nobody"),
        ("tictactoe", {"opponent": "{shipped}"}, "is none that can be chosen"),
        ("gridworld", {"opponent": "random"}, "is not in a game for one"),
    ],
)
def test_opponents_that_cannot_be(game: str, settings: dict[str, Any], said: str) -> None:
    rooms = Rooms(load_game(game), None)
    shipped = str(PRETRAINED / "tictactoe" / "best.checkpoint")
    settings = {name: value.format(shipped=shipped) for name, value in settings.items()}
    with pytest.raises(ConfigurationError, match=said):
        rooms.checked(rooms.defaults._replace(**settings))


@pytest.mark.parametrize(
    ("game", "actions", "line"),
    [
        ("tictactoe", (0, 3, 1, 4, 2), [0, 1, 2]),
        ("tictactoe", (0, 2, 1, 4, 8, 6), [2, 4, 6]),
        ("tictactoe", (0, 3, 1, 4), []),  # not over
        ("tictactoe", (0, 1, 2, 4, 3, 5, 7, 6, 8), []),  # a draw
        ("connect4", (0, 1, 0, 1, 0, 1, 0), [14, 21, 28, 35]),
        ("connect4", (0, 6, 1, 6, 2, 5, 3), [35, 36, 37, 38]),
        ("gomoku", (0, 11, 1, 12, 2, 13, 3, 14, 4), [0, 1, 2, 3, 4]),
    ],
)
def test_the_row_that_has_won(game: str, actions: tuple[int, ...], line: list[int]) -> None:
    opened = InteractiveGame(load_game(game), None, 1)
    for action in actions:
        opened.play(action)
    assert winning_line(opened, layout(opened.config)) == line


def test_discs_that_turn_over_are_no_row() -> None:
    opened = InteractiveGame(load_game("othello"), None, 1)
    while not opened.over:
        opened.play(opened.legal_actions[0])
    assert winning_line(opened, layout(opened.config)) == []

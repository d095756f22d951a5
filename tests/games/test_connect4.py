"""Connect Four: lines at the edges, full columns, the evaluation, and what people see of it."""

from __future__ import annotations

import numpy as np
import pytest

from games.boards.game import IllegalMoveError
from games.boards.rules import DRAWN, OUTCOME, RUNNING, TO_PLAY, WON_BY_0, WON_BY_1
from games.connect4 import COLUMNS, LINES, ROWS, Game


def played(columns: str) -> Game:
    """The game after stones in `columns`, numbered from 1 as on the board."""
    game = Game(0)
    for column in columns:
        game.step(int(column) - 1)
    return game


DRAW = "121212212121343434434343565656656565777777"
"""A game without four in a row: 42 moves."""


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        ("1122334", WON_BY_0),  # a row
        ("1212121", WON_BY_0),  # a column
        ("7676767", WON_BY_0),
        ("71717161", WON_BY_1),
        ("12233434464", WON_BY_0),  # rising
        ("76655454424", WON_BY_0),  # falling
        ("51122334", WON_BY_1),
        ("111111222222", RUNNING),  # no line goes on in the next column
        (DRAW, DRAWN),
    ],
)
def test_ends(columns: str, outcome: int) -> None:
    game = played(columns[:-1])
    assert game.legal_actions()
    _, reward, over = game.step(int(columns[-1]) - 1)
    assert (game.state[OUTCOME], over) == (outcome, outcome != RUNNING)
    assert reward == (outcome in (WON_BY_0, WON_BY_1)), "nobody loses by an own move"


def test_full_columns_are_refused() -> None:
    game = played("333333")
    assert game.legal_actions() == [0, 1, 3, 4, 5, 6]
    with pytest.raises(
        IllegalMoveError, match=r"^action 2 is not legal; legal are: 0 \(1\), 1 \(2\), 3 \(4\)"
    ):
        game.step(2)


def test_observations_show_the_stones_of_the_player_to_move_first() -> None:
    game = played("443")
    own, other = np.zeros((2, ROWS, COLUMNS), np.int8)
    own[4, 3] = other[5, 3] = other[5, 2] = 1
    np.testing.assert_array_equal(game.observation(), [own, other])


def test_the_board_as_text() -> None:
    empty = ". . . . . . .\n"
    assert played("4434").text() == empty * 3 + ". . . O . . .\n. . . O . . .\n. . X X . . .\n1 2 3 4 5 6 7"


def test_there_are_69_lines_of_four() -> None:
    assert len(set(LINES.tolist())) == 69
    assert {int(line).bit_count() for line in LINES} == {4}


def test_the_evaluation_is_fair() -> None:
    game = Game(0)
    assert game.rules.evaluate(game.state) == 0
    values = []
    for column in range(COLUMNS):
        game.reset()
        game.step(column)
        values.append(-game.rules.evaluate(game.state))
        game.state[TO_PLAY] ^= 1
        assert game.rules.evaluate(game.state) == values[-1], "the other player sees it with the other sign"
    assert values == values[::-1], "left and right are alike"
    assert 0 < values[0] < values[1] < values[2] < values[3], "the middle is best"


def test_the_expert_beats_a_random_player() -> None:
    generator = np.random.default_rng(1)
    for seed in range(6):
        game, reward, over, expert = Game(seed), 0.0, False, False
        while not over:
            expert = game.to_play() == seed % 2
            action = game.expert_agent() if expert else int(generator.choice(game.legal_actions()))
            _, reward, over = game.step(action)
        assert (expert, reward) == (True, 1.0)


def test_the_expert_wins_at_once_when_it_can() -> None:
    for seed in range(12):
        game = Game(seed)
        for action in (3, 3, 4, 4, 2, 2):
            game.step(action)
        assert game.expert_agent() in (1, 5), "other moves win as well, but later"

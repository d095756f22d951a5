"""Tic-tac-toe: its positions, its symmetric lines, and what people see of it."""

from __future__ import annotations

import numpy as np
import pytest

from games.boards.rules import DRAWN, OUTCOME, TO_PLAY, WON_BY_0, WON_BY_1
from games.tictactoe import Game


def played(*actions: int) -> Game:
    game = Game(0)
    for action in actions:
        game.step(action)
    return game


def test_it_has_as_many_positions_as_is_known() -> None:
    rules = Game.rules
    found = {(first := rules.start()).tobytes(): first}
    new = [first]
    while new:
        state = new.pop()
        mask = np.zeros(9, bool)
        rules.legal(state, mask)
        for action in np.flatnonzero(mask):
            child = state.copy()
            rules.play(child, action)
            if child.tobytes() not in found:
                found[child.tobytes()] = child
                new.append(child)
    outcomes = np.bincount([state[OUTCOME] for state in found.values()])
    assert len(found) == 5478
    assert outcomes.tolist() == [4520, 626, 316, 16]


@pytest.mark.parametrize(
    ("actions", "outcome"),
    [
        ((0, 3, 1, 4, 2), WON_BY_0),  # a row
        ((0, 2, 1, 5, 3, 8), WON_BY_1),  # a column
        ((0, 1, 4, 2, 8), WON_BY_0),  # a diagonal
        ((0, 2, 1, 4, 3, 6), WON_BY_1),  # the other
        ((0, 1, 2, 4, 3, 5, 7, 6, 8), DRAWN),
        ((0, 1, 2, 3, 4, 5, 7, 6, 8), WON_BY_0),  # with the last stone
    ],
)
def test_ends(actions: tuple[int, ...], outcome: int) -> None:
    game = played(*actions[:-1])
    assert game.legal_actions()
    _, reward, over = game.step(actions[-1])
    assert (game.state[OUTCOME], over) == (outcome, True)
    assert reward == (0 if outcome == DRAWN else 1), "nobody loses by an own move"


def test_observations_show_the_stones_of_the_player_to_move_first() -> None:
    game = played(0, 4, 2)
    assert game.state[TO_PLAY] == 1
    expected = [[[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 0, 1], [0, 0, 0], [0, 0, 0]]]
    np.testing.assert_array_equal(game.observation(), expected)


def test_the_board_as_text() -> None:
    assert played(0, 4, 2).text() == " X | 2 | X\n---+---+---\n 4 | O | 6\n---+---+---\n 7 | 8 | 9"


def test_the_expert_never_loses() -> None:
    generator = np.random.default_rng(1)
    results = []
    for seed in range(60):
        game, reward, over = Game(seed), 0.0, False
        while not over:
            expert = game.to_play() == seed % 2
            action = game.expert_agent() if expert else int(generator.choice(game.legal_actions()))
            _, reward, over = game.step(action)
            assert expert or reward == 0
        results.append(reward)
    assert np.mean(results) > 0.7

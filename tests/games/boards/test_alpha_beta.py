"""Alpha-beta against a plain minimax in Python: real games, and random game trees of every kind."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ConfigurationError
from games import connect4, tictactoe
from games.boards import alpha_beta
from games.boards.alpha_beta import HASTE, Solver, action_values, best_actions, exact_values
from games.boards.rules import (
    DRAWN,
    EVALUATE,
    LEGAL,
    MOVES,
    OBSERVE,
    OUTCOME,
    OWN,
    PLAY,
    RUNNING,
    TO_PLAY,
    WON_BY_0,
    BoardState,
    Rules,
    compiled,
    reward_to,
)

# --- random game trees: players move twice in a row, lose by their own moves, have few or many actions ---

ACTIONS = 4


def tree_start(seed: int = 0) -> BoardState:
    return np.array([seed % 2, RUNNING, 0, seed + 1], np.int64)


@compiled(LEGAL)
def tree_legal(state: Any, mask: Any) -> Any:
    mask[:] = False
    if state[OUTCOME] != RUNNING:
        return 0
    for action in range(ACTIONS):
        mask[action] = (state[OWN] >> action) % 3 > 0
    mask[state[OWN] % ACTIONS] = True
    return mask.sum()


@compiled(PLAY)
def tree_play(state: Any, action: Any) -> None:
    key = (state[OWN] * 48271 + action * 7919 + 11) % 2147483647
    state[OWN] = key
    state[MOVES] += 1
    state[TO_PLAY] = (key >> 7) % 2
    if (key >> 9) % 8 == 0 or state[MOVES] == 9:
        state[OUTCOME] = 1 + (key >> 12) % 3


@compiled(EVALUATE)
def tree_evaluate(state: Any) -> Any:
    return ((state[OWN] >> 3) % 7 - 3) / 3.0001  # some are nearly as good as a win, and must not beat one


@compiled(OBSERVE)
def tree_observe(state: Any, planes: Any) -> None:
    planes[:] = 0


TREE = Rules(tree_start, tree_legal, tree_play, tree_evaluate, tree_observe)

# --- minimax ---


def legal_of(rules: Rules, state: BoardState, num_actions: int) -> list[int]:
    mask = np.zeros(num_actions, bool)
    rules.legal(state, mask)
    return [int(action) for action in np.flatnonzero(mask)]


def child_of(rules: Rules, state: BoardState, action: int) -> BoardState:
    child = state.copy()
    rules.play(child, action)
    return child


def value_to_0(
    rules: Rules, state: BoardState, num_actions: int, depth: int, moves: int, haste: float
) -> float:
    """What `state`, reached after `moves` moves, is worth to player 0, who maximises it."""
    if state[OUTCOME] != RUNNING:
        return reward_to(0, state) * (1 - haste * (moves - 1))
    if depth == 0:
        value: float = rules.evaluate(state) * (1 - haste * moves)
        return value if state[TO_PLAY] == 0 else -value
    values = [
        value_to_0(rules, child_of(rules, state, action), num_actions, depth - 1, moves + 1, haste)
        for action in legal_of(rules, state, num_actions)
    ]
    return max(values) if state[TO_PLAY] == 0 else min(values)


def minimax(
    rules: Rules, state: BoardState, num_actions: int, depth: int, haste: float = 0.0
) -> NDArray[np.float64]:
    """What `action_values` should be."""
    values = np.full(num_actions, np.nan)
    for action in legal_of(rules, state, num_actions):
        value = value_to_0(rules, child_of(rules, state, action), num_actions, depth - 1, 1, haste)
        values[action] = value if state[TO_PLAY] == 0 else -value
    return values


def check_search(rules: Rules, state: BoardState, num_actions: int, depth: int) -> None:
    before = state.copy()
    expected = minimax(rules, state, num_actions, depth)
    np.testing.assert_array_equal(action_values(rules, state, num_actions, depth), expected)
    np.testing.assert_array_equal(
        best_actions(rules, state, num_actions, depth), np.flatnonzero(expected == np.nanmax(expected))
    )
    hasty = minimax(rules, state, num_actions, depth, HASTE)
    np.testing.assert_array_equal(
        best_actions(rules, state, num_actions, depth, quick=True),
        np.flatnonzero(hasty == np.nanmax(hasty)),
    )
    np.testing.assert_array_equal(state, before, err_msg="a search leaves the position as it is")


def random_states(rules: Rules, num_actions: int, positions: int, moves: int) -> Iterator[BoardState]:
    """Running positions after up to `moves` random moves."""
    generator = np.random.default_rng(positions)
    while positions:
        state = rules.start()
        for _ in range(generator.integers(moves + 1)):
            if state[OUTCOME] == RUNNING:
                state = child_of(rules, state, int(generator.choice(legal_of(rules, state, num_actions))))
        if state[OUTCOME] == RUNNING:
            positions -= 1
            yield state


@pytest.mark.parametrize(("depth", "positions"), [(1, 40), (2, 40), (3, 30), (4, 10), (5, 5)])
def test_connect4_is_searched_as_by_minimax(depth: int, positions: int) -> None:
    for state in random_states(connect4.Game.rules, 7, positions, moves=30):
        check_search(connect4.Game.rules, state, 7, depth)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_tictactoe_is_searched_as_by_minimax(depth: int) -> None:
    for state in random_states(tictactoe.Game.rules, 9, 60 // depth**2 + 2, moves=8):
        check_search(tictactoe.Game.rules, state, 9, depth)


def test_random_trees_are_searched_as_by_minimax() -> None:
    for seed in range(150):
        check_search(TREE, tree_start(seed), ACTIONS, depth=1 + seed % 6)


def test_random_trees_are_solved_as_by_minimax() -> None:
    for seed in range(200, 215):
        expected = minimax(TREE, tree_start(seed), ACTIONS, depth=9)
        values = exact_values(TREE, tree_start(seed), ACTIONS)
        np.testing.assert_array_equal(values, expected)
        assert set(values[~np.isnan(values)]) <= {-1, 0, 1}


def test_random_trees_hold_every_kind_of_move() -> None:
    again, lost_by_own_move = False, False
    for seed in range(50):
        state = tree_start(seed)
        for action in legal_of(TREE, state, ACTIONS):
            child = child_of(TREE, state, action)
            again |= bool(child[TO_PLAY] == state[TO_PLAY] and child[OUTCOME] == RUNNING)
            lost_by_own_move |= reward_to(int(state[TO_PLAY]), child) < 0
    assert (again, lost_by_own_move) == (True, True)


# --- known positions ---


def connect4_after(columns: str) -> BoardState:
    game = connect4.Game(0)
    for column in columns:
        game.step(int(column) - 1)
    return game.state


@pytest.mark.parametrize(
    ("columns", "depth", "value", "best"),
    [
        ("112233", 1, 1, "4"),  # win at once, in a row
        ("121212", 1, 1, "1"),  # in a column
        ("1223343464", 1, 1, "4"),  # on a diagonal
        ("4455", 3, 1, "36"),  # an open three wins in three
        ("445533", 1, 1, "26"),
        ("12131", 2, None, "1"),  # one threat in column 1: block
        ("44553", 8, -1, "1234567"),  # an open three: lost whatever one does
    ],
)
def test_tactics(columns: str, depth: int, value: float | None, best: str) -> None:
    state = connect4_after(columns)
    values = action_values(connect4.Game.rules, state, 7, depth)
    actions = best_actions(connect4.Game.rules, state, 7, depth)
    assert "".join(str(action + 1) for action in actions) == best
    if value is not None:
        assert np.nanmax(values) == value
    else:
        assert -1 < np.nanmax(values) < 1
        assert (np.delete(values, actions) == -1).all()


def test_only_the_hasty_prefer_quick_wins_and_slow_losses() -> None:
    rules, state = connect4.Game.rules, connect4_after("4455331")
    state[TO_PLAY] = 0  # 2 and 6 win at once; others win later
    assert len(best_actions(rules, state, 7, 5)) > 2
    assert best_actions(rules, state, 7, 5, quick=True).tolist() == [1, 5]
    lost = functools.reduce(functools.partial(child_of, tictactoe.Game.rules), (0, 1, 3), tictactoe.start())
    assert best_actions(tictactoe.Game.rules, lost, 9, 9).tolist() == [2, 4, 5, 6, 7, 8]
    assert best_actions(tictactoe.Game.rules, lost, 9, 9, quick=True).tolist() == [6], "it blocks a line"


def test_tictactoe_is_a_draw() -> None:
    values = exact_values(tictactoe.Game.rules, tictactoe.Game.rules.start(), 9)
    assert values.tolist() == [0] * 9
    corner = child_of(tictactoe.Game.rules, tictactoe.Game.rules.start(), 0)
    assert exact_values(tictactoe.Game.rules, corner, 9)[1:].tolist() == [-1, -1, -1, 0, -1, -1, -1, -1]


def test_the_solver_knows_every_position_of_tictactoe() -> None:
    rules = tictactoe.Game.rules

    @functools.cache
    def value(key: bytes) -> float:
        state = np.frombuffer(key, np.int64).copy()
        if state[OUTCOME] != RUNNING:
            return reward_to(int(state[TO_PLAY]), state)
        return max(after(state))

    def after(state: BoardState) -> list[float]:
        children = [child_of(rules, state, action) for action in legal_of(rules, state, 9)]
        return [-value(child.tobytes()) for child in children]

    solver = Solver(rules, 9)
    for state in random_states(rules, 9, 300, moves=8):
        values = solver.action_values(state)
        assert values[legal_of(rules, state, 9)].tolist() == after(state)
        assert solver.best_actions(state).tolist() == np.flatnonzero(values == np.nanmax(values)).tolist()


def test_the_solver_searches_a_position_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def counted(rules: Rules, state: BoardState, num_actions: int, depth: int) -> NDArray[np.float64]:
        searched.append(depth)
        return action_values(rules, state, num_actions, depth)

    monkeypatch.setattr(alpha_beta, "action_values", counted)
    solver = Solver(connect4.Game.rules, 7, depth=2, capacity=1)
    first, second = connect4_after(""), connect4_after("4")
    answers = [solver.best_actions(state).tolist() for state in (first, first, second, second, first)]
    assert searched == [2, 2, 2], "one position is remembered, the other searched twice"
    assert answers[0] == answers[1] == answers[4]
    assert answers[2] == answers[3] == best_actions(connect4.Game.rules, second, 7, 2).tolist()


def test_a_thousand_solved_games_take_no_time() -> None:
    rules, solver, generator = tictactoe.Game.rules, Solver(tictactoe.Game.rules, 9), np.random.default_rng(0)
    began = time.perf_counter()
    for _ in range(1000):
        state = rules.start()
        while state[OUTCOME] == RUNNING:
            rules.play(state, int(generator.choice(solver.best_actions(state))))
        assert state[OUTCOME] == DRAWN
    assert time.perf_counter() - began < 10


def test_a_finished_game_has_no_best_action() -> None:
    state = connect4_after("1122334")
    assert state[OUTCOME] == WON_BY_0
    assert np.isnan(action_values(connect4.Game.rules, state, 7, 3)).all()
    assert best_actions(connect4.Game.rules, state, 7, 3).size == 0


@pytest.mark.parametrize("depth", [0, -1, 513])
def test_impossible_depths_are_refused(depth: int) -> None:
    with pytest.raises(ConfigurationError, match=f"depth={depth} of a search must be from 1 to 512"):
        action_values(connect4.Game.rules, connect4_after(""), 7, depth)

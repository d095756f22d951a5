"""With a perfect model the search plays perfectly: every choice is compared with exact minimax.

The model is the real game: true rewards, discounts and players, uniform policies, values of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from config import MuZeroConfig
from games import connect4, othello, tictactoe
from games.boards.rules import MOVES, OUTCOME, RUNNING, BoardState, Rules
from search.mcts import Search
from search.noise import RootNoise
from search.real_game import RulesModel
from tests.helpers.toy_boards import BOXES_GAME, EDGES, NIM, Solver, after, moves, reachable

SIMULATIONS = 2000
ROWS = 16


def chosen(
    rules: Rules, num_actions: int, states: Sequence[BoardState], simulations: int, **options: Any
) -> list[int]:
    """What the search plays in each of `states`, without noise, by the configuration's defaults."""
    actions = tuple(range(num_actions))
    config = MuZeroConfig(action_space=actions, players=2, q_transform="bounds", **options)
    rows = min(ROWS, len(states))
    model = RulesModel(rules, num_actions, rows, simulations, False, np.random.default_rng(0))
    search = Search(config, rows, simulations)
    found: list[int] = []
    for first in range(0, len(states), rows):
        part = np.stack(states[first : first + rows])
        noise = RootNoise.none(len(part), num_actions)
        found += search.run(model, part, model.to_play(part), model.legal(part), noise).action.tolist()
    return found


def mistakes(
    rules: Rules,
    num_actions: int,
    states: Sequence[BoardState],
    simulations: int = SIMULATIONS,
    depth: int = 1000,
    **options: Any,
) -> list[tuple[list[int], int, list[int]]]:
    """(position, the action chosen, the best ones `depth` moves ahead) where it is not among them."""
    solver = Solver(rules, num_actions)
    pairs = zip(states, chosen(rules, num_actions, states, simulations, **options), strict=True)
    answers = ((state, action, solver.best_actions(state, depth)) for state, action in pairs)
    return [(state.tolist(), action, best) for state, action, best in answers if action not in best]


def test_every_position_of_tictactoe() -> None:
    """With the default `pb_c_init` of 1.25, the reply to one corner opening needs 4,000 simulations."""
    states = reachable(tictactoe.Game.rules, 9)
    assert len(states) == 4520
    assert not mistakes(tictactoe.Game.rules, 9, states, max_depth=9, pb_c_init=0.9)


def test_gumbel_in_tictactoe() -> None:
    """One of each eight symmetric positions. Values of [-1, 1] are not rescaled to the range found in a node.

    That would make mountains of the smallest differences: after an advantage of 0.0004 was seen in a node,
    which weighs as much as a win there, a reply that wins is never tried again.
    """
    states = distinct(reachable(tictactoe.Game.rules, 9))
    assert len(states) == 627
    early = [state for state in states if state[MOVES] < 4]
    late = [state for state in states if state[MOVES] >= 4]
    gumbel: dict[str, Any] = {"max_depth": 9, "search": "gumbel", "rescale_values": False}
    assert not mistakes(tictactoe.Game.rules, 9, early, 8000, **gumbel)
    assert not mistakes(tictactoe.Game.rules, 9, late, **gumbel)


def distinct(states: list[BoardState]) -> list[BoardState]:
    """The first of each class of symmetric positions of tic-tac-toe."""
    classes: dict[bytes, BoardState] = {}
    for state in states:
        board = (state[3:, None] >> np.arange(9) & 1).reshape(2, 3, 3)
        turned = [np.rot90(board, quarter, (1, 2)) for quarter in range(4)]
        views = [view.tobytes() for plain in turned for view in (plain, plain[:, :, ::-1])]
        classes.setdefault(min(views), state)
    return list(classes.values())


def test_every_position_of_a_game_in_which_players_move_twice() -> None:
    states = reachable(BOXES_GAME, EDGES)
    again = [
        s for s in states if any(s[0] == after(BOXES_GAME, s, a)[0] for a in moves(BOXES_GAME, s, EDGES))
    ]
    assert len(again) > 300
    assert not mistakes(BOXES_GAME, EDGES, states, max_depth=EDGES, pb_c_init=0.7)


def test_every_position_of_nim() -> None:
    assert not mistakes(NIM, 3, reachable(NIM, 3))


@pytest.mark.parametrize(
    ("depth", "games"),
    [
        (1, ["51141147467654424", "633573545454", "24432136"]),  # wins at once
        (3, ["3731566651", "3655763332166237657", "11161562226", "453661123362767715"]),  # wins in three
        (5, ["61532257132445", "77754627445547", "634171112774432544625", "64662674171143373142"]),
        (2, ["2744454476655374271", "71127572634", "7554137322517744644346"]),  # must stop a win at once
        (4, ["735654621", "427345317", "7431645115", "3347364633321271222"]),  # must stop one in three
    ],
)
def test_tactics_of_connect4(depth: int, games: list[str]) -> None:
    """Columns played so far, from 1. The first move of a shortest win is found, and what stops a threat."""
    rules, num_actions = connect4.Game.rules, connect4.Game.num_actions
    solver = Solver(rules, num_actions)
    states = [position_after(rules, columns) for columns in games]
    for state in states:
        wins = depth % 2 == 1
        assert solver.value(state, depth) == (1.0 if wins else 0.0)
        assert solver.value(state, depth - 2) == 0.0 if depth > 2 else True
        assert len(solver.best_actions(state, depth)) < len(moves(rules, state, num_actions))
    assert not mistakes(rules, num_actions, states, depth=depth)


def position_after(rules: Rules, columns: str) -> BoardState:
    """The position of Connect Four after stones in `columns`, counted from 1."""
    state = rules.start()
    for column in columns:
        assert state[OUTCOME] == RUNNING
        rules.play(state, int(column) - 1)
    return state


def test_endgames_of_othello_with_passes() -> None:
    """Random games up to their last six squares, where a pass may come within two moves, and moves differ."""
    rules, num_actions = othello.Game.rules, othello.pass_on(6) + 1
    solver = Solver(rules, num_actions)
    states = []
    for seed in range(1200):
        state = endgame(np.random.default_rng(seed), empty=6)
        legal = moves(rules, state, num_actions)
        if forces_pass(state, 2) and len(solver.best_actions(state)) < len(legal):
            states.append(state)
    assert len(states) > 20
    assert not mistakes(rules, num_actions, states)


def forces_pass(state: BoardState, depth: int) -> bool:
    """Whether one to `depth` moves can lead to a position in which there is only the pass."""
    rules, num_actions = othello.Game.rules, othello.pass_on(6) + 1
    children = [after(rules, state, action) for action in moves(rules, state, num_actions)]
    return any(
        moves(rules, child, num_actions) == [othello.pass_on(6)]
        or (depth > 1 and forces_pass(child, depth - 1))
        for child in children
    )


def endgame(generator: np.random.Generator, empty: int) -> BoardState:
    """A position of a random game of Othello with that many squares empty, or its last one before."""
    rules, num_actions = othello.Game.rules, othello.pass_on(6) + 1
    state = rules.start()
    while True:
        taken = sum(
            int(bits).bit_count() for bits in state.view(np.uint64)[othello.DISCS : othello.DISCS + 2]
        )
        if taken >= 36 - empty:
            return state
        child = after(rules, state, int(generator.choice(moves(rules, state, num_actions))))
        if child[OUTCOME] != RUNNING:
            return state
        state = child

"""The table of compiled board games does just what the plain one does, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from games import tictactoe
from games.api.sources import load_game
from games.api.spec import GameSpec
from games.boards.game import BoardGame, IllegalMoveError
from games.boards.rules import LEGAL, MOVES, compiled
from playing.board_table import BoardTable
from playing.environment import GameError
from playing.game_table import GameTable
from playing.make_table import make_table

BATCH = 5


def tables(game: str, **changes: Any) -> tuple[GameTable, BoardTable]:
    spec = load_game(game)
    config = spec.config.replace(**changes)
    return GameTable(spec, config, BATCH), BoardTable(spec, config, BATCH)


def assert_same(plain: GameTable, fast: GameTable) -> None:
    for name in ("stacks", "to_play", "legal", "returns", "seeds"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(fast, name), err_msg=name)
    assert plain.played == fast.played
    for one, other in zip(plain.environments, fast.environments, strict=True):
        np.testing.assert_array_equal(one.game.state, other.game.state)
        assert one.moves == other.moves


@pytest.mark.parametrize("stacked", [0, 2])
@pytest.mark.parametrize(
    ("game", "changes"),
    [("tictactoe", {}), ("connect4", {"max_moves": 30}), ("othello", {}), ("gomoku", {"board_size": 6})],
)
def test_random_games(game: str, changes: dict[str, Any], stacked: int) -> None:
    generator = np.random.default_rng(7)
    plain, fast = tables(game, stacked_observations=stacked, **changes)
    for table in (plain, fast):
        for row in range(BATCH):
            table.reset(row, row)
    ended = 0
    for _ in range(200):
        rows = np.flatnonzero(generator.random(BATCH) < 0.7)
        if rows.size == 0:
            continue
        keys = np.where(plain.legal[rows], generator.random((len(rows), plain.legal.shape[1])), -1)
        actions = keys.argmax(axis=1).astype(np.int32)
        expected, found = plain.step(rows, actions), fast.step(rows, actions)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
        assert_same(plain, fast)
        for row in rows[found.terminated | found.truncated]:
            ended += 1
            np.testing.assert_array_equal(plain.reset(row, ended), fast.reset(row, ended))
    assert ended > 3


def test_an_illegal_move_is_refused_and_none_is_made() -> None:
    _, table = tables("tictactoe")
    for row in range(BATCH):
        table.reset(row, 0)
    rows = np.arange(BATCH)
    table.step(rows, np.full(BATCH, 4, np.int32))
    with pytest.raises(IllegalMoveError, match="action 4 is not legal"):
        table.step(rows, np.array([0, 1, 4, 2, 3], np.int32))
    assert table.played == [[4]] * BATCH


@compiled(LEGAL)
def legal_until_move_3(state: Any, mask: Any) -> Any:
    if state[MOVES] < 3:
        return tictactoe.legal(state, mask)
    mask[:] = False
    return 0


class Stuck(tictactoe.Game):
    """Tic-tac-toe that lists no legal action after move 3, though it goes on."""

    rules = tictactoe.Game.rules._replace(legal=legal_until_move_3)


def test_a_running_game_without_a_legal_action_is_refused() -> None:
    config = load_game("tictactoe").config
    refusals = []
    for kind in (GameTable, BoardTable):
        table = kind(GameSpec("stuck", Stuck, config), config, 3)
        for row in range(3):
            table.reset(row, 0)
        for action in (0, 1):
            table.step(np.array([0, 2]), np.full(2, action, np.int32))
        with pytest.raises(GameError) as refused:
            table.step(np.array([1, 2, 0]), np.full(3, 2, np.int32))
        refusals.append(str(refused.value))
        table.reset(1, 0)
        for row in (0, 2):
            table.replay(row, 0, [0, 1])
        attempt = table.attempt(np.array([1, 2, 0]), np.full(3, 2, np.int32))
        assert attempt.rows.tolist() == [1]
        assert [len(array) for array in attempt.moves] == [1] * 4
        assert table.played[1] == [2]
        assert table.legal[1].sum() == 8
        assert [(broken.row, str(broken.error)) for broken in attempt.broken] == [
            (row, refusals[-1]) for row in (2, 0)
        ]
    why = "legal_actions is empty before the game's end; expected at least one action"
    assert refusals == [f"game 'stuck', move 3: {why}"] * 2


def test_a_table_goes_on_from_its_state() -> None:
    _, table = tables("connect4")
    for row in range(BATCH):
        table.reset(row, row)
    for column in (3, 3, 2):
        table.step(np.arange(BATCH), np.full(BATCH, column, np.int32))
    _, again = tables("connect4")
    again.load_state(table.state())
    assert_same(table, again)


def test_only_games_that_are_their_rules_get_the_fast_table() -> None:
    class Loud(BoardGame):
        rules = load_game("tictactoe").game_class.rules  # type: ignore[attr-defined]

        def step(self, action: int) -> Any:
            return super().step(action)

    config = load_game("tictactoe").config
    assert type(make_table(load_game("tictactoe"), config, 1)) is BoardTable
    assert type(make_table(GameSpec("loud", Loud, config), config, 1)) is GameTable
    assert type(make_table(load_game("cartpole"), load_game("cartpole").config, 1)) is GameTable

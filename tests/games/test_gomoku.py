"""Gomoku's compiled rules against a plain implementation, every line of a board, and its configuration."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import config
from core.errors import ConfigurationError
from games.api.sources import load_game
from games.api.spec import GameSpec
from games.boards.rules import DRAWN, MOVES, OUTCOME, RUNNING, TO_PLAY, WON_BY_0, BoardState, reward_to
from games.gomoku import CELLS, LINES, SIDE, Game, MuZeroConfig, evaluate, first_position, legal, play
from playing.environment import Environment, GameError

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def lines(side: int) -> Iterator[list[int]]:
    """The cells of every line of five."""
    for row, column, (dr, dc) in itertools.product(range(side), range(side), DIRECTIONS):
        last_row, last_column = row + 4 * dr, column + 4 * dc
        if last_row < side and 0 <= last_column < side:
            yield [(row + k * dr) * side + column + k * dc for k in range(5)]


@functools.cache
def line_table(side: int) -> NDArray[np.int64]:
    """[L, 5] the same as an array."""
    return np.array(list(lines(side)))


def plain_counts(cells: NDArray[Any], side: int) -> NDArray[np.int64]:
    """[2, 6] lines with n stones of a player and none of the other."""
    first, second = ((cells[line_table(side)] == player + 1).sum(axis=1) for player in (0, 1))
    return np.array(
        [np.bincount(first[second == 0], minlength=6), np.bincount(second[first == 0], minlength=6)]
    )


def plain_winner(cells: NDArray[Any], side: int) -> int | None:
    for player in (0, 1):
        if (cells[line_table(side)] == player + 1).all(axis=1).any():
            return player
    return None


def game_of(side: int) -> Game:
    return Game(0, MuZeroConfig(board_size=side))


def played(side: int, first: Sequence[int], second: Sequence[int]) -> BoardState:
    """The position after both players have put their stones in turn; the game runs until the last one."""
    state = first_position(side)
    for k in range(len(first) + len(second)):
        assert state[OUTCOME] == RUNNING
        play(state, (first, second)[k % 2][k // 2])
    return state


def scattered(side: int, taken: Sequence[int], number: int, generator: np.random.Generator) -> list[int]:
    """`number` (below five) cells that are not `taken`."""
    cells: list[int] = generator.permutation(np.setdiff1d(np.arange(side * side), taken))[:number].tolist()
    return cells


# --- rules ---


@settings(max_examples=25, deadline=None, derandomize=True)
@given(side=st.sampled_from([5, 6, 11, 15]), seed=st.integers(0, 2**32 - 1))
def test_random_games_are_those_of_the_plain_rules(side: int, seed: int) -> None:
    game, cells = game_of(side), np.zeros(side * side, np.int64)
    observation = game.reset()
    order = np.random.default_rng(seed).permutation(side * side)
    for move, action in enumerate(order.tolist()):
        stones = np.array([cells == 1 + move % 2, cells == 2 - move % 2], np.int8)
        np.testing.assert_array_equal(observation, stones.reshape(2, side, side))
        assert game.to_play() == move % 2
        assert game.legal_actions() == np.flatnonzero(cells == 0).tolist()
        assert -1 < evaluate(game.state) < 1
        observation, reward, over = game.step(action)
        cells[action] = 1 + move % 2
        np.testing.assert_array_equal(game.state[CELLS:], cells)
        np.testing.assert_array_equal(game.state[LINES:CELLS].reshape(2, 6), plain_counts(cells, side))
        winner = plain_winner(cells, side)
        assert reward == (winner is not None)
        assert over == (winner is not None or move + 1 == side * side)
        if over:
            expected = DRAWN if winner is None else WON_BY_0 + winner
            assert (game.state[OUTCOME], game.legal_actions()) == (expected, [])
            break


@pytest.mark.parametrize("player", [0, 1])
def test_every_line_of_the_board_wins(player: int) -> None:
    generator = np.random.default_rng(3)
    for line in lines(7):
        mine = generator.permutation(line).tolist()
        # Player 0 has five stones when player 1 completes a line: spread, so that they make none.
        other = np.setdiff1d([0, 2, 18, 26, 34, 43, 45, 47, 12, 21], line)[: 4 + player].tolist()
        state = played(7, other, mine) if player else played(7, mine, other)
        assert state[OUTCOME] == WON_BY_0 + player, line
        assert reward_to(player, state) == 1


@pytest.mark.parametrize("side", [5, 7])
def test_lines_do_not_wrap_around_the_edges(side: int) -> None:
    real = {tuple(line) for line in lines(side)}
    generator = np.random.default_rng(4)
    tried = 0
    for start, stride in itertools.product(range(side * side), (1, side - 1, side, side + 1)):
        cells = list(range(start, start + 5 * stride, stride))
        if cells[-1] < side * side and tuple(cells) not in real:
            assert played(side, cells, scattered(side, cells, 4, generator))[OUTCOME] == RUNNING
            tried += 1
    assert tried > side


@pytest.mark.parametrize("length", [6, 7, 8, 9])
@pytest.mark.parametrize(("start", "stride"), [(55, 1), (5, 11), (0, 12), (10, 10)])
def test_more_than_five_in_a_row_win(length: int, start: int, stride: int) -> None:
    line = [start + k * stride for k in range(length)]
    joint = line.pop(4)  # the last stone joins four stones and one to four more
    others = np.setdiff1d(np.arange(121), [*line, joint])[::13][: length - 1].tolist()
    state = played(11, line, others)
    assert state[OUTCOME] == RUNNING
    play(state, joint)
    assert state[OUTCOME] == WON_BY_0


def test_a_full_board_without_a_line_is_a_draw() -> None:
    generator = np.random.default_rng(0)
    for side in (5, 6):
        while True:  # a board that is full and has no line
            order = generator.permutation(side * side).tolist()
            first, second = order[::2], order[1::2]
            cells = np.where(np.isin(np.arange(side * side), first), 1, 2)
            if plain_winner(cells, side) is None:
                break
        state = played(side, first, second)
        assert (state[OUTCOME], state[MOVES]) == (DRAWN, side * side)
        assert legal(state, np.ones(side * side, bool)) == 0
        assert reward_to(0, state) == reward_to(1, state) == 0


def test_the_last_cell_of_the_board_may_win() -> None:
    generator = np.random.default_rng(1)
    for _ in range(2000):
        order = generator.permutation(25).tolist()
        cells = np.where(np.isin(np.arange(25), order[::2]), 1, 2)
        before = cells.copy()
        before[order[-1]] = 0
        if plain_winner(before, 5) is None and plain_winner(cells, 5) == 0:
            assert played(5, order[::2], order[1::2])[OUTCOME] == WON_BY_0
            return
    raise AssertionError("no such board was drawn")


# --- evaluation ---


def row_of(symbols: str) -> BoardState:
    """The position on 11 x 11 whose middle row is `symbols` and whose other rows are empty; X moves."""
    state = first_position(11)
    for column, symbol in enumerate(symbols):
        if symbol != ".":
            state[TO_PLAY] = "XO".index(symbol)
            play(state, 5 * 11 + column)
    state[TO_PLAY] = 0
    return state


def test_more_and_less_blocked_stones_in_a_row_are_better() -> None:
    rising = ["..OX", "...X", "..OXX", "...XX", "..OXXX", "...XXX", "..OXXXX"]
    guesses = [evaluate(row_of(symbols)) for symbols in rising]
    assert guesses == sorted(set(guesses))
    swapped = [evaluate(row_of(symbols.translate(str.maketrans("XO", "OX")))) for symbols in rising[:-1]]
    assert swapped == sorted(set(swapped), reverse=True)
    assert guesses[-1] > 0.95
    assert evaluate(row_of("...OOOO....")) < -0.9


def test_the_guess_is_the_same_from_every_side_of_the_board() -> None:
    generator = np.random.default_rng(6)
    for _ in range(10):
        stones = generator.permutation(81)[:20]
        guesses = []
        for board in (np.arange(81).reshape(9, 9), np.arange(81).reshape(9, 9).T):
            for k in range(4):
                state = first_position(9)
                for cell in np.rot90(board, k).ravel()[stones]:
                    play(state, int(cell))
                guesses.append(evaluate(state))
        assert len(set(guesses)) == 1


def test_the_expert_wins_at_once_blocks_and_beats_random_play() -> None:
    game = game_of(11)
    game.state = row_of("..OOO.XXXX.")
    assert game.expert_agent() in (5 * 11 + 5, 5 * 11 + 10)
    game.state = row_of(".XOOOO.....")
    assert game.expert_agent() == 5 * 11 + 6
    generator = np.random.default_rng(7)
    for number in range(6):
        game = Game(number, MuZeroConfig(board_size=9))
        while game.state[OUTCOME] == RUNNING:
            mine = game.to_play() == number % 2
            game.step(game.expert_agent() if mine else int(generator.choice(game.legal_actions())))
        assert reward_to(number % 2, game.state) == 1


# --- words ---


def test_actions_have_names_that_people_can_type(monkeypatch: pytest.MonkeyPatch) -> None:
    game = game_of(19)
    assert [game.action_to_string(action) for action in (0, 18, 19, 360)] == ["a1", "s1", "a2", "s19"]
    game.step(3 * 19 + 2)
    answers = ["c4", "b12"]
    monkeypatch.setattr("builtins.input", lambda prompt: answers.pop(0))
    assert game.human_to_action() == 11 * 19 + 1


def test_the_board_as_text() -> None:
    game = game_of(11)
    game.step(0)
    game.step(120)
    lines = game.text().splitlines()
    assert lines[0] == "   a b c d e f g h i j k"
    assert lines[1] == " 1 X . . . . . . . . . ."
    assert lines[11] == "11 . . . . . . . . . . O"


# --- configuration ---


def check_side(found: config.MuZeroConfig, side: int) -> None:
    assert found.board_size == side
    assert found.observation_shape == (2, side, side)
    assert found.action_space == tuple(range(side * side))
    assert found.max_moves == found.td_steps == found.segment_length == side * side


def test_the_side_alone_is_enough() -> None:
    check_side(MuZeroConfig(), 7)
    check_side(MuZeroConfig(board_size=0), 7)
    for side in (5, 9, 19):
        check_side(MuZeroConfig(board_size=side), side)
        check_side(MuZeroConfig().replace(board_size=side), side)
        check_side(MuZeroConfig(board_size=7).replace(board_size=side, seed=3), side)
    check_side(MuZeroConfig(board_size=9).replace(board_size=0), 7)
    check_side(MuZeroConfig(board_size=9).replace(seed=4), 9)


def test_other_options_that_were_given_stay_as_they_are() -> None:
    given_ones = MuZeroConfig(max_moves=30, td_steps=5).replace(board_size=9)
    assert (given_ones.max_moves, given_ones.td_steps, given_ones.segment_length) == (30, 5, 81)
    assert MuZeroConfig().replace(board_size=9, max_moves=12).max_moves == 12


def test_json_goes_round_with_and_without_the_games_own_class() -> None:
    changed = MuZeroConfig().replace(board_size=9, lr_init=0.01, td_steps=7)
    assert MuZeroConfig.from_json(changed.to_json()) == changed
    plain = config.MuZeroConfig.from_json(changed.to_json())
    assert plain.to_json() == changed.to_json()
    environment = Environment(GameSpec("gomoku", Game, MuZeroConfig()), plain)
    assert environment.reset(0).shape == (2, 9, 9)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"board_size": 4}, r"board_size=4 must be from 5 to 19 in gomoku"),
        ({"board_size": 20}, r"board_size=20 must be from 5 to 19 in gomoku"),
        ({"board_size": "9"}, r"board_size='9' must be int"),
        (
            {"observation_shape": (2, 9, 9)},
            r"observation_shape contradicts board_size=7: give board_size only",
        ),
        (
            {"board_size": 9, "observation_shape": (2, 11, 11)},
            r"observation_shape contradicts board_size=9: ",
        ),
        ({"board_size": 9, "action_space": range(121)}, r"action_space contradicts board_size=9: "),
        ({"max_moves": -1}, r"max_moves=-1 is out of range"),
        ({"bord_size": 9}, r"unknown option 'bord_size', did you mean 'board_size'\?"),
    ],
)
def test_contradictions_are_refused_in_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{line}") as caught:
        MuZeroConfig().replace(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [5, 11, 15])
def test_is_found_by_name_and_played_in_an_environment(side: int) -> None:
    spec = load_game("gomoku")
    environment = Environment(spec, spec.config.replace(board_size=side))
    for seed in range(2):
        assert environment.reset(seed).shape == (2, side, side)
        assert environment.legal_mask().shape == (side * side,)
        assert environment.step(side * side - 1).observation[1, -1, -1] == 1
        assert not environment.legal_mask()[-1]
        assert environment.game.state[SIDE] == side


def test_a_game_of_another_side_than_the_configuration_is_refused() -> None:
    wrong = config.MuZeroConfig.from_json(MuZeroConfig(board_size=9).to_json()).replace(board_size=7)
    with pytest.raises(GameError, match=r"observation has shape \(2, 7, 7\); expected \(2, 9, 9\)"):
        Environment(load_game("gomoku"), wrong).reset(0)

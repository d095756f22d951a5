"""Every game with rules keeps the contract of games/boards/rules.py; bitboard rules agree with naive ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.prompts import listed
from games.api.sources import OWN_GAMES, load_game
from games.boards.game import BoardGame, IllegalMoveError
from games.boards.rules import (
    DRAWN,
    EVALUATE,
    LEGAL,
    MOVES,
    OBSERVE,
    OUTCOME,
    PLAY,
    RUNNING,
    TO_PLAY,
    WON_BY_0,
    WON_BY_1,
    reward_to,
)


def is_board_game(name: str) -> bool:
    game_class: Any = load_game(name).game_class
    return isinstance(game_class, type) and issubclass(game_class, BoardGame)


BOARD_GAMES = [name for name in OWN_GAMES.names() if is_board_game(name)]


def new_game(name: str, seed: int = 0) -> BoardGame:
    game: BoardGame = load_game(name).game_class(seed)
    return game


# --- the contract ---


def stones_of(game: BoardGame) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Where player 0 and player 1 have stones [H, W], by what the player to move is shown."""
    own, other = game.observation()[:2]
    return (own, other) if game.to_play() == 0 else (other, own)


def check_position(game: BoardGame, moves: int) -> None:
    """What holds in every position that has been reached by `moves` moves."""
    state, before = game.state, game.state.copy()
    mask = np.full((2, game.num_actions), [[False], [True]])
    counts = [game.rules.legal(state, row) for row in mask]
    running = state[OUTCOME] == RUNNING
    assert counts == [mask[0].sum()] * 2
    np.testing.assert_array_equal(mask[0], mask[1], err_msg="legal writes every entry of the mask")
    assert np.flatnonzero(mask[0]).tolist() == game.legal_actions()
    assert (counts[0] > 0) == running, "a running game has a legal action, a finished one has none"
    assert state[TO_PLAY] in (0, 1)
    assert state[MOVES] == moves
    assert state[OUTCOME] in (RUNNING, WON_BY_0, WON_BY_1, DRAWN)
    assert not running or -1 < game.rules.evaluate(state) < 1
    check_observation(game)
    np.testing.assert_array_equal(state, before, err_msg="only play changes a position")


def check_observation(game: BoardGame) -> None:
    """All planes are written, no square is taken twice, and the other player would see them swapped."""
    views = []
    for player, filling in ((0, 0), (1, 0), (1, 77)):
        state = game.state.copy()
        state[TO_PLAY] ^= player
        planes = np.full(game.shape, filling, np.int8)
        game.rules.observe(state, planes)
        views.append(planes)
    np.testing.assert_array_equal(views[0], game.observation())
    np.testing.assert_array_equal(views[1], views[2], err_msg="observe writes every plane")
    np.testing.assert_array_equal(views[0][:2], views[1][1::-1])
    assert set(np.unique(views[0][:2].sum(axis=0))) <= {0, 1}


def check_move(game: BoardGame, action: int) -> bool:
    """Makes a move and checks what it changes; returns whether the game is over."""
    mover, before, kept = game.to_play(), stones_of(game), game.state
    copy = game.state.copy()
    observation, reward, over = game.step(action)
    after = stones_of(game)
    np.testing.assert_array_equal(observation, game.observation())
    assert (after[mover] >= before[mover]).all(), "the mover loses no stone by a move"
    assert (after[1 - mover] <= before[1 - mover]).all(), "the opponent gains none"
    placed = int(np.sum(after) - np.sum(before))
    assert placed in (0, 1)
    assert (after[mover].sum() > before[mover].sum()) == placed
    assert over == (game.state[OUTCOME] != RUNNING)
    assert reward == reward_to(mover, game.state) == -reward_to(1 - mover, game.state)
    assert abs(reward) == (game.state[OUTCOME] in (WON_BY_0, WON_BY_1))
    # A copy of a position is a position of its own.
    frozen = game.state.copy()
    game.rules.play(copy, action)
    np.testing.assert_array_equal(copy, frozen)
    assert kept is game.state
    np.testing.assert_array_equal(game.state, frozen)
    return over


def play_random(name: str, seed: int) -> list[NDArray[np.int64]]:
    """Plays a random game, checking everything; returns its positions."""
    config, generator = load_game(name).config, np.random.default_rng(seed)
    game = new_game(name)
    np.testing.assert_array_equal(game.reset(seed), game.observation())
    assert game.rules.start() is not game.state, "each game starts from an array of its own"
    assert (game.shape, game.num_actions) == (config.observation_shape, config.num_actions)
    states, over = [game.state.copy()], False
    check_position(game, 0)
    while not over:
        over = check_move(game, int(generator.choice(game.legal_actions())))
        check_position(game, len(states))
        states.append(game.state.copy())
    assert len(states) - 1 <= config.max_moves
    with pytest.raises(IllegalMoveError, match="the game is over"):
        game.step(0)
    return states


@pytest.mark.parametrize("name", BOARD_GAMES)
def test_conformance(name: str) -> None:
    for seed in range(20):
        states = play_random(name, seed)
        if seed < 2:
            np.testing.assert_array_equal(states, play_random(name, seed))


@pytest.mark.parametrize("name", BOARD_GAMES)
def test_rules_have_the_signatures_that_kernels_ask_for(name: str) -> None:
    rules = new_game(name).rules
    pairs = [(rules.legal, LEGAL), (rules.play, PLAY), (rules.evaluate, EVALUATE), (rules.observe, OBSERVE)]
    for function, signature in pairs:
        compiled = function.overloads[signature.args]
        assert compiled.signature.return_type == signature.return_type


@pytest.mark.parametrize("name", BOARD_GAMES)
def test_configurations_suit_a_board(name: str) -> None:
    config = load_game(name).config
    assert (config.players, config.discount) == (2, 1.0)
    assert config.td_steps >= config.max_moves, "value targets are outcomes"
    assert config.symmetry != "dihedral" or config.observation_shape[1] == config.observation_shape[2]


@pytest.mark.parametrize("name", BOARD_GAMES)
def test_reset_repeats_what_is_random(name: str) -> None:
    game, choices = new_game(name, seed=1), []
    for seed in (5, 5, 6, 7, 8):
        game.reset(seed)
        choices.append([game.generator.integers(1 << 30) for _ in range(2)])
    assert choices[0] == choices[1]
    assert len({tuple(choice) for choice in choices}) == 4


@pytest.mark.parametrize("name", BOARD_GAMES)
def test_people_see_the_board_and_name_their_moves(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game = new_game(name)
    empty, action = game.text(), game.legal_actions()[-1]
    answers = iter(["nonsense", "", f" {game.action_to_string(action).upper()} "])
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    assert game.human_to_action() == action
    assert len(prompts) == 3
    assert game.move_help in prompts[0]
    game.step(action)
    assert game.text() != empty


@pytest.mark.parametrize("action", [-1, 4, 9, 1 << 40])
def test_illegal_moves_are_refused_in_one_line(action: int) -> None:
    game = new_game("tictactoe")
    game.step(4)
    before = game.state.copy()
    with pytest.raises(
        IllegalMoveError, match=rf"^action {action} is not legal; legal are: 0 \(1\), 1 \(2\), "
    ):
        game.step(action)
    np.testing.assert_array_equal(game.state, before)
    assert issubclass(IllegalMoveError, ConfigurationError)


def test_refusals_stay_short_on_large_boards() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c"], most=2) == "a, b, ..."


def test_nobody_is_asked_for_a_move_once_the_game_is_over() -> None:
    game = new_game("tictactoe")
    for action in (0, 3, 1, 4, 2):
        game.step(action)
    for ask in (game.human_to_action, game.expert_agent):
        with pytest.raises(IllegalMoveError, match="the game is over"):
            ask()


def test_rewards_follow_the_outcome() -> None:
    state = np.zeros(3, np.int64)
    rewards = []
    for outcome in (RUNNING, WON_BY_0, WON_BY_1, DRAWN):
        state[OUTCOME] = outcome
        rewards.append((reward_to(0, state), reward_to(1, state)))
    assert rewards == [(0, 0), (1, -1), (-1, 1), (0, 0)]


# --- rules against naive rules ---


class Naive:
    """n in a row on a plain board, with or without stones that fall down."""

    def __init__(self, shape: tuple[int, int], length: int, falls: bool) -> None:
        self.board = np.zeros(shape, np.int64)  # 0, or 1 + player; row 0 is the highest
        self.length, self.falls, self.player = length, falls, 0

    def square(self, action: int) -> tuple[int, int] | None:
        """Where a stone comes to lie; None if there is no room."""
        if not self.falls:
            row, column = divmod(action, self.board.shape[1])
            return (row, column) if self.board[row, column] == 0 else None
        empty = np.flatnonzero(self.board[:, action] == 0)
        return (int(empty[-1]), action) if empty.size else None

    def outcome(self) -> int:
        """Looks at every line of every direction from every square."""
        rows, columns = self.board.shape
        for player in (1, 2):
            for row, column in np.argwhere(self.board == player):
                for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    line = [(row + i * down, column + i * right) for i in range(self.length)]
                    inside = all(0 <= r < rows and 0 <= c < columns for r, c in line)
                    if inside and all(self.board[square] == player for square in line):
                        return WON_BY_0 + player - 1
        return RUNNING if (self.board == 0).any() else DRAWN

    def play(self, action: int) -> None:
        square = self.square(action)
        assert square is not None
        self.board[square] = 1 + self.player
        self.player = 1 - self.player

    def legal(self, actions: int) -> list[int]:
        over = self.outcome() != RUNNING
        return [] if over else [action for action in range(actions) if self.square(action) is not None]


class Shape(NamedTuple):
    """What a `Naive` of a game is made of."""

    board: tuple[int, int]
    length: int
    falls: bool


SHAPES = {"tictactoe": Shape((3, 3), 3, False), "connect4": Shape((6, 7), 4, True)}


def check_against_naive(name: str, choices: list[int]) -> int:
    """Plays the same moves by both rules, as far as `choices` or the game go; returns the outcome."""
    game, naive = new_game(name), Naive(*SHAPES[name])
    for choice in choices:
        legal = naive.legal(game.num_actions)
        assert game.legal_actions() == legal
        if not legal:
            break
        action = legal[choice % len(legal)]
        naive.play(action)
        game.step(action)
        assert game.state[OUTCOME] == naive.outcome()
        assert game.to_play() == naive.player
        stones = [naive.board == 1 + naive.player, naive.board == 2 - naive.player]
        np.testing.assert_array_equal(game.observation(), stones)
    return int(game.state[OUTCOME])


@pytest.mark.parametrize("name", list(SHAPES))
@given(st.lists(st.integers(0, 1 << 30), max_size=42))
@settings(max_examples=60, deadline=None)
def test_rules_agree_with_naive_ones(name: str, choices: list[int]) -> None:
    check_against_naive(name, choices)


@pytest.mark.parametrize("name", list(SHAPES))
def test_whole_games_agree_with_naive_ones(name: str) -> None:
    generator = np.random.default_rng(3)
    outcomes = [check_against_naive(name, generator.integers(1 << 30, size=42).tolist()) for _ in range(60)]
    assert {WON_BY_0, WON_BY_1} <= set(outcomes)
    assert RUNNING not in outcomes

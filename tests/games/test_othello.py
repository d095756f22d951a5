"""Othello's compiled rules against a plain implementation, known counts, and hand-made positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from games.api.sources import load_game
from games.boards.rules import DRAWN, OUTCOME, RUNNING, TO_PLAY, WON_BY_0, WON_BY_1, BoardState, reward_to
from games.othello import DISCS, PASS, Game, MuZeroConfig, evaluate, first_position, legal, play, position
from playing.environment import Environment

RAYS = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (dr, dc) != (0, 0)]


class PlainOthello:
    """Othello on an array [8, 8] of 0 and, for players 0 and 1, 1 and -1."""

    def __init__(self) -> None:
        self.board = np.zeros((8, 8), int)
        self.board[3, 4] = self.board[4, 3] = 1
        self.board[3, 3] = self.board[4, 4] = -1
        self.player = 1

    def turned(self, row: int, column: int, player: int) -> list[tuple[int, int]]:
        found = []
        for dr, dc in RAYS if self.board[row, column] == 0 else []:
            run, r, c = [], row + dr, column + dc
            while 0 <= r < 8 and 0 <= c < 8 and self.board[r, c] == -player:
                run.append((r, c))
                r, c = r + dr, c + dc
            if 0 <= r < 8 and 0 <= c < 8 and self.board[r, c] == player:
                found += run
        return found

    def targets(self, player: int) -> list[int]:
        return [square for square in range(64) if self.turned(square // 8, square % 8, player)]

    def legal(self) -> list[int]:
        own, other = self.targets(self.player), self.targets(-self.player)
        return own or ([PASS] if other else [])

    def play(self, action: int) -> None:
        if action != PASS:
            row, column = divmod(action, 8)
            for square in self.turned(row, column, self.player):
                self.board[square] = self.player
            self.board[row, column] = self.player
        self.player = -self.player


def named(name: str) -> int:
    return PASS if name == "pass" else "abcdefgh".index(name[0]) + 8 * (int(name[1]) - 1)


def discs(rows: str) -> BoardState:
    """The position drawn in `rows`, top row first, lines parted by `/`; missing rows are empty. X moves."""
    squares = "".join(row.ljust(8, ".") for row in rows.split("/")).ljust(64, ".")
    bits = [sum(1 << i for i, square in enumerate(squares) if square == symbol) for symbol in "XO"]
    return position(np.array(bits, np.uint64), 0)


def actions(state: BoardState) -> list[int]:
    mask = np.ones(65, bool)
    number = legal(state, mask)
    assert number == mask.sum()
    return np.flatnonzero(mask).tolist()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_games_are_those_of_the_plain_rules(seed: int) -> None:
    generator = np.random.default_rng(seed)
    game, plain = Game(), PlainOthello()
    observation, moves = game.reset(), 0
    while True:
        expected = [plain.board == plain.player, plain.board == -plain.player]
        np.testing.assert_array_equal(observation, np.array(expected, np.int8))
        assert game.to_play() == (0 if plain.player == 1 else 1)
        assert game.legal_actions() == plain.legal() == actions(game.state)
        if not plain.legal():
            break
        assert -1 < evaluate(game.state) < 1
        action = int(generator.choice(plain.legal()))
        mover = plain.player
        observation, reward, over = game.step(action)
        plain.play(action)
        moves += 1
        assert over == (not plain.legal())
        assert reward == (np.sign(plain.board.sum()) * mover if over else 0)
    assert game.state[OUTCOME] == {1: WON_BY_0, -1: WON_BY_1, 0: DRAWN}[int(np.sign(plain.board.sum()))]
    assert game.state[2] == moves <= MuZeroConfig().max_moves


def test_random_games_have_passes_and_use_every_square() -> None:
    generator, seen = np.random.default_rng(1), set()
    for _ in range(30):
        game = Game()
        while game.state[OUTCOME] == RUNNING:
            action = int(generator.choice(game.legal_actions()))
            seen.add(action)
            game.step(action)
    assert len(seen) == 61


def paths(state: BoardState, depth: int) -> int:
    """Sequences of `depth` legal moves from `state`."""
    total = 0
    for action in actions(state):
        after = state.copy()
        play(after, action)
        total += paths(after, depth - 1) if depth > 1 else 1
    return total


def test_counts_of_move_sequences_are_the_known_ones() -> None:
    assert [paths(first_position(), depth) for depth in range(1, 8)] == [4, 12, 56, 244, 1396, 8200, 55092]


def test_a_player_without_a_move_passes_and_the_game_ends_when_nobody_has_one() -> None:
    state = discs("OX")  # X can enclose nothing; O can
    assert actions(state) == [PASS]
    play(state, PASS)
    assert (state[OUTCOME], state[TO_PLAY], actions(state)) == (RUNNING, 1, [named("c1")])
    play(state, named("c1"))
    assert (state[OUTCOME], actions(state)) == (WON_BY_1, [])
    assert (reward_to(0, state), reward_to(1, state)) == (-1, 1)


def test_no_pass_while_there_is_a_move() -> None:
    game = Game()
    assert PASS not in game.legal_actions()
    with pytest.raises(ValueError, match="action 64 is not legal"):
        game.step(PASS)


def test_the_shortest_game_leaves_one_player_without_discs() -> None:
    game = Game()
    for name in ["e6", "f4", "e3", "f6", "g5", "d6", "e7", "f5"]:
        assert game.step(named(name))[1:] == (0, False)
    observation, reward, over = game.step(named("c5"))
    assert (reward, over, game.legal_actions()) == (1, True, [])
    assert observation.sum(axis=(1, 2)).tolist() == [0, 13]


@pytest.mark.parametrize(("rows_of_x", "outcome"), [(4, WON_BY_0), (3, DRAWN), (2, WON_BY_1)])
def test_the_last_disc_of_a_full_board(rows_of_x: int, outcome: int) -> None:
    rows = ["XOOOOOO."] + ["X" * 8] * rows_of_x + ["O" * 8] * (7 - rows_of_x)
    state = discs("/".join(rows))
    play(state, named("h1"))
    assert state[OUTCOME] == outcome


@settings(max_examples=200, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), empty=st.floats(0.1, 0.9))
def test_any_position_has_the_plain_rules_moves(seed: int, empty: float) -> None:
    # Discs anywhere, so that every line meets the edges; bits beyond the edge belong to other rows.
    half = (1 - empty) / 2
    plain = PlainOthello()
    plain.board = np.random.default_rng(seed).choice([0, 1, -1], (8, 8), p=[empty, half, half])
    state = discs("/".join("".join(".XO"[square] for square in row) for row in plain.board))
    targets = plain.targets(1)
    assert [action for action in actions(state) if action != PASS] == targets
    for action in targets:
        after, expected = state.copy(), PlainOthello()
        expected.board = plain.board.copy()
        play(after, action)
        expected.play(action)
        np.testing.assert_array_equal(board_of(after), expected.board)


def board_of(state: BoardState) -> NDArray[np.int64]:
    first, second = state[DISCS : DISCS + 2, None] >> np.arange(64) & 1
    board: NDArray[np.int64] = (first - second).reshape(8, 8)
    return board


# --- evaluation, words, configuration ---


def test_the_guess_is_the_same_from_every_side_of_the_board() -> None:
    generator = np.random.default_rng(5)
    for _ in range(20):
        board = generator.choice(list(".XO"), (8, 8), p=[0.6, 0.2, 0.2])
        sides = [np.rot90(b, k) for b in (board, board.T) for k in range(4)]
        guesses = [evaluate(discs("/".join("".join(row) for row in side))) for side in sides]
        np.testing.assert_allclose(guesses, guesses[0])


def test_corners_and_mobility_are_good_and_late_the_lead_counts() -> None:
    assert evaluate(discs("X......./..XO..../..OX....")) > evaluate(discs("......../..XO..../..OX..../X"))
    assert evaluate(discs("O......./..XO..../..OX....")) < evaluate(discs("......../..XO..../..OX..../O"))
    assert evaluate(discs("......../.X....../..XO")) < evaluate(discs("......../......../..XO/..X"))
    few, many = ("/".join(["XXXXXXO."] + ["X" * 8] * n + ["O" * 8] * (7 - n)) for n in (2, 5))
    assert -0.98 < evaluate(discs(few)) < 0 < evaluate(discs(many)) < 0.98


def test_the_expert_beats_random_play_from_either_side() -> None:
    generator = np.random.default_rng(2)
    wins = 0
    for number in range(12):
        game = Game(seed=number)
        game.expert_depth = 2  # type: ignore[misc]
        while game.state[OUTCOME] == RUNNING:
            mine = game.to_play() == number % 2
            game.step(game.expert_agent() if mine else int(generator.choice(game.legal_actions())))
        wins += reward_to(number % 2, game.state) == 1
    assert wins >= 11


def test_actions_have_names_that_people_can_type(monkeypatch: pytest.MonkeyPatch) -> None:
    game = Game()
    assert [game.action_to_string(action) for action in (0, 7, 19, 63, PASS)] == [
        "a1",
        "h1",
        "d3",
        "h8",
        "pass",
    ]
    answers = ["e3", "D3 "]
    monkeypatch.setattr("builtins.input", lambda prompt: answers.pop(0))
    assert game.human_to_action() == 19
    game.state = discs("OX")
    answers = ["pass"]
    assert game.human_to_action() == PASS


def test_the_board_as_text() -> None:
    game = Game()
    game.step(named("d3"))
    lines = game.text().splitlines()
    assert lines[0] == "  a b c d e f g h"
    assert lines[3:6] == ["3 . . . X . . . .", "4 . . . X X . . .", "5 . . . X O . . ."]


def test_is_found_by_name_and_played_in_an_environment() -> None:
    spec = load_game("othello")
    environment = Environment(spec, spec.config)
    observation = environment.reset(0)
    assert observation.shape == spec.config.observation_shape
    assert np.flatnonzero(environment.legal_mask()).tolist() == [named(n) for n in ("d3", "c4", "f5", "e6")]
    assert environment.step(named("d3"))[1:] == (0, False, False)
    assert MuZeroConfig.from_json(spec.config.to_json()) == spec.config

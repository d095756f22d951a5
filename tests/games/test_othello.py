"""Othello's compiled rules against a plain implementation, known counts, and hand-made positions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from config import MuZeroConfig as BaseConfig
from core.errors import ConfigurationError
from games.api.sources import load_game
from games.api.spec import check_facts
from games.boards.rules import DRAWN, OUTCOME, RUNNING, TO_PLAY, WON_BY_0, WON_BY_1, BoardState, reward_to
from games.othello import DISCS, SIDE, Game, MuZeroConfig, evaluate, first_position, legal, play, position
from playing.environment import Environment

RAYS = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (dr, dc) != (0, 0)]


PASS = 64  # on the board of 8 x 8


def game_of(side: int = 8, seed: int | None = None) -> Game:
    return Game(seed, MuZeroConfig(board_size=side))


class PlainOthello:
    """Othello on an array [side, side] of 0 and, for players 0 and 1, 1 and -1."""

    def __init__(self, side: int = 8) -> None:
        self.side = side
        self.board = np.zeros((side, side), int)
        high, low = side // 2, side // 2 - 1
        self.board[low, high] = self.board[high, low] = 1
        self.board[low, low] = self.board[high, high] = -1
        self.player = 1

    def turned(self, row: int, column: int, player: int) -> list[tuple[int, int]]:
        found = []
        for dr, dc in RAYS if self.board[row, column] == 0 else []:
            run, r, c = [], row + dr, column + dc
            while 0 <= r < self.side and 0 <= c < self.side and self.board[r, c] == -player:
                run.append((r, c))
                r, c = r + dr, c + dc
            if 0 <= r < self.side and 0 <= c < self.side and self.board[r, c] == player:
                found += run
        return found

    def targets(self, player: int) -> list[int]:
        return [s for s in range(self.side**2) if self.turned(s // self.side, s % self.side, player)]

    def legal(self) -> list[int]:
        own, other = self.targets(self.player), self.targets(-self.player)
        return own or ([self.side**2] if other else [])

    def play(self, action: int) -> None:
        if action != self.side**2:
            row, column = divmod(action, self.side)
            for square in self.turned(row, column, self.player):
                self.board[square] = self.player
            self.board[row, column] = self.player
        self.player = -self.player


def named(name: str) -> int:
    return PASS if name == "pass" else "abcdefgh".index(name[0]) + 8 * (int(name[1]) - 1)


def discs(rows: str, side: int = 8) -> BoardState:
    """The position drawn in `rows`, top row first, lines parted by `/`; missing rows are empty. X moves."""
    squares = "".join(row.ljust(8, ".") for row in rows.split("/")).ljust(64, ".")
    bits = [sum(1 << i for i, square in enumerate(squares) if square == symbol) for symbol in "XO"]
    return position(np.array(bits, np.uint64), 0, side)


def actions(state: BoardState) -> list[int]:
    mask = np.ones(state[SIDE] ** 2 + 1, bool)
    number = legal(state, mask)
    assert number == mask.sum()
    return np.flatnonzero(mask).tolist()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(side=st.sampled_from([6, 8]), seed=st.integers(0, 2**32 - 1))
def test_random_games_are_those_of_the_plain_rules(side: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    game, plain = game_of(side), PlainOthello(side)
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
    assert game.state[2] == moves <= MuZeroConfig(board_size=side).max_moves


def test_random_games_have_passes_and_use_every_square() -> None:
    generator, seen = np.random.default_rng(1), set()
    for _ in range(30):
        game = game_of()
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
    assert [paths(first_position(8), depth) for depth in range(1, 8)] == [4, 12, 56, 244, 1396, 8200, 55092]


def test_a_player_without_a_move_passes_and_the_game_ends_when_nobody_has_one() -> None:
    state = discs("OX")  # X can enclose nothing; O can
    assert actions(state) == [PASS]
    play(state, PASS)
    assert (state[OUTCOME], state[TO_PLAY], actions(state)) == (RUNNING, 1, [named("c1")])
    play(state, named("c1"))
    assert (state[OUTCOME], actions(state)) == (WON_BY_1, [])
    assert (reward_to(0, state), reward_to(1, state)) == (-1, 1)


def test_no_pass_while_there_is_a_move() -> None:
    game = game_of()
    assert PASS not in game.legal_actions()
    with pytest.raises(ValueError, match="action 64 is not legal"):
        game.step(PASS)


def test_the_shortest_game_leaves_one_player_without_discs() -> None:
    game = game_of()
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
@given(side=st.sampled_from([6, 8]), seed=st.integers(0, 2**32 - 1), empty=st.floats(0.1, 0.9))
def test_any_position_has_the_plain_rules_moves(side: int, seed: int, empty: float) -> None:
    # Discs anywhere, so that every line meets the edges; bits beyond the edge belong to other rows.
    half = (1 - empty) / 2
    plain = PlainOthello(side)
    plain.board = np.random.default_rng(seed).choice([0, 1, -1], (side, side), p=[empty, half, half])
    state = discs("/".join("".join(".XO"[square] for square in row) for row in plain.board), side)
    targets = plain.targets(1)
    assert [action for action in actions(state) if action != side**2] == targets
    for action in targets:
        after, expected = state.copy(), PlainOthello(side)
        expected.board = plain.board.copy()
        play(after, action)
        expected.play(action)
        np.testing.assert_array_equal(board_of(after), expected.board)


def board_of(state: BoardState) -> NDArray[np.int64]:
    first, second = state[DISCS : DISCS + 2, None] >> np.arange(64) & 1
    side = state[SIDE]
    board: NDArray[np.int64] = (first - second).reshape(8, 8)[:side, :side]
    return board


# --- evaluation, words, configuration ---


def test_the_guess_is_the_same_from_every_side_of_the_board() -> None:
    generator = np.random.default_rng(5)
    for number in range(40):
        side = 6 + 2 * (number % 2)
        board = generator.choice(list(".XO"), (side, side), p=[0.6, 0.2, 0.2])
        turned = [np.rot90(b, k) for b in (board, board.T) for k in range(4)]
        guesses = [evaluate(discs("/".join("".join(row) for row in rows), side)) for rows in turned]
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
        game = game_of(8, number)
        game.expert_depth = 2  # type: ignore[misc]
        while game.state[OUTCOME] == RUNNING:
            mine = game.to_play() == number % 2
            game.step(game.expert_agent() if mine else int(generator.choice(game.legal_actions())))
        wins += reward_to(number % 2, game.state) == 1
    assert wins >= 11


def test_actions_have_names_that_people_can_type(monkeypatch: pytest.MonkeyPatch) -> None:
    game = game_of()
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
    game = game_of()
    game.step(named("d3"))
    lines = game.text().splitlines()
    assert lines[0] == "  a b c d e f g h"
    assert lines[3:6] == ["3 . . . X . . . .", "4 . . . X X . . .", "5 . . . X O . . ."]


def test_is_found_by_name_and_played_in_an_environment() -> None:
    spec = load_game("othello")
    chosen = spec.config.replace(board_size=8)
    environment = Environment(spec, chosen)
    observation = environment.reset(0)
    assert observation.shape == chosen.observation_shape == (2, 8, 8)
    assert np.flatnonzero(environment.legal_mask()).tolist() == [named(n) for n in ("d3", "c4", "f5", "e6")]
    assert environment.step(named("d3"))[1:] == (0, False, False, ())
    assert MuZeroConfig.from_json(chosen.to_json()) == chosen


# --- the board's side ---


def test_the_board_of_6_by_6() -> None:
    game = game_of(6)
    assert game.text().splitlines()[0] == "  a b c d e f"
    assert [game.action_to_string(action) for action in game.legal_actions()] == ["c2", "b3", "e4", "d5"]
    assert (game.action_to_string(36), game.action_to_string(35)) == ("pass", "f6")
    assert game.observation().shape == (2, 6, 6)
    with pytest.raises(ValueError, match="action 36 is not legal"):
        game.step(36)
    # The numbers of sequences on 6 x 6 (the same as on 8 x 8 until the edge matters).
    assert [paths(first_position(6), depth) for depth in range(1, 6)] == [
        plain_paths(PlainOthello(6), depth) for depth in range(1, 6)
    ]


def plain_paths(plain: PlainOthello, depth: int) -> int:
    total = 0
    for action in plain.legal():
        after = PlainOthello(plain.side)
        after.board, after.player = plain.board.copy(), plain.player
        after.play(action)
        total += plain_paths(after, depth - 1) if depth > 1 else 1
    return total


def test_nothing_is_put_or_enclosed_beyond_the_small_boards_edges() -> None:
    # Row 1 ends with O at f1: X could enclose it only from g1, which the small board has not.
    assert named("g1") in actions(discs("....XO../O", 8))
    position_on_6 = discs("....XO../O", 6)
    assert actions(position_on_6) == [36]


@pytest.mark.parametrize("side", [6, 8])
def test_the_side_alone_is_enough(side: int) -> None:
    made: tuple[BaseConfig, ...] = (MuZeroConfig(board_size=side), MuZeroConfig().replace(board_size=side))
    for found in made:
        facts = (found.observation_shape, found.action_space)
        assert facts == ((2, side, side), tuple(range(side * side + 1)))
        assert found.max_moves == found.td_steps == found.segment_length == 2 * (side * side - 4)
    assert Game().side == MuZeroConfig().board_size == MuZeroConfig(board_size=0).board_size == 6


@pytest.mark.parametrize("side", [5, 7, 10])
def test_other_sides_are_refused(side: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"board_size={side} must be 6 or 8 in othello"):
        MuZeroConfig(board_size=side)


def test_a_run_from_before_there_was_a_choice_plays_on_its_own_board() -> None:
    before = json.loads(MuZeroConfig(board_size=8).to_json()) | {"board_size": 0}
    config = BaseConfig.from_json(json.dumps(before))
    assert (config.board_size, Game(1, config).side) == (0, 8)
    spec = load_game("othello")
    check_facts(spec, config)
    assert Environment(spec, config).reset(0).shape == (2, 8, 8)

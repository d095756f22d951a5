"""Games that judge a player: seats, openings, opponents, illegal moves, and what decides them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from arena.evaluator import Evaluator
from arena.match import Match, openings_of, widest
from arena.network_player import NetworkPlayer, distinct_rows
from arena.simple_players import RandomPlayer
from core.errors import ConfigurationError
from core.project import PROJECT
from data import EvaluationResult, IntArray
from games.api.sources import load_game
from playing.environment import GameError
from playing.game_table import GameTable
from saving.checkpoint import load_checkpoint
from saving.run_folder import BEST_NAME
from tests.helpers.checkpoints import saved
from tests.helpers.toy_games import WalkConfig, random_weights, toy_game

FOREVER = float("inf")


class Scripted:
    """Plays the legal action that `choice` gives, and notes the positions in which it was asked."""

    def __init__(self, choice: Any = min) -> None:
        self.choice = choice
        self.asked: list[tuple[int, tuple[int, ...], int]] = []  # game, moves so far, player to move

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        for row in rows:
            self.asked.append((int(row), tuple(table.played[row]), int(table.to_play[row])))
        return np.array([self.choice(np.flatnonzero(table.legal[row])) for row in rows], np.int32)


def tictactoe(player: Any, opponent: Any, games: int = 6) -> Match:
    spec = load_game("tictactoe")
    return Match(spec, spec.config, games, [player, opponent])


def evaluation(seed: int = 5, games: int = 6, **changes: Any) -> EvaluationResult:
    config = WalkConfig(**changes)
    judge = Evaluator(toy_game("walk"), config, "cpu")
    judge.start(games, seed, 7, random_weights(config), "random")
    result = judge.play(FOREVER)
    assert result is not None
    return result


def test_each_side_moves_first_in_every_other_game() -> None:
    player, opponent = Scripted(), Scripted()
    match = tictactoe(player, opponent)
    match.start(0)
    assert match.play()
    first = {(game, moves) for game, moves, _ in player.asked if not moves}
    assert first == {(0, ()), (2, ()), (4, ())}
    assert {game for game, moves, _ in opponent.asked if not moves} == {1, 3, 5}
    assert all(to_play == game % 2 for game, _, to_play in player.asked)
    assert all(to_play != game % 2 for game, _, to_play in opponent.asked)


def test_returns_are_those_of_the_player_who_is_judged() -> None:
    """Whoever moves first takes 0, 2, 4, 6 and wins by the diagonal 2, 4, 6; the other takes 1, 3, 5."""
    match = tictactoe(Scripted(), Scripted())
    match.start(0)
    match.play()
    result = match.result(3, "scripted")
    assert result.returns.tolist() == [1, -1, 1, -1, 1, -1]
    assert (result.wins, result.draws, result.losses, result.score) == (3, 0, 3, 0.5)
    assert result.in_seat(0).wins == 3
    assert result.in_seat(1).losses == 3
    assert result.lengths.tolist() == [7] * 6
    assert (result.version, result.opponent) == (3, "scripted")


def test_openings_are_random_and_the_same_for_both_games_of_a_pair() -> None:
    player, opponent = Scripted(), Scripted()
    match = tictactoe(player, opponent, games=40)
    match.start(1, openings=3)
    match.play()
    openings = [tuple(actions[:3]) for actions in match.table.played]
    assert openings[::2] == openings[1::2]
    assert len(set(openings)) > 10
    assert min(len(moves) for _, moves, _ in player.asked + opponent.asked) == 3
    match.start(2, openings=3)
    assert [tuple(actions[:3]) for actions in match.table.played] != openings


def test_a_move_that_would_end_the_game_is_left_to_the_players() -> None:
    player, opponent = Scripted(), Scripted()
    match = Match(toy_game("walk"), WalkConfig(), 100, [player, opponent])
    match.start(1)
    match.play()
    lengths = [len(actions) for actions in match.table.played]
    assert min(lengths) <= 6 < max(lengths)
    for openings in (6, 60):
        player.asked, opponent.asked = [], []
        match.start(1, openings)
        before = [tuple(actions) for actions in match.table.played]
        assert before[::2] == before[1::2]
        assert [len(actions) for actions in before] == [min(openings, length - 1) for length in lengths]
        match.play()
        asked = {(game, moves) for game, moves, _ in player.asked + opponent.asked}
        assert asked >= set(enumerate(before))
        assert [len(actions) for actions in match.table.played] == lengths


def test_no_board_is_full_after_its_opening() -> None:
    match = tictactoe(Scripted(), Scripted(), games=20)
    match.start(1, openings=60)
    assert {len(actions) for actions in match.table.played} <= {4, 5, 6, 7, 8}
    assert match.play()
    assert match.result(0).lengths.min() >= 5


def test_games_begin_with_fewer_random_moves_the_shorter_they_are() -> None:
    games = ("tictactoe", "connect4", "othello")
    assert [openings_of(load_game(name).config) for name in games] == [3, 6, 6]


@pytest.mark.parametrize("answer", [99, -1, None, 2.5])
def test_what_is_no_action_is_refused_like_an_illegal_move(answer: Any) -> None:
    class Wrong(Scripted):
        def choose(self, table: GameTable, rows: NDArray[np.intp]) -> Any:
            return [answer] * len(rows)

    match = tictactoe(Scripted(), Wrong())
    match.start(0)
    with pytest.raises(GameError, match=rf"game 'tictactoe', move 0: a player chose the action {answer}, "):
        match.play()


def test_an_illegal_move_is_refused_with_its_game_and_move() -> None:
    match = tictactoe(Scripted(lambda legal: 0), Scripted())
    match.start(0)
    with pytest.raises(GameError, match=r"game 'tictactoe', move 1: a player chose the action 0"):
        match.play()


def test_a_network_without_search_plays_its_favourite_legal_action() -> None:
    config = WalkConfig()
    player = NetworkPlayer(config, 4, simulations=0)
    player.load(random_weights(config), 0)
    match = Match(toy_game("walk"), config, 4, [player, RandomPlayer(np.random.default_rng(0))])
    match.start(3)
    logits = player.planner.model.root(match.table.stacks, match.table.to_play).policy_logits.copy()
    chosen = player.choose(match.table, np.arange(4))
    assert match.table.legal[np.arange(4), chosen].all()
    for row in range(4):
        legal = np.flatnonzero(match.table.legal[row])
        assert logits[row, chosen[row]] == logits[row, legal].max()


def test_a_network_reads_its_own_part_of_a_deeper_stack() -> None:
    config = WalkConfig(stacked_observations=1)
    deeper = WalkConfig(stacked_observations=3)
    outcomes = []
    for table_config in (config, deeper):
        player = NetworkPlayer(config, 6)
        player.load(random_weights(config), 0)
        match = Match(toy_game("walk"), table_config, 6, [player, RandomPlayer(np.random.default_rng(0))])
        match.start(3)
        match.play()
        outcomes.append(match.table.played)
    assert outcomes[0] == outcomes[1]


def test_equal_positions_are_searched_once() -> None:
    config = load_game("gridworld").config.replace(evaluation_simulations=6, max_moves=8)
    player, alone = NetworkPlayer(config, 40), NetworkPlayer(config, 1)
    trained = load_checkpoint(PROJECT / "results/pretrained/gridworld" / BEST_NAME)
    for each in (player, alone):
        each.load(trained.weights, 0)
    match = Match(load_game("gridworld"), config, 40, [player])
    match.start(5)
    different = len(np.unique(match.table.stacks.reshape(40, -1), axis=0))
    everyone = np.arange(40)
    chosen = player.choose(match.table, everyone)
    assert player.network_evaluations == different * 7 < 40 * 7
    assert len(set(chosen.tolist())) > 1
    assert [int(alone.choose(match.table, everyone[i : i + 1])[0]) for i in range(40)] == chosen.tolist()


def test_equal_observations_with_other_legal_moves_are_different_positions() -> None:
    config = load_game("tictactoe").config
    player = NetworkPlayer(config, 3, simulations=0)
    player.load(random_weights(config), 0)
    match = Match(load_game("tictactoe"), config, 3, [player, player])
    favourite = int(player.choose(match.table, np.arange(3))[0])
    match.table.legal[1, favourite] = False
    chosen = player.choose(match.table, np.arange(3))
    assert chosen[0] == chosen[2] == favourite != chosen[1]


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=30))
def test_distinct_rows_are_found_in_order(rows: list[tuple[int, bool]]) -> None:
    numbers, flags = np.array([row[0] for row in rows], np.float32), np.array([row[1] for row in rows])
    first, same = distinct_rows(numbers[:, None, None], flags)
    assert [rows[i] for i in first] == list(dict.fromkeys(rows))
    assert [rows[i] for i in first[same]] == rows


def test_tables_are_as_wide_as_the_widest_network() -> None:
    deep = NetworkPlayer(WalkConfig(stacked_observations=3), 1)
    assert widest(WalkConfig(), deep).stacked_observations == 3
    assert widest(WalkConfig(stacked_observations=5), deep).stacked_observations == 5
    with pytest.raises(ConfigurationError, match="train it again"):
        widest(WalkConfig(observation_shape=(1, 1, 9)), deep)


# --- Evaluator ---


def test_evaluation_depends_on_seed_and_weights_only() -> None:
    one = evaluation()
    np.testing.assert_array_equal(one.returns, evaluation().returns)
    np.testing.assert_array_equal(one.returns, evaluation(root_exploration_fraction=1.0).returns)
    assert not np.array_equal(one.returns, evaluation(seed=6).returns)


def test_evaluation_in_many_calls_is_the_same() -> None:
    config = WalkConfig()
    judge = Evaluator(toy_game("walk"), config, "cpu")
    judge.start(6, 5, 7, random_weights(config), "random")
    assert judge.play(seconds=-1.0) is None
    result = None
    while result is None:
        result = judge.play(seconds=1e-3)
    np.testing.assert_array_equal(result.returns, evaluation().returns)
    assert (result.version, result.opponent) == (7, "random")


def test_evaluation_uses_its_own_number_of_simulations() -> None:
    config = WalkConfig(evaluation_simulations=9, num_simulations=2)
    assert NetworkPlayer(config, 2).planner.search.simulations == 9
    assert NetworkPlayer(config, 2, simulations=4).planner.search.simulations == 4


def test_games_against_a_checkpoint_begin_with_random_moves(tmp_path: Path) -> None:
    config = load_game("tictactoe").config.replace(evaluation_simulations=4)
    judge = Evaluator(load_game("tictactoe"), config, "cpu")
    judge.start(20, 1, 0, random_weights(config), str(saved(tmp_path / "best.checkpoint", seed=1)))
    assert judge.play(FOREVER) is not None
    assert judge._current is not None
    played = [tuple(actions) for actions in judge._current[0].table.played]
    assert len(set(played)) > 10


def test_an_evaluation_repeats_whatever_was_played_before() -> None:
    config = load_game("tictactoe").config.replace(evaluation_simulations=2)
    judge = Evaluator(load_game("tictactoe"), config, "cpu")
    results = []
    for seed in (3, 4, 3):
        judge.start(20, seed, 0, random_weights(config), "random")
        result = judge.play(FOREVER)
        assert result is not None
        results.append(result.lengths.tolist())
    assert results[0] == results[2] != results[1]


def test_an_evaluator_takes_one_opponent_after_another() -> None:
    config = WalkConfig()
    spec = load_game("tictactoe")
    judge = Evaluator(spec, spec.config.replace(evaluation_simulations=2), "cpu")
    weights = random_weights(judge.config)
    for opponent in ("random", "minimax", "random"):
        judge.start(10, 1, 0, weights, opponent)
        result = judge.play(FOREVER)
        assert result is not None
        assert result.opponent == opponent
        if opponent == "minimax":
            assert result.wins == 0
    assert config.players == 2

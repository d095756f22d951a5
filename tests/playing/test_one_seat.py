"""One seat of a game for several as a game for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arena.match import Match
from arena.simple_players import ExpertPlayer, RandomPlayer
from core.errors import ConfigurationError
from core.randomness import game_seed
from games.api.sources import load_game
from games.api.spec import GameSpec
from playing.environment import Environment, GameError
from playing.one_seat import one_seat
from tests.helpers.heap import HEAP, SMALLEST

GAME = load_game(HEAP)


class Taking:
    """Takes so many from the heap, or all that are left."""

    def __init__(self, most: int) -> None:
        self.most = most

    def choose(self, table: Any, rows: Any) -> Any:
        return np.minimum(self.most, table.legal[rows].sum(axis=1)) - 1


def seat_of(seat: int, *others: Any, game: GameSpec = GAME) -> Environment:
    spec = one_seat(game, seat, lambda: others)
    return Environment(spec, spec.config)


def test_the_others_move_between_two_moves_of_the_seat() -> None:
    """Of 9, the others take 1 and 2 around the seat's 3, 3: the seat in the middle takes the last."""
    environment = seat_of(1, Taking(2), Taking(1))
    seed = next(seed for seed in range(9) if SMALLEST + game_seed(seed, 0) % 5 == 9)
    assert environment.reset(seed).ravel().tolist() == [8, 1]  # 9 - 1
    step = environment.step(2)
    assert step.observation.ravel().tolist() == [2, 1]  # 8 - 3 - 2 - 1
    assert (step.reward, step.terminated, environment.to_play()) == (0.0, False, 0)
    assert environment.legal_mask().tolist() == [True, True, False]
    step = environment.step(1)
    assert (step.reward, step.terminated, step.observation.ravel().tolist()) == (1.0, True, [0, 2])


def test_what_the_others_win_is_lost_by_the_seat() -> None:
    environment = seat_of(1, Taking(2), Taking(1))
    environment.reset(next(seed for seed in range(9) if SMALLEST + game_seed(seed, 0) % 5 == 9))
    environment.step(2)
    step = environment.step(0)  # one is left, which the next takes
    assert (step.reward, step.terminated) == (-0.5, True)


def test_it_goes_on_as_in_a_match_of_all_seats() -> None:
    """Experts who draw nothing: the games from one seed are the same, seen from whichever seat."""
    for seat in range(3):
        spec = one_seat(GAME, seat, lambda: [ExpertPlayer(), ExpertPlayer()])
        alone = Environment(spec, spec.config)
        for seed in range(20):
            table = Match(GAME, GAME.config, 1, [ExpertPlayer()] * 3).table
            table.reset(0, seed)
            expert, over, total = ExpertPlayer(), False, 0.0
            while not over:
                over = bool(table.move(0, int(expert.choose(table, np.array([0]))[0])).terminated[0])
            observation = alone.reset(seed)
            terminated = False
            while not terminated:
                heap = int(observation.ravel()[0])
                observation, reward, terminated, *_ = alone.step(heap - 1 if heap <= 3 else 0)
                total += reward
            assert total == table.returns[0, seat]


def test_games_repeat_from_their_seed_whatever_the_others_draw() -> None:
    game = load_game("tictactoe")
    spec = one_seat(game, 1, lambda: [RandomPlayer(np.random.default_rng())])
    assert (spec.name, spec.config.players, spec.can.reseed) == ("tictactoe-seat-2", 1, True)
    first, second = Environment(spec, spec.config), Environment(spec, spec.config)
    begun = set()
    for seed in range(20):
        observation = first.reset(seed)
        begun.add(observation.tobytes())
        np.testing.assert_array_equal(observation, second.reset(seed))
        over = False
        while not over:
            action = int(first.legal_mask().argmax())
            one, other = first.step(action), second.step(action)
            np.testing.assert_array_equal(one.observation, other.observation)
            assert one[1:] == other[1:]
            over = one.terminated or one.truncated
    assert len(begun) > 4


def test_a_player_of_games_for_one_can_be_matched_with_it() -> None:
    spec = one_seat(load_game("tictactoe"), 0, lambda: [RandomPlayer(np.random.default_rng(0))])
    match = Match(spec, spec.config, 40, [RandomPlayer(np.random.default_rng(1))])
    match.start(0)
    assert match.play()
    assert set(match.result(0).returns.tolist()) == {-1.0, 0.0, 1.0}


def test_illegal_moves_and_moves_after_the_end_are_refused() -> None:
    environment = seat_of(0, Taking(3), Taking(3))
    environment.reset(0)
    with pytest.raises(GameError, match="a player chose the action 3"):
        environment.step(3)
    while not environment.step(int(np.flatnonzero(environment.legal_mask())[-1])).terminated:
        pass
    with pytest.raises(ConfigurationError, match="the game is over"):
        environment.step(0)


def test_games_that_end_before_the_seat_moves_are_left_out() -> None:
    environment = seat_of(2, Taking(3), Taking(3))  # of 6 the first two take all
    for seed in range(30):
        heap, player = environment.reset(seed).ravel().tolist()
        assert (heap >= 1, player) == (True, 2)


def test_where_all_games_end_before_it_moves_that_is_said() -> None:
    class Small(GAME.game_class):  # type: ignore[misc, name-defined]
        def reset(self, seed: int = 0) -> Any:
            return super().reset(0)

    small = GameSpec("small", Small, GAME.config)
    with pytest.raises(
        GameError, match=r"game 'small': 100 games from seed 7 ended before player 2 was to move"
    ):
        seat_of(2, Taking(3), Taking(3), game=small).reset(7)


def test_seats_and_others_are_counted() -> None:
    with pytest.raises(ConfigurationError, match="seat=3 must be from 0 to 2 in heap"):
        one_seat(GAME, 3, list)
    with pytest.raises(ConfigurationError, match="heap takes 2 players in its other seats, not 1"):
        seat_of(0, ExpertPlayer()).reset(0)

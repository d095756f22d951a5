"""Segments cover every played step exactly once, and targets computed from them are the whole game's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import Batch, GameHistory, SearchResult
from learning.targets import compute_targets, history_rows
from playing.exploration import moves_made
from playing.game_table import GameTable
from playing.history_builder import HistoryBuilder
from replay_buffer import ReplayBuffer
from search.planner import self_play_planner
from self_play import SelfPlay
from tests.helpers.toy_games import WalkConfig, fixed_source, toy_game

ENDS = ("terminated", "truncated", "resigned", "game_return", "game_length")
PER_STEP = ("rewards", "policies", "surprises", "exploratory")
PER_POSITION = ("root_values", "to_play", "legal_actions")
WHOLE = 10_000
Games = dict[int, list[GameHistory]]


def played(steps: int, **changes: Any) -> list[GameHistory]:
    """What a player of walks sends on; the moves do not depend on `segment_length`."""
    config = WalkConfig(**changes)
    player = SelfPlay(toy_game("walk"), config, 0, fixed_source(config), self_play_planner(config, "cpu"))
    if config.resign_value > -1:
        player.planner.plan = swinging(player.planner.plan, player.table)  # type: ignore[method-assign]
    return player.play(steps, seconds=float("inf"))[1]


def swinging(plan: Callable[..., SearchResult], table: GameTable) -> Callable[..., SearchResult]:
    """`plan` with root values between -1 and 1 that follow from the seeds and moves of games of `table`."""

    def planned(*arguments: Any) -> SearchResult:
        values = np.cos(table.seeds + 2.4 * moves_made(table))
        values = values[:, None].astype(np.float32)
        return plan(*arguments)._replace(value=values, target_value=values)

    return planned


def by_game(histories: list[GameHistory]) -> Games:
    games: Games = defaultdict(list)
    for history in histories:
        games[history.seed].append(history)
    return games


def check_segment(segment: GameHistory, whole: GameHistory, config: WalkConfig) -> None:
    """Whether `segment` is the part of `whole` that it says it is."""
    start, past, known = segment.first_step, segment.past, len(segment.rewards)
    assert past == min(config.stacked_observations, start)
    np.testing.assert_array_equal(
        segment.observations, whole.observations[start - past : start + known + 1], "observations"
    )
    np.testing.assert_array_equal(segment.actions, whole.actions[start - past : start + known], "actions")
    for name in PER_STEP:
        np.testing.assert_array_equal(
            getattr(segment, name), getattr(whole, name)[start : start + known], name
        )
    for name in PER_POSITION:
        expected = getattr(whole, name)[start : start + known + 1]
        np.testing.assert_array_equal(getattr(segment, name), expected, name)
    last = segment.game_return is not None
    if last:
        assert known == segment.steps == whole.steps - start
        assert all(getattr(segment, name) == getattr(whole, name) for name in ENDS)
    else:
        assert segment.steps == config.segment_length
        assert known == segment.steps + config.td_steps + config.num_unroll_steps
        assert (segment.terminated, segment.truncated, segment.game_length) == (False, False, None)


def check_targets(segment: GameHistory, whole: GameHistory, config: WalkConfig) -> None:
    """Whether every own step of `segment` has the targets that it has in `whole`."""
    own = np.arange(segment.steps)
    no_actions = np.full((segment.steps, config.num_unroll_steps), -1, np.int32)
    targets = [
        compute_targets(history_rows(history, 0), rows, no_actions, config.td_steps, config.discount)
        for history, rows in ((segment, segment.past + own), (whole, segment.first_step + own))
    ]
    for name, left, right in zip(targets[0]._fields, *targets, strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    segment_length=st.integers(1, 30),
    stacked_observations=st.sampled_from([0, 3]),
    td_steps=st.integers(1, 6),
    num_unroll_steps=st.integers(1, 4),
    max_moves=st.integers(4, 40),
    resign_value=st.sampled_from([-1.0, -0.96]),
)
def test_segments_are_the_game(**changes: Any) -> None:
    changes |= {"policy_surprise": 0.5, "resign_check": 0.0, "random_move_probability": 0.2}
    config = WalkConfig(**changes | {"segment_length": min(changes["segment_length"], changes["max_moves"])})
    wholes = by_game(played(400, **changes | {"segment_length": WHOLE}))
    parts = by_game(played(400, **changes))
    assert len(wholes) >= 4
    for seed, (whole,) in wholes.items():
        first_step = 0
        assert whole.steps == whole.game_length == len(whole.rewards)
        for segment in parts[seed]:
            assert segment.first_step == first_step
            first_step += segment.steps
            check_segment(segment, whole, config)
            check_targets(segment, whole, config)
        assert first_step == whole.steps


def test_a_resigned_game_ends_where_the_next_move_would_have_been() -> None:
    whole = played(2000, resign_value=-0.96, resign_check=0.0, segment_length=WHOLE)
    parts = by_game(played(2000, resign_value=-0.96, resign_check=0.0, segment_length=2))
    resigned = [history for history in whole if history.resigned]
    assert len(resigned) > 20
    assert sum(parts[history.seed][-1].first_step > 0 for history in resigned) > 5
    assert any(not history.resigned for history in whole)
    for history in whole:
        values = np.cos(history.seed + 2.4 * np.arange(history.steps + history.resigned))
        hopeless = [move for move in np.flatnonzero(values < -0.96).tolist() if move > 0]
        assert hopeless == [history.steps] * history.resigned
        if history.resigned:
            outcome = -1 if history.to_play[-1] == 0 else 1
            signs = np.where(history.to_play[:-1] == 0, 1, -1)
            assert history.game_return == pytest.approx(outcome + signs @ history.rewards)
            assert history.root_values[-1] == -1


def test_segments_of_a_running_game_are_sent_before_it_ends() -> None:
    segments = played(4 * 20, segment_length=3, max_moves=40)
    running = set(by_game(segments)) - set(by_game(played(4 * 20, segment_length=WHOLE, max_moves=40)))
    assert running
    look_ahead = WalkConfig.td_steps + WalkConfig.num_unroll_steps
    for seed in running:
        steps = sum(segment.steps for segment in by_game(segments)[seed])
        assert 0 < steps <= 20 - look_ahead


def sampled(histories: list[GameHistory], config: WalkConfig) -> dict[tuple[int, int], Batch]:
    """A sample of the buffer for every step (game, move) that it draws from `histories`."""
    buffer = ReplayBuffer(config, np.random.default_rng(0))
    buffer.add(histories)
    found = {}
    for batch in buffer.sample(40):
        for s in range(config.batch_size):
            sample = Batch._make(array[s] for array in batch)
            game, move, _ = sample.observations[0, 0].astype(int)
            known = sample.policy_mask[:-1] > 0
            found[int(game), int(move)] = sample._replace(actions=np.where(known, sample.actions, -1))
    return found


@pytest.mark.parametrize("stacked", [0, 3])
def test_samples_of_segments_are_those_of_whole_games(stacked: int) -> None:
    config = WalkConfig(stacked_observations=stacked, segment_length=4, batch_size=64, PER=False)
    changes = {"stacked_observations": stacked}
    ended = by_game(played(300, segment_length=WHOLE, **changes))
    cut = [h for h in played(300, segment_length=4, **changes) if h.seed in ended]
    whole = sampled([history for (history,) in ended.values()], config.replace(segment_length=WHOLE))
    parts = sampled(cut, config)
    assert set(parts) == set(whole)
    assert len(parts) == sum(history.steps for (history,) in ended.values())
    for step, sample in parts.items():
        for name in ("observations", "actions", *(n for n in Batch._fields if n.startswith("target"))):
            np.testing.assert_array_equal(getattr(sample, name), getattr(whole[step], name), name)
        for name in ("value_mask", "reward_mask", "policy_mask"):
            np.testing.assert_array_equal(getattr(sample, name), getattr(whole[step], name), name)


def test_what_happened_is_what_is_recorded() -> None:
    """A game is played again from its history, which has to say what the game says."""
    histories = played(400, stacked_observations=3)
    assert {history.terminated for history in histories} == {True, False}
    for history in histories:
        assert history.truncated is not history.terminated
        game = toy_game("walk").game_class()
        np.testing.assert_array_equal(game.reset(seed=history.seed), history.observations[0])
        total = 0.0
        for move, action in enumerate(history.actions.tolist()):
            legal = np.unpackbits(history.legal_actions[move], count=3)
            assert np.flatnonzero(legal).tolist() == sorted(set(game.legal_actions()))
            assert history.to_play[move] == game.to_play()
            assert history.policies[move] @ legal == pytest.approx(1)
            observation, reward, *_ = game.step(action)
            total += reward if history.to_play[move] == 0 else -reward
            np.testing.assert_array_equal(observation, history.observations[move + 1])
            assert reward == history.rewards[move]
        assert history.game_return == pytest.approx(total)


def test_memory_follows_the_configuration() -> None:
    config = WalkConfig(segment_length=6, stacked_observations=2)
    assert HistoryBuilder(config, 4, np.dtype(np.uint8)).observations.shape == (4, 2 + 6 + 3 + 2 + 1, 1, 1, 3)
    assert HistoryBuilder(config, 4, np.dtype(np.uint8)).observations.dtype == np.uint8

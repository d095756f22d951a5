"""Targets against hand-computed cases and against a slow reference that follows the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import GameHistory
from learning.targets import FINAL, StepRows, Targets, compute_targets, history_rows, sampling_frequency
from tests.helpers.histories import cut, make_history

RANDOM_ACTION = 7  # not an action: shows where the random ones went


def targets_of(
    history: GameHistory, positions: list[int], unroll: int, td_steps: int, discount: float
) -> Targets:
    random_actions = np.full((len(positions), unroll), RANDOM_ACTION, np.int32)
    rows = history_rows(history, 0)
    return compute_targets(rows, np.array(positions, np.int64), random_actions, td_steps, discount)


def test_a_game_that_terminates_is_absorbed() -> None:
    history = make_history([1, 2, 4], [10, 20, 30, 0])
    targets = targets_of(history, [0, 1, 2], unroll=4, td_steps=2, discount=0.5)
    # z0 = 1 + 2/2 + 30/4, z1 = 2 + 4/2, z2 = 4, then nothing more.
    np.testing.assert_array_equal(targets.value, [[9.5, 4, 4, 0, 0], [4, 4, 0, 0, 0], [4, 0, 0, 0, 0]])
    np.testing.assert_array_equal(targets.reward, [[1, 2, 4, 0], [2, 4, 0, 0], [4, 0, 0, 0]])
    np.testing.assert_array_equal(targets.value_mask, np.ones((3, 5)))
    np.testing.assert_array_equal(targets.reward_mask, np.ones((3, 4)))
    np.testing.assert_array_equal(targets.policy_mask, [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(targets.actions, [[0, 1, 2, 7], [1, 2, 7, 7], [2, 7, 7, 7]])
    np.testing.assert_array_equal(targets.policy[1, :2], history.policies[1:])
    np.testing.assert_array_equal(targets.policy[1, 2:], np.full((3, 3), np.float32(1 / 3)))


def test_a_truncated_game_bootstraps_from_its_last_position_and_nothing_is_known_behind_it() -> None:
    history = make_history([1, 2, 4], [10, 20, 30, 40], terminated=False, truncated=True)
    targets = targets_of(history, [1, 2], unroll=4, td_steps=2, discount=0.5)
    # z1 = 2 + 4/2 + 40/4, z2 = 4 + 40/2, z3 = 40.
    np.testing.assert_array_equal(targets.value, [[14, 24, 40, 0, 0], [24, 40, 0, 0, 0]])
    np.testing.assert_array_equal(targets.value_mask, [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(targets.reward, [[2, 4, 0, 0], [4, 0, 0, 0]])
    np.testing.assert_array_equal(targets.reward_mask, [[1, 1, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(targets.policy_mask, [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(targets.actions, [[1, 2, 7, 7], [2, 7, 7, 7]])


def test_the_opponents_rewards_and_values_count_negative() -> None:
    to_play = np.array([0, 1, 0, 1], np.int8)
    history = make_history([0, 0, 1], [0.5, 0.25, 0.75, 0], to_play=to_play)
    # Player 0 wins with the last move.
    end = targets_of(history, [0, 1, 2], unroll=1, td_steps=9, discount=1.0)
    np.testing.assert_array_equal(end.value, [[1, -1], [-1, 1], [1, 0]])
    one = targets_of(history, [0, 1, 2], unroll=1, td_steps=1, discount=1.0)
    np.testing.assert_array_equal(one.value, [[-0.25, -0.75], [-0.75, 1], [1, 0]])


def test_a_player_who_moves_twice_keeps_the_sign() -> None:
    to_play = np.array([0, 0, 1, 1, 0], np.int8)
    history = make_history(
        [1, 2, 4, 8], [0, 16, 32, 64, 128], to_play=to_play, terminated=False, truncated=True
    )
    targets = targets_of(history, [0], unroll=4, td_steps=3, discount=0.5)
    # z0 = 1 + 2/2 - 4/4 - 64/8; z1 = 2 - 4/2 - 8/4 + 128/8; z2 = 4 + 8/2 - 128/4; z3 = 8 - 128/2; z4 = 128.
    np.testing.assert_array_equal(targets.value, [[-7, 14, -24, -56, 128]])
    np.testing.assert_array_equal(targets.reward, [[1, 2, 4, 8]])


def test_returns_do_not_look_behind_an_exploratory_move() -> None:
    to_play = np.array([0, 1, 0, 1, 0], np.int8)
    exploratory = np.array([False, False, True, False])
    history = make_history([1, 2, 4, 8], [10, 20, 30, 40, 0], to_play=to_play, exploratory=exploratory)
    whole = make_history([1, 2, 4, 8], [10, 20, 30, 40, 0], to_play=to_play)
    targets, uncut = (
        targets_of(game, [0, 1, 2, 3], 1, td_steps=9, discount=0.5) for game in (history, whole)
    )
    # z0 = 1 - 2/2 + 30/4, z1 = 2 - 30/2, z2 = 30, its own root value; z3 = 8 as ever.
    np.testing.assert_array_equal(targets.value, [[7.5, -13], [-13, 30], [30, 8], [8, 0]])
    np.testing.assert_array_equal(uncut.value, [[0, 2], [2, 0], [0, 8], [8, 0]])
    for name in set(Targets._fields) - {"value"}:
        np.testing.assert_array_equal(getattr(targets, name), getattr(uncut, name), err_msg=name)
    # one step before the move, the horizon ends first
    near = targets_of(history, [0], 0, td_steps=1, discount=0.5)
    np.testing.assert_array_equal(near.value, [[1 - 20 / 2]])


def test_a_step_without_a_policy_teaches_value_and_reward() -> None:
    history = make_history([1, 2, 4], [10, 20, 30, 0])
    whole = targets_of(history, [0, 1], unroll=3, td_steps=2, discount=0.5)
    history.policies[1] = 0
    targets = targets_of(history, [0, 1], unroll=3, td_steps=2, discount=0.5)
    np.testing.assert_array_equal(targets.policy_mask, [[1, 0, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(targets.policy[0, 1], np.full(3, np.float32(1 / 3)))
    np.testing.assert_array_equal(targets.policy[0, 2], history.policies[2])
    for name in ("actions", "value", "reward", "value_mask", "reward_mask"):
        np.testing.assert_array_equal(getattr(targets, name), getattr(whole, name))


def test_a_resigned_game_is_lost_at_its_last_position_and_its_moves_behind_are_unknown() -> None:
    to_play = np.array([0, 1, 0, 1], np.int8)
    ends: dict[str, Any] = {"terminated": False, "truncated": True, "resigned": True}
    history = make_history([0, 0, 0], [0.5, 0.25, 0.75, -1], to_play=to_play, **ends)
    targets = targets_of(history, [0, 1, 2], unroll=2, td_steps=9, discount=1.0)
    # Player 1 resigned: a win for player 0, who is to move at 0 and 2.
    np.testing.assert_array_equal(targets.value, [[1, -1, 1], [-1, 1, -1], [1, -1, 0]])
    np.testing.assert_array_equal(targets.value_mask, [[1, 1, 1], [1, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(targets.reward_mask, [[1, 1], [1, 1], [1, 0]])
    assert history_rows(history, 0).versions.tolist() == [0, 0, 0, FINAL]


def test_sampling_frequency_by_hand() -> None:
    surprises = np.array([0, 3, 1, 100], np.float32)  # the last one is look-ahead
    history = make_history([0] * 4, [0] * 5, steps=3, surprises=surprises)
    np.testing.assert_allclose(sampling_frequency(history, 0.5), [0.5, 0.5 + 9 / 8, 0.5 + 3 / 8])
    np.testing.assert_allclose(sampling_frequency(history, 1.0), [0, 9 / 4, 3 / 4])
    np.testing.assert_array_equal(sampling_frequency(history, 0.0), np.ones(3))
    unknown, none = (make_history([0] * 2, [0] * 3, surprises=s) for s in (None, np.zeros(2, np.float32)))
    for calm in (unknown, none):
        np.testing.assert_array_equal(sampling_frequency(calm, 0.5), np.ones(2))
    behind_another = make_history(
        [0] * 2,
        [0] * 3,
        past=1,
        actions=np.zeros(3, np.int32),
        observations=np.zeros((4, 1, 1, 2), np.float32),
        surprises=np.array([3, 1], np.float32),
    )
    np.testing.assert_allclose(history_rows(behind_another, 1, 0.5).frequency, [1, 1.25, 0.75])


Position = dict[str, float]


def reference(history: GameHistory, t: int, td_steps: int, discount: float) -> Position:
    """The targets of position `t` of a whole game, by the definitions, one case after the other."""
    end = history.steps
    if t > end or (t == end and history.terminated):
        known = float(history.terminated)
        return {"value": 0, "value_mask": known, "reward": 0, "reward_mask": known, "policy_mask": 0}
    assert history.exploratory is not None
    drawn = [i for i in range(t, end) if history.exploratory[i]]
    moves = [i for i in range(t, t + td_steps) if i < min([end, *drawn])]
    signs = [1 if player == history.to_play[t] else -1 for player in history.to_play]
    value = sum(discount ** (i - t) * signs[i] * float(history.rewards[i]) for i in moves)
    bootstrap = t + len(moves)
    if not (history.terminated and bootstrap == end):
        value += discount ** len(moves) * signs[bootstrap] * float(history.root_values[bootstrap])
    if t == end:
        return {"value": value, "value_mask": 1, "reward": 0, "reward_mask": 0, "policy_mask": 0}
    reward = float(history.rewards[t])
    return {"value": value, "value_mask": 1, "reward": reward, "reward_mask": 1, "policy_mask": 1}


@st.composite
def games(draw: st.DrawFn) -> GameHistory:
    numbers = st.floats(-10, 10, width=32)
    steps = draw(st.integers(1, 12))
    terminated = draw(st.booleans())
    rewards = draw(st.lists(numbers, min_size=steps, max_size=steps))
    values = draw(st.lists(numbers, min_size=steps + 1, max_size=steps + 1))
    players = draw(st.lists(st.integers(0, 1), min_size=steps + 1, max_size=steps + 1))
    exploratory = draw(st.lists(st.sampled_from([False, False, True]), min_size=steps, max_size=steps))
    changes = {"to_play": np.array(players, np.int8), "exploratory": np.array(exploratory)}
    return make_history(rewards, values, terminated=terminated, truncated=not terminated, **changes)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(games(), st.integers(1, 7), st.integers(1, 15), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_every_position_and_unrolled_step_equals_the_reference(
    history: GameHistory, unroll: int, td_steps: int, discount: float
) -> None:
    targets = targets_of(history, list(range(history.steps)), unroll, td_steps, discount)
    for t in range(history.steps):
        for k in range(unroll + 1):
            expected = reference(history, t + k, td_steps, discount)
            for name, value in expected.items():
                if k < unroll or not name.startswith("reward"):
                    got = getattr(targets, name)[t, k]
                    assert got == pytest.approx(value, rel=1e-5, abs=1e-5), (name, t, k)
            if expected["policy_mask"]:
                np.testing.assert_array_equal(targets.policy[t, k], history.policies[t + k])
                assert k == unroll or targets.actions[t, k] == history.actions[t + k]
            else:
                np.testing.assert_allclose(targets.policy[t, k], 1 / 3, rtol=1e-6)
                assert k == unroll or targets.actions[t, k] == RANDOM_ACTION


@settings(derandomize=True, deadline=None, max_examples=60)
@given(games(), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_segments_with_look_ahead_give_the_whole_games_targets(
    game: GameHistory, unroll: int, td_steps: int, length: int
) -> None:
    whole = targets_of(game, list(range(game.steps)), unroll, td_steps, 0.9)
    for segment in cut(game, length, td_steps + unroll, stacked=2):
        own = [segment.past + t for t in range(segment.steps)]
        parts = targets_of(segment, own, unroll, td_steps, 0.9)
        of_game = slice(segment.first_step, segment.first_step + segment.steps)
        for part, expected in zip(parts, whole, strict=True):
            np.testing.assert_array_equal(part, expected[of_game])


@settings(derandomize=True, deadline=None, max_examples=30)
@given(games(), st.integers(0, 13))
def test_a_history_may_wrap_round_the_ring(game: GameHistory, shift: int) -> None:
    rows = history_rows(game, 0)
    size = len(rows.actions)
    turned = StepRows(*(np.roll(column, shift, axis=0) for column in rows))
    positions, random_actions = np.arange(game.steps), np.zeros((game.steps, 4), np.int32)
    straight = compute_targets(rows, positions, random_actions, 3, 0.9)
    wrapped = compute_targets(turned, (positions + shift) % size, random_actions, 3, 0.9)
    for got, expected in zip(wrapped, straight, strict=True):
        np.testing.assert_array_equal(got, expected)

"""The replay buffer: what it keeps, what it draws and how often, and what it lets be looked at again."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import replay_buffer
from config import MuZeroConfig
from core.actions import ActionSpace
from core.errors import ConfigurationError
from data import Batch, Evaluation, GameHistory, IntArray, ReanalyseResult, Snapshot, Weights
from games.api.sources import load_game
from learning.sum_tree import SumTree
from learning.targets import PAST
from playing.observations import stack_observations
from replay_buffer import PRIORITY_FLOOR, Reanalyse, ReplayBuffer
from search import planner
from search.planner import Planner, self_play_planner
from self_play import SelfPlay
from tests.helpers.histories import cut, make_history, random_history


def make_config(**changes: Any) -> MuZeroConfig:
    small: dict[str, Any] = {
        "observation_shape": (1, 1, 2),
        "action_space": (0, 1, 2),
        "batch_size": 8,
        "num_unroll_steps": 3,
        "td_steps": 2,
        "discount": 0.5,
        "replay_buffer_size": 1000,
        "learning_starts": 1,
        "max_moves": 50,
    }
    return MuZeroConfig(**(small | changes))


def make_buffer(seed: int = 0, **changes: Any) -> ReplayBuffer:
    return ReplayBuffer(make_config(**changes), np.random.default_rng(seed))


def add_games(buffer: ReplayBuffer, *lengths: int, first_seed: int = 0) -> list[GameHistory]:
    """Random games with the observations (seed, step); step t's root value is seed + t / 100."""
    games = []
    for seed, length in enumerate(lengths, first_seed):
        observations = np.array([[[[seed, t]]] for t in range(length + 1)], np.float32)
        values = np.array([*(seed + np.arange(length) / 100), 0], np.float32)
        games.append(
            random_history(
                np.random.default_rng(seed), length, seed=seed, observations=observations, root_values=values
            )
        )
    buffer.add(games)
    return games


def identities(batch: Batch) -> list[tuple[int, int]]:
    """The (seed, step) that each sample's current observation names."""
    return [(int(seed), int(step)) for seed, step in batch.observations[:, 0, 0]]


def assert_same(left: Batch, right: Batch) -> None:
    for name, a, b in zip(Batch._fields, left, right, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


# --- contents of a batch ---


def test_a_batch_holds_the_steps_it_names() -> None:
    buffer = make_buffer(batch_size=64)
    games = add_games(buffer, 5, 1, 9)
    (batch,) = buffer.sample(1)
    assert {seed for seed, _ in identities(batch)} == {0, 1, 2}
    for s, (seed, step) in enumerate(identities(batch)):
        game = games[seed]
        left = min(3, game.steps - step)
        np.testing.assert_array_equal(batch.actions[s, :left], game.actions[step : step + left])
        np.testing.assert_array_equal(batch.target_reward[s, :left], game.rewards[step : step + left])
        np.testing.assert_array_equal(batch.target_policy[s, 0], game.policies[step])
        assert batch.policy_mask[s].sum() == min(4, game.steps - step)
        assert batch.value_mask[s].all()
        assert batch.positions[s] == sum(g.steps for g in games[:seed]) + step
    assert batch.actions.min() >= 0
    assert set(batch.actions[batch.policy_mask[:, :-1] == 0]) == {0, 1, 2}


@pytest.mark.parametrize("terminated", [True, False])
@pytest.mark.parametrize("symmetry", ["none", "mirror"])
def test_next_observations_are_those_that_followed(terminated: bool, symmetry: str) -> None:
    looking_back: dict[str, Any] = {"stacked_observations": 1, "symmetry": symmetry, "action_space": (0, 1)}
    buffer = make_buffer(
        batch_size=64, consistency_loss_weight=1.0, replay_buffer_size=12, segment_length=6, **looking_back
    )
    actions = np.array([0, 1, 1, 0, 1, 0], np.int32)
    known = []
    for seed in range(9):  # several times round the ring
        observations = np.arange(14, dtype=np.float32).reshape(7, 1, 1, 2) + 100 * seed
        changes = {"observations": observations, "actions": actions, "terminated": terminated}
        policies = np.full((6, 2), 0.5, np.float32)
        generator = np.random.default_rng(seed)
        buffer.add(
            [random_history(generator, 6, policies=policies, truncated=not terminated, seed=seed, **changes)]
        )
        plain = np.zeros((7, 3, 1, 2), np.float32)  # the observation, the one before, the action between them
        plain[:, :1], plain[1:, 1:2] = observations, observations[:-1]
        plain[1:, 2] = (actions / 2)[:, None, None]
        turned = plain[..., ::-1].copy()
        turned[1:, 2] = ((1 - actions) / 2)[:, None, None]
        known.append((plain, turned))
    seen = set()
    for batch in buffer.sample(10):
        for s in range(64):
            seed, step = divmod(int(batch.observations[s, 0].min()), 100)
            step //= 2
            which = int(not np.array_equal(batch.observations[s], known[seed][0][step]))
            np.testing.assert_array_equal(batch.observations[s], known[seed][which][step])
            seen.add((seed, step, which))
            for k in range(1, 4):
                there = step + k < 6 + (not terminated)
                assert batch.next_mask[s, k - 1] == there
                if there:
                    np.testing.assert_array_equal(
                        batch.next_observations[s, k - 1], known[seed][which][step + k]
                    )
    ways = 2 if symmetry == "mirror" else 1
    assert len(seen) == buffer.status().steps * ways == 12 * ways


def test_a_batch_has_the_documented_shapes_and_dtypes() -> None:
    buffer = make_buffer(stacked_observations=2)
    add_games(buffer, 4)
    (batch,) = buffer.sample(1)
    expected = {
        "observations": ((8, 5, 1, 2), np.float32),
        "actions": ((8, 3), np.int32),
        "target_value": ((8, 4), np.float32),
        "target_reward": ((8, 3), np.float32),
        "target_policy": ((8, 4, 3), np.float32),
        "value_mask": ((8, 4), np.float32),
        "reward_mask": ((8, 3), np.float32),
        "policy_mask": ((8, 4), np.float32),
        "weights": ((8,), np.float32),
        "positions": ((8,), np.int64),
        "next_observations": ((8, 0, 5, 1, 2), np.float32),
        "next_mask": ((8, 0), np.float32),
    }
    for name, (shape, dtype) in expected.items():
        array = getattr(batch, name)
        assert (array.shape, array.dtype) == (shape, dtype), name
        assert array.flags.c_contiguous, name


def test_stacking_by_hand() -> None:
    window = np.arange(1, 9, dtype=np.uint8).reshape(2, 2, 1, 1, 2)  # newest first
    stacked = stack_observations(window, np.array([[1], [2]]), np.array([1, 0]), ActionSpace(4))
    np.testing.assert_array_equal(stacked[0, :, 0], [[1, 2], [3, 4], [0.25, 0.25]])
    np.testing.assert_array_equal(stacked[1, :, 0], [[5, 6], [0, 0], [0, 0]])
    assert stacked.dtype == np.float32


def test_observations_are_stacked_from_the_same_game_only() -> None:
    buffer = make_buffer(stacked_observations=2, batch_size=64)
    games = add_games(buffer, 4, 4)
    (batch,) = buffer.sample(1)
    assert len(set(identities(batch))) == 8
    for stacked, (seed, step) in zip(batch.observations[:, :, 0], identities(batch), strict=True):
        for i in (1, 2):
            observation, plane = stacked[2 * i - 1], stacked[2 * i]
            exists = step - i >= 0
            np.testing.assert_array_equal(observation, [seed, step - i] if exists else [0, 0])
            action = games[seed].actions[step - i] / np.float32(3) if exists else 0
            np.testing.assert_allclose(plane, [action, action], rtol=1e-6)


@pytest.mark.parametrize("terminated", [True, False])
def test_segments_are_sampled_as_the_whole_game_would_be(terminated: bool) -> None:
    changes = {"stacked_observations": 2, "batch_size": 256, "PER": False, "segment_length": 3}
    whole, parts = make_buffer(**changes), make_buffer(**changes)
    (game,) = add_games(whole, 11)
    if not terminated:
        whole, game = make_buffer(**changes), GameHistory(**(vars(game) | {"terminated": False}))
        whole.add([game])
    parts.add(cut(game, 3, look_ahead=5, stacked=2))
    assert parts.status()[:2] == whole.status()[:2] == (11, 1)
    batches = [*whole.sample(1), *parts.sample(1)]
    by_step = [{step: i for i, (_, step) in enumerate(identities(batch))} for batch in batches]
    assert set(by_step[0]) == set(by_step[1]) == set(range(11))
    for name in set(Batch._fields) - {"positions", "actions"}:
        left, right = (getattr(batch, name) for batch in batches)
        for step in range(11):
            np.testing.assert_array_equal(left[by_step[0][step]], right[by_step[1][step]], err_msg=name)


# --- priorities ---


def test_the_sum_tree_draws_exactly_by_the_cumulative_weights() -> None:
    weights = np.array([0, 3, 0, 1, 4, 0, 2.0])
    tree = SumTree(len(weights))
    tree[np.arange(7)] = weights
    drawn = tree.draw((np.arange(1000) + 0.5) / 1000)
    np.testing.assert_array_equal(np.bincount(drawn, minlength=7), weights * 100)
    assert tree.total == 10
    tree[np.array([4, 4])] = np.array([9.0, 0.0])
    assert tree.total == 6
    assert 4 not in tree.draw((np.arange(1000) + 0.5) / 1000)


def test_rounding_does_not_lead_to_a_leaf_without_weight() -> None:
    tree = SumTree(4)
    tree[np.arange(4)] = np.array([0.7, 0, 3, 0])
    last = np.nextafter(1.0, 0.0)
    assert last * 3.7 - 0.7 >= 3  # as if behind the third leaf
    assert tree.draw(np.array([last])) == 2


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([0.0, 1e-30, 0.1, 1.0, 1e30]), min_size=1, max_size=33).filter(any))
def test_the_sum_tree_never_draws_a_leaf_without_weight(weights: list[float]) -> None:
    tree = SumTree(len(weights))
    tree[np.arange(len(weights))] = np.array(weights)
    drawn = tree.draw(np.array([0.0, 0.3, 0.5, 0.9999999, np.nextafter(1.0, 0.0)]))
    assert (tree[drawn] > 0).all()


def drawn_counts(buffer: ReplayBuffer, batches: int) -> NDArray[np.int64]:
    positions = np.concatenate([batch.positions for batch in buffer.sample(batches)])
    return np.bincount(positions, minlength=buffer.next)


def chi_square(counts: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    expected = counts.sum() * probabilities / probabilities.sum()
    return float(((counts - expected) ** 2 / expected).sum())


def test_sampling_frequencies_match_the_priorities() -> None:
    buffer = make_buffer(PER_alpha=0.7)
    add_games(buffer, 20, 20)
    priorities = np.linspace(0.1, 8, 40, dtype=np.float32)
    buffer.update_priorities(np.arange(40), priorities)
    # One stratified draw stands for itself: a batch of 1 draws independently. 99.9 % quantile, 39 degrees.
    buffer.config = buffer.config.replace(batch_size=1)
    counts = drawn_counts(buffer, 20_000)
    assert chi_square(counts, (priorities + PRIORITY_FLOOR) ** 0.7) < 73
    assert chi_square(counts, priorities) > 73


def test_stratified_batches_keep_the_frequencies_with_less_variance() -> None:
    buffer = make_buffer(PER_alpha=1.0, batch_size=40)
    add_games(buffer, 40)
    priorities = np.linspace(1, 8, 40, dtype=np.float32)
    buffer.update_priorities(np.arange(40), priorities)
    assert chi_square(drawn_counts(buffer, 500), priorities + PRIORITY_FLOOR) < 39


def test_importance_weights_by_hand() -> None:
    buffer = make_buffer(PER_alpha=0.5, PER_beta=0.5, batch_size=64)
    add_games(buffer, 2)
    buffer.update_priorities(np.array([0, 1]), np.array([1, 16], np.float32) - np.float32(PRIORITY_FLOOR))
    (batch,) = buffer.sample(1)
    # p is 1/5 and 4/5, (1 / (2 p))^0.5 over its largest 1 and 1/2.
    assert set(batch.positions) == {0, 1}
    np.testing.assert_allclose(batch.weights, np.where(batch.positions == 0, 1.0, 0.5), rtol=1e-4)


def test_surprise_multiplies_the_priorities_and_the_importance_weights_leave_it_in() -> None:
    buffer = make_buffer(PER_alpha=0.5, PER_beta=1.0, batch_size=64, policy_surprise=0.5)
    surprises = np.array([0, 2], np.float32)  # frequencies 1/2 and 3/2
    buffer.add([make_history([0, 0], [0, 0, 0], surprises=surprises)])
    for priorities, ratio in (([1, 1], 1.0), ([1, 16], 4.0)):
        values = np.array(priorities, np.float32) - np.float32(PRIORITY_FLOOR)
        buffer.update_priorities(np.array([0, 1]), values)
        np.testing.assert_allclose(buffer.tree[np.array([0, 1])], [0.5, 1.5 * ratio], rtol=1e-5)
        (batch,) = buffer.sample(1)
        expected = np.where(batch.positions == 0, 1.0, 1 / ratio)
        np.testing.assert_allclose(batch.weights, expected, rtol=1e-4)


def test_an_exploratory_step_enters_with_the_priority_of_what_followed() -> None:
    buffer = make_buffer(PER_alpha=1.0, td_steps=5, discount=1.0)
    buffer.add([make_history([0, 8], [1, 2, 0], exploratory=np.array([True, False]))])
    np.testing.assert_allclose(buffer.tree[np.array([0, 1])], [7, 6], rtol=1e-3)
    (batch,) = buffer.sample(1)
    # ... and yet the value that it teaches is its own root value
    assert dict(zip(batch.positions.tolist(), batch.target_value[:, 0].tolist(), strict=True)) == {0: 1, 1: 8}


def test_without_per_surprise_alone_decides_how_often_a_step_is_drawn() -> None:
    buffer = make_buffer(PER=False, policy_surprise=0.8, batch_size=1)
    generator = np.random.default_rng(0)
    surprises = [generator.exponential(size=n).astype(np.float32) for n in (12, 30)]
    games = [random_history(generator, len(s), surprises=s) for s in surprises]
    buffer.add([*games, random_history(generator, 10)])
    shares = [0.2 + 0.8 * len(s) * s / s.sum() for s in surprises]
    batches = buffer.sample(20_000)
    counts = np.bincount([batch.positions[0] for batch in batches], minlength=buffer.next)
    # Each game keeps its weight, one for each step. 99.9 % quantile, 51 degrees.
    assert chi_square(counts, np.concatenate([*shares, np.ones(10)])) < 87
    assert chi_square(counts, np.ones(52)) > 87
    assert {float(batch.weights[0]) for batch in batches} == {1.0}
    assert buffer.tree.total == pytest.approx(52)


def test_surprise_does_nothing_unless_it_is_asked_for() -> None:
    surprised, plain = make_buffer(), make_buffer()
    game = random_history(np.random.default_rng(0), 9, surprises=np.arange(9, dtype=np.float32))
    surprised.add([game])
    plain.add([GameHistory(**(vars(game) | {"surprises": None}))])
    assert_same(surprised.sample(1)[0], plain.sample(1)[0])


def test_new_steps_have_the_distance_of_value_and_return_as_priority() -> None:
    buffer = make_buffer(PER_alpha=1.0)
    buffer.add([make_history([1, 2, 4], [10, 2, 0, 0])])
    # Returns with n = 2 and discount 1/2: 2, 4, 4.
    np.testing.assert_allclose(buffer.tree[np.arange(3)], np.array([8, 2, 4]) + PRIORITY_FLOOR)


def test_returns_beyond_the_support_count_as_its_end() -> None:
    buffer = make_buffer(PER_alpha=1.0, support_size=3, support_transform=False)
    buffer.add([make_history([10, 2, -40], [3, 2, 0, 0])])
    # Returns with n = 2 and discount 1/2: 11, -18, -40, of which the network can say 3, -3, -3.
    np.testing.assert_allclose(buffer.tree[np.arange(3)], np.array([0, 5, 3]) + PRIORITY_FLOOR)


def test_without_per_every_step_is_drawn_alike() -> None:
    buffer = make_buffer(PER=False, stacked_observations=2, segment_length=4)
    games = [random_history(np.random.default_rng(0), 10, terminated=False, truncated=True)]
    buffer.add([*cut(games[0], 4, look_ahead=5, stacked=2), *games])
    buffer.update_priorities(np.arange(buffer.next), np.linspace(1, 9, buffer.next, dtype=np.float32))
    buffer.config = buffer.config.replace(batch_size=1)
    batches = buffer.sample(10_000)
    counts = np.bincount([batch.positions[0] for batch in batches], minlength=buffer.next)
    assert np.count_nonzero(counts) == buffer.status().steps == 20
    assert chi_square(counts[counts > 0], np.ones(20)) < 44  # 99.9 % quantile, 19 degrees
    assert {float(batch.weights[0]) for batch in batches} == {1.0}


def test_priorities_of_steps_that_have_left_are_ignored() -> None:
    buffer = make_buffer(replay_buffer_size=12, max_moves=6, PER_alpha=1.0)
    add_games(buffer, 6, 6)
    (old,) = buffer.sample(1)
    add_games(buffer, 6, 6, first_seed=2)
    before = buffer.tree[np.arange(buffer.capacity)].copy()
    buffer.update_priorities(old.positions, np.full(8, 1e6, np.float32))
    np.testing.assert_array_equal(buffer.tree[np.arange(buffer.capacity)], before)
    mixed = np.array([0, 12, 3, 17, 23, 24])  # left, there, left, there, there, never given out
    buffer.update_priorities(mixed, np.arange(6, dtype=np.float32))
    changed = buffer.tree[np.array([12, 17, 23]) % buffer.capacity]
    np.testing.assert_allclose(changed, np.array([1, 3, 4]) + PRIORITY_FLOOR)


def test_priorities_of_steps_that_are_not_sampled_stay_zero() -> None:
    buffer = make_buffer(stacked_observations=2)
    buffer.add(cut(random_history(np.random.default_rng(0), 9), 4, look_ahead=5, stacked=2))
    buffer.update_priorities(np.arange(buffer.next), np.ones(buffer.next, np.float32))
    assert np.count_nonzero(buffer.tree[np.arange(buffer.next)]) == 9


@pytest.mark.parametrize("priority", [np.nan, np.inf, -1.0])
def test_an_impossible_priority_is_refused(priority: float) -> None:
    buffer = make_buffer()
    add_games(buffer, 2)
    with pytest.raises(ValueError, match="priorities"):
        buffer.update_priorities(np.array([0]), np.array([priority], np.float32))


# --- what is kept ---


def test_whole_histories_leave_oldest_first() -> None:
    buffer = make_buffer(replay_buffer_size=20, max_moves=10, batch_size=200, PER=False)
    add_games(buffer, 8, 7, 6)
    assert buffer.status()[:2] == (13, 2)
    (batch,) = buffer.sample(1)
    assert set(identities(batch)) == {(1, t) for t in range(7)} | {(2, t) for t in range(6)}
    add_games(buffer, 10, first_seed=3)
    assert buffer.status()[:2] == (16, 2)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 20), st.integers(0, 3))
def test_contents_are_the_newest_that_fit(lengths: list[int], segment: int, stacked: int) -> None:
    changes = {"replay_buffer_size": 60, "max_moves": 40, "batch_size": 512, "PER": False}
    buffer = make_buffer(segment_length=segment, stacked_observations=stacked, **changes)
    kept: list[GameHistory] = []
    for seed, length in enumerate(lengths):
        observations = np.array([[[[seed, t]]] for t in range(length + 1)], np.float32)
        game = random_history(np.random.default_rng(seed), length, seed=seed, observations=observations)
        pieces = cut(game, segment, look_ahead=5, stacked=stacked)
        kept += pieces
        status = buffer.add(pieces)
        while sum(piece.steps for piece in kept) > status.steps:
            kept.pop(0)
        steps = {(p.seed, p.first_step + t) for p in kept for t in range(p.steps)}
        assert len(steps) == status.steps <= 60
        assert status.games == sum(piece.game_return is not None for piece in kept)
        assert buffer.next - buffer.first <= buffer.capacity
        assert set(identities(buffer.sample(1)[0])) <= steps
        assert buffer.tree.total == status.steps
    assert set(identities(buffer.sample(1)[0])) == steps


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.sampled_from([0.01, 0.3, 0.5, 1.0]),
    st.integers(1, 40),
    st.sampled_from([60, 200, 1000]),
)
@settings(max_examples=60, deadline=None)
def test_a_young_buffer_keeps_a_share_of_all_steps(
    lengths: list[int], share: float, starts: int, size: int
) -> None:
    """The newest games of which so many steps fit, whatever was let go before."""
    buffer = make_buffer(replay_window=share, learning_starts=starts, replay_buffer_size=size)
    ever, kept = 0, []
    for length in lengths:
        add_games(buffer, length)
        ever += length
        kept.append(length)
        limit = max(length, min(size, max(math.ceil(share * ever), 3 * starts)))
        while sum(kept) > limit:
            kept.pop(0)
        assert (buffer.steps, buffer.games) == (sum(kept), len(kept))


def test_a_later_sitting_keeps_the_share_of_all_sittings() -> None:
    one = make_buffer(replay_window=0.5)
    add_games(one, *[10] * 20)
    assert one.steps == 100
    other = make_buffer(replay_window=0.5)
    other.load_state(one.state())
    for buffer in (one, other):
        add_games(buffer, 10, 10, first_seed=20)
        assert buffer.steps == 110
    earlier = one.state()
    del earlier.facts["ever"]
    other.load_state(earlier)
    add_games(other, 10, first_seed=22)
    assert other.steps >= 110  # nothing is forgotten for want of the count


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_bytes_never_exceed_the_budget(dtype: type) -> None:
    shape = (3, 16, 16)
    buffer = make_buffer(observation_shape=shape, replay_buffer_mb=1, replay_buffer_size=5000, max_moves=20)
    last = 0
    for seed in range(80):
        observations: NDArray[Any] = np.full((21, *shape), seed, dtype)
        status = buffer.add(
            [random_history(np.random.default_rng(seed), 20, seed=seed, observations=observations)]
        )
        allocated = sum(column.nbytes for column in buffer.rows) + buffer.tree._nodes.nbytes
        assert last <= status.bytes <= status.capacity_bytes == allocated <= 2**20
        last = status.bytes
    assert status.bytes > 0.95 * 2**20
    assert status.steps >= status.capacity_steps - 20
    (batch,) = buffer.sample(1)
    assert batch.observations.dtype == np.float32
    assert set(batch.observations.ravel()) <= set(np.arange(80, dtype=np.float32))


def test_a_history_longer_than_the_buffer_is_a_clear_error() -> None:
    buffer = make_buffer(replay_buffer_size=10, max_moves=10)
    with pytest.raises(ConfigurationError, match=r"11 steps .* raise replay_buffer_size"):
        add_games(buffer, 11)
    with pytest.raises(ConfigurationError, match="replay_buffer_mb=1 does not hold one step"):
        make_buffer(observation_shape=(3, 512, 512), replay_buffer_mb=1)
    with pytest.raises(
        ConfigurationError, match=r"replay_buffer_mb=1 holds \d+ steps .* a history may have 51"
    ):
        make_buffer(observation_shape=(3, 96, 96), replay_buffer_mb=1, max_moves=50)


def test_histories_that_do_not_fit_the_configuration_are_refused() -> None:
    buffer = make_buffer()
    with pytest.raises(ValueError, match="observation_shape"):
        buffer.add([make_history([1], [0, 0], observations=np.zeros((2, 1, 1, 3), np.float32))])
    with pytest.raises(ValueError, match="rewards of the game with seed 5"):
        buffer.add([make_history([np.nan], [0, 0], seed=5)])
    with pytest.raises(ValueError, match="surprises of the game with seed 6"):
        buffer.add([make_history([0], [0, 0], seed=6, surprises=np.array([np.inf], np.float32))])
    assert buffer.status().steps == 0
    with pytest.raises(ValueError, match="empty"):
        buffer.sample(1)


# --- snapshots ---


def test_a_snapshot_goes_on_with_identical_samples() -> None:
    changes: dict[str, Any] = {"replay_buffer_size": 30, "max_moves": 10, "stacked_observations": 1}
    changes["policy_surprise"] = 0.5
    original = make_buffer(**changes)
    add_games(original, *range(1, 9))
    for length in (9, 10):
        generator = np.random.default_rng(length)
        surprises = generator.exponential(size=length).astype(np.float32)
        exploratory = generator.random(length) < 0.5
        original.add(
            [random_history(generator, length, seed=length - 1, surprises=surprises, exploratory=exploratory)]
        )
    for _ in range(4):
        original.reanalyse_request(8)  # the cursor is now among what stays
    assert original.cursor > 45 > original.first
    original.sample(2)
    state = original.state()
    facts = json.loads(json.dumps(state.facts))
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    resumed = make_buffer(99, **changes)
    resumed.load_state(Snapshot(arrays, facts))
    for buffer in (original, resumed):
        buffer.update_priorities(np.arange(20, 60), np.arange(40, dtype=np.float32))
        add_games(buffer, 4, 9, first_seed=20)
    assert resumed.status()[:2] == original.status()[:2]
    for left, right in zip(original.sample(3), resumed.sample(3), strict=True):
        assert_same(left, right)
    requests = [buffer.reanalyse_request(5) for buffer in (original, resumed)]
    assert requests[0] is not None
    assert requests[1] is not None
    np.testing.assert_array_equal(requests[0].positions, requests[1].positions)


def test_a_snapshot_from_before_there_were_exploratory_moves() -> None:
    original = make_buffer()
    add_games(original, 6)
    old = original.state()
    del old.arrays["exploratory"]
    resumed = make_buffer(1)
    resumed.load_state(old)
    assert not resumed.rows.exploratory.any()
    assert_same(original.sample(1)[0], resumed.sample(1)[0])


def test_a_snapshot_of_an_empty_buffer() -> None:
    resumed = make_buffer(1)
    resumed.load_state(make_buffer(0).state())
    assert resumed.status().steps == 0
    for buffer in (original := make_buffer(0), resumed):
        add_games(buffer, 5)
    assert_same(original.sample(1)[0], resumed.sample(1)[0])


def test_a_smaller_buffer_takes_the_newest_of_a_snapshot() -> None:
    original = make_buffer()
    add_games(original, 10, 10, 10)
    resumed = make_buffer(replay_buffer_size=25, batch_size=200, max_moves=10)
    resumed.load_state(original.state())
    assert resumed.status()[:2] == (20, 2)
    assert {seed for seed, _ in identities(resumed.sample(1)[0])} == {1, 2}


# --- less memory ---


def test_a_buffer_that_shrinks_keeps_the_newest_half_as_it_was() -> None:
    whole, smaller = make_buffer(max_moves=10, PER=True), make_buffer(max_moves=10, PER=True)
    for buffer in (whole, smaller):
        add_games(buffer, *[10] * 30)
        buffer.update_priorities(np.arange(100, 200), np.linspace(0.1, 2, 100).astype(np.float32))
    before, after = smaller.status(), smaller.shrink()
    assert after.bytes * 2 <= before.bytes
    assert (after.steps, after.games) == (150, 15)
    assert sum(column.nbytes for column in smaller.rows) + smaller.tree._nodes.nbytes == after.capacity_bytes
    kept = smaller.state()
    for name, array in whole.state().arrays.items():
        np.testing.assert_array_equal(kept.arrays[name], array[-len(kept.arrays[name]) :], name)


@given(st.lists(st.integers(1, 10), min_size=1, max_size=60), st.lists(st.integers(1, 10), max_size=40))
@settings(max_examples=40, deadline=None)
def test_a_buffer_that_has_shrunk_is_one_that_was_made_so_small(before: list[int], later: list[int]) -> None:
    buffer = make_buffer(max_moves=10, replay_buffer_size=200, replay_window=1.0, learning_starts=20)
    add_games(buffer, *before)
    held, status = buffer.status(), buffer.shrink()
    assert status.steps <= held.steps
    assert status.capacity_steps >= min(60, held.capacity_steps)
    made = make_buffer(max_moves=10, replay_buffer_size=200, replay_window=1.0, learning_starts=20)
    made.capacity, made.tree = buffer.capacity, SumTree(buffer.capacity)
    made.rows = made.rows._replace(**{n: c[: buffer.capacity] for n, c in made.rows._asdict().items()})
    add_games(made, *before)
    for one in (buffer, made):
        add_games(one, *later, first_seed=len(before))
    assert buffer.state().arrays.keys() == made.state().arrays.keys()
    for name, array in made.state().arrays.items():
        np.testing.assert_array_equal(buffer.state().arrays[name], array, name)
    assert buffer.next - buffer.first <= buffer.capacity


def test_a_buffer_does_not_become_smaller_than_what_a_young_run_keeps() -> None:
    buffer = make_buffer(max_moves=10, learning_starts=50)
    add_games(buffer, *[10] * 60)
    sizes = [buffer.shrink().bytes // buffer.row_bytes for _ in range(4)]
    assert sizes == [300, 150, 150, 150]
    add_games(buffer, *[10] * 20, first_seed=60)  # and goes on
    assert {seed for seed, _ in identities(buffer.sample(1)[0])} <= set(range(65, 80))


# --- reanalysis ---


def test_requests_go_round_all_positions_that_have_a_value() -> None:
    buffer = make_buffer(stacked_observations=2, segment_length=4)
    game = random_history(np.random.default_rng(0), 10, terminated=False, truncated=True)
    buffer.add(cut(game, 4, look_ahead=5, stacked=2))
    seen: list[int] = []
    for _ in range(40):
        request = buffer.reanalyse_request(3)
        assert request is not None
        assert 0 < len(request.positions) <= 3
        seen += request.positions.tolist()
    valued = np.flatnonzero(buffer.rows.kind[: buffer.next] != 0).tolist()
    # 4 own + 5 ahead + the last, 4 + 2 + the last, 2 + the last, which is the position that was truncated.
    assert len(valued) == 10 + 7 + 3
    assert seen == (valued * 6)[: len(seen)]
    assert make_buffer().reanalyse_request(3) is None


def test_requests_carry_what_self_play_saw() -> None:
    buffer = make_buffer(stacked_observations=1)
    legal = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1]], np.bool_)
    to_play = np.array([0, 1, 1], np.int8)
    buffer.add(
        [
            make_history(
                [1, 2],
                [0, 1, 2],
                seed=4,
                legal_actions=np.packbits(legal, axis=1),
                to_play=to_play,
                terminated=False,
                truncated=True,
            )
        ]
    )
    request = buffer.reanalyse_request(10)
    assert request is not None
    np.testing.assert_array_equal(request.positions, [0, 1, 2])
    np.testing.assert_array_equal(request.legal_actions, legal)
    np.testing.assert_array_equal(request.to_play, to_play)
    planes = np.array([[4, 2], [4, 1], [1 / 3, 1 / 3]], np.float32)
    np.testing.assert_array_equal(request.observations[2, :, 0], planes)


def test_fresh_values_change_the_targets_they_are_the_bootstrap_of() -> None:
    buffer = make_buffer(batch_size=64, PER=False)
    buffer.add([make_history([0, 0, 0], [0, 0, 0, 0], terminated=False, truncated=True)])
    request = buffer.reanalyse_request(10)
    assert request is not None
    policies = np.tile(np.array([1, 0, 0], np.float32), (4, 1))
    values = np.array([1, 2, 4, 8], np.float32)
    buffer.reanalyse_update(ReanalyseResult(request.positions, values, policies, 1))
    (batch,) = buffer.sample(1)
    # n = 2: v2 / 4, v3 / 4, v3 / 2, v3.
    expected = np.array([[4 / 4, 8 / 4, 8 / 2, 8], [8 / 4, 8 / 2, 8, 0], [8 / 2, 8, 0, 0]])
    np.testing.assert_array_equal(batch.target_value, expected[batch.positions])
    np.testing.assert_array_equal(batch.target_policy[:, 0], np.tile([1, 0, 0], (64, 1)))


def test_only_present_steps_are_rewritten_and_never_by_older_weights() -> None:
    buffer = make_buffer(replay_buffer_size=12, max_moves=6)
    add_games(buffer, 6, 6)
    stale = buffer.reanalyse_request(12)
    assert stale is not None
    games = add_games(buffer, 6, first_seed=2)
    buffer.reanalyse_update(ReanalyseResult(stale.positions, np.full(12, 50, np.float32), None, 3))
    values = buffer.rows.root_values
    np.testing.assert_array_equal(values[np.arange(12, 18) % buffer.capacity], games[0].root_values[:6])
    np.testing.assert_array_equal(values[np.arange(6, 12) % buffer.capacity], np.full(6, 50))
    buffer.reanalyse_update(ReanalyseResult(stale.positions, np.full(12, 40, np.float32), None, 2))
    np.testing.assert_array_equal(values[np.arange(6, 12) % buffer.capacity], np.full(6, 50))


def test_every_step_is_compared_with_the_weights_that_valued_it() -> None:
    """While a game is played new weights arrive: those in between are better for its first steps only."""
    ends: dict[str, Any] = {"terminated": False, "truncated": True}
    for stacked in (0, 2):
        buffer = make_buffer(stacked_observations=stacked, segment_length=2, max_moves=6)
        game = make_history([0] * 5, [1] * 6, versions=np.array([3, 3, 5, 8, 9, 10]), **ends)
        buffer.add(cut(game, 2, 2, stacked))
        rows = np.arange(buffer.next)
        buffer.reanalyse_update(ReanalyseResult(rows, np.full(len(rows), 7, np.float32), None, 8))
        valued = rows[buffer.rows.kind[rows] != PAST]
        step = buffer.rows.observations[valued, 0, 0, 1].astype(int)
        expected = np.where(np.array([3, 3, 5, 8, 9, 10])[step] <= 8, 7, 1)
        np.testing.assert_array_equal(buffer.rows.root_values[valued], expected)
        assert set(step) == set(range(6))


def test_reanalysis_fills_in_policies_but_never_what_a_resigned_game_is_worth() -> None:
    buffer = make_buffer(batch_size=64, PER=False, discount=1.0, td_steps=9)
    ends: dict[str, Any] = {"terminated": False, "truncated": True, "resigned": True}
    policies = np.zeros((2, 3), np.float32)
    players = np.array([0, 1, 0], np.int8)
    buffer.add([make_history([0, 0], [0, 0, -1], to_play=players, policies=policies, **ends)])
    assert not buffer.sample(1)[0].policy_mask.any()
    request = buffer.reanalyse_request(3)
    assert request is not None
    fresh = np.tile(np.array([0, 1, 0], np.float32), (3, 1))
    buffer.reanalyse_update(ReanalyseResult(request.positions, np.full(3, 0.5, np.float32), fresh, 10**6))
    (batch,) = buffer.sample(1)
    np.testing.assert_array_equal(batch.target_value[batch.positions == 0, :3], np.tile([-1, 1, -1], (32, 1)))
    np.testing.assert_array_equal(batch.policy_mask[batch.positions == 0, :3], np.tile([1, 1, 0], (32, 1)))
    np.testing.assert_array_equal(batch.target_policy[:, 0], np.tile([0, 1, 0], (64, 1)))
    np.testing.assert_allclose(buffer.rows.root_values[:3], [0.5, 0.5, -1])


class SumModel:
    """A position's value is the sum of its observation; one action is much liked; no rewards."""

    def __init__(self, config: MuZeroConfig, batch: int, simulations: int, device: str) -> None:
        self.scale, self.batch, self.actions = 0.0, batch, config.num_actions
        self.seen: set[bytes] = set()

    def load(self, weights: Weights) -> None:
        self.scale = float(weights["scale"])

    def evaluate(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self.scale * observations.sum(axis=(1, 2, 3), dtype=np.float32)
        return values

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        assert len(observations) <= self.batch
        self.values = self.evaluate(observations)
        self.seen |= {observation.tobytes() for observation in observations}
        return self._evaluation(to_play.astype(np.int32))

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        return self._evaluation(np.zeros(len(parents), np.int32))

    def _evaluation(self, to_play: IntArray) -> Evaluation:
        rows = len(self.values)
        logits = np.tile(9.0 * np.arange(self.actions, dtype=np.float32), (rows, 1))
        ones, zeros = np.ones(rows, np.float32), np.zeros((rows, 1), np.float32)
        return Evaluation(self.values[:, None].copy(), zeros, ones, to_play, logits)


@pytest.mark.parametrize("search_again", [False, True])
def test_reanalysis_with_newer_weights(search_again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_buffer, "make_model", SumModel)
    config = make_config(reanalyse_policy=search_again, num_simulations=4, replay_buffer_mb=2, discount=1.0)
    buffer = ReplayBuffer(config, np.random.default_rng(0))
    legal = np.packbits(np.tile([True, True, False], (101, 1)), axis=1)
    buffer.add([random_history(np.random.default_rng(0), 100, legal_actions=legal)])
    reanalyse = Reanalyse(config)
    reanalyse.load({"scale": np.array(2, np.float32)}, version=7)
    request = buffer.reanalyse_request(100)
    assert request is not None
    result = reanalyse.refresh(request)
    assert result.version == 7
    np.testing.assert_array_equal(result.positions, request.positions)
    np.testing.assert_allclose(result.root_values, 2.0 * np.arange(100), rtol=1e-6)
    again = reanalyse.refresh(request)
    assert (result.policies is not None) == search_again
    np.testing.assert_array_equal(result.policies, again.policies)
    if result.policies is not None:
        np.testing.assert_allclose(result.policies.sum(axis=1), np.ones(100), rtol=1e-6)
        assert (result.policies[:, 2] == 0).all()
    buffer.reanalyse_update(result)
    np.testing.assert_allclose(buffer.rows.root_values[:100], 2.0 * np.arange(100), rtol=1e-6)


class NoWeights:
    def newer_than(self, version: int) -> None:
        return None


def test_batches_show_exactly_what_self_play_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "make_model", SumModel)
    config = load_game("cartpole").config.replace(
        stacked_observations=2, segment_length=4, max_moves=25, td_steps=2, num_simulations=2
    )
    player = SelfPlay(load_game("cartpole"), config, 0, NoWeights(), self_play_planner(config, "cpu"))
    buffer = ReplayBuffer(config, np.random.default_rng(0))
    for _ in range(20):
        buffer.add(player.play(50, seconds=10.0)[1])
    batches = buffer.sample(4)
    shown = {observation.tobytes() for batch in batches for observation in batch.observations}
    assert len(shown) > 100
    assert shown <= cast(SumModel, cast(Planner, player.planner).model).seen
    assert buffer.rows.past[batches[0].positions].max() == 2


def test_the_buffers_process_does_not_load_torch() -> None:
    code = "import replay_buffer, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""One stack decides: searched without noise, or by the network alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.policies import legal_policy
from playing.game_table import GameTable
from search.noise import RootNoise
from search.planner import Planner
from tests.helpers.toy_games import WalkConfig, random_weights, toy_game

ROWS = np.arange(4)


def planner(simulations: int, **changes: Any) -> Planner:
    config = WalkConfig(**changes)
    made = Planner(config, 4, simulations)
    made.load(random_weights(config), 0)
    return made


def table(**changes: Any) -> GameTable:
    made = GameTable(toy_game("walk"), WalkConfig(**changes), 4)
    for row in ROWS:
        made.replay(int(row), 80 + int(row), [])
    return made


def test_with_0_simulations_the_network_decides_alone() -> None:
    alone = planner(0)
    seen = alone.seen(table(), ROWS)
    found = alone.plan(seen)
    evaluation = alone.model.root(seen.observations, seen.to_play)
    assert found.action.tolist() == np.where(seen.legal, evaluation.policy_logits, -np.inf).argmax(1).tolist()
    np.testing.assert_allclose(found.policy, legal_policy(evaluation.policy_logits, seen.legal), rtol=1e-6)
    np.testing.assert_array_equal(found.root_value, evaluation.value)
    np.testing.assert_array_equal(found.root_value[:, 0], alone.model.evaluate(seen.observations))
    assert not found.visit_counts.any()


def test_without_noise_a_search_repeats() -> None:
    searching = planner(5)
    seen = searching.seen(table(), ROWS)
    found, again = searching.plan(seen), searching.plan(seen, RootNoise.none(4, 3))
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)
    some = searching.plan(seen.at(np.array([2, 0])))
    assert some.action.tolist() == found.action[[2, 0]].tolist()
    np.testing.assert_array_equal(some.visit_counts, found.visit_counts[[2, 0]])


def test_positions_are_stacked_as_deep_as_the_network_reads() -> None:
    deep = table(stacked_observations=3)
    seen = planner(1, stacked_observations=1).seen(deep, ROWS)
    assert seen.observations.shape == (4, WalkConfig(stacked_observations=1).stacked_channels, 1, 3)
    assert seen.observations.flags.c_contiguous
    np.testing.assert_array_equal(seen.observations, deep.stacks[:, :3])

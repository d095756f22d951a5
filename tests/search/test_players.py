"""Whose values they are: two players in any order of moves, three players, and chance."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from config import MuZeroConfig
from data import CHANCE_PLAYER, SearchResult
from search.mcts import Search
from search.noise import RootNoise
from search.rules.uct import Uct
from search.tree import Tree
from tests.helpers.mcts_models import World, WorldModel, random_world
from tests.helpers.mcts_reference import Node, ReferenceSearch

STATES, ACTIONS, SIMULATIONS, ROWS = 48, 3, 40, 4
SMALLEST_GAP = 1e-6


class Kind(NamedTuple):
    """A kind of worlds: how many players, and whose turn it is by state."""

    players: int
    to_play: NDArray[np.int32]  # [M]


def whose_turn(*pattern: int) -> NDArray[np.int32]:
    return np.resize(np.array(pattern, np.int32), STATES)


KINDS = {
    "one after the other": Kind(2, whose_turn(0, 1)),
    "A A B B": Kind(2, whose_turn(0, 0, 1, 1)),
    "three in turn": Kind(3, whose_turn(0, 1, 2)),
    "three in any order": Kind(3, whose_turn(2, 0, 0, 1, 2, 2, 1)),
    "one and chance": Kind(1, whose_turn(0, CHANCE_PLAYER)),
    "two and chance": Kind(2, whose_turn(0, CHANCE_PLAYER, 1, 1, CHANCE_PLAYER, CHANCE_PLAYER)),
    "three and chance": Kind(3, whose_turn(0, 1, CHANCE_PLAYER, 2)),
}


def make_world(kind: Kind, generator: np.random.Generator) -> World:
    """A random world of this kind, in whose order of turns each state leads to the next one's."""
    world = random_world(generator, STATES, ACTIONS)
    following = (
        np.arange(STATES)[:, None] + 1 + len(set(kind.to_play)) * generator.integers(0, 9, (STATES, 3))
    )
    world = world._replace(next_state=(following % STATES).astype(np.int32), to_play=kind.to_play)
    world = world._replace(discount=np.abs(world.discount))
    if kind.players <= 2:
        return world
    return world._replace(
        reward=generator.uniform(-1, 1, (STATES, ACTIONS, kind.players)),
        value=generator.normal(size=(STATES, kind.players)),
    )


def compare_trees(tree: Tree, row: int, node: int, theirs: Node) -> None:
    """The nodes below this one have the same visits, values, and action values as the reference's."""
    edges, own = tree.edges[row, node], tree.nodes[row, node]
    np.testing.assert_array_equal(edges["visits"], theirs.child_visits())
    assert own["to_play"] == theirs.to_play
    values = theirs.values if tree.value.shape[2] > 1 else theirs.values[[theirs.to_play]]
    np.testing.assert_allclose(tree.value[row, node], values, atol=1e-9)
    for action, child in theirs.children.items():
        assert edges["q"][action] == pytest.approx(child.q, abs=1e-9)
        compare_trees(tree, row, int(edges["child"][action]), child)


def searched(search: Search, world: World, states: NDArray[np.int32], gumbel: Any) -> SearchResult:
    noise = RootNoise.none(len(states), ACTIONS, np.float64)._replace(gumbel=gumbel)
    legal = np.ones((len(states), ACTIONS), np.bool_)
    return search.run(WorldModel(world, SIMULATIONS), states, world.to_play[states], legal, noise)


@pytest.mark.parametrize("rule", ["puct", "gumbel"])
@pytest.mark.parametrize("name", KINDS)
def test_equals_the_slow_reference(name: str, rule: Literal["puct", "gumbel"]) -> None:
    kind = KINDS[name]
    actions = tuple(range(ACTIONS))
    config = MuZeroConfig(
        action_space=actions,
        num_simulations=SIMULATIONS,
        search=rule,
        players=kind.players,
        max_num_considered_actions=2,  # of three: one stays unvisited, and has the mixed value
    )
    search = Search(config, ROWS, dtype=np.float64)
    legal = np.ones(ACTIONS, np.bool_)
    compared = []

    @settings(derandomize=True, deadline=None, max_examples=15, database=None)
    @given(st.integers(0, 2**32 - 1))
    def compare(seed: int) -> None:
        generator = np.random.default_rng(seed)
        world = make_world(kind, generator)
        states = generator.choice(np.flatnonzero(kind.to_play >= 0), ROWS).astype(np.int32)
        gumbel = generator.gumbel(size=(ROWS, ACTIONS))
        result = searched(search, world, states, gumbel)
        for row, state in enumerate(states):
            reference = ReferenceSearch(world, config, int(state), legal)
            action = None
            if rule == "gumbel":
                action = reference.run_gumbel(gumbel[row])
            else:
                reference.run_puct()
            if reference.gap < SMALLEST_GAP:
                continue
            compared.append(row)
            compare_trees(search.tree, row, 0, reference.root)
            assert action in (None, result.action[row])
            if rule == "puct":
                np.testing.assert_allclose(result.value[row], search.tree.value[row, 0], atol=1e-12)
            else:
                np.testing.assert_allclose(
                    result.value[row], worth_to_all(reference, result.value.shape[1]), atol=1e-9
                )

    compare()
    assert len(compared) > 15 * ROWS * 0.9


def worth_to_all(reference: ReferenceSearch, components: int) -> NDArray[np.float64]:
    """What playing by the improved policy is worth to each player; unvisited actions have the mixed value."""
    root = reference.root
    policy, visits = reference.improved_policy(root), root.child_visits()
    children = [root.children.get(a) for a in range(ACTIONS)]
    returns = np.array([root.raw if child is None else child.returns for child in children])
    seen = visits > 0
    mean = (root.prior[seen, None] * returns[seen]).sum(0) / root.prior[seen].sum()
    mixed = (root.raw + visits.sum() * mean) / (1 + visits.sum())
    worth = (policy[:, None] * np.where(seen[:, None], returns, mixed)).sum(0)
    return np.asarray(worth if components > 1 else worth[[root.to_play]])


def max_n(world: World, state: int) -> NDArray[np.float64]:
    """What perfect play of everybody brings to each in a world that ends (Luckhardt & Irani 1986)."""
    if not world.discount[state].any():
        return np.asarray(world.reward[state, 0])
    values = [max_n(world, int(following)) for following in world.next_state[state]]
    return values[int(np.argmax([value[world.to_play[state]] for value in values]))]


def ending_world(generator: np.random.Generator, depth: int) -> World:
    """A tree of three players' moves, two at a time, whose ends pay, each player otherwise; values are 0.

    No two ends pay the same to a player: nobody is indifferent, on which all others' values would hang.
    """
    inner, ends = 2**depth - 1, 2**depth
    states = inner + ends
    reward = np.zeros((states, 2, 3))
    pay = np.linspace(-1, 1, ends)
    reward[inner:] = np.stack([generator.permutation(pay) for _ in range(3)], axis=1)[:, None]
    return World(
        next_state=(np.arange(states)[:, None] * 2 + [1, 2]).clip(max=states - 1).astype(np.int32),
        reward=reward,
        discount=np.where(np.arange(states) < inner, 1.0, 0.0)[:, None].repeat(2, 1),
        value=np.zeros((states, 3)),
        logits=np.zeros((states, 2)),
        to_play=generator.integers(0, 3, states).astype(np.int32),
    )


@pytest.mark.parametrize("rule", ["puct", "gumbel", "uct"])
def test_three_players_play_perfectly_by_a_perfect_model(rule: str) -> None:
    """Each chooses what is best for itself, against brute force; the root's values are those of all."""
    config = MuZeroConfig(
        action_space=(0, 1),
        num_simulations=4000,
        search="gumbel" if rule == "gumbel" else "puct",
        players=3,
        q_transform="bounds",
        rescale_values=False,
        value_scale=0.02,  # more would have Gumbel never again try what once looked a little worse
    )
    search = Search(config, 1, dtype=np.float64, rule=Uct(0.5) if rule == "uct" else None)
    legal, root = np.ones((1, 2), np.bool_), np.zeros(1, np.int32)
    for seed in range(20):
        world = ending_world(np.random.default_rng(seed), 3)
        noise = RootNoise.none(1, 2, np.float64)
        found = search.run(WorldModel(world, 4000), root, world.to_play[root], legal, noise)
        mover, best = int(world.to_play[0]), max_n(world, 0)
        assert max_n(world, int(world.next_state[0, found.action[0]]))[mover] == best[mover], seed
        np.testing.assert_allclose(found.value[0], best, atol=0.25)

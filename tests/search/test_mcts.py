"""The search on worlds whose answers follow by hand, and its rules one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from config import MuZeroConfig
from data import Evaluation, IntArray, SearchResult
from search.mcts import Search, UniformModel, advance, plant, read, warm_up
from search.noise import RootNoise, legal_dirichlet
from search.rules.gumbel import considered_visits
from search.rules.rule import draw_noise
from search.rules.uct import Uct
from search.tree import ROOT
from tests.helpers.mcts_models import World, WorldModel, random_world
from tests.helpers.mcts_reference import ReferenceSearch

STATES = 32


def make_config(actions: int, simulations: int, **options: Any) -> MuZeroConfig:
    return MuZeroConfig(action_space=tuple(range(actions)), num_simulations=simulations, **options)


def uct(config: MuZeroConfig, rows: int, constant: float, dtype: type = np.float64) -> Search:
    return Search(config, rows, dtype=dtype, rule=Uct(constant))


def run(search: Search, world: World, states: Any, legal: Any = None, **noise: Any) -> SearchResult:
    """Searches a world without noise other than the given."""
    states = np.asarray(states, np.int32)
    shape = len(states), search.config.num_actions
    legal = np.ones(shape, np.bool_) if legal is None else np.asarray(legal, np.bool_)
    temperature = noise.pop("temperature", 0.0)
    root_noise = RootNoise.none(*shape, search.dtype.type)._replace(**noise)
    model = WorldModel(world, search.simulations, search.dtype.type)
    return search.run(model, states, world.to_play[states], legal, root_noise, temperature)


def bandit(rewards: list[float], logits: list[float] | None = None) -> World:
    """One state, whose actions pay and lead nowhere: discount 0."""
    actions = len(rewards)
    return World(
        next_state=np.zeros((1, actions), np.int32),
        reward=np.array([rewards]),
        discount=np.zeros((1, actions)),
        value=np.zeros(1),
        logits=np.array([logits or [0.0] * actions]),
        to_play=np.zeros(1, np.int32),
    )


@pytest.mark.parametrize(("weight", "visits"), [(1.25, [3, 2]), (4.0, [2, 3])])
def test_puct_by_hand(weight: float, visits: list[int]) -> None:
    """A bandit that pays 1 and 0, prior 0.3 and 0.7: five simulations, known bounds [0, 1].

    Scores are Q + prior * c * sqrt(n) / (1 + visits), n counting the root's own evaluation, c = pb_c_init
    (which grows by less than 0.001):
    n=1: 0.30c : 0.70c -> 1.  n=2: 0.42c : 0.49c -> 1.  n=3: 0.52c : 0.40c -> 0.
    n=4: 1 + 0.30c : 0.47c -> 0.  n=5: 1 + 0.22c : 0.52c -> 0 if c = 1.25, 1 if c = 4.
    """
    search = Search(make_config(2, 5, pb_c_init=weight, **bounds01()), 1, dtype=np.float64)
    result = run(search, bandit([1.0, 0.0], [math.log(0.3), math.log(0.7)]), [0])
    assert result.visit_counts.tolist() == [visits]
    assert result.root_value[0, 0] == pytest.approx(visits[0] / 6)
    assert result.action.tolist() == [int(np.argmax(visits))]


def bounds01() -> dict[str, Any]:
    return {"q_transform": "bounds", "value_bounds": (0.0, 1.0)}


def test_puct_parameters_change_exploration() -> None:
    """Without exploration (pb_c_init 0, huge base) the action first found good is taken for ever."""
    world = bandit([0.5, 1.0, 0.2], [2.0, 0.0, 0.0])
    greedy = Search(make_config(3, 20, pb_c_init=1e-6, pb_c_base=1e12, **bounds01()), 1)
    assert run(greedy, world, [0]).visit_counts.tolist() == [[20, 0, 0]]
    curious = Search(make_config(3, 20, pb_c_init=5.0, **bounds01()), 1)
    assert run(curious, world, [0]).visit_counts.min() > 0


def test_gumbel_bandit_follows_sequential_halving() -> None:
    """16 simulations over 4 actions: two rounds of 4, then two of 2 actions; equal logits, no noise."""
    search = Search(make_config(4, 16, search="gumbel", gumbel_scale=0.0), 1, dtype=np.float64)
    result = run(search, bandit([0.1, 0.9, 0.3, 0.6]), [0])
    assert result.visit_counts.tolist() == [[2, 6, 2, 6]]
    assert result.action.tolist() == [1]
    # completed values, scaled to [0, 1]: (50 + 6) * 0.1 * (q - 0.1) / 0.8
    logits = 5.6 * (np.array([0.1, 0.9, 0.3, 0.6]) - 0.1) / 0.8
    np.testing.assert_allclose(result.policy[0], np.exp(logits) / np.exp(logits).sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("considered", "simulations", "expected"),
    [
        (1, 4, [0, 1, 2, 3]),
        (2, 5, [0, 0, 1, 1, 2]),
        (4, 8, [0, 0, 0, 0, 1, 1, 2, 2]),
        (3, 7, [0, 0, 0, 1, 1, 2, 2]),
        (8, 5, [0, 0, 0, 0, 0]),
    ],
)
def test_considered_visits(considered: int, simulations: int, expected: list[int]) -> None:
    assert considered_visits(considered, simulations) == expected


@pytest.mark.parametrize("simulations", [16, 50, 200])
def test_gumbel_value_is_that_of_the_move_it_plays(simulations: int) -> None:
    """Of 16 actions one wins, as the network knows; halving has to visit those that lose, play does not."""
    priors = np.array([0.9] + 15 * [0.1 / 15])
    world = bandit([1.0] + 15 * [-1.0], list(np.log(priors)))._replace(value=np.array([0.9]))
    search = Search(make_config(16, simulations, search="gumbel"), 1, dtype=np.float64)
    result = run(search, world, [0])
    assert result.action[0] == 0
    assert result.root_value[0, 0] < 0
    assert result.value[0, 0] > 0.9
    assert result.value[0, 0] == pytest.approx(result.policy[0] @ world.reward[0])  # all were visited


def test_gumbel_value_completes_actions_that_were_not_visited() -> None:
    """With one simulation: pi' times the reward found, and times the mixed value for the other action.

    The mixed value (appendix D) of the network's 0.2 and the visited action's 0.8: (0.2 + 1 * 0.8) / 2.
    """
    world = bandit([0.8, -5.0])._replace(value=np.array([0.2]))
    search = Search(
        make_config(2, 1, search="gumbel", rescale_values=False, value_scale=0.1), 1, dtype=np.float64
    )
    result = run(search, world, [0])
    logits = 0.1 * (search.config.maxvisit_init + 1) * np.array([0.8, 0.5])
    improved = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(result.policy[0], improved)
    assert result.value[0, 0] == pytest.approx(improved @ [0.8, 0.5])


SCALINGS: dict[str, dict[str, Any]] = {
    "siblings": {},
    "min_max": {"q_transform": "min_max"},
    "bounds": {"q_transform": "bounds", "value_bounds": (0.0, 1e-6)},
    "gumbel": {"search": "gumbel", "gumbel_scale": 0.0},
}


@pytest.mark.parametrize("options", SCALINGS.values(), ids=SCALINGS)
def test_differences_of_rounding_do_not_decide_above_the_least_range(options: dict[str, Any]) -> None:
    """Action 1 is better by a millionth, and a prior of 0.9 is against it."""
    world = bandit([0.0, 1e-6], list(np.log([0.9, 0.1])))
    decided = run(Search(make_config(2, 50, **options), 1, dtype=np.float64), world, [0])
    assert decided.action[0] == 1
    ignored = run(Search(make_config(2, 50, min_q_range=0.01, **options), 1, dtype=np.float64), world, [0])
    assert ignored.action[0] == 0
    assert ignored.policy[0, 0] > 0.7


@pytest.mark.parametrize("options", SCALINGS.values(), ids=SCALINGS)
def test_the_least_range_changes_nothing_where_values_differ_by_more(options: dict[str, Any]) -> None:
    world = bandit([0.0, 0.5], list(np.log([0.9, 0.1])))
    options = options | {"value_bounds": (0.0, 0.5)}
    plain = run(Search(make_config(2, 50, **options), 1, dtype=np.float64), world, [0])
    least = run(Search(make_config(2, 50, min_q_range=0.01, **options), 1, dtype=np.float64), world, [0])
    np.testing.assert_array_equal(plain.visit_counts, least.visit_counts)


@pytest.mark.parametrize("rule", ["puct", "uct"])
def test_values_of_other_searches_are_the_means_over_visits(rule: str) -> None:
    world = random_world(np.random.default_rng(0), 8, 3)
    search = (
        uct(make_config(3, 30), 2, 1.0) if rule == "uct" else Search(make_config(3, 30), 2, dtype=np.float64)
    )
    result = run(search, world, [0, 1])
    np.testing.assert_array_equal(result.value, result.root_value)
    np.testing.assert_array_equal(result.target_value, result.root_value)


@settings(derandomize=True, deadline=None, max_examples=30, database=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_gumbel_visits_only_legal_actions(seed: int, considered: int) -> None:
    generator = np.random.default_rng(seed)
    world = random_world(generator, STATES, 6)
    config = make_config(6, 20, search="gumbel", max_num_considered_actions=considered)
    legal = generator.random((8, 6)) < 0.5
    legal[:, generator.integers(6)] = True
    noise = draw_noise(generator, legal, config, np.float64)
    states = generator.integers(0, STATES, 8)
    result = run(Search(config, 8, dtype=np.float64), world, states, legal, **noise._asdict())
    assert result.visit_counts[~legal].sum() == 0
    assert result.policy[~legal].sum() == 0
    assert legal[np.arange(8), result.action].all()
    assert ((result.visit_counts > 0).sum(axis=1) <= considered).all()
    np.testing.assert_allclose(result.policy.sum(axis=1), 1.0)
    np.testing.assert_array_equal(result.visit_counts.sum(axis=1), 20)


def test_gumbel_noise_is_scaled() -> None:
    """With one simulation the action is that of the largest logit + gumbel_scale * noise."""
    world = bandit([0.0, 0.0], [1.0, 0.0])
    noise = np.array([[0.0, 1.5]])
    for scale, action in ((1.0, 1), (0.5, 0), (0.0, 0)):
        search = Search(make_config(2, 1, search="gumbel", gumbel_scale=scale), 1, dtype=np.float64)
        assert run(search, world, [0], gumbel=noise).action.tolist() == [action]


@pytest.mark.parametrize(("constant", "visits"), [(1.0, [4, 1]), (3.0, [3, 2])])
def test_uct_by_hand(constant: float, visits: list[int]) -> None:
    """A bandit that pays 1 and 0: five simulations, known bounds [0, 1]; priors do not matter.

    Scores are Q + c * sqrt(log(n) / visits), n counting the root's own evaluation; each action once, then
    n=3: 1 + 1.05c : 1.05c -> 0.  n=4: 1 + 0.83c : 1.18c -> 0 if c = 1, 1 if c = 3.
    n=5 after 0: 1 + 0.73c : 1.27c -> 0 if c = 1.  n=5 after 1: 1 + 0.90c : 0.90c -> 0.
    """
    search = uct(make_config(2, 5, search="gumbel", **bounds01()), 1, constant)
    result = run(search, bandit([1.0, 0.0], [-5.0, 5.0]), [0])
    assert result.visit_counts.tolist() == [visits]
    assert result.policy.tolist() == [[visits[0] / 5, visits[1] / 5]]
    assert result.action.tolist() == [0]


def test_uct_plays_a_bandit_as_ucb1() -> None:
    """300 pulls of four arms, against UCB1 written out."""
    rewards, counts = np.array([0.2, 0.55, 0.5, 0.0]), np.zeros(4)
    for n in range(1, 301):
        with np.errstate(divide="ignore"):
            counts[np.argmax(rewards + 0.7 * np.sqrt(np.log(n) / counts) if n > 4 else -counts)] += 1
    search = uct(make_config(4, 300, **bounds01()), 1, 0.7)
    assert run(search, bandit(rewards.tolist()), [0]).visit_counts[0].tolist() == counts.tolist()


def test_uct_takes_actions_in_random_order_first() -> None:
    """After n simulations n of four actions are visited, each subset about as often as every other."""
    rows = 3000
    seeds = np.random.default_rng(0).integers(1, 2**64, rows, np.uint64)
    for simulations in range(1, 5):
        search = uct(make_config(4, simulations), rows, math.sqrt(2), np.float32)
        result = run(search, bandit([0.1, 0.9, 0.3, 0.6]), np.zeros(rows), tie_seeds=seeds)
        assert result.visit_counts.max() == 1
        shares = result.visit_counts.mean(axis=0)
        np.testing.assert_allclose(shares, simulations / 4, atol=0.04)


def test_uct_goes_for_what_each_player_wants() -> None:
    """The player who moves twice, then the other: both take the better of two actions nearly always."""
    world = World(
        next_state=np.array([[1, 1], [2, 2], [3, 3], [3, 3]], np.int32),
        reward=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]),
        discount=np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]),
        value=np.zeros(4),
        logits=np.zeros((4, 2)),
        to_play=np.array([0, 0, 1, 1], np.int32),
    )
    bounds = {"q_transform": "bounds", "value_bounds": (-1.0, 2.0)}
    search = uct(make_config(2, 3000, **bounds), 1, 0.5)
    assert run(search, world, [0]).action.tolist() == [0]
    # mean over the tree of 1 + 1 - 1, less what exploration costs
    assert search.tree.value[0, ROOT, 0] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("rule", ["puct", "gumbel", "uct"])
def test_illegal_actions_inside_the_tree(rule: str) -> None:
    """A model that knows what is legal says so by logits of -inf: such actions are never taken."""
    generator = np.random.default_rng(5)
    world = random_world(generator, STATES, 5)
    illegal = generator.random((STATES, 5)) < 0.5
    illegal[np.arange(STATES), generator.integers(0, 5, STATES)] = False
    world.logits[illegal] = -np.inf
    config = make_config(5, 300, search="puct" if rule == "uct" else rule)
    search = uct(config, 8, math.sqrt(2)) if rule == "uct" else Search(config, 8, dtype=np.float64)
    states = np.arange(8)
    result = run(search, world, states, ~illegal[states])
    edges = search.tree.edges
    assert edges["visits"][edges["prior"] == 0].sum() == 0
    assert (search.tree.nodes["visits"][:, 1:] > 1).sum() > 100
    assert np.isfinite(result.policy).all()
    np.testing.assert_array_equal(result.visit_counts.sum(axis=1), 300)


def player_moves_twice() -> World:
    """Player 0 moves at states 0 and 1, player 1 at state 2; one action, rewards to the player who moves."""
    return World(
        next_state=np.array([[1], [2], [0]], np.int32),
        reward=np.array([[1.0], [2.0], [4.0]]),
        discount=np.full((3, 1), 0.5),
        value=np.array([10.0, 20.0, 40.0]),
        logits=np.zeros((3, 1)),
        to_play=np.array([0, 0, 1], np.int32),
    )


def test_player_who_moves_twice_by_hand() -> None:
    """The sign changes between states 1 and 2 and between 2 and 0, not between 0 and 1.

    Simulation 1 reaches state 1 (value 20): root gets 1 + 0.5 * 20 = 11.
    Simulation 2 reaches state 2 (40, of player 1): state 1 gets 2 - 0.5 * 40 = -18, root 1 - 9 = -8.
    Simulation 3 reaches state 0 (10, of player 0): state 2 gets 4 - 0.5 * 10 = -1, state 1 2 + 0.5 = 2.5,
    root 1 + 1.25 = 2.25.
    """
    search = Search(make_config(1, 3), 1, dtype=np.float64)
    result = run(search, player_moves_twice(), [0])
    values = search.tree.value[0, :, 0]
    assert values[3] == 10.0
    assert values[2] == (40 - 1) / 2
    assert values[1] == (20 - 18 + 2.5) / 3
    assert values[0] == result.root_value[0, 0] == (10 + 11 - 8 + 2.25) / 4
    assert search.tree.edges["q"][0, :3, 0].tolist() == [1 + 0.5 * 1.5, 2 - 0.5 * 19.5, 4 - 0.5 * 10]
    assert result.depth.tolist() == [3]


def test_branching_tree_of_a_player_who_moves_twice_by_hand() -> None:
    """Action 0 keeps the turn, action 1 gives it away, to the same value: only the sign differs.

    Both children are worth 1 to their own player, so that action 0 is worth 1 and action 1 is worth -1.
    """
    world = World(
        next_state=np.array([[1, 2], [1, 1], [2, 2]], np.int32),
        reward=np.zeros((3, 2)),
        discount=np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]),
        value=np.array([0.0, 1.0, 1.0]),
        logits=np.zeros((3, 2)),
        to_play=np.array([0, 0, 1], np.int32),
    )
    search = Search(make_config(2, 20, **bounds01() | {"value_bounds": (-1.0, 1.0)}), 1, dtype=np.float64)
    result = run(search, world, [0])
    assert search.tree.edges["q"][0, 0].tolist() == [1.0, -1.0]
    visits = result.visit_counts[0]
    assert visits[0] > visits[1] > 0
    assert result.root_value[0, 0] == pytest.approx((visits[0] - visits[1]) / 21)


@pytest.mark.parametrize("search", ["puct", "gumbel"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_max_depth(search: str, limit: int) -> None:
    """No node is deeper; a leaf there is evaluated again, as a visit more of the same node."""
    generator = np.random.default_rng(3)
    world = random_world(generator, STATES, 2)
    tree_search = Search(make_config(2, 30, search=search, max_depth=limit), 2, dtype=np.float64)
    result = run(tree_search, world, [0, 1])
    assert result.depth.tolist() == [limit, limit]
    made = tree_search.tree.nodes["parent"] >= 0
    assert made.sum(axis=1).max() <= 2 ** (limit + 1) - 2
    assert tree_search.tree.nodes["visits"][:, ROOT].tolist() == [31, 31]
    leaves = made & (tree_search.tree.edges["visits"].sum(axis=2) == 0)
    assert (tree_search.tree.nodes["visits"][leaves]).sum() > 2


def test_depth_of_a_chain() -> None:
    """With one action every simulation goes one deeper."""
    result = run(Search(make_config(1, 7), 1), player_moves_twice(), [0])
    assert result.depth.tolist() == [7]


def test_depth_is_of_this_search_only() -> None:
    search = Search(make_config(2, 6), 1)
    assert run(search, bandit([0.0, 0.0], [50.0, 0.0]), [0]).depth.tolist() == [6]
    assert run(search, bandit([0.0, 0.0]), [0]).depth.tolist() == [2]


@settings(derandomize=True, deadline=None, max_examples=25, database=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["min_max", "bounds", "parent_and_siblings"]))
def test_q_transforms_equal_the_slow_reference(seed: int, q_transform: str) -> None:
    generator = np.random.default_rng(seed)
    world = random_world(generator, STATES, 3)
    config = make_config(3, 30, q_transform=q_transform)
    states = generator.integers(0, STATES, 4)
    search = Search(config, 4, dtype=np.float64)
    result = run(search, world, states)
    for row, state in enumerate(states):
        reference = ReferenceSearch(world, config, int(state), np.ones(3, np.bool_))
        root = reference.run_puct()
        if reference.gap > 1e-9:
            np.testing.assert_array_equal(result.visit_counts[row], root.child_visits())
            assert result.root_value[row, 0] == pytest.approx(root.value)
            if q_transform == "min_max":
                assert search.tree.rows["low"][row] == pytest.approx(reference.stats.minimum)
                assert search.tree.rows["high"][row] == pytest.approx(reference.stats.maximum)


@pytest.mark.parametrize("search", ["puct", "gumbel"])
def test_rows_do_not_influence_each_other(search: str) -> None:
    """A row's result is the same alone, in company, and in arrays that an earlier search has used."""
    generator = np.random.default_rng(0)
    world = random_world(generator, STATES, 5)
    config = make_config(5, 40, search=search, max_depth=4)
    states = generator.integers(0, STATES, 16)
    legal = generator.random((16, 5)) < 0.6
    legal[:, 2] = True
    noise = draw_noise(generator, legal, config)
    together = Search(config, 16)
    run(together, world, states[::-1], legal[::-1], **noise._asdict())
    result = run(together, world, states, legal, **noise._asdict(), temperature=1.0)
    alone = Search(config, 3)
    for row in range(16):
        own = {name: array[row : row + 1] for name, array in noise._asdict().items()}
        single = run(alone, world, states[row : row + 1], legal[row : row + 1], **own, temperature=1.0)
        for ours, theirs in zip(single, result, strict=True):
            np.testing.assert_array_equal(ours[0], theirs[row])


def test_result_does_not_change_with_the_next_search() -> None:
    world = random_world(np.random.default_rng(0), STATES, 3)
    search = Search(make_config(3, 10), 2)
    first = run(search, world, [0, 1])
    copies = [array.copy() for array in first]
    run(search, world, [2, 3])
    for array, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_dirichlet_only_over_legal_actions() -> None:
    generator = np.random.default_rng(0)
    legal = generator.random((200, 7)) < 0.5
    for alpha in (0.01, 0.3, 10.0):
        noise = legal_dirichlet(generator, legal, alpha)
        assert noise[~legal].sum() == 0
        np.testing.assert_allclose(noise.sum(axis=1), legal.any(axis=1), atol=1e-12)


def test_dirichlet_moments() -> None:
    """Mean 1 / n, variance (n - 1) / (n^2 (n alpha + 1)), over the n legal actions."""
    legal = np.tile([True, False, True, True], (20_000, 1))
    noise = legal_dirichlet(np.random.default_rng(1), legal, 0.3)[:, [0, 2, 3]]
    np.testing.assert_allclose(noise.mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose(noise.var(axis=0), 2 / (9 * 1.9), rtol=0.03)


def test_dirichlet_noise_in_the_root_prior() -> None:
    """prior = (1 - fraction) * softmax over the legal actions + fraction * noise; other nodes have none."""
    world = bandit([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    search = Search(make_config(3, 2, root_exploration_fraction=0.4), 1, dtype=np.float64)
    run(search, world, [0], [[True, False, True]], dirichlet=np.array([[0.9, 0.0, 0.1]]))
    kept = np.exp([1.0, -np.inf, 3.0])
    expected = 0.6 * kept / kept.sum() + 0.4 * np.array([0.9, 0.0, 0.1])
    np.testing.assert_allclose(search.tree.edges["prior"][0, 0], expected)
    plain = np.exp([1.0, 2.0, 3.0])
    np.testing.assert_allclose(search.tree.edges["prior"][0, 1], plain / plain.sum())


def test_drawn_noise_fits_the_search() -> None:
    legal = np.array([[True, False, True], [False, True, False]])
    puct = draw_noise(np.random.default_rng(0), legal, make_config(3, 2))
    gumbel = draw_noise(np.random.default_rng(0), legal, make_config(3, 2, search="gumbel"))
    assert puct.gumbel.any() == gumbel.dirichlet.any() == False  # noqa: E712
    assert puct.dirichlet[1].tolist() == [0.0, 1.0, 0.0]
    assert gumbel.gumbel.all()
    assert (puct.tie_seeds > 0).all()
    assert len(set(puct.tie_seeds.tolist())) == 2
    again = draw_noise(np.random.default_rng(0), legal, make_config(3, 2))
    for ours, theirs in zip(puct, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0])
def test_temperature_sampling_frequencies(temperature: float) -> None:
    """Evenly spaced uniforms give every action its share of visits ** (1 / temperature)."""
    rows = 1000
    world = bandit([0.0, 0.4, 0.8, 1.0], [0.0, 0.5, 0.5, 1.0])
    legal = np.tile([True, True, True, False], (rows, 1))
    uniform = (np.arange(rows) + 0.5) / rows
    search = Search(make_config(4, 30), rows, dtype=np.float64)
    result = run(search, world, np.zeros(rows), legal, uniform=uniform, temperature=temperature)
    weights = result.visit_counts[0] ** (1 / temperature)
    shares = np.bincount(result.action, minlength=4) / rows
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=1.5 / rows)
    assert result.policy[0].tolist() == (result.visit_counts[0] / 30).tolist()


def test_temperature_zero_plays_the_most_visited() -> None:
    result = run(Search(make_config(3, 30), 1), bandit([0.0, 1.0, 0.5]), [0], uniform=np.array([0.99]))
    assert result.action[0] == result.visit_counts[0].argmax() == 1


@pytest.mark.parametrize("search", ["puct", "gumbel"])
def test_ties_go_to_the_lowest_action_or_by_seed(search: str) -> None:
    """Four equal actions, one simulation: the lowest without seeds, each about as often with them."""
    rows = 2000
    config = make_config(4, 1, search=search)
    world = bandit([0.0] * 4)
    engine = Search(config, rows, dtype=np.float64)
    assert run(engine, world, np.zeros(rows)).visit_counts[:, 0].all()
    seeds = np.random.default_rng(0).integers(1, 2**64, rows, np.uint64)
    counts = run(engine, world, np.zeros(rows), tie_seeds=seeds).visit_counts.sum(axis=0)
    np.testing.assert_allclose(counts / rows, 0.25, atol=0.04)
    # equally visited actions are chosen evenly as well
    again = Search(make_config(4, 4, search=search), rows, dtype=np.float64)
    actions = run(again, world, np.zeros(rows), tie_seeds=seeds).action
    np.testing.assert_allclose(np.bincount(actions, minlength=4) / rows, 0.25, atol=0.04)


def test_tie_seeds_leave_clear_decisions_alone() -> None:
    generator = np.random.default_rng(0)
    world = random_world(generator, STATES, 4)
    search = Search(make_config(4, 40), 8, dtype=np.float64)
    plain = run(search, world, np.arange(8))
    seeded = run(search, world, np.arange(8), tie_seeds=np.arange(1, 9).astype(np.uint64))
    np.testing.assert_array_equal(plain.visit_counts, seeded.visit_counts)


@pytest.mark.parametrize("search", ["puct", "gumbel"])
def test_extreme_logits_and_float32(search: str) -> None:
    """Priors that underflow in float32 neither break the sums nor make an action illegal."""
    world = bandit([0.0, 1.0, 0.5], [200.0, -200.0, 0.0])
    result = run(Search(make_config(3, 30, search=search), 1), world, [0])
    assert np.isfinite(result.policy).all()
    assert np.isfinite(result.root_value).all()
    assert result.visit_counts.sum() == 30


def test_no_legal_action_gives_action_zero() -> None:
    """As in mctx: a finished game in a batch does no harm."""
    world = bandit([1.0, 2.0])
    legal = [[False, False], [True, True]]
    for search in ("puct", "gumbel"):
        result = run(Search(make_config(2, 21, search=search), 2), world, [0, 0], legal)
        assert result.action.tolist() == [0, 1]
        assert np.isfinite(result.root_value).all()


def test_result_shapes_and_types() -> None:
    world = random_world(np.random.default_rng(0), STATES, 3)
    result = run(Search(make_config(3, 5), 4), world, [1, 2])
    facts: list[Any] = [(array.shape, array.dtype) for array in result]
    assert facts == [
        ((2,), np.int32),
        ((2, 3), np.float32),
        *(3 * [((2, 1), np.float32)]),
        ((2, 3), np.int32),
        ((2,), np.int32),
    ]


def test_refuses_too_many_rows() -> None:
    world = random_world(np.random.default_rng(0), STATES, 2)
    with pytest.raises(ValueError, match="3 rows in a search made for 1 to 2"):
        run(Search(make_config(2, 5), 2), world, [1, 2, 3])


class TwoValuesModel(UniformModel):
    """Knows a value for each of two players, which the search does not take yet."""

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        return super().root(observations, to_play)._replace(value=np.zeros((1, 2), np.float32))


def test_refuses_values_of_several_components() -> None:
    search = Search(make_config(2, 5), 1)
    legal, players = np.ones((1, 2), np.bool_), np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="2 components"):
        search.run(TwoValuesModel(1, 2), np.zeros(1), players, legal, RootNoise.none(1, 2))


def test_warm_up_compiles_all_that_a_search_in_play_needs() -> None:
    warm_up(make_config(2, 2))
    warm = [list(compiled.signatures) for compiled in (advance, plant, read)]
    assert all(warm)
    legal, players = np.ones((2, 3), np.bool_), np.zeros(2, np.int32)
    Search(make_config(3, 5), 2).run(UniformModel(2, 3), np.zeros(2), players, legal, RootNoise.none(2, 3))
    assert [list(compiled.signatures) for compiled in (advance, plant, read)] == warm

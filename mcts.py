"""Batched tree search over a model: PUCT (MuZero), Gumbel MuZero and plain UCT, as numba kernels.

One tree per row, all trees in arrays that are allocated once. A simulation walks down every tree, asks the
model for one evaluation per row, expands and backs up. The rules differ in how the root is prepared
(`plant`), how an action is selected (`select`) and how the result is read (`read`); all else is shared. The
conventions are those of mctx (https://github.com/google-deepmind/mctx): a node's own evaluation counts as a
visit, illegal actions are masked at the root, and a leaf at `max_depth` is evaluated again.

Letters in shapes: A actions, B rows, M considered actions, N nodes (simulations + 1), P value components.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple, cast

import numpy as np
from numba import njit
from numpy.typing import DTypeLike, NDArray

from config import MuZeroConfig
from data import BoolArray, Evaluation, FloatArray, IntArray, Model, SearchResult

# A node's index is the number of the simulation that made it; the root's is typed because numba would compile
# functions once more for a literal.
ROOT = cast(int, np.int64(0))
NO_PARENT = -1  # the parent of the root, and of a node number that no simulation of the row used
UNVISITED = -1  # the child of an action that was not taken yet
ILLEGAL = -2  # the child of an action that must not be taken; only the root knows any
SMALLEST_RANGE = 1e-8  # least denominator when values are scaled to [0, 1], as in mctx
LOWEST_SCORE = -1e9  # of a considered action, so that an only one can always be visited, as in mctx


class Tree(NamedTuple):
    """The trees of one batched search: a tree is a row of these arrays, and the whole state of its search.

    The values are valid for nodes that the newest search made; `nodes["parent"]` tells which those are.
    """

    rows: NDArray[np.void]  # [B] low and high: value bounds; ties: random state; considered actions; depth
    nodes: NDArray[np.void]  # [B, N] visits, parent, action (from it), to_play, raw_value, discount (signed)
    edges: NDArray[np.void]  # [B, N, A] q (to the parent's player), prior, logit (<= 0), visits, child
    value: FloatArray  # [B, N, P] mean of the values backed up to the node, to its player
    reward: FloatArray  # [B, N, P] of the edge into the node, to the parent's player
    gumbel: FloatArray  # [B, A] scaled Gumbel noise of the root's actions


class Rules(NamedTuple):
    """How all trees are searched: the configuration, as kernels read it."""

    constants: NDArray[np.void]  # [1] see `make_rules`
    exploration: FloatArray  # [N + 1] by a node's visits, see `puct_exploration` and `uct_exploration`
    halving: IntArray  # [M + 1, N - 1] Gumbel: visits of the actions whose turn it is, by simulation


class RootNoise(NamedTuple):
    """All that is random in one search over B roots."""

    dirichlet: FloatArray  # [B, A] each row sums to 1 over the legal actions, or is 0 for no noise
    gumbel: FloatArray  # [B, A] not scaled yet
    tie_seeds: NDArray[np.uint64]  # [B] 0: ties go to the lowest index
    uniform: FloatArray  # [B] in [0, 1), samples the action by temperature

    @classmethod
    def none(cls, batch: int, actions: int, dtype: DTypeLike = np.float32) -> RootNoise:
        """No noise: the search is deterministic."""
        zeros = np.zeros((batch, actions), dtype)
        return cls(zeros, zeros, np.zeros(batch, np.uint64), np.zeros(batch, dtype))

    @classmethod
    def draw(
        cls,
        generator: np.random.Generator,
        legal: BoolArray,
        config: MuZeroConfig,
        dtype: DTypeLike = np.float32,
    ) -> RootNoise:
        """The noise that `config.search` needs, drawn for the legal actions [B, A]; the other kind is 0."""
        batch, actions = legal.shape
        noise = cls.none(batch, actions, dtype)
        if config.search == "gumbel":
            noise = noise._replace(gumbel=np.asarray(generator.gumbel(size=legal.shape), dtype))
        else:
            dirichlet = legal_dirichlet(generator, legal, config.root_dirichlet_alpha)
            noise = noise._replace(dirichlet=dirichlet.astype(dtype))
        return noise._replace(
            tie_seeds=generator.integers(1, 2**64, batch, np.uint64, endpoint=False),
            uniform=np.asarray(generator.random(batch, np.float32), dtype),
        )


def legal_dirichlet(generator: np.random.Generator, legal: BoolArray, alpha: float) -> NDArray[np.float64]:
    """Dirichlet(alpha) over each row's legal actions [B, A]; 0 elsewhere, and in a row without any.

    A gamma variate of a small shape underflows; its logarithm, log G(alpha + 1) + log(U) / alpha, does not.
    """
    logs = np.log(generator.standard_gamma(alpha + 1.0, legal.shape))
    logs += np.log1p(-generator.random(legal.shape)) / alpha
    logs[~legal] = -np.inf
    largest = logs.max(axis=1, keepdims=True)
    weights = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))


class Records(NamedTuple):
    """The record types of `Tree` and `Rules`."""

    row: np.dtype[np.void]
    node: np.dtype[np.void]
    edge: np.dtype[np.void]
    constants: np.dtype[np.void]


@functools.cache
def record_types(dtype: np.dtype[Any]) -> Records:
    """The record types over `dtype`; the same objects at each call, which numba recognises in less time."""
    real = dtype.str
    descriptions = (
        f"low {real}, high {real}, ties u8, considered i4, depth i4",
        f"visits i4, parent i4, action i4, to_play i4, raw_value {real}, discount {real}",
        f"q {real}, prior {real}, logit {real}, visits i4, child i4",
        "gumbel ?, uct ?, by_siblings ?, tree_bounds ?, rescale_values ?, max_depth i4, max_considered i4, "
        f"low {real}, high {real}, noise_fraction {real}, value_scale {real}, maxvisit_init {real}",
    )
    fields = ([tuple(field.split()) for field in text.split(", ")] for text in descriptions)
    return Records(*(np.dtype(names_and_kinds, align=True) for names_and_kinds in fields))


def make_tree(batch: int, nodes: int, actions: int, dtype: DTypeLike) -> Tree:
    """Room for `batch` trees of `nodes` nodes (N), values with one component."""
    records = record_types(np.dtype(dtype))
    return Tree(
        rows=np.zeros(batch, records.row),
        nodes=np.zeros((batch, nodes), records.node),
        edges=np.zeros((batch, nodes, actions), records.edge),
        value=np.zeros((batch, nodes, 1), dtype),
        reward=np.zeros((batch, nodes, 1), dtype),
        gumbel=np.zeros((batch, actions), dtype),
    )


def make_rules(config: MuZeroConfig, simulations: int, dtype: DTypeLike, uct: float | None = None) -> Rules:
    """The rules of a search with this many simulations: `config.search`, or UCT with the constant `uct`."""
    considered = min(config.max_num_considered_actions, config.num_actions)
    constants = np.zeros(1, record_types(np.dtype(dtype)).constants)
    constants["gumbel"] = config.search == "gumbel" and uct is None
    constants["uct"] = uct is not None
    constants["by_siblings"] = config.q_transform == "parent_and_siblings"
    constants["tree_bounds"] = config.q_transform == "min_max"
    constants["rescale_values"] = config.rescale_values
    constants["max_depth"] = config.max_depth or simulations
    constants["max_considered"] = considered
    constants["low"], constants["high"] = config.value_bounds
    constants["noise_fraction"] = config.root_exploration_fraction
    constants["value_scale"] = config.value_scale
    constants["maxvisit_init"] = config.maxvisit_init
    visits = np.arange(simulations + 2, dtype=np.float64)
    exploration = puct_exploration(config, visits) if uct is None else uct_exploration(uct, visits)
    sequences = [considered_visits(m, simulations) for m in range(considered + 1)]
    return Rules(
        constants=constants,
        exploration=exploration.astype(dtype),
        halving=np.array(sequences, np.int32),
    )


def puct_exploration(config: MuZeroConfig, visits: NDArray[np.float64]) -> NDArray[np.float64]:
    """sqrt(n) * (pb_c_init + log((n + pb_c_base + 1) / pb_c_base)): times prior / (1 + action's visits)."""
    growth = np.log((visits + config.pb_c_base + 1) / config.pb_c_base)
    return np.asarray(np.sqrt(visits) * (config.pb_c_init + growth))


def uct_exploration(constant: float, visits: NDArray[np.float64]) -> NDArray[np.float64]:
    """constant * sqrt(log(n)): is divided by sqrt(action's visits)."""
    return np.asarray(constant * np.sqrt(np.log(np.maximum(visits, 1.0))))


def considered_visits(considered: int, simulations: int) -> list[int]:
    """Sequential halving over `considered` actions, as one number of visits per simulation.

    A simulation takes the best of the actions that have exactly that many visits (Gumbel MuZero paper,
    section 3; mctx `get_sequence_of_considered_visits`).
    """
    if considered <= 1:
        return list(range(simulations))
    phases = math.ceil(math.log2(considered))
    sequence: list[int] = []
    visits, remaining = 0, considered
    while len(sequence) < simulations:
        rounds = max(1, int(simulations / (phases * remaining)))
        for visit in range(visits, visits + rounds):
            sequence += [visit] * remaining
        visits += rounds
        remaining = max(2, remaining // 2)
    return sequence[:simulations]


# No kernel allocates or keeps an array, so that counting references (`_nrt`) would be pure cost: half of the
# time. Helpers are inlined since passing all of a tree's arrays on costs more than what they do with them.
kernel = njit(cache=True, error_model="numpy", _nrt=False)
inner = njit(
    error_model="numpy", _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)


@inner
def argmax_legal(tree: Tree, b: int, node: int, scores: FloatArray) -> int:
    """The action with the highest score; among equals a random one, or the lowest if row b has no seed."""
    lowest = scores.dtype.type(-np.inf)
    best, choice, equals = lowest, 0, 0
    for a in range(len(scores)):
        score = scores[a] if tree.edges[b, node, a].child != ILLEGAL else lowest
        if score == best and equals > 0 and tree.rows[b].ties != 0:
            equals += 1
            state = tree.rows[b].ties  # xorshift64: never 0 once it is not
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            tree.rows[b].ties = state
            if (state >> np.uint64(33)) % np.uint64(equals) == np.uint64(0):
                choice = a
        better = score > best  # without a branch, which would be mispredicted
        best = score if better else best
        choice = a if better else choice
        equals = 1 if better else equals
    return choice


@inner
def scaling(tree: Tree, rules: Rules, b: int, node: int, scores: FloatArray) -> tuple[Any, Any]:
    """What to subtract from a node's action values, and then to multiply them by, to bring them to [0, 1]."""
    real = scores.dtype.type
    low, high = tree.rows[b].low, tree.rows[b].high
    if rules.constants[0].by_siblings:
        value = low = high = tree.value[b, node, 0]
        for a in range(len(scores)):
            q = tree.edges[b, node, a].q
            q = q if tree.edges[b, node, a].visits > 0 else value
            low = q if q < low else low
            high = q if q > high else high
        scale = real(1) / max(high - low, real(SMALLEST_RANGE))
    elif high > low:
        scale = real(1) / (high - low)
    else:
        low, scale = real(0), real(1)  # the paper's pseudocode scales only once there is a range
    return low, scale


@inner
def score_puct(tree: Tree, rules: Rules, b: int, node: int, scores: FloatArray) -> None:
    """MuZero paper, appendix B: scaled action value (0 if not visited) plus prior and visits."""
    real = scores.dtype.type  # all in the trees' own precision: numba widens float32 * int to float64
    low, scale = scaling(tree, rules, b, node, scores)
    exploration = rules.exploration[tree.nodes[b, node].visits]
    for a in range(len(scores)):
        edge = tree.edges[b, node, a]
        q = (edge.q - low) * scale
        q = q if edge.visits > 0 else real(0)
        scores[a] = q + exploration * edge.prior / real(edge.visits + 1)


@inner
def score_uct(tree: Tree, rules: Rules, b: int, node: int, scores: FloatArray) -> None:
    """UCB1: scaled action value + c * sqrt(log(n) / action's visits); actions not taken yet come first.

    An action whose prior is 0 counts as illegal, in the interior as well.
    """
    real = scores.dtype.type
    low, scale = scaling(tree, rules, b, node, scores)
    exploration = rules.exploration[tree.nodes[b, node].visits]
    for a in range(len(scores)):
        edge = tree.edges[b, node, a]
        if edge.visits > 0:
            scores[a] = (edge.q - low) * scale + exploration / np.sqrt(real(edge.visits))
        else:
            scores[a] = np.inf if edge.prior > 0 else -np.inf


@inner
def complete_q(tree: Tree, rules: Rules, b: int, node: int, completed: FloatArray) -> None:
    """Action values, unvisited ones replaced by the mixed value, scaled (Gumbel MuZero paper, appendix D)."""
    constants, real = rules.constants[0], completed.dtype.type
    most, mass, weighted = 0, real(0), real(0)
    for a in range(len(completed)):
        edge = tree.edges[b, node, a]
        if edge.visits > 0:
            prior = max(edge.prior, np.finfo(completed.dtype).tiny)
            mass += prior
            weighted += prior * edge.q
            most = max(most, edge.visits)
    mixed = tree.nodes[b, node].raw_value + real(0)
    if most > 0:
        visits = real(tree.nodes[b, node].visits - 1)  # of all actions
        mixed = (mixed + visits * weighted / mass) / (visits + real(1))
    low, high = real(np.inf), real(-np.inf)
    for a in range(len(completed)):
        edge = tree.edges[b, node, a]
        completed[a] = edge.q if edge.visits > 0 else mixed
        low, high = min(low, completed[a]), max(high, completed[a])
    scale = (constants.maxvisit_init + real(most)) * constants.value_scale
    if constants.rescale_values:
        scale /= max(high - low, real(SMALLEST_RANGE))
    else:
        low = real(0)
    for a in range(len(completed)):
        completed[a] = (completed[a] - low) * scale


@inner
def score_considered(tree: Tree, rules: Rules, b: int, visits: int, scores: FloatArray) -> None:
    """At the root: Gumbel noise + logit + completed value of the actions that have this many visits."""
    complete_q(tree, rules, b, ROOT, scores)
    for a in range(len(scores)):
        edge = tree.edges[b, ROOT, a]
        score = max(tree.gumbel[b, a] + edge.logit + scores[a], LOWEST_SCORE)
        scores[a] = score if edge.visits == visits else -np.inf


@inner
def improve_policy(tree: Tree, rules: Rules, b: int, node: int, policy: FloatArray) -> None:
    """softmax(logits + completed values), the improved policy of the Gumbel MuZero paper (equation 11)."""
    complete_q(tree, rules, b, node, policy)
    largest, total = policy.dtype.type(-np.inf), policy.dtype.type(0)
    for a in range(len(policy)):
        policy[a] += tree.edges[b, node, a].logit
        largest = max(largest, policy[a])
    for a in range(len(policy)):
        policy[a] = np.exp(policy[a] - largest)
        total += policy[a]
    for a in range(len(policy)):
        policy[a] /= total


@inner
def select(tree: Tree, rules: Rules, b: int, node: int, scores: FloatArray) -> int:
    """The action to simulate in a node: PUCT, UCT, or Gumbel MuZero's rule for the root or the interior."""
    if rules.constants[0].uct:
        score_uct(tree, rules, b, node, scores)
    elif not rules.constants[0].gumbel:
        score_puct(tree, rules, b, node, scores)
    elif node == ROOT:
        simulation = tree.nodes[b, ROOT].visits - 1
        visits = np.int64(rules.halving[tree.rows[b].considered, simulation])
        score_considered(tree, rules, b, visits, scores)
    else:
        improve_policy(tree, rules, b, node, scores)
        for a in range(len(scores)):
            scores[a] -= tree.edges[b, node, a].visits / tree.nodes[b, node].visits
    choice: int = argmax_legal(tree, b, node, scores)
    return choice


@inner
def simulate(
    tree: Tree, rules: Rules, b: int, parents: IntArray, actions: IntArray, scores: FloatArray
) -> None:
    """Walks from the root to an action that was not taken yet, or as deep as is allowed."""
    node: Any = ROOT
    depth = 0
    while True:
        action = select(tree, rules, b, node, scores)
        depth += 1
        child = tree.edges[b, node, action].child
        if child < 0 or depth >= rules.constants[0].max_depth:
            break
        node = child
    parents[b], actions[b] = node, action
    tree.rows[b].depth = max(tree.rows[b].depth, depth)


@inner
def fill_edges(tree: Tree, b: int, node: int, logits: FloatArray) -> None:
    """A node's actions, none of them taken: priors = softmax(logits[b])."""
    largest = logits[b, 0]
    for a in range(logits.shape[1]):
        largest = max(largest, logits[b, a])
    total = 0.0
    for a in range(logits.shape[1]):
        edge = tree.edges[b, node, a]
        edge.child, edge.visits, edge.q = UNVISITED, 0, 0
        edge.logit = logits[b, a] - largest
        edge.prior = np.exp(edge.logit)
        total += edge.prior
    for a in range(logits.shape[1]):
        tree.edges[b, node, a].prior /= total


@inner
def expand(tree: Tree, b: int, node: int, parent: int, action: int, evaluation: Evaluation) -> int:
    """Makes node `node`, or evaluates again the node at `max_depth` that was reached; returns which."""
    tree.nodes[b, node].parent, tree.nodes[b, node].visits = NO_PARENT, 0
    edge = tree.edges[b, parent, action]
    if edge.child < 0:
        edge.child = node
    child: Any = np.int64(edge.child)
    own = tree.nodes[b, child]
    own.visits += 1
    own.parent, own.action, own.to_play = parent, action, evaluation.to_play[b]
    own.raw_value = tree.value[b, child, 0] = evaluation.value[b, 0]
    tree.reward[b, child, 0] = evaluation.reward[b, 0]
    same_player = own.to_play == tree.nodes[b, parent].to_play
    own.discount = evaluation.discount[b] if same_player else -evaluation.discount[b]
    fill_edges(tree, b, child, evaluation.policy_logits)
    return int(child)


@inner
def back_up(tree: Tree, rules: Rules, b: int, node: int) -> None:
    """Adds a new node's value to all nodes above it, each from the view of its own player.

    With tree-wide bounds, keeps the extremes of all action and root values (the paper's `MinMaxStats`).
    """
    real = tree.value.dtype.type
    value = tree.value[b, node, 0]
    low, high = tree.rows[b].low, tree.rows[b].high
    while node != ROOT:
        own, reward = tree.nodes[b, node], tree.reward[b, node, 0]
        edge = tree.edges[b, own.parent, own.action]
        edge.q = reward + own.discount * tree.value[b, node, 0]
        edge.visits += 1
        low, high = min(low, edge.q), max(high, edge.q)
        value = reward + own.discount * value
        node = own.parent
        visits = tree.nodes[b, node].visits
        tree.value[b, node, 0] = (tree.value[b, node, 0] * real(visits) + value) / real(visits + 1)
        tree.nodes[b, node].visits = visits + 1
    if rules.constants[0].tree_bounds:
        tree.rows[b].low = min(low, tree.value[b, ROOT, 0])
        tree.rows[b].high = max(high, tree.value[b, ROOT, 0])


@kernel
def advance(
    rows: Any, nodes: Any, edges: Any, values: Any, rewards: Any, gumbel: Any,
    constants: Any, exploration: Any, halving: Any, parents: Any, actions: Any, scores: Any,
    value: Any, reward: Any, discount: Any, to_play: Any, policy_logits: Any, node: int,
) -> None:  # fmt: skip
    """Expands every row by the evaluation of node `node`, backs it up, and simulates to the next leaf.

    One call per simulation; the arrays of `Tree`, `Rules` and `Evaluation` come one by one because numba
    takes them three times as fast as in tuples. Nothing is to be expanded at node 0.
    """
    tree = Tree(rows, nodes, edges, values, rewards, gumbel)
    rules = Rules(constants, exploration, halving)
    evaluation = Evaluation(value, reward, discount, to_play, policy_logits)
    for b in range(len(parents)):
        if node != ROOT:
            back_up(tree, rules, b, expand(tree, b, node, parents[b], actions[b], evaluation))
        if node < halving.shape[1]:
            simulate(tree, rules, b, parents, actions, scores)


@kernel
def plant(tree: Tree, rules: Rules, evaluation: Evaluation, legal: BoolArray, dirichlet: FloatArray) -> None:
    """Prepares the roots of all rows: masks illegal actions and mixes noise into PUCT's priors.

    `evaluation.policy_logits` has to be the caller's own: illegal actions are masked in it.
    """
    constants = rules.constants[0]
    logits = evaluation.policy_logits
    for b in range(len(legal)):
        for a in range(legal.shape[1]):
            if not legal[b, a]:
                logits[b, a] = np.finfo(logits.dtype).min  # not -inf: a row may have no legal action
        fill_edges(tree, b, ROOT, logits)
        considered, share = 0, 0.0
        for a in range(legal.shape[1]):
            share += constants.noise_fraction * dirichlet[b, a]
        for a in range(legal.shape[1]):
            edge = tree.edges[b, ROOT, a]
            edge.prior = (1.0 - share) * edge.prior + constants.noise_fraction * dirichlet[b, a]
            if legal[b, a]:
                considered += 1
            else:
                edge.child = ILLEGAL
        root, row = tree.nodes[b, ROOT], tree.rows[b]
        root.visits, root.parent, root.action, root.to_play = 1, NO_PARENT, NO_PARENT, evaluation.to_play[b]
        root.raw_value = tree.value[b, ROOT, 0] = evaluation.value[b, 0]
        row.considered, row.depth = min(considered, constants.max_considered), 0
        row.low, row.high = constants.low, constants.high
        if constants.tree_bounds:
            row.low = row.high = root.raw_value


@inner
def sample_by_visits(tree: Tree, b: int, temperature: float, uniform: float, scores: FloatArray) -> int:
    """Samples a root action by visits ** (1 / temperature); the most visited one at temperature 0."""
    most = 0
    for a in range(len(scores)):
        scores[a] = tree.edges[b, ROOT, a].visits
        most = max(most, tree.edges[b, ROOT, a].visits)
    choice: int = argmax_legal(tree, b, ROOT, scores)
    if temperature <= 0.0 or most == 0:
        return choice
    total = 0.0
    for a in range(len(scores)):
        scores[a] = (scores[a] / most) ** (1.0 / temperature)
        total += scores[a]
    threshold = uniform * total
    for a in range(len(scores)):
        if scores[a] > 0 and threshold >= 0.0:
            choice = a
            threshold -= scores[a]
    return choice


@kernel
def read(
    tree: Tree,
    rules: Rules,
    temperature: float,
    uniform: FloatArray,
    scores: FloatArray,
    result: SearchResult,
) -> None:
    """Fills `result` from the finished trees."""
    for b in range(len(uniform)):
        total = tree.nodes[b, ROOT].visits - 1
        most: Any = 0
        for a in range(len(scores)):
            visits = np.int64(tree.edges[b, ROOT, a].visits)
            result.visit_counts[b, a] = visits
            result.policy[b, a] = visits / total
            most = max(most, visits)
        if rules.constants[0].gumbel:
            improve_policy(tree, rules, b, ROOT, result.policy[b])
            score_considered(tree, rules, b, most, scores)
            result.action[b] = argmax_legal(tree, b, ROOT, scores)
        else:
            result.action[b] = sample_by_visits(tree, b, temperature, uniform[b], scores)
        result.root_value[b, 0] = tree.value[b, ROOT, 0]
        result.depth[b] = tree.rows[b].depth


class Search:
    """A batched search, its arrays allocated for `batch` rows and reused from move to move.

    Models return `Evaluation`s of C-contiguous arrays of `dtype`; `simulations` defaults to the configured.
    `uct` is the exploration constant of plain UCT, which is searched by instead of `config.search` if given.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        batch: int,
        simulations: int | None = None,
        dtype: DTypeLike = np.float32,
        uct: float | None = None,
    ) -> None:
        self.config = config
        self.batch = batch
        self.simulations = config.num_simulations if simulations is None else simulations
        self.dtype = np.dtype(dtype)
        self.tree = make_tree(batch, self.simulations + 1, config.num_actions, dtype)
        self.rules = make_rules(config, self.simulations, dtype, uct)
        self._leaves = np.zeros((2, batch), np.int32)  # parent and action
        self._scores = np.zeros(config.num_actions, dtype)

    def run(
        self,
        model: Model,
        observations: NDArray[Any],
        to_play: IntArray,
        legal: BoolArray,
        noise: RootNoise,
        temperature: float = 0.0,
    ) -> SearchResult:
        """Searches from B <= `batch` observations [B, C, H, W], players to move [B] and legal actions [B, A].

        `temperature` is PUCT's (0: most visited); Gumbel takes the winner of sequential halving. Raises
        `ValueError` if there are too many rows or the model's values have more than one component.
        """
        rows = len(legal)
        if not 0 < rows <= self.batch:
            raise ValueError(f"{rows} rows in a search made for 1 to {self.batch}")
        parents, actions = self._leaves[:, :rows]
        arrays = (*self.tree, *self.rules, parents, actions, self._scores)
        evaluation = model.root(observations, to_play)
        self._plant(evaluation, legal, noise)
        for node in range(self.simulations):
            advance(*arrays, *evaluation, node)
            evaluation = model.recurrent(parents, actions, node + 1)
        advance(*arrays, *evaluation, self.simulations)
        return self._read(noise, temperature)

    def _plant(self, evaluation: Evaluation, legal: BoolArray, noise: RootNoise) -> None:
        if evaluation.value.shape[1] != 1:
            raise ValueError(f"values have {evaluation.value.shape[1]} components; the search knows one")
        rows = len(legal)
        np.multiply(noise.gumbel, self.config.gumbel_scale, out=self.tree.gumbel[:rows], casting="same_kind")
        self.tree.rows["ties"][:rows] = noise.tie_seeds
        own = evaluation._replace(policy_logits=evaluation.policy_logits.copy())
        dirichlet = np.array(noise.dirichlet, self.dtype)
        plant(self.tree, self.rules, own, np.array(legal, np.bool_), dirichlet)

    def _read(self, noise: RootNoise, temperature: float) -> SearchResult:
        rows, actions = noise.gumbel.shape
        result = SearchResult(
            action=np.empty(rows, np.int32),
            policy=np.empty((rows, actions), self.dtype),
            root_value=np.empty((rows, 1), self.dtype),
            visit_counts=np.empty((rows, actions), np.int32),
            depth=np.empty(rows, np.int32),
        )
        uniform = np.array(noise.uniform, self.dtype)
        read(self.tree, self.rules, float(temperature), uniform, self._scores, result)
        return result


class UniformModel:
    """A model that knows nothing: zero values and rewards, equal logits, one player. Made for `warm_up`."""

    def __init__(self, batch: int, actions: int, dtype: DTypeLike = np.float32) -> None:
        self._evaluation = Evaluation(
            value=np.zeros((batch, 1), dtype),
            reward=np.zeros((batch, 1), dtype),
            discount=np.ones(batch, dtype),
            to_play=np.zeros(batch, np.int32),
            policy_logits=np.zeros((batch, actions), dtype),
        )

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """The same for every observation."""
        return self._evaluation

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """The same for every action."""
        return self._evaluation


def warm_up() -> None:
    """Compiles all kernels for float32, or loads them from numba's cache, by one tiny search."""
    config = MuZeroConfig(action_space=(0, 1), num_simulations=2)
    legal = np.ones((1, 2), np.bool_)
    to_play = np.zeros(1, np.int32)
    model = UniformModel(1, 2)
    Search(config, 1).run(model, np.zeros((1, 1, 1, 4), np.float32), to_play, legal, RootNoise.none(1, 2))

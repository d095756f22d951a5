"""Batched tree search over a model: PUCT (MuZero), Gumbel MuZero and plain UCT, as numba kernels.

One tree per row, all trees in arrays that are allocated once. A simulation walks down every tree, asks the
model for one evaluation per row, expands and backs up. The rules differ in how the root is prepared
(`plant`), how an action is selected (`select`) and how the result is read (`read`); all else is shared. The
conventions are those of mctx (https://github.com/google-deepmind/mctx): a node's own evaluation counts as a
visit, illegal actions are masked at the root, and a leaf at `max_depth` is evaluated again.

Letters in shapes: A actions, B rows, M considered actions, N nodes (simulations + 1), P value components.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numba import njit
from numpy.typing import DTypeLike, NDArray

from config import MuZeroConfig
from core.kernels import cached_njit
from data import BoolArray, Evaluation, FloatArray, IntArray, Model, SearchResult
from search.noise import RootNoise
from search.parameters import SearchParameters, make_parameters
from search.tree import Tree, make_tree

# A node's index is the number of the simulation that made it; the root's is typed because numba would compile
# functions once more for a literal.
ROOT = cast(int, np.int64(0))
NO_PARENT = -1  # the parent of the root, and of a node number that no simulation of the row used
UNVISITED = -1  # the child of an action that was not taken yet
ILLEGAL = -2  # the child of an action that must not be taken; only the root knows any
LOWEST_SCORE = -1e9  # of a considered action, so that an only one can always be visited, as in mctx


# No kernel allocates or keeps an array, so that counting references (`_nrt`) would be pure cost: half of the
# time. Helpers are inlined since passing all of a tree's arrays on costs more than what they do with them.
kernel = cached_njit(error_model="numpy", _nrt=False)
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
def scaling(
    tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray
) -> tuple[Any, Any]:
    """What to subtract from a node's action values, and then to multiply them by, to bring them to [0, 1]."""
    real = scores.dtype.type
    low, high = tree.rows[b].low, tree.rows[b].high
    if parameters.constants[0].by_siblings:
        value = low = high = tree.value[b, node, 0]
        for a in range(len(scores)):
            q = tree.edges[b, node, a].q
            q = q if tree.edges[b, node, a].visits > 0 else value
            low = q if q < low else low
            high = q if q > high else high
        scale = real(1) / max(high - low, parameters.constants[0].least_range)
    elif high > low:
        scale = real(1) / max(high - low, parameters.constants[0].least_range)
    else:
        low, scale = real(0), real(1)  # the paper's pseudocode scales only once there is a range
    return low, scale


@inner
def score_puct(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> None:
    """MuZero paper, appendix B: scaled action value (0 if not visited) plus prior and visits."""
    real = scores.dtype.type  # all in the trees' own precision: numba widens float32 * int to float64
    low, scale = scaling(tree, parameters, b, node, scores)
    exploration = parameters.exploration[tree.nodes[b, node].visits]
    for a in range(len(scores)):
        edge = tree.edges[b, node, a]
        q = (edge.q - low) * scale
        q = q if edge.visits > 0 else real(0)
        scores[a] = q + exploration * edge.prior / real(edge.visits + 1)


@inner
def score_uct(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> None:
    """UCB1: scaled action value + c * sqrt(log(n) / action's visits); actions not taken yet come first.

    An action whose prior is 0 counts as illegal, in the interior as well.
    """
    real = scores.dtype.type
    low, scale = scaling(tree, parameters, b, node, scores)
    exploration = parameters.exploration[tree.nodes[b, node].visits]
    for a in range(len(scores)):
        edge = tree.edges[b, node, a]
        if edge.visits > 0:
            scores[a] = (edge.q - low) * scale + exploration / np.sqrt(real(edge.visits))
        else:
            scores[a] = np.inf if edge.prior > 0 else -np.inf


@inner
def complete_values(tree: Tree, b: int, node: int, completed: FloatArray) -> int:
    """Action values, unvisited ones replaced by the mixed value (Gumbel MuZero paper, appendix D).

    Returns the visits of the most visited action.
    """
    real = completed.dtype.type
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
    for a in range(len(completed)):
        edge = tree.edges[b, node, a]
        completed[a] = edge.q if edge.visits > 0 else mixed
    return most


@inner
def complete_q(tree: Tree, parameters: SearchParameters, b: int, node: int, completed: FloatArray) -> None:
    """Completed action values, scaled to be added to logits (Gumbel MuZero paper, equation 8)."""
    constants, real = parameters.constants[0], completed.dtype.type
    most = complete_values(tree, b, node, completed)
    low, high = real(np.inf), real(-np.inf)
    for a in range(len(completed)):
        low, high = min(low, completed[a]), max(high, completed[a])
    scale = (constants.maxvisit_init + real(most)) * constants.value_scale
    if constants.rescale_values:
        scale /= max(high - low, constants.least_range)
    else:
        low = real(0)
    for a in range(len(completed)):
        completed[a] = (completed[a] - low) * scale


@inner
def score_considered(
    tree: Tree, parameters: SearchParameters, b: int, visits: int, scores: FloatArray
) -> None:
    """At the root: Gumbel noise + logit + completed value of the actions that have this many visits."""
    complete_q(tree, parameters, b, ROOT, scores)
    for a in range(len(scores)):
        edge = tree.edges[b, ROOT, a]
        score = max(tree.gumbel[b, a] + edge.logit + scores[a], LOWEST_SCORE)
        scores[a] = score if edge.visits == visits else -np.inf


@inner
def improve_policy(tree: Tree, parameters: SearchParameters, b: int, node: int, policy: FloatArray) -> None:
    """softmax(logits + completed values), the improved policy of the Gumbel MuZero paper (equation 11)."""
    complete_q(tree, parameters, b, node, policy)
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
def select(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> int:
    """The action to simulate in a node: PUCT, UCT, or Gumbel MuZero's rule for the root or the interior."""
    if parameters.constants[0].uct:
        score_uct(tree, parameters, b, node, scores)
    elif not parameters.constants[0].gumbel:
        score_puct(tree, parameters, b, node, scores)
    elif node == ROOT:
        simulation = tree.nodes[b, ROOT].visits - 1
        visits = np.int64(parameters.halving[tree.rows[b].considered, simulation])
        score_considered(tree, parameters, b, visits, scores)
    else:
        improve_policy(tree, parameters, b, node, scores)
        for a in range(len(scores)):
            scores[a] -= tree.edges[b, node, a].visits / tree.nodes[b, node].visits
    choice: int = argmax_legal(tree, b, node, scores)
    return choice


@inner
def simulate(
    tree: Tree, parameters: SearchParameters, b: int, parents: IntArray, actions: IntArray, scores: FloatArray
) -> None:
    """Walks from the root to an action that was not taken yet, or as deep as is allowed."""
    node: Any = ROOT
    depth = 0
    while True:
        action = select(tree, parameters, b, node, scores)
        depth += 1
        child = tree.edges[b, node, action].child
        if child < 0 or depth >= parameters.constants[0].max_depth:
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
def back_up(tree: Tree, parameters: SearchParameters, b: int, node: int) -> None:
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
    if parameters.constants[0].tree_bounds:
        tree.rows[b].low = min(low, tree.value[b, ROOT, 0])
        tree.rows[b].high = max(high, tree.value[b, ROOT, 0])


@kernel
def advance(
    rows: Any, nodes: Any, edges: Any, values: Any, rewards: Any, gumbel: Any,
    constants: Any, exploration: Any, halving: Any, parents: Any, actions: Any, scores: Any,
    value: Any, reward: Any, discount: Any, to_play: Any, policy_logits: Any, node: int,
) -> None:  # fmt: skip
    """Expands every row by the evaluation of node `node`, backs it up, and simulates to the next leaf.

    One call per simulation; the arrays of `Tree`, `SearchParameters` and `Evaluation` come one by one:
    numba takes them three times as fast as in tuples. Nothing is to be expanded at node 0.
    """
    tree = Tree(rows, nodes, edges, values, rewards, gumbel)
    parameters = SearchParameters(constants, exploration, halving)
    evaluation = Evaluation(value, reward, discount, to_play, policy_logits)
    for b in range(len(parents)):
        if node != ROOT:
            back_up(tree, parameters, b, expand(tree, b, node, parents[b], actions[b], evaluation))
        if node < halving.shape[1]:
            simulate(tree, parameters, b, parents, actions, scores)


@kernel
def plant(
    tree: Tree, parameters: SearchParameters, evaluation: Evaluation, legal: BoolArray, dirichlet: FloatArray
) -> None:
    """Prepares the roots of all rows: masks illegal actions and mixes noise into PUCT's priors.

    `evaluation.policy_logits` has to be the caller's own: illegal actions are masked in it.
    """
    constants = parameters.constants[0]
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


@inner
def play_value(tree: Tree, b: int, policy: FloatArray, scores: FloatArray) -> Any:
    """What playing by the improved policy is worth: sum of policy * completed values.

    The mean over visits is not: sequential halving visits bad actions as often as it has to.
    """
    complete_values(tree, b, ROOT, scores)
    value = scores.dtype.type(0)
    for a in range(len(scores)):
        value += policy[a] * scores[a]
    return value


@kernel
def read(
    tree: Tree,
    parameters: SearchParameters,
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
        if parameters.constants[0].gumbel:
            improve_policy(tree, parameters, b, ROOT, result.policy[b])
            score_considered(tree, parameters, b, most, scores)
            result.action[b] = argmax_legal(tree, b, ROOT, scores)
            result.value[b, 0] = play_value(tree, b, result.policy[b], scores)
        else:
            result.action[b] = sample_by_visits(tree, b, temperature, uniform[b], scores)
            result.value[b, 0] = tree.value[b, ROOT, 0]
        result.root_value[b, 0] = tree.value[b, ROOT, 0]
        result.target_value[b, 0] = result.value[b, 0]
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
        self.parameters = make_parameters(config, self.simulations, dtype, uct)
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
        arrays = (*self.tree, *self.parameters, parents, actions, self._scores)
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
        plant(self.tree, self.parameters, own, np.array(legal, np.bool_), dirichlet)

    def _read(self, noise: RootNoise, temperature: float) -> SearchResult:
        rows, actions = noise.gumbel.shape
        result = SearchResult(
            action=np.empty(rows, np.int32),
            policy=np.empty((rows, actions), self.dtype),
            value=np.empty((rows, 1), self.dtype),
            target_value=np.empty((rows, 1), self.dtype),
            root_value=np.empty((rows, 1), self.dtype),
            visit_counts=np.empty((rows, actions), np.int32),
            depth=np.empty(rows, np.int32),
        )
        uniform = np.array(noise.uniform, self.dtype)
        read(self.tree, self.parameters, float(temperature), uniform, self._scores, result)
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

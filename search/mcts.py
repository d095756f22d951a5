"""Batched tree search over a model, as numba kernels that are compiled for one rule (`search/rules/`) each.

One tree per row, all trees in arrays that are allocated once. A simulation walks down every tree, asks the
model for one evaluation per row, expands and backs up. The rules differ in how the root is prepared
(`plant`), how an action is selected (`simulate`) and how the result is read (`read`); all else is shared.
The conventions are those of mctx (https://github.com/google-deepmind/mctx): a node's own evaluation counts as
a visit, illegal actions are masked at the root, and a leaf at `max_depth` is evaluated again.

Letters in shapes: A actions, B rows, N nodes (simulations + 1), P value components.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from config import MuZeroConfig
from core.kernels import cached_njit, inlined_njit
from data import BoolArray, Evaluation, FloatArray, IntArray, Model, SearchResult
from search.noise import RootNoise
from search.parameters import make_parameters
from search.rules.rule import SearchRule, rule_of
from search.specialised import back_up, keep, signed_discount
from search.tree import (
    CHANCE,
    DECISION,
    ILLEGAL,
    NO_PARENT,
    ROOT,
    UNVISITED,
    SearchParameters,
    Tree,
    make_tree,
)
from search.values import components_of, values_of

# No kernel allocates or keeps an array, so that counting references (`_nrt`) would be pure cost: half of the
# time.
kernel = cached_njit(error_model="numpy", _nrt=False)
prepare, select, decide = SearchRule.prepare, SearchRule.select, SearchRule.decide


@inlined_njit
def simulate(
    tree: Tree, parameters: SearchParameters, b: int, parents: IntArray, actions: IntArray, scores: FloatArray
) -> None:
    """Walks from the root to an action that was not taken yet, or as deep as is allowed."""
    node: Any = ROOT
    depth = 0
    while True:
        if tree.nodes[b, node].kind == CHANCE:
            action = likeliest_outcome(tree, b, node)
        else:
            action = select(tree, parameters, b, node, scores)
        depth += 1
        child = tree.edges[b, node, action].child
        if child < 0 or depth >= parameters.constants[0].max_depth:
            break
        node = child
    parents[b], actions[b] = node, action
    tree.rows[b].depth = max(tree.rows[b].depth, depth)


@inlined_njit
def likeliest_outcome(tree: Tree, b: int, node: int) -> int:
    """The outcome of a chance node that lags most behind its probability: their visits come to follow it."""
    choice, largest = 0, tree.value.dtype.type(-1)
    for a in range(tree.edges.shape[2]):
        edge = tree.edges[b, node, a]
        due = edge.prior / tree.value.dtype.type(edge.visits + 1)
        if due > largest:
            choice, largest = a, due
    return choice


@inlined_njit
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


@inlined_njit
def expand(
    tree: Tree,
    parameters: SearchParameters,
    b: int,
    node: int,
    parent: int,
    action: int,
    evaluation: Evaluation,
) -> int:
    """Makes node `node`, or evaluates again the node at `max_depth` that was reached; returns which."""
    tree.nodes[b, node].parent, tree.nodes[b, node].visits = NO_PARENT, 0
    edge = tree.edges[b, parent, action]
    if edge.child < 0:
        edge.child = node
    child: Any = np.int64(edge.child)
    own, mover = tree.nodes[b, child], tree.nodes[b, parent].to_play
    own.visits += 1
    own.parent, own.action = parent, action
    own.kind = DECISION if evaluation.to_play[b] >= 0 else CHANCE
    own.to_play = evaluation.to_play[b] if own.kind == DECISION else mover  # chance is seen by who moved
    keep(tree, parameters, b, child, evaluation)
    own.discount = signed_discount(parameters, mover, own.to_play, evaluation.discount[b])
    fill_edges(tree, b, child, evaluation.policy_logits)
    return int(child)


@kernel
def advance(
    rows: Any, nodes: Any, edges: Any, values: Any, rewards: Any, gumbel: Any,
    constants: Any, exploration: Any, schedule: Any, parents: Any, actions: Any, scores: Any,
    value: Any, reward: Any, discount: Any, to_play: Any, policy_logits: Any, node: int,
) -> None:  # fmt: skip
    """Expands every row by the evaluation of node `node`, backs it up, and simulates to the next leaf.

    One call per simulation; the arrays of `Tree`, `SearchParameters` and `Evaluation` come one by one:
    numba takes them three times as fast as in tuples. Nothing is to be expanded at node 0.
    """
    tree = Tree(rows, nodes, edges, values, rewards, gumbel)
    parameters = SearchParameters(constants, exploration, schedule)
    evaluation = Evaluation(value, reward, discount, to_play, policy_logits)
    for b in range(len(parents)):
        if node != ROOT:
            child = expand(tree, parameters, b, node, parents[b], actions[b], evaluation)
            back_up(tree, parameters, b, child)
        if node < schedule.shape[1]:
            simulate(tree, parameters, b, parents, actions, scores)


@kernel
def plant(
    tree: Tree, parameters: SearchParameters, evaluation: Evaluation, legal: BoolArray, dirichlet: FloatArray
) -> None:
    """Prepares the roots of all rows: masks illegal actions, and what the rule does there.

    `evaluation.policy_logits` has to be the caller's own: illegal actions are masked in it.
    """
    constants = parameters.constants[0]
    logits = evaluation.policy_logits
    for b in range(len(legal)):
        for a in range(legal.shape[1]):
            if not legal[b, a]:
                logits[b, a] = np.finfo(logits.dtype).min  # not -inf: a row may have no legal action
        fill_edges(tree, b, ROOT, logits)
        for a in range(legal.shape[1]):
            if not legal[b, a]:
                tree.edges[b, ROOT, a].child = ILLEGAL
        root, row = tree.nodes[b, ROOT], tree.rows[b]
        root.visits, root.parent, root.action, root.kind = 1, NO_PARENT, NO_PARENT, DECISION
        root.to_play = evaluation.to_play[b]
        keep(tree, parameters, b, ROOT, evaluation)
        row.depth, row.low, row.high = 0, constants.low, constants.high
        if constants.tree_bounds:
            row.low = row.high = root.raw_value
        prepare(tree, parameters, b, legal, dirichlet)


@kernel
def read(
    tree: Tree,
    parameters: SearchParameters,
    temperature: float,
    uniform: FloatArray,
    raw: FloatArray,
    scores: FloatArray,
    result: SearchResult,
) -> None:
    """Fills `result` from the finished trees; `raw` [B, P] are the values of the roots by the model."""
    for b in range(len(uniform)):
        total = tree.nodes[b, ROOT].visits - 1
        for a in range(len(scores)):
            visits = np.int64(tree.edges[b, ROOT, a].visits)
            result.visit_counts[b, a] = visits
            result.policy[b, a] = visits / total
        decide(tree, parameters, b, temperature, uniform[b], raw, scores, result)
        for p in range(result.value.shape[1]):
            result.root_value[b, p] = tree.value[b, ROOT, p]
            result.target_value[b, p] = result.value[b, p]
        result.depth[b] = tree.rows[b].depth


class Search:
    """A batched search, its arrays allocated for `batch` rows and reused from move to move.

    Models return `Evaluation`s of C-contiguous arrays of `dtype`; `simulations` defaults to the configured.
    The rule is that of `config.search`, unless another one is given.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        batch: int,
        simulations: int | None = None,
        dtype: DTypeLike = np.float32,
        rule: SearchRule | None = None,
    ) -> None:
        self.config = config
        self.batch = batch
        self.simulations = config.num_simulations if simulations is None else simulations
        self.dtype = np.dtype(dtype)
        self.rule = rule_of(config) if rule is None else rule
        self.components = components_of(config)
        self.tree = make_tree(batch, self.simulations + 1, config.num_actions, dtype, self.components)
        self.parameters = make_parameters(config, self.rule, values_of(config), self.simulations, dtype)
        self._raw = np.zeros((batch, self.components), dtype)  # values of the roots, by the model
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
        `ValueError` if there are too many rows, or the model's values have another number of components than
        the game has (1 for one or two players, else one for each player).
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
        if evaluation.value.shape[1] != self.components:
            found = evaluation.value.shape[1]
            raise ValueError(f"values have {found} components; the search was made for {self.components}")
        rows = len(legal)
        np.multiply(noise.gumbel, self.config.gumbel_scale, out=self.tree.gumbel[:rows], casting="same_kind")
        self.tree.rows["ties"][:rows] = noise.tie_seeds
        self._raw[:rows] = evaluation.value
        own = evaluation._replace(policy_logits=evaluation.policy_logits.copy())
        dirichlet = np.array(noise.dirichlet, self.dtype)
        plant(self.tree, self.parameters, own, np.array(legal, np.bool_), dirichlet)

    def _read(self, noise: RootNoise, temperature: float) -> SearchResult:
        rows, actions = noise.gumbel.shape
        result = SearchResult(
            action=np.empty(rows, np.int32),
            policy=np.empty((rows, actions), self.dtype),
            value=np.empty((rows, self.components), self.dtype),
            target_value=np.empty((rows, self.components), self.dtype),
            root_value=np.empty((rows, self.components), self.dtype),
            visit_counts=np.empty((rows, actions), np.int32),
            depth=np.empty(rows, np.int32),
        )
        uniform = np.array(noise.uniform, self.dtype)
        read(self.tree, self.parameters, float(temperature), uniform, self._raw, self._scores, result)
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


def warm_up(config: MuZeroConfig) -> None:
    """Compiles the kernels for `config`'s rule and float32, or loads them from the cache."""
    tiny = MuZeroConfig(action_space=(0, 1), num_simulations=2, search=config.search)
    legal = np.ones((1, 2), np.bool_)
    to_play = np.zeros(1, np.int32)
    model = UniformModel(1, 2)
    Search(tiny, 1).run(model, np.zeros((1, 1, 1, 4), np.float32), to_play, legal, RootNoise.none(1, 2))

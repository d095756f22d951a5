"""A slow search of one tree of Python objects, written from the papers, that also knows how close it was.

Values are absolute, a number for each player: of two players in a zero-sum game, or of one and nobody, the
second gets what the first loses. `gap` is the smallest distance between the best and the second best score in
all decisions: where it is tiny, rounding alone decides, and two right searches may differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import CHANCE_PLAYER
from tests.helpers.mcts_models import World

Scores = NDArray[np.float64]


class Node:
    """A state, its prior, and its children by action."""

    def __init__(self, world: World, state: int, parent: Node | None = None, action: int = 0) -> None:
        to_play = int(world.to_play[state])
        self.state, self.chance = state, to_play == CHANCE_PLAYER
        self.mover: int = to_play if parent is None else parent.to_play
        self.to_play: int = self.mover if self.chance else to_play
        self.raw = absolute(world.value[state], self.to_play)
        self.reward, self.discount = np.zeros_like(self.raw), 1.0
        if parent is not None:
            self.reward = absolute(world.reward[parent.state, action], self.mover)
            self.discount = float(world.discount[parent.state, action])
        self.total, self.visits = self.raw, 1
        self.logits = world.logits[state] - world.logits[state].max()
        self.prior = np.exp(self.logits) / np.exp(self.logits).sum()
        self.children: dict[int, Node] = {}

    @property
    def values(self) -> Scores:
        return np.asarray(self.total / self.visits)

    @property
    def value(self) -> float:
        """To the player to move."""
        return float(self.values[self.to_play])

    @property
    def raw_value(self) -> float:
        return float(self.raw[self.to_play])

    @property
    def returns(self) -> Scores:
        """To all players, from the move on that led here."""
        return np.asarray(self.reward + self.discount * self.values)

    @property
    def q(self) -> float:
        """To the player who moved here."""
        return float(self.returns[self.mover])

    def child_visits(self) -> Scores:
        counts = [self.children[a].visits if a in self.children else 0 for a in range(len(self.prior))]
        return np.array(counts, np.float64)


def absolute(value: Any, player: int) -> Scores:
    """A value as all players get it: a single number is what `player` gains and another one loses."""
    if np.ndim(value):
        return np.array(value, np.float64)
    return np.array([value, -value] if player == 0 else [-value, value], np.float64)


class MinMaxStats:
    """The MuZero paper's pseudocode."""

    def __init__(self) -> None:
        self.maximum, self.minimum = -math.inf, math.inf

    def update(self, value: float) -> None:
        self.maximum, self.minimum = max(self.maximum, value), min(self.minimum, value)

    def normalize(self, value: float) -> float:
        if self.maximum > self.minimum:
            return (value - self.minimum) / (self.maximum - self.minimum)
        return value


class ReferenceSearch:
    """PUCT or Gumbel MuZero from one state of a world."""

    def __init__(self, world: World, config: MuZeroConfig, state: int, legal: NDArray[np.bool_]) -> None:
        self.world, self.config, self.legal = world, config, legal
        self.root = Node(world, state)
        logits = np.where(legal, self.root.logits, -np.inf)
        self.root.logits = logits - logits.max()
        self.root.prior = np.exp(self.root.logits) / np.exp(self.root.logits).sum()
        self.stats = MinMaxStats()
        self.stats.update(self.root.value)
        self.gap = math.inf

    def best(self, scores: Scores, allowed: NDArray[np.bool_]) -> int:
        """The best allowed action, keeping the smallest gap seen."""
        masked = np.where(allowed, scores, -np.inf)
        ranked = np.sort(masked)[::-1]
        if len(ranked) > 1 and np.isfinite(ranked[1]):
            self.gap = min(self.gap, float(ranked[0] - ranked[1]))
        return int(np.argmax(masked))

    def run_puct(self) -> Node:
        for _ in range(self.config.num_simulations):
            self.simulate(lambda node, depth: self.best(self.puct_scores(node), self.allowed(depth)))
        return self.root

    def allowed(self, depth: int) -> NDArray[np.bool_]:
        return self.legal if depth == 0 else np.ones_like(self.legal)

    def simulate(self, choose: Callable[[Node, int], int]) -> None:
        node, path = self.root, [self.root]
        while True:
            action = self.likeliest(node) if node.chance else choose(node, len(path) - 1)
            if action not in node.children or len(path) == self.config.max_depth:
                break
            node = node.children[action]
            path.append(node)
        leaf = self.evaluate(node, action)
        self.stats.update(leaf.q)
        value = leaf.returns
        for node in reversed(path):
            node.total = node.total + value
            node.visits += 1
            self.stats.update(node.q)
            value = node.reward + node.discount * value

    def likeliest(self, node: Node) -> int:
        """The outcome of a chance node that lags most behind its probability."""
        return self.best(node.prior / (node.child_visits() + 1), np.ones_like(self.legal))

    def evaluate(self, node: Node, action: int) -> Node:
        """The new child; or the child at `max_depth` once more, which then has one visit more."""
        leaf = Node(self.world, int(self.world.next_state[node.state, action]), node, action)
        if action in node.children:
            leaf.visits += node.children[action].visits
            leaf.total = leaf.raw * leaf.visits
        node.children[action] = leaf
        return leaf

    def puct_scores(self, node: Node) -> Scores:
        """`ucb_score` of the pseudocode for all actions, action values scaled by `q_transform`."""
        c = self.config
        growth = c.pb_c_init + math.log((node.visits + c.pb_c_base + 1) / c.pb_c_base)
        explore = growth * math.sqrt(node.visits) * node.prior / (node.child_visits() + 1)
        scale = {"min_max": self.stats.normalize, "bounds": self.by_bounds}.get(c.q_transform)
        scale = scale or self.siblings(node)
        for action, child in node.children.items():
            explore[action] += scale(child.q)
        return np.asarray(explore)

    def by_bounds(self, q: float) -> float:
        low, high = self.config.value_bounds
        return (q - low) / (high - low)

    def siblings(self, node: Node) -> Callable[[float], float]:
        known = [node.value, *(child.q for child in node.children.values())]
        low, high = min(known), max(known)
        return lambda q: (q - low) / max(high - low, 1e-8)

    def completed(self, node: Node) -> Scores:
        """Gumbel MuZero paper, appendix D."""
        visits = node.child_visits()
        q = np.full(len(visits), node.raw_value)
        if node.children:
            seen = list(node.children)
            values = np.array([node.children[a].q for a in seen])
            mean = (node.prior[seen] * values).sum() / node.prior[seen].sum()
            q[:] = (node.raw_value + visits.sum() * mean) / (1 + visits.sum())
            q[seen] = values
        if self.config.rescale_values:
            q = (q - q.min()) / max(q.max() - q.min(), 1e-8)
        return np.asarray((self.config.maxvisit_init + visits.max()) * self.config.value_scale * q)

    def run_gumbel(self, gumbel: Scores) -> int:
        """Sequential halving as the paper draws it: phases over a shrinking list of actions."""
        simulations = self.config.num_simulations
        noise = np.where(self.legal, gumbel + self.root.logits, -np.inf)
        considered = min(self.config.max_num_considered_actions, int(self.legal.sum()))
        if considered < self.legal.sum():
            ranked = np.sort(noise)[::-1]
            self.gap = min(self.gap, float(ranked[considered - 1] - ranked[considered]))
        phases = max(1, math.ceil(math.log2(considered)))
        left = simulations
        while left > 0:
            rounds = max(1, simulations // (phases * considered)) if considered > 1 else left
            level = self.root.child_visits().max() if self.root.children else 0.0
            for visit in range(rounds):
                for _ in range(min(considered, left)):
                    self.simulate(partial(self.choose_gumbel, noise, level + visit))
                    left -= 1
            considered = max(2, considered // 2) if considered > 1 else 1
        visits = self.root.child_visits()
        return self.best(noise + self.completed(self.root), self.legal & (visits == visits.max()))

    def choose_gumbel(self, noise: Scores, visit: float, node: Node, depth: int) -> int:
        if depth == 0:
            scores = noise + self.completed(node)
            return self.best(scores, self.legal & (node.child_visits() == visit))
        improved = self.improved_policy(node)
        return self.best(improved - node.child_visits() / node.visits, self.allowed(depth))

    def improved_policy(self, node: Node) -> Scores:
        logits = node.logits + self.completed(node)
        weights = np.exp(logits - logits.max())
        return np.asarray(weights / weights.sum())

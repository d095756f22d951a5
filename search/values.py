"""What the numbers in a value [P] mean: two sets of functions for the search's kernels.

One player, and two of a zero-sum game, have one number: what it is worth to the player to move, and to the
other player as much the other way round. Of more players each has a number of its own, and each chooses what
is best for itself (max-n; Luckhardt & Irani 1986).
"""

from __future__ import annotations

from typing import Any

from config import MuZeroConfig
from core.kernels import inlined_njit
from core.zero_sum import seen_by
from data import Evaluation, FloatArray
from search.tree import ROOT, SearchParameters, Tree


class OneValue:
    """Values have one component (P = 1), which is the view of the player to move."""

    @staticmethod
    def component(parameters: SearchParameters, player: int) -> int:
        """The only one."""
        return 0

    @staticmethod
    def signed_discount(parameters: SearchParameters, mover: int, player: int, discount: float) -> float:
        """The discount, negative between two players."""
        signed: float = seen_by(mover, player, discount)
        return signed

    @staticmethod
    def keep(tree: Tree, parameters: SearchParameters, b: int, node: int, evaluation: Evaluation) -> None:
        """Keeps them as they are."""
        tree.nodes[b, node].raw_value = tree.value[b, node, 0] = evaluation.value[b, 0]
        tree.reward[b, node, 0] = evaluation.reward[b, 0]

    @staticmethod
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

    @staticmethod
    def look(tree: Tree, parameters: SearchParameters, b: int, player: int, raw: FloatArray) -> None:
        """The root is seen by its own player as it is."""


class ValuePerPlayer:
    """Values have a component for each player (P players)."""

    @staticmethod
    def component(parameters: SearchParameters, player: int) -> int:
        """Its own."""
        return player

    @staticmethod
    def signed_discount(parameters: SearchParameters, mover: int, player: int, discount: float) -> float:
        """The discount: no player is another's opposite."""
        return discount

    @staticmethod
    def keep(tree: Tree, parameters: SearchParameters, b: int, node: int, evaluation: Evaluation) -> None:
        """Keeps those of all players."""
        tree.nodes[b, node].raw_value = evaluation.value[b, tree.nodes[b, node].to_play]
        for p in range(tree.value.shape[2]):
            tree.value[b, node, p] = evaluation.value[b, p]
            tree.reward[b, node, p] = evaluation.reward[b, p]

    @staticmethod
    def back_up(tree: Tree, parameters: SearchParameters, b: int, node: int) -> None:
        """Adds a new node's values to those of all nodes above it.

        With tree-wide bounds, keeps the extremes of what any action or root is worth to who is to move.
        """
        for p in range(tree.value.shape[2]):
            _back_up_component(tree, b, node, p)
        low, high = tree.rows[b].low, tree.rows[b].high
        while node != ROOT:
            own = tree.nodes[b, node]
            edge = tree.edges[b, own.parent, own.action]
            edge.q = _action_value(tree, b, node, tree.nodes[b, own.parent].to_play)
            edge.visits += 1
            low, high = min(low, edge.q), max(high, edge.q)
            node = own.parent
            tree.nodes[b, node].visits += 1
        if parameters.constants[0].tree_bounds:
            value = tree.value[b, ROOT, tree.nodes[b, ROOT].to_play]
            tree.rows[b].low = min(low, value)
            tree.rows[b].high = max(high, value)

    @staticmethod
    def look(tree: Tree, parameters: SearchParameters, b: int, player: int, raw: FloatArray) -> None:
        """Action values become those of `player`, whoever is to move."""
        tree.nodes[b, ROOT].raw_value = raw[b, player]
        for a in range(tree.edges.shape[2]):
            edge = tree.edges[b, ROOT, a]
            if edge.visits > 0:
                edge.q = _action_value(tree, b, edge.child, player)


@inlined_njit
def _back_up_component(tree: Tree, b: int, node: int, p: int) -> None:
    """Adds component p of a new node's value to all nodes above it, without counting the visit."""
    real = tree.value.dtype.type
    value = tree.value[b, node, p]
    while node != ROOT:
        own = tree.nodes[b, node]
        value = tree.reward[b, node, p] + own.discount * value
        node = own.parent
        visits = tree.nodes[b, node].visits
        tree.value[b, node, p] = (tree.value[b, node, p] * real(visits) + value) / real(visits + 1)


@inlined_njit
def _action_value(tree: Tree, b: int, child: int, player: int) -> Any:
    """What the action that leads to `child` is worth to `player`."""
    return tree.reward[b, child, player] + tree.nodes[b, child].discount * tree.value[b, child, player]


def values_of(config: MuZeroConfig) -> type:
    """The set of functions for the values of `config`'s game."""
    return OneValue if config.players <= 2 else ValuePerPlayer


def components_of(config: MuZeroConfig) -> int:
    """Components (P) of the values of `config`'s game."""
    return 1 if config.players <= 2 else config.players

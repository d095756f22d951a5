"""What an agent thinks of a position: the search's figures and tree, in a form to be shown."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from data import SearchResult
from search.tree import ROOT, Tree


class TreeLimit(NamedTuple):
    """How much of a search tree is handed out."""

    depth: int = 6  # moves below the root
    width: int = 6  # most visited children of each node


Standing = Literal["unknown", "possible", "over", "illegal", "beyond"]
"""Of an imagined move by the game's rules: not tried; possible; the game's last one; impossible; after one of
the two before."""


class TreeNode(NamedTuple):
    """A visited node of a search tree, with its most visited children first."""

    action: int | None  # that leads here; None at the root
    simulation: int  # that made the node, from 1; 0 at the root: the order in which the tree has grown
    visits: int  # the node's own evaluation included
    value: float  # mean of all values below, to the player to move here
    prior: float  # of the action, by the network; 1 at the root
    reward: float  # of the action, to the player who moved; 0 at the root
    to_play: int  # who moves here
    children: tuple[TreeNode, ...]
    standing: Standing = "unknown"  # of the action, in the game itself


class LineEnd(NamedTuple):
    """Why the moves that an agent expects end where they do."""

    standing: Literal["unknown", "over", "illegal"] = "unknown"  # by default the search went no further
    believed: int | None = None  # the illegal action with which the model goes on


class Analysis(NamedTuple):
    """What the agent thinks of a position. Values are discounted returns to the player to move."""

    action: int  # that the agent would play
    value: float  # after the search
    network_value: float  # before it
    policy: NDArray[np.float32]  # [A] what the search makes of the prior: what it would rather play
    visits: NDArray[np.int32]  # [A] Gumbel's are forced upon bad actions too
    prior: NDArray[np.float32]  # [A] the network's policy over the legal actions
    action_values: NDArray[np.float32]  # [A] nan where the search has not been
    principal_variation: tuple[int, ...]  # the most visited line, `action` first
    line_end: LineEnd
    tree: TreeNode
    to_play: int
    simulations: int

    @property
    def win_probability(self) -> float:
        """Of the player to move, in a game for two whose outcomes are -1, 0 and 1; a draw is half a win."""
        return win_probability(self.value)


def win_probability(value: float) -> float:
    """The chance to win that a value stands for, in a game for two with the outcomes -1, 0 and 1."""
    return float(np.clip((value + 1) / 2, 0.0, 1.0))


def require_finite(*figures: float) -> None:
    """Raises `ConfigurationError` when an agent's figures are not finite."""
    if not np.isfinite(figures).all():
        raise ConfigurationError("the agent's network gives figures that are not finite: was it damaged?")


def read_tree(tree: Tree, found: SearchResult, simulations: int, limit: TreeLimit, row: int = 0) -> Analysis:
    """The newest search of `row` of `tree`, which found `found`."""
    action, value = int(found.action[row]), float(found.value[row, 0])
    edges = tree.edges[row, ROOT]
    visits = edges["visits"].astype(np.int32)
    return Analysis(
        action=action,
        value=value,
        network_value=float(tree.nodes[row, ROOT]["raw_value"]),
        policy=found.policy[row].astype(np.float32),
        visits=visits,
        prior=edges["prior"].astype(np.float32),
        action_values=np.where(visits > 0, edges["q"], np.nan).astype(np.float32),
        principal_variation=tuple(_line(tree, row, action)),
        line_end=LineEnd(),
        tree=_node(tree, row, ROOT, None, limit)._replace(value=value),
        to_play=int(tree.nodes[row, ROOT]["to_play"]),
        simulations=simulations,
    )


def _line(tree: Tree, row: int, action: int) -> Iterator[int]:
    """The most visited moves from the root on, `action` first."""
    yield action
    node = int(tree.edges[row, ROOT, action]["child"])
    while node > ROOT and tree.edges[row, node]["visits"].any():
        action = _by_visits(tree, row, node)[0]
        yield action
        node = int(tree.edges[row, node, action]["child"])


def _by_visits(tree: Tree, row: int, node: int) -> list[int]:
    """The visited actions of a node, the most visited ones first; among equals the likelier ones."""
    edges = tree.edges[row, node]
    order = np.lexsort((-edges["prior"], -edges["visits"]))
    return [int(action) for action in order if edges["visits"][action] > 0]


def _node(tree: Tree, row: int, node: int, action: int | None, limit: TreeLimit) -> TreeNode:
    own = tree.nodes[row, node]
    children = _by_visits(tree, row, node)[: limit.width] if limit.depth else []
    deeper = limit._replace(depth=limit.depth - 1)
    return TreeNode(
        action=action,
        simulation=int(node),
        visits=int(own["visits"]),
        value=float(tree.value[row, node, 0]),
        prior=1.0 if action is None else float(tree.edges[row, own["parent"], action]["prior"]),
        reward=0.0 if action is None else float(tree.reward[row, node, 0]),
        to_play=int(own["to_play"]),
        children=tuple(_node(tree, row, int(tree.edges[row, node, a]["child"]), a, deeper) for a in children),
    )


def most_visited(tree: TreeNode, limit: int) -> TreeNode:
    """The tree's `limit` most visited nodes (a child is never visited more often than its parent)."""
    order = itertools.count()  # breaks ties, in the order of discovery
    waiting = [(-tree.visits, next(order), tree)]
    kept: set[int] = set()
    while waiting and len(kept) < limit:
        _, _, node = heapq.heappop(waiting)
        kept.add(id(node))
        for child in node.children:
            heapq.heappush(waiting, (-child.visits, next(order), child))
    return _pruned(tree, kept)


def _pruned(node: TreeNode, kept: set[int]) -> TreeNode:
    return node._replace(children=tuple(_pruned(child, kept) for child in node.children if id(child) in kept))


def unsearched(found: SearchResult, to_play: int, row: int = 0) -> Analysis:
    """What the network alone says of the position in `row`."""
    action, value, prior = int(found.action[row]), float(found.value[row, 0]), found.policy[row]
    return Analysis(
        action=action,
        value=value,
        network_value=value,
        policy=prior.astype(np.float32),
        visits=found.visit_counts[row].astype(np.int32),
        prior=prior.astype(np.float32),
        action_values=np.full(len(prior), np.nan, np.float32),
        principal_variation=(action,),
        line_end=LineEnd(),
        tree=TreeNode(None, 0, 1, value, 1.0, 0.0, to_play, ()),
        to_play=to_play,
        simulations=0,
    )

"""The trees of a batched search, and how all of them are searched: arrays that are allocated once."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.memory import require_room
from data import FloatArray, IntArray

# A node's index is the number of the simulation that made it; the root's is typed because numba would compile
# functions once more for a literal.
ROOT = cast(int, np.int64(0))
NO_PARENT = -1  # the parent of the root, and of a node number that no simulation of the row used
UNVISITED = -1  # the child of an action that was not taken yet
ILLEGAL = -2  # the child of an action that must not be taken; only the root knows any

# kinds of nodes
DECISION = 0  # its player chooses the action
CHANCE = 1  # the action happens with the probability that the model gives it


class Tree(NamedTuple):
    """The trees of one batched search: a tree is a row of these arrays, and the whole state of its search.

    The values are valid for nodes that the newest search made; `nodes["parent"]` tells which those are.
    """

    rows: NDArray[np.void]  # [B] low and high: value bounds; ties: random state; considered actions; depth
    nodes: NDArray[np.void]  # [B, N] visits, parent, action (from it), to_play, kind, raw_value, discount
    edges: NDArray[np.void]  # [B, N, A] q (to the parent's player), prior, logit (<= 0), visits, child
    value: FloatArray  # [B, N, P] mean of the values backed up to the node, see `search/values.py`
    reward: FloatArray  # [B, N, P] of the edge into the node
    gumbel: FloatArray  # [B, A] scaled Gumbel noise of the root's actions


class SearchParameters(NamedTuple):
    """How all trees are searched: the configuration, as kernels read it."""

    constants: NDArray[np.void]  # [1] see `search/parameters.py`
    exploration: FloatArray  # [N + 1] by a node's visits, as the rule has it
    schedule: IntArray  # [n, N - 1] by simulation, as the rule has it


class Records(NamedTuple):
    """The record types of `Tree`."""

    row: np.dtype[np.void]
    node: np.dtype[np.void]
    edge: np.dtype[np.void]


@functools.cache
def record_types(dtype: np.dtype[Any]) -> Records:
    """The record types over `dtype`; the same objects at each call, which numba recognises in less time."""
    real = dtype.str
    descriptions = (
        f"low {real}, high {real}, ties u8, considered i4, depth i4",
        f"visits i4, parent i4, action i4, to_play i4, kind i4, raw_value {real}, discount {real}",
        f"q {real}, prior {real}, logit {real}, visits i4, child i4",
    )
    fields = ([tuple(field.split()) for field in text.split(", ")] for text in descriptions)
    return Records(*(np.dtype(names_and_kinds, align=True) for names_and_kinds in fields))


def tree_bytes(
    batch: int, nodes: int, actions: int, dtype: DTypeLike = np.float32, components: int = 1
) -> int:
    """Bytes of what `make_tree` allocates."""
    records, real = record_types(np.dtype(dtype)), np.dtype(dtype).itemsize
    node = records.node.itemsize + actions * records.edge.itemsize + 2 * components * real
    return batch * (records.row.itemsize + nodes * node + actions * real)


def make_tree(batch: int, nodes: int, actions: int, dtype: DTypeLike, components: int = 1) -> Tree:
    """Room for `batch` trees of `nodes` nodes (N), values with so many components (P).

    Raises `ConfigurationError` when there is no such room.
    """
    what = f"the trees of {nodes - 1:,} simulations in {batch} game(s) at a time"
    require_room(tree_bytes(batch, nodes, actions, dtype, components), what)
    records = record_types(np.dtype(dtype))
    return Tree(
        rows=np.zeros(batch, records.row),
        nodes=np.zeros((batch, nodes), records.node),
        edges=np.zeros((batch, nodes, actions), records.edge),
        value=np.zeros((batch, nodes, components), dtype),
        reward=np.zeros((batch, nodes, components), dtype),
        gumbel=np.zeros((batch, actions), dtype),
    )

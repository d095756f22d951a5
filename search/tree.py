"""The trees of a batched search: arrays that are allocated once."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.memory import require_room
from data import FloatArray


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


class Records(NamedTuple):
    """The record types of `Tree` and `SearchParameters`."""

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
        f"low {real}, high {real}, noise_fraction {real}, value_scale {real}, maxvisit_init {real}, "
        f"least_range {real}",
    )
    fields = ([tuple(field.split()) for field in text.split(", ")] for text in descriptions)
    return Records(*(np.dtype(names_and_kinds, align=True) for names_and_kinds in fields))


def tree_bytes(batch: int, nodes: int, actions: int, dtype: DTypeLike = np.float32) -> int:
    """Bytes of what `make_tree` allocates."""
    records, real = record_types(np.dtype(dtype)), np.dtype(dtype).itemsize
    node = records.node.itemsize + actions * records.edge.itemsize + 2 * real
    return batch * (records.row.itemsize + nodes * node + actions * real)


def make_tree(batch: int, nodes: int, actions: int, dtype: DTypeLike) -> Tree:
    """Room for `batch` trees of `nodes` nodes (N), values with one component.

    Raises `ConfigurationError` when there is no such room.
    """
    what = f"the trees of {nodes - 1:,} simulations in {batch} game(s) at a time"
    require_room(tree_bytes(batch, nodes, actions, dtype), what)
    records = record_types(np.dtype(dtype))
    return Tree(
        rows=np.zeros(batch, records.row),
        nodes=np.zeros((batch, nodes), records.node),
        edges=np.zeros((batch, nodes, actions), records.edge),
        value=np.zeros((batch, nodes, 1), dtype),
        reward=np.zeros((batch, nodes, 1), dtype),
        gumbel=np.zeros((batch, actions), dtype),
    )

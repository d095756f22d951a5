"""A sum tree: draws indices in proportion to their weights and changes weights, both in O(log n)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.kernels import cached_njit


class SumTree:
    """Weights of n leaves, all 0 at first, in one array of 2n doubles (Schaul et al. 2015, appendix B.2.1).

    Leaf i is node n + i and node k's parent is k // 2, which makes a tree for any n. A node is always
    recomputed as the sum of its two children, so rounding errors do not accumulate over updates.
    """

    BYTES_PER_LEAF = 16

    def __init__(self, leaves: int) -> None:
        self._nodes = np.zeros(2 * leaves, np.float64)
        self._leaves = self._nodes[leaves:]

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self._nodes[1])

    def __getitem__(self, leaves: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._leaves[leaves]

    def __setitem__(self, leaves: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        """Sets the weights [n] >= 0 of `leaves` [n]; of a leaf named twice, the last one holds."""
        _set(self._nodes, leaves, weights)

    def draw(self, fractions: NDArray[np.float64]) -> NDArray[np.int64]:
        """The leaves [n] at `fractions` [n] in [0, 1) of the total weight; never one of weight 0."""
        leaves: NDArray[np.int64] = _draw(self._nodes, fractions)
        return leaves


@cached_njit()
def _set(nodes: NDArray[np.float64], leaves: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
    first = len(nodes) // 2
    for i in range(len(leaves)):
        node = first + leaves[i]
        nodes[node] = weights[i]
        while node > 1:
            node //= 2
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1]


@cached_njit()
def _draw(nodes: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.int64]:
    first = len(nodes) // 2
    leaves = np.empty(len(fractions), np.int64)
    for i in range(len(fractions)):
        rest = fractions[i] * nodes[1]
        node = 1
        while node < first:
            node *= 2
            # Rounding may leave more than the right child holds: an empty child is never entered.
            if rest >= nodes[node] and nodes[node + 1] > 0.0:
                rest -= nodes[node]
                node += 1
        leaves[i] = node - first
    return leaves

"""Plain UCT (Kocsis & Szepesvari 2006), by which real games are searched without a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.kernels import inlined_njit
from data import FloatArray
from search.rules.rule import SearchRule
from search.rules.scoring import argmax_legal, scaling
from search.tree import SearchParameters, Tree


@dataclass(frozen=True)
class Uct(SearchRule):
    """UCB1 in every node; the network's policy says only what is legal."""

    title = "uct"
    options = ("q_transform", "value_bounds")
    constant: float  # weight of what is seldom tried

    def exploration(self, config: MuZeroConfig, visits: NDArray[np.float64]) -> NDArray[np.float64]:
        """constant * sqrt(log(n)): is divided by sqrt(action's visits)."""
        return np.asarray(self.constant * np.sqrt(np.log(np.maximum(visits, 1.0))))

    @staticmethod
    def select(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> int:
        """The action with the highest score."""
        score(tree, parameters, b, node, scores)
        choice: int = argmax_legal(tree, b, node, scores)
        return choice


@inlined_njit
def score(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> None:
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

"""MuZero's rule (paper, appendix B): PUCT, with Dirichlet noise at the root."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.kernels import inlined_njit
from data import BoolArray, FloatArray
from search.noise import RootNoise, legal_dirichlet
from search.rules.rule import SearchRule
from search.rules.scoring import argmax_legal, scaling
from search.tree import ROOT, SearchParameters, Tree


class PuctConstants(NamedTuple):
    """Numbers of this rule."""

    noise_fraction: float


class Puct(SearchRule):
    """PUCT: the network's policy decides what is tried, and less so the more is known."""

    title = "puct"
    options = (
        *("root_dirichlet_alpha", "root_exploration_fraction", "pb_c_base", "pb_c_init"),
        *("q_transform", "value_bounds"),
    )

    def constants(self, config: MuZeroConfig) -> NamedTuple:
        """See `SearchRule`."""
        return PuctConstants(config.root_exploration_fraction)

    def exploration(self, config: MuZeroConfig, visits: NDArray[np.float64]) -> NDArray[np.float64]:
        """sqrt(n) * (pb_c_init + log((n + pb_c_base + 1) / pb_c_base)): times prior / (1 + visits)."""
        growth = np.log((visits + config.pb_c_base + 1) / config.pb_c_base)
        return np.asarray(np.sqrt(visits) * (config.pb_c_init + growth))

    def noise(
        self, config: MuZeroConfig, generator: np.random.Generator, legal: BoolArray, none: RootNoise
    ) -> RootNoise:
        """Dirichlet noise over the legal actions."""
        drawn = legal_dirichlet(generator, legal, config.root_dirichlet_alpha)
        return none._replace(dirichlet=drawn.astype(none.dirichlet.dtype))

    @staticmethod
    def prepare(
        tree: Tree, parameters: SearchParameters, b: int, legal: BoolArray, dirichlet: FloatArray
    ) -> None:
        """Mixes noise into the root's priors."""
        fraction, share = parameters.constants[0].noise_fraction, 0.0
        for a in range(legal.shape[1]):
            share += fraction * dirichlet[b, a]
        for a in range(legal.shape[1]):
            edge = tree.edges[b, ROOT, a]
            edge.prior = (1.0 - share) * edge.prior + fraction * dirichlet[b, a]

    @staticmethod
    def select(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> int:
        """The action with the highest score."""
        score(tree, parameters, b, node, scores)
        choice: int = argmax_legal(tree, b, node, scores)
        return choice


@inlined_njit
def score(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> None:
    """Scaled action value (0 if not visited) plus prior and visits."""
    real = scores.dtype.type  # all in the trees' own precision: numba widens float32 * int to float64
    low, scale = scaling(tree, parameters, b, node, scores)
    exploration = parameters.exploration[tree.nodes[b, node].visits]
    for a in range(len(scores)):
        edge = tree.edges[b, node, a]
        q = (edge.q - low) * scale
        q = q if edge.visits > 0 else real(0)
        scores[a] = q + exploration * edge.prior / real(edge.visits + 1)

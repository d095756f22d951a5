"""How all trees are searched: the configuration, as kernels read it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from config import MuZeroConfig
from data import FloatArray, IntArray
from search.tree import record_types

SMALLEST_RANGE = 1e-8
"""Least denominator when values are scaled to [0, 1], as in mctx."""


class SearchParameters(NamedTuple):
    """How all trees are searched: the configuration, as kernels read it."""

    constants: NDArray[np.void]  # [1] see `make_parameters`
    exploration: FloatArray  # [N + 1] by a node's visits, see `puct_exploration` and `uct_exploration`
    halving: IntArray  # [M + 1, N - 1] Gumbel: visits of the actions whose turn it is, by simulation


def make_parameters(
    config: MuZeroConfig, simulations: int, dtype: DTypeLike, uct: float | None = None
) -> SearchParameters:
    """Those of a search with this many simulations: by `config.search`, or UCT with the constant `uct`."""
    considered = min(config.max_num_considered_actions, config.num_actions)
    constants = np.zeros(1, record_types(np.dtype(dtype)).constants)
    constants["gumbel"] = config.search == "gumbel" and uct is None
    constants["uct"] = uct is not None
    constants["by_siblings"] = config.q_transform == "parent_and_siblings"
    constants["tree_bounds"] = config.q_transform == "min_max"
    constants["rescale_values"] = config.rescale_values
    constants["max_depth"] = config.max_depth or simulations
    constants["max_considered"] = considered
    constants["low"], constants["high"] = config.value_bounds
    constants["noise_fraction"] = config.root_exploration_fraction
    constants["value_scale"] = config.value_scale
    constants["maxvisit_init"] = config.maxvisit_init
    constants["least_range"] = max(config.min_q_range, SMALLEST_RANGE)
    visits = np.arange(simulations + 2, dtype=np.float64)
    exploration = puct_exploration(config, visits) if uct is None else uct_exploration(uct, visits)
    sequences = [considered_visits(m, simulations) for m in range(considered + 1)]
    return SearchParameters(
        constants=constants,
        exploration=exploration.astype(dtype),
        halving=np.array(sequences, np.int32),
    )


def puct_exploration(config: MuZeroConfig, visits: NDArray[np.float64]) -> NDArray[np.float64]:
    """sqrt(n) * (pb_c_init + log((n + pb_c_base + 1) / pb_c_base)): times prior / (1 + action's visits)."""
    growth = np.log((visits + config.pb_c_base + 1) / config.pb_c_base)
    return np.asarray(np.sqrt(visits) * (config.pb_c_init + growth))


def uct_exploration(constant: float, visits: NDArray[np.float64]) -> NDArray[np.float64]:
    """constant * sqrt(log(n)): is divided by sqrt(action's visits)."""
    return np.asarray(constant * np.sqrt(np.log(np.maximum(visits, 1.0))))


def considered_visits(considered: int, simulations: int) -> list[int]:
    """Sequential halving over `considered` actions, as one number of visits per simulation.

    A simulation takes the best of the actions that have exactly that many visits (Gumbel MuZero paper,
    section 3; mctx `get_sequence_of_considered_visits`).
    """
    if considered <= 1:
        return list(range(simulations))
    phases = math.ceil(math.log2(considered))
    sequence: list[int] = []
    visits, remaining = 0, considered
    while len(sequence) < simulations:
        rounds = max(1, int(simulations / (phases * remaining)))
        for visit in range(visits, visits + rounds):
            sequence += [visit] * remaining
        visits += rounds
        remaining = max(2, remaining // 2)
    return sequence[:simulations]

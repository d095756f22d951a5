"""What several rules of the search have in common: the choice among scores, and scaled action values."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.kernels import inlined_njit
from data import FloatArray
from search.specialised import component
from search.tree import ILLEGAL, ROOT, SearchParameters, Tree


@inlined_njit
def argmax_legal(tree: Tree, b: int, node: int, scores: FloatArray) -> int:
    """The action with the highest score; among equals a random one, or the lowest if row b has no seed."""
    lowest = scores.dtype.type(-np.inf)
    best, choice, equals = lowest, 0, 0
    for a in range(len(scores)):
        score = scores[a] if tree.edges[b, node, a].child != ILLEGAL else lowest
        if score == best and equals > 0 and tree.rows[b].ties != 0:
            equals += 1
            state = tree.rows[b].ties  # xorshift64: never 0 once it is not
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            tree.rows[b].ties = state
            if (state >> np.uint64(33)) % np.uint64(equals) == np.uint64(0):
                choice = a
        better = score > best  # without a branch, which would be mispredicted
        best = score if better else best
        choice = a if better else choice
        equals = 1 if better else equals
    return choice


@inlined_njit
def scaling(
    tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray
) -> tuple[Any, Any]:
    """What to subtract from a node's action values, and then to multiply them by, to bring them to [0, 1]."""
    real = scores.dtype.type
    low, high = tree.rows[b].low, tree.rows[b].high
    if parameters.constants[0].by_siblings:
        value = low = high = tree.value[b, node, component(parameters, tree.nodes[b, node].to_play)]
        for a in range(len(scores)):
            q = tree.edges[b, node, a].q
            q = q if tree.edges[b, node, a].visits > 0 else value
            low = q if q < low else low
            high = q if q > high else high
        scale = real(1) / max(high - low, parameters.constants[0].least_range)
    elif high > low:
        scale = real(1) / max(high - low, parameters.constants[0].least_range)
    else:
        low, scale = real(0), real(1)  # the paper's pseudocode scales only once there is a range
    return low, scale


@inlined_njit
def sample_by_visits(tree: Tree, b: int, temperature: float, uniform: float, scores: FloatArray) -> int:
    """Samples a root action by visits ** (1 / temperature); the most visited one at temperature 0."""
    most = 0
    for a in range(len(scores)):
        scores[a] = tree.edges[b, ROOT, a].visits
        most = max(most, tree.edges[b, ROOT, a].visits)
    choice: int = argmax_legal(tree, b, ROOT, scores)
    if temperature <= 0.0 or most == 0:
        return choice
    total = 0.0
    for a in range(len(scores)):
        scores[a] = (scores[a] / most) ** (1.0 / temperature)
        total += scores[a]
    threshold = uniform * total
    for a in range(len(scores)):
        if scores[a] > 0 and threshold >= 0.0:
            choice = a
            threshold -= scores[a]
    return choice

"""Values and rewards as categorical distributions over a transformed range (MuZero paper, appendix F).

Numpy only, so that processes which never import torch can use it; `models.py` has the torch twins.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 0.001
"""The linear part of the transform, which keeps its inverse Lipschitz continuous."""


def transform(values: NDArray[Any]) -> NDArray[Any]:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + eps x, of any shape."""
    transformed: NDArray[Any] = np.sign(values) * (np.sqrt(np.abs(values) + 1) - 1) + EPSILON * values
    return transformed


def inverse_transform(values: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `transform`, of any shape.

    With y = |x| + 1 + eps, the paper's (sqrt(1 + 4 eps y) - 1) / (2 eps) is written as
    2 y / (1 + sqrt(1 + 4 eps y)), which does not cancel in single precision.
    """
    shifted = np.abs(values) + (1 + EPSILON)
    root = 2 * shifted / (1 + np.sqrt(1 + 4 * EPSILON * shifted))
    scalars: NDArray[Any] = np.sign(values) * (root * root - 1)
    return scalars


def support_reach(support_size: int, transformed: bool = True) -> float:
    """The largest number that fits on the support: what is beyond is learned as if it were this."""
    return float(inverse_transform(np.array(float(support_size)))) if transformed else float(support_size)


def support_needed(largest: float, transformed: bool = True) -> int:
    """The `support_size` that holds numbers of up to `largest` either way."""
    on_the_support = float(transform(np.array(largest))) if transformed else largest
    return max(1, math.ceil(on_the_support - 1e-9))


def scalar_to_support(
    values: NDArray[Any], support_size: int, transformed: bool = True
) -> NDArray[np.float32]:
    """Scalars [...] as two-hot distributions [..., F] over the integers -support_size..support_size.

    The value, if so wished `transformed`, is clipped to the support and shared between its two neighbouring
    atoms.
    """
    exact = np.asarray(values, np.float64)
    clipped = np.clip(transform(exact) if transformed else exact, -support_size, support_size)
    lower = np.minimum(np.floor(clipped), support_size - 1)
    share = (clipped - lower).astype(np.float32)[..., None]
    index = (lower.astype(np.int64) + support_size)[..., None]
    distribution = np.zeros((*clipped.shape, 2 * support_size + 1), np.float32)
    np.put_along_axis(distribution, index, 1 - share, -1)
    np.put_along_axis(distribution, index + 1, share, -1)
    return distribution


def support_to_scalar(logits: NDArray[Any], transformed: bool = True) -> NDArray[Any]:
    """Scalars [...] from logits [..., F]: the expectation, transformed back if `transformed`."""
    support_size = logits.shape[-1] // 2
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    atoms = np.arange(-support_size, support_size + 1, dtype=logits.dtype)
    mean: NDArray[Any] = (weights @ atoms) / weights.sum(-1)
    return inverse_transform(mean) if transformed else mean

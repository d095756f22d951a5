"""All that is random in a search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from data import BoolArray, FloatArray


class RootNoise(NamedTuple):
    """All that is random in one search over B roots."""

    dirichlet: FloatArray  # [B, A] each row sums to 1 over the legal actions, or is 0 for no noise
    gumbel: FloatArray  # [B, A] not scaled yet
    tie_seeds: NDArray[np.uint64]  # [B] 0: ties go to the lowest index
    uniform: FloatArray  # [B] in [0, 1), samples the action by temperature

    @classmethod
    def none(cls, batch: int, actions: int, dtype: DTypeLike = np.float32) -> RootNoise:
        """No noise: the search is deterministic."""
        zeros = np.zeros((batch, actions), dtype)
        return cls(zeros, zeros, np.zeros(batch, np.uint64), np.zeros(batch, dtype))


def legal_dirichlet(generator: np.random.Generator, legal: BoolArray, alpha: float) -> NDArray[np.float64]:
    """Dirichlet(alpha) over each row's legal actions [B, A]; 0 elsewhere, and in a row without any.

    A gamma variate of a small shape underflows; its logarithm, log G(alpha + 1) + log(U) / alpha, does not.
    """
    logs = np.log(generator.standard_gamma(alpha + 1.0, legal.shape))
    logs += np.log1p(-generator.random(legal.shape)) / alpha
    logs[~legal] = -np.inf
    largest = logs.max(axis=1, keepdims=True)
    weights = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))

"""What a loss says of a batch, and the factors of its terms: the same for every way to gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data import LossStatistics

FloatMatrix = NDArray[np.float32]
LATENT_GRADIENT_SCALE = 0.5
"""Of the gradient that flows back into the input of the dynamics (MuZero paper, appendix G)."""


def add_statistics(parts: Sequence[LossStatistics]) -> LossStatistics:
    """The statistics of a batch from those of its parts, in order."""
    return LossStatistics(
        tuple(sum(losses) for losses in zip(*(part.losses for part in parts), strict=True)),
        sum(part.value_entropy for part in parts),
        sum(part.policy_entropy for part in parts),
        np.concatenate([part.root_values for part in parts]),
    )


def loss_scales(masks: FloatMatrix, weights: FloatMatrix, scale: float, first_step: int) -> FloatMatrix:
    """The factor of every loss term, time-major [steps, S], from masks [S, steps].

    `scale` and a sample's importance weight, and 1/K for the terms of unrolled steps (MuZero paper,
    appendix G): those are all steps but the root, which is there when `first_step` is 0.
    """
    steps = masks.shape[1]
    of_step = np.full((steps, 1), scale / max(steps + first_step - 1, 1), np.float32)
    of_step[: 1 - first_step] = scale
    return masks.T * weights * of_step

"""The way of every gradient to the optimiser: from all learners together, checked, clipped."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from core.errors import ConfigurationError


class TrainingError(ConfigurationError):
    """The update cannot be made; the message is one line saying why and what to do."""


def diverged(step: int, how: str) -> TrainingError:
    """That training has come to nothing at optimiser step `step`."""
    return TrainingError(f"training diverged at step {step}: {how}; try a smaller lr_init or max_grad_norm")


def alone(gradient: Tensor) -> None:
    """There is one learner, whose gradient stays as it is."""


class GradientPath:
    """What a gradient passes in place before an optimiser step.

    `gather` makes of a learner's own gradient [n], of its batch's mean loss, the mean of all learners'. A
    learner that has diverged so stops all of them, and learners that began alike stay alike.
    """

    def __init__(self, gather: Callable[[Tensor], None] = alone) -> None:
        self.gather = gather

    def __call__(self, gradient: Tensor, loss: float, step: int, max_norm: float) -> float:
        """Leads `gradient` [n] of the `loss` at optimiser step `step` (from 0) on; its norm before clipping.

        It is scaled down to `max_norm`, unless that is 0. Raises `TrainingError` unless loss and norm are
        finite.
        """
        self.gather(gradient)
        norm = float(torch.linalg.vector_norm(gradient))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise diverged(step, f"loss {loss:g}, gradient norm {norm:g}")
        if 0 < max_norm < norm:
            gradient.mul_(max_norm / norm)
        return norm


OWN = GradientPath()
"""That of a learner by itself."""

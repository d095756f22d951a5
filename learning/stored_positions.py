"""What a network and a search are given of positions that are stored as rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.actions import ActionSpace
from data import BoolArray
from learning.symmetry import Symmetries
from learning.targets import StepRows
from playing.observations import stack_observations


def stacked_at(
    steps: StepRows, rows: NDArray[np.int64], config: MuZeroConfig, symmetries: Symmetries | None = None
) -> NDArray[np.float32]:
    """The stacked observations [S, C, H, W] at `rows` [S] of a ring, turned by `symmetries` of S samples."""
    window = (rows[:, None] - np.arange(config.stacked_observations + 1)) % len(steps.actions)
    observations, actions = steps.observations[window], steps.actions[window[:, 1:]]
    if symmetries is not None:
        observations, actions = symmetries.boards(observations), symmetries.actions(actions)
    return stack_observations(observations, actions, steps.past[rows], config.actions)


def legal_at(steps: StepRows, rows: NDArray[np.int64]) -> BoolArray:
    """The legal actions [S, A] at `rows` [S]."""
    return ActionSpace(steps.policies.shape[1]).unpack(steps.legal_actions[rows])

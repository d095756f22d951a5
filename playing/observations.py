"""Stacked observations: what the network sees of a position and of the moves that led to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.actions import ActionSpace
from data import IntArray


def stack_observations(
    window: NDArray[Any], actions: IntArray, past: NDArray[np.integer], space: ActionSpace
) -> NDArray[np.float32]:
    """The stacked observations [S, C * (n + 1) + n, H, W] of S positions, as muzero-general orders them.

    `window` [S, n + 1, C, H, W] holds each position's observation, then the n before it, newest first;
    `actions` [S, n] the actions taken in those n; `past` [S] how many of them exist. The current
    observation comes first; then, for each earlier step, its observation and a plane of its action
    (`ActionSpace.encode`). Steps before the game's start are zero, whatever `window` holds for them.
    """
    samples, length, channels, height, width = window.shape
    earlier = length - 1
    stacked = np.empty((samples, channels * length + earlier, height, width), np.float32)
    stacked[:, :channels] = window[:, 0]
    if earlier:
        steps = earlier_steps(stacked, channels)
        steps[:, :, :channels] = window[:, 1:]
        steps[:, :, channels] = space.encode(actions)[..., None, None]
        steps[np.arange(earlier) >= past[:, None]] = 0.0
    return stacked


def push(stack: NDArray[np.float32], observation: NDArray[Any], action: int, space: ActionSpace) -> None:
    """Moves a stack [C * (n + 1) + n, H, W] on in place: `action` has led to `observation` [C, H, W].

    It becomes what `stack_observations` would make anew, which takes longer.
    """
    channels = len(observation)
    steps = earlier_steps(stack, channels)
    steps[1:] = steps[:-1].copy()
    steps[:1, :channels] = stack[:channels]
    steps[:1, channels] = space.encode(action)
    stack[:channels] = observation


def earlier_steps(stacked: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """A view [..., n, C + 1, H, W] of the earlier steps in stacks [..., C * (n + 1) + n, H, W]."""
    *samples, planes, height, width = stacked.shape
    earlier = planes // (channels + 1)
    return stacked[..., channels:, :, :].reshape(*samples, earlier, channels + 1, height, width)

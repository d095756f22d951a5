"""Gymnasium's environments: their pictures, and any of them as a game."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.network_kinds import NETWORKS

INSTALL = 'a picture of this game needs pygame, which is not installed; run: pip install "pygame-ce>=2.5"'

PICTURE_CHANNELS = (1, 3, 4)
"""Of pictures whose channels come last: grey, RGB, RGBA."""


def rgb_frame(env: Any) -> NDArray[np.uint8]:
    """The environment's own picture of its state, [H, W, 3]. Raises `ConfigurationError` without pygame.

    Environments are made without a render mode, in which some work less per move. No window is opened.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    env.unwrapped.render_mode = "rgb_array"
    try:
        return np.asarray(env.render(), np.uint8)
    except gymnasium.error.DependencyNotInstalled:
        raise ConfigurationError(INSTALL) from None


class GymnasiumGame:
    """A Gymnasium environment in this project's game API, for one player who chooses among discrete actions.

    Vectors (n,) are observed as (1, 1, n), pictures (H, W, C) as (C, H, W), other arrays of two dimensions
    as (1, H, W); what is no array (Discrete, Dict, ...) is flattened by Gymnasium, ones and zeros for what is
    discrete. Raises `ConfigurationError` on an environment that has no such observations or actions.
    """

    def __init__(self, make: Callable[..., Any], seed: int | None = None) -> None:
        self.env: Any = make()
        self._see = Seeing(self.env.observation_space)
        self._first_action = first_action(self.env)
        self._seed = seed

    def reset(self, seed: int | None = None) -> NDArray[Any]:
        """Starts a game; returns the observation [C, H, W]."""
        observation, _ = self.env.reset(seed=self._seed if seed is None else seed)
        self._seed = None
        return self._see(observation)

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Takes an action, numbered from 0; gymnasium's five values."""
        returned = self.env.step(self._first_action + action)
        observation, reward, terminated, truncated, info = returned
        return self._see(observation), reward, terminated, truncated, info

    def close(self) -> None:
        """Closes the environment."""
        self.env.close()

    def text(self) -> str:
        """The environment's own text, if it writes any, else what it is called."""
        if self.env.render_mode == "ansi":
            return str(self.env.render())
        return str(self.env)


class Seeing:
    """How observations of a Gymnasium space become arrays [C, H, W] of `shape`.

    Raises `ConfigurationError` if they have no fixed size.
    """

    def __init__(self, space: Any) -> None:
        self._space = space
        box = isinstance(space, gymnasium.spaces.Box)
        self._flattened = not box or len(space.shape) not in (1, 2, 3)
        if self._flattened and not space.is_np_flattenable:
            raise ConfigurationError(f"the observations {space} have no fixed size: wrap the environment")
        flat = gymnasium.spaces.flatdim(space)
        shape: tuple[int, ...] = (flat,) if self._flattened else space.shape
        self._channels_last = len(shape) == 3 and shape[2] in PICTURE_CHANNELS and space.dtype == np.uint8
        last = (shape[2], *shape[:2]) if self._channels_last else shape
        self.shape: tuple[int, ...] = (1,) * (3 - len(last)) + tuple(int(side) for side in last)

    def __call__(self, observation: Any) -> NDArray[Any]:
        """`observation` as an array of `shape`."""
        array = np.asarray(
            gymnasium.spaces.flatten(self._space, observation) if self._flattened else observation
        )
        if self._channels_last:
            array = np.ascontiguousarray(array.transpose(2, 0, 1))
        return array.reshape(self.shape)


def first_action(env: Any) -> int:
    """The lowest of an environment's actions. Raises `ConfigurationError` unless they are discrete."""
    space = env.action_space
    if not isinstance(space, gymnasium.spaces.Discrete):
        raise ConfigurationError(
            f"the actions of {env} are {space}: only Discrete ones can be chosen among; wrap the environment"
        )
    return int(space.start)


def environment_config(env: Any) -> MuZeroConfig:
    """What follows from a Gymnasium environment: observations, actions, and how long a game may be."""
    first_action(env)
    shape = Seeing(env.observation_space).shape
    picture = min(shape[1:]) > 1
    moves = getattr(env.spec, "max_episode_steps", None) if env.spec is not None else None
    return MuZeroConfig(
        observation_shape=shape,
        action_space=tuple(range(int(env.action_space.n))),
        max_moves=moves or MuZeroConfig().max_moves,
        network=next(name for name in NETWORKS.names if NETWORKS.find(name).image_input == picture),
    )

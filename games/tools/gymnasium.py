"""Pictures of gymnasium's environments."""

from __future__ import annotations

import os
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError

INSTALL = 'a picture of this game needs pygame, which is not installed; run: pip install "pygame-ce>=2.5"'


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

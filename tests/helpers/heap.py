"""A game for three: they take one to three from a heap in turn; who takes the last one has won.

The file is one that a person could have written: it is loaded by its path, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from muzero import MuZeroConfig as Config

HEAP = str(Path(__file__))
SMALLEST = 6
"""The heap of seed 0; it is larger by up to 4."""


class Game:
    """See the file's head. The winner is rewarded with 1, the two others with -0.5."""

    def __init__(self, seed: int | None = None) -> None:
        self.heap, self.player = SMALLEST, 0

    def reset(self, seed: int = 0) -> Any:
        self.heap, self.player = SMALLEST + seed % 5, 0
        return self.observation()

    def step(self, action: int) -> tuple[Any, Any, bool]:
        if action not in self.legal_actions():
            raise ValueError(f"{action + 1} cannot be taken from {self.heap}")
        self.heap -= action + 1
        over = self.heap == 0
        rewards = np.where(np.arange(3) == self.player, 1.0, -0.5) * over
        self.player = (self.player + 1) % 3
        return self.observation(), rewards, over

    def observation(self) -> Any:
        return np.array([[[self.heap, self.player]]], np.float32)

    def to_play(self) -> int:
        return self.player

    def legal_actions(self) -> list[int]:
        return list(range(min(self.heap, 3)))

    def expert_agent(self) -> int:
        """Takes all it can if that ends the game, else one."""
        return self.heap - 1 if self.heap <= 3 else 0

    def text(self) -> str:
        return f"{self.heap} in the heap"


class MuZeroConfig(Config):
    observation_shape = (1, 1, 2)
    action_space = (0, 1, 2)
    players = 3
    max_moves = 20
    discount = 1.0

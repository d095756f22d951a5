"""The base class that files written for muzero-general import. Games made for this project need none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class AbstractGame(ABC):
    """muzero-general's contract: what a game must have, and what it may have."""

    @abstractmethod
    def __init__(self, seed: int | None = None) -> None: ...

    @abstractmethod
    def reset(self) -> Any:
        """Starts a game; returns the observation [C, H, W]."""

    @abstractmethod
    def step(self, action: int) -> Any:
        """Makes a move; returns observation, reward to the player who moved, and whether the game is over."""

    def to_play(self) -> int:
        """The player to move."""
        return 0

    def close(self) -> None:  # noqa: B027 - a game need not have it
        """Called when the game is no longer needed."""

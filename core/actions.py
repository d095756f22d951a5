"""What a game's actions are, how they are kept, and how a legal one is drawn.

Whoever has to know that actions are numbers from 0 on asks an `ActionSpace`; all others carry them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.policies import random_legal
from data import BoolArray, IntArray


class ActionFault(NamedTuple):
    """Why a list is none of actions."""

    what: str  # "contains 9"
    expected: str  # "actions from 0 to 8"


@dataclass(frozen=True)
class ActionSpace:
    """The discrete actions 0 to A - 1."""

    count: int  # A

    def fault(self, listed: NDArray[Any]) -> ActionFault | None:
        """What is wrong with a list of actions [n], if anything is."""
        if listed.size and listed.dtype.kind not in "iu":
            return ActionFault(f"are of type {listed.dtype}", "whole numbers")
        unknown = listed[(listed < 0) | (listed >= self.count)]
        if unknown.size:
            return ActionFault(f"contains {unknown.flat[0]}", f"actions from 0 to {self.count - 1}")
        return None

    def mask(self, listed: IntArray) -> BoolArray:
        """Which actions are among `listed` [n], [A]."""
        mask = np.zeros(self.count, np.bool_)
        mask[listed] = True
        return mask

    def all_legal(self, *shape: int) -> BoolArray:
        """Masks [*shape, A] of all actions."""
        return np.ones((*shape, self.count), np.bool_)

    def pack(self, legal: BoolArray) -> NDArray[np.uint8]:
        """Masks [..., A] as bits [..., ceil(A / 8)], which histories keep."""
        return np.packbits(legal, axis=-1)

    def unpack(self, packed: NDArray[np.uint8]) -> BoolArray:
        """The masks [..., A] that were packed."""
        return np.unpackbits(packed, axis=-1, count=self.count).astype(np.bool_)

    def encode(self, actions: Any) -> Any:
        """Actions [...] as numbers in [0, 1), for the planes of earlier ones in stacked observations."""
        return actions / self.count

    def sample(self, generator: np.random.Generator, legal: BoolArray) -> NDArray[np.int32]:
        """A random one of the legal actions [n] of each row of `legal` [n, A]."""
        return random_legal(generator, legal)

    def draw(self, generator: np.random.Generator, *shape: int) -> NDArray[np.int32]:
        """Any actions [*shape], legal or not."""
        return generator.integers(self.count, size=shape, dtype=np.int32)

    def text(self, action: int) -> str:
        """An action for people, where its game has no words for it."""
        return str(action)

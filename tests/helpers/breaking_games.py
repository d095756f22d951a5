"""Games of which some break, by their seeds: for tests of what then becomes of the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from games.api.spec import GameSpec
from tests.helpers.toy_games import Walk, WalkConfig

FATAL_MOVE = 2
"""The move at which they break."""


class Breaking(Walk):
    """`Walk` of which every game whose seed is divisible by `every` breaks at its third move."""

    every = 7

    def reset(self, seed: int | None = None) -> Any:
        observation = super().reset(seed)
        self.length = max(self.length, FATAL_MOVE + 2)
        return observation

    def step(self, action: int) -> Any:
        if self.number % self.every == 0 and self.move == FATAL_MOVE:
            return self.broken(action)
        return super().step(action)

    def broken(self, action: int) -> Any:
        raise ZeroDivisionError("by this seed")

    def _answered(self, action: int, **changes: Any) -> Any:
        observation, reward, *ends = super().step(action)
        return changes.get("observation", observation), changes.get("reward", reward), *ends


class NanObservation(Breaking):
    def broken(self, action: int) -> Any:
        return self._answered(action, observation=np.full((1, 1, 3), np.nan))


class LargeObservation(Breaking):
    def broken(self, action: int) -> Any:
        return self._answered(action, observation=np.full((1, 1, 3), 3e38))


class LargeReward(Breaking):
    def broken(self, action: int) -> Any:
        return self._answered(action, reward=1e300)


class InfiniteReward(Breaking):
    def broken(self, action: int) -> Any:
        return self._answered(action, reward=np.inf)


class WrongTurn(Breaking):
    def broken(self, action: int) -> Any:
        self.wrong = self._answered(action)
        return self.wrong

    def to_play(self) -> int:
        broke = self.number % self.every == 0 and self.move > FATAL_MOVE
        return 5 if broke else super().to_play()


class TwiceInARow(WrongTurn):
    def to_play(self) -> int:
        broke = self.number % self.every == 0 and self.move > FATAL_MOVE
        return super(WrongTurn, self).to_play() ^ broke


class Unreadable(Breaking):
    def broken(self, action: int) -> Any:
        observation, reward, *_ = self._answered(action)
        return observation, reward, False, np.zeros(2), {}


class Leaving(Breaking):
    def broken(self, action: int) -> Any:
        raise SystemExit(3)


class BadStart(Walk):
    def reset(self, seed: int | None = None) -> Any:
        if seed is not None and seed % Breaking.every == 0:
            raise OSError("no such level")
        return super().reset(seed)


class Exiting(Breaking):
    """Ends its process."""

    every = 4

    def broken(self, action: int) -> Any:
        os._exit(3)


class RarelyExiting(Exiting):
    every = 40


class AlwaysExiting(Exiting):
    every = 1


class RarelyHanging(Breaking):
    """Never answers."""

    every = 40

    def broken(self, action: int) -> Any:
        while True:
            time.sleep(0.1)


SAYS: dict[str, tuple[Callable[..., Any], str]] = {
    "raise": (Breaking, "move 2: step("),
    "sys_exit": (Leaving, "raised SystemExit"),
    "nan": (NanObservation, "move 3: an observation contains NaN"),
    "large_observation": (LargeObservation, "move 3: an observation holds numbers up to 3e+38; expected at"),
    "large_reward": (LargeReward, "move 3: step returned the reward 1e+300; expected one of at most 1e+15"),
    "infinite_reward": (InfiniteReward, "move 3: step returned the reward inf; expected a finite number"),
    "turn": (WrongTurn, "move 3: to_play is 5; expected a player from 0 to 1"),
    "twice": (TwiceInARow, "moves twice in a row"),
    "unreadable": (Unreadable, "move 3: what it returned cannot be read: ValueError"),
    "start": (BadStart, "move 0: its constructor or reset raised OSError: no such level"),
}
"""How games break, and what is said of them."""


def breaking(game_class: Callable[..., Any]) -> GameSpec:
    """The game, in `Walk`'s configuration."""
    return GameSpec("breaking", game_class, WalkConfig())

"""When a player gives up, and how often that was wrong."""

from __future__ import annotations

import numpy as np

from config import MuZeroConfig
from data import FloatArray, GameHistory, Snapshot
from playing.exploration import moves_made
from playing.game_table import GameTable

NOBODY = -1
"""Instead of a player: none of them."""


class Resignation:
    """Decides who gives up in B games of two players, and counts when that would have been wrong.

    A player whose root value falls below `resign_value` resigns, but never before a game's first move: a
    game without moves teaches nothing. A share `resign_check` of the games is played out all the same.
    """

    def __init__(self, config: MuZeroConfig, generator: np.random.Generator, batch: int) -> None:
        self.config, self.generator = config, generator
        self.enabled = config.resign_value > -1
        self.played_out = np.zeros(batch, bool)
        self.hopeless = np.full(batch, NOBODY, np.int8)  # who would have resigned first, in a game played out

    def begin(self, row: int) -> None:
        """A new game starts in `row`."""
        if self.enabled:
            self.played_out[row] = self.generator.random() < self.config.resign_check
            self.hopeless[row] = NOBODY

    def decide(self, root_values: FloatArray, table: GameTable) -> list[int]:
        """The rows whose players to move resign, given the values [B] of all rows' positions to them."""
        if not self.enabled:
            return []
        low = (root_values < self.config.resign_value) & (moves_made(table) > 0)
        first = low & self.played_out & (self.hopeless == NOBODY)
        self.hopeless[first] = table.to_play[first]
        return np.flatnonzero(low & ~self.played_out).tolist()

    def was_wrong(self, row: int, history: GameHistory) -> bool | None:
        """Whether the one who would have resigned the game of `row` has not lost it; None if nobody would."""
        player = self.hopeless[row]
        if player == NOBODY or history.game_return is None:
            return None
        return (history.game_return if player == 0 else -history.game_return) >= 0

    def state(self) -> Snapshot:
        """What is known of the running games."""
        return Snapshot({"played_out": self.played_out.copy(), "hopeless": self.hopeless.copy()}, {})

    def load_state(self, state: Snapshot) -> None:
        """Goes on from `state`."""
        self.played_out[...] = state.arrays["played_out"]
        self.hopeless[...] = state.arrays["hopeless"]

"""A model and a batched search in one: what plans the moves of many games at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import SearchResult, Weights
from game_table import GameTable
from inference import make_model
from mcts import RootNoise, Search


class Planner:
    """A model and a batched search, for up to `batch` positions at once."""

    def __init__(self, config: MuZeroConfig, batch: int, simulations: int, device: str) -> None:
        self.model = make_model(config, batch, simulations, device)
        self.search = Search(config, batch, simulations)
        self.version = -1

    def load(self, weights: Weights, version: int) -> None:
        """Plans with `weights`, which `version` updates have made, from now on."""
        self.model.load(weights)
        self.version = version

    def plan(
        self, table: GameTable, rows: NDArray[np.intp], noise: RootNoise, temperature: float = 0.0
    ) -> SearchResult:
        """Searches from the current positions of `rows` [n]."""
        return self.search.run(
            self.model, table.stacks[rows], table.to_play[rows], table.legal[rows], noise, temperature
        )

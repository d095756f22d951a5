"""The opponent `minimax`: alpha-beta on the real rules of a board game."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arena.player_kind import Amount, Order, PlayerKind, PlayerSpec
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.randomness import one_of
from data import IntArray
from games.api.spec import GameSpec
from playing.game_table import GameTable

if TYPE_CHECKING:
    from games.boards.alpha_beta import Solver

DEPTH = 4
LARGEST_SOLVED = 9
"""Moves of the longest games that `minimax` solves outright."""


class MinimaxPlayer:
    """Alpha-beta on the real rules; a random one of the best actions.

    Exact in games so short that they can be solved, else of limited depth.
    """

    def __init__(self, depth: int | None, generator: np.random.Generator) -> None:
        self.depth, self.generator = depth, generator
        self._solver: Solver | None = None

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`."""
        if self._solver is None:
            self._solver = self._made_for(table)
        best = (self._solver.best_actions(table.environments[row].game.state) for row in rows)
        return np.array([one_of(self.generator, actions) for actions in best], np.int32)

    def reseed(self, generator: np.random.Generator) -> None:
        """See `DrawingPlayer`; what has been solved stays known."""
        self.generator = generator

    def _made_for(self, table: GameTable) -> Solver:
        """The search for the games of `table`, whose board may be another than the game's default."""
        from games.boards.alpha_beta import Solver

        depth = usual_depth(table.config) if self.depth is None else self.depth
        return Solver(table.environments[0].game.rules, table.config.num_actions, depth)


def usual_depth(config: MuZeroConfig) -> int:
    """How many moves are looked ahead in a game where nothing is said."""
    return config.max_moves if config.max_moves <= LARGEST_SOLVED else DEPTH


def _deepest() -> int:
    from games.boards.alpha_beta import WHOLE_GAME  # brings numba

    return WHOLE_GAME


def _check(spec: PlayerSpec, game: GameSpec) -> None:
    if not game.can.be_searched:
        raise ConfigurationError(f"game {game.name!r} has no compiled rules: minimax cannot play it")


def _make(order: Order) -> MinimaxPlayer:
    return MinimaxPlayer(order.spec.amount, order.generator)


MINIMAX = PlayerKind("minimax", _make, _check, Amount("depth", usual_depth, highest=_deepest))

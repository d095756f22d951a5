"""Players without a search of ours: one who plays anything, and the game's own expert."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arena.player_kind import Order, PlayerKind, PlayerSpec
from core.errors import ConfigurationError
from data import IntArray
from games.api.spec import GameSpec
from playing.game_table import GameTable
from playing.player import legal_action


class RandomPlayer:
    """Plays any legal action."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`."""
        return table.actions.sample(self.generator, table.legal[rows])

    def reseed(self, generator: np.random.Generator) -> None:
        """See `DrawingPlayer`."""
        self.generator = generator


class ExpertPlayer:
    """Plays what the game's own `expert_agent` says."""

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`. Raises `GameError` on what is no legal action."""
        chosen = ((row, table.environments[row].game.expert_agent()) for row in rows.tolist())
        return np.array([legal_action(table, row, action) for row, action in chosen], np.int32)


def _check_expert(spec: PlayerSpec, game: GameSpec) -> None:
    if not game.can.advise:
        raise ConfigurationError(f"game {game.name!r} has no expert_agent: choose another opponent")


def _make_random(order: Order) -> RandomPlayer:
    return RandomPlayer(order.generator)


def _make_expert(order: Order) -> ExpertPlayer:
    return ExpertPlayer()


RANDOM = PlayerKind("random", _make_random)
EXPERT = PlayerKind("expert", _make_expert, _check_expert, varies_little=True)

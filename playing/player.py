"""Who chooses the moves in a seat of a table's games, whoever it may be."""

from __future__ import annotations

import operator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from data import IntArray
from playing.environment import GameError
from playing.game_table import GameTable


class Player(Protocol):
    """Chooses moves in some of the games of a table."""

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """Actions [n] int32 for the games `rows` [n], in each of which it is this player's turn."""
        ...


@runtime_checkable
class DrawingPlayer(Player, Protocol):
    """One whose choices depend on random numbers."""

    def reseed(self, generator: np.random.Generator) -> None:
        """Draws from `generator` from now on, as if it had just been made with it."""
        ...


def legal_action(table: GameTable, row: int, action: Any) -> int:
    """`action`, which a player chose in the game `row`. Raises `GameError` unless it is a legal one."""
    try:
        number = operator.index(action)
    except TypeError:
        number = -1
    legal = table.legal[row]
    if 0 <= number < len(legal) and legal[number]:
        return number
    environment = table.environments[row]
    raise GameError(
        f"game {environment.name!r}, move {environment.moves}: a player chose the action {action}, which is "
        "not legal there; mend its expert_agent or legal_actions"
    )

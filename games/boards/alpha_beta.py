"""Alpha-beta search over the compiled rules of any board game: perfect near the end, a fair opponent before.

Values are those of the player to move at the root: 1 a win, -1 a loss, 0 a draw, and in between what the
game's `evaluate` guesses where the search stops short of the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.kernels import cached_njit
from games.boards.rules import (
    EVALUATE,
    LEGAL,
    OUTCOME,
    PLAY,
    REWARDS,
    RUNNING,
    TO_PLAY,
    BoardState,
    Rules,
)

WHOLE_GAME = 512
"""A depth (moves) that no game searched to its end reaches."""

HASTE = 1.0 / 4096.0
"""What a win loses of its value for each move that it takes longer, when the quickest is asked for."""


def action_values(rules: Rules, state: BoardState, num_actions: int, depth: int) -> NDArray[np.float64]:
    """The value of each action [A] to the player to move in `state`, looking `depth` >= 1 moves ahead.

    Illegal actions are nan. A value is exactly 1, 0 or -1 when all that matters ends within `depth`, no
    matter how soon. Raises `ConfigurationError` on another depth.
    """
    return _values(rules, state, num_actions, depth, haste=0.0, best_only=False)


def best_actions(
    rules: Rules, state: BoardState, num_actions: int, depth: int, quick: bool = False
) -> NDArray[np.int64]:
    """The actions of the highest value, rising; none once the game is over.

    With `quick`, a win is worth more the sooner, and a loss the later it comes; without, all that win are
    equal. Raises `ConfigurationError` unless 1 <= depth <= `WHOLE_GAME`.
    """
    values = _values(rules, state, num_actions, depth, haste=HASTE if quick else 0.0, best_only=True)
    return _all_best(values)


def exact_values(rules: Rules, state: BoardState, num_actions: int) -> NDArray[np.float64]:
    """`action_values` of a search to the game's end, for small games: each 1, 0, -1 or nan."""
    return action_values(rules, state, num_actions, WHOLE_GAME)


class Solver:
    """A search of fixed depth, by default to the game's end, that remembers the positions it was asked about.

    With it a small game is solved again and again at no cost. Up to `capacity` positions are remembered.
    """

    def __init__(
        self, rules: Rules, num_actions: int, depth: int = WHOLE_GAME, capacity: int = 100_000
    ) -> None:
        self.rules, self.num_actions, self.depth, self.capacity = rules, num_actions, depth, capacity
        self._known: dict[bytes, NDArray[np.float64]] = {}

    def action_values(self, state: BoardState) -> NDArray[np.float64]:
        """What `action_values` returns; the same array to everyone who asks, so not to be written to."""
        key = state.tobytes()
        values = self._known.get(key)
        if values is None:
            values = action_values(self.rules, state, self.num_actions, self.depth)
            if len(self._known) < self.capacity:
                self._known[key] = values
        return values

    def best_actions(self, state: BoardState) -> NDArray[np.int64]:
        """The actions of the highest value, rising; none once the game is over."""
        return _all_best(self.action_values(state))


def _all_best(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The actions whose value is the highest; `values` [A] are nan where an action is illegal."""
    return np.flatnonzero(values == np.max(values, initial=-np.inf, where=~np.isnan(values)))


def _values(
    rules: Rules, state: BoardState, num_actions: int, depth: int, haste: float, best_only: bool
) -> NDArray[np.float64]:
    """The actions' values [A]; with `best_only`, those below the best are only known to be below."""
    if not 1 <= depth <= WHOLE_GAME:
        raise ConfigurationError(f"depth={depth} of a search must be from 1 to {WHOLE_GAME}")
    values = np.empty(num_actions, np.float64)
    _search(rules.legal, rules.play, rules.evaluate, state, depth, haste, best_only, values)
    return values


_functions = (types.FunctionType(LEGAL), types.FunctionType(PLAY), types.FunctionType(EVALUATE))
_states = types.Array(types.int64, 2, "C")
_masks = types.Array(types.boolean, 2, "C")
_moves = (types.int64, types.int64, types.float64, types.float64, types.float64)


@cached_njit("int64(boolean[::1], int64[::1])")
def _likeliest(mask: Any, history: Any) -> Any:
    """The action of `mask` [A] with the highest score in `history` [A]; -1 if there is none."""
    best = -1
    for action in range(len(mask)):
        if mask[action] and (best < 0 or history[action] > history[best]):
            best = action
    return best


@cached_njit(types.float64(*_functions, _states, _masks, _states, *_moves), error_model="numpy")
def _follow(
    legal: Any, play: Any, evaluate: Any, states: Any, masks: Any, history: Any,
    ply: Any, action: Any, haste: Any, alpha: Any, beta: Any,
) -> Any:  # fmt: skip
    """The value of `action` in the position states[ply], to the player who moves there.

    It is exact if it lies between alpha and beta, else a bound beyond them. `states` [depth + 1, S] and
    `masks` [depth, A] are scratch from ply + 1 and ply on; `history` [2, A] scores, for either player, the
    moves that were good elsewhere in the tree.
    """
    depth = len(masks)
    mover, state = states[ply, TO_PLAY], states[ply + 1]
    state[:] = states[ply]
    play(state, action)
    player, outcome = state[TO_PLAY], state[OUTCOME]
    if outcome != RUNNING:
        return REWARDS[outcome, mover] * (1.0 - haste * ply)
    sign = 1.0 if player == mover else -1.0
    if ply + 1 == depth:
        return sign * evaluate(state) * (1.0 - haste * depth)  # less than the slowest win
    if player != mover:
        alpha, beta = -beta, -alpha
    beta = min(beta, 1.0 - haste * (ply + 1))  # nothing is better than to win at once
    legal(state, masks[ply])
    best, reply = -np.inf, np.int64(0)
    while best < beta and reply >= 0:
        reply = _likeliest(masks[ply], history[player])
        if reply >= 0:
            masks[ply, reply] = False
            value = _follow(
                legal, play, evaluate, states, masks, history, ply + 1, reply, haste, max(alpha, best), beta
            )
            best = max(best, value)
    if reply >= 0:
        history[player, reply] += (depth - ply) ** 2
    return sign * best


@cached_njit(
    types.void(*_functions, types.int64[::1], types.int64, types.float64, types.boolean, types.float64[::1])
)
def _search(
    legal: Any, play: Any, evaluate: Any, state: Any, depth: Any, haste: Any, best_only: Any, values: Any
) -> None:
    """Writes the actions' values [A] as `_values` returns them."""
    num_actions = len(values)
    states = np.empty((depth + 1, len(state)), np.int64)
    masks = np.empty((depth, num_actions), np.bool_)
    history = np.zeros((2, num_actions), np.int64)
    mask = np.empty(num_actions, np.bool_)
    states[0] = state
    legal(state, mask)
    best = -1.0
    for action in range(num_actions):
        values[action] = np.nan
        if mask[action]:
            # Just below the best so far: an equal action's value is still exact.
            alpha = max(-1.0, np.nextafter(best, -2.0)) if best_only else -1.0
            values[action] = _follow(
                legal, play, evaluate, states, masks, history, 0, action, haste, alpha, 1.0
            )
            best = max(best, values[action])

"""The rules of two-player board games as compiled functions over a small vector.

A game file compiles the functions with the signatures below and lists them as `Rules`. Everything that plays
the real game (self-play, alpha-beta, rollouts, a search with a perfect model) works on those functions, so
that no game needs a second implementation. Functions with these signatures are passed to kernels as pointers:
such a kernel is compiled once for all games and cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from core.kernels import cached_njit

BoardState = NDArray[np.int64]
"""[S] a position. The first entries are common to all games (below); the others are the game's own."""

TO_PLAY = 0  # entry: the player to move, 0 or 1
OUTCOME = 1  # entry: one of the four below
MOVES = 2  # entry: moves made
OWN = 3  # the first entry that is the game's own

RUNNING, WON_BY_0, WON_BY_1, DRAWN = 0, 1, 2, 3

REWARDS = np.array([[0, 0], [1, -1], [-1, 1], [0, 0]], np.float64)
"""[outcome, player] what an outcome means to a player: 1 a win, -1 a loss, else 0.

A table and no function, so that kernels in other files take it over like the numbers above. Numba's cache
notices a change of neither: after one, delete the cached kernels.
"""

_state = types.Array(types.int64, 1, "C")
_mask = types.Array(types.boolean, 1, "C")
_planes = types.Array(types.int8, 3, "C")

LEGAL = types.int64(_state, _mask)
PLAY = types.void(_state, types.int64)
EVALUATE = types.float64(_state)
OBSERVE = types.void(_state, _planes)


def compiled(signature: Any) -> Callable[[Any], Any]:
    """The decorator for a rule: compiled at once for `signature`, cached on disk."""
    decorator: Callable[[Any], Any] = cached_njit(signature, error_model="numpy")
    return decorator


class Rules(NamedTuple):
    """A two-player, zero-sum board game with perfect information.

    A running game has a legal action: who cannot move but to pass has an action that passes.
    """

    start: Callable[[], BoardState]  # a fresh first position [S]
    legal: Any  # LEGAL: marks the legal actions in mask [A] (all others false); returns how many, 0 if over
    play: Any  # PLAY: makes a legal move, in place; keeps the first three entries up to date. Checks nothing
    evaluate: Any  # EVALUATE: a guess in (-1, 1) of the outcome of a running game, to the player to move
    observe: Any  # OBSERVE: writes the position, seen by the player to move, to all of planes [C, H, W]


def address_of(rule: Any, signature: Any) -> int:
    """Where a compiled rule lies in memory, for `function_at`."""
    return int(types.CompileResultWAP(rule.get_compile_result(signature)).address)


def function_at(signature: Any) -> Any:
    """Makes, inside kernels, a callable function of an `address_of` it.

    A kernel takes such a number in no time; finding out the address of a function takes numba 30 us per call.
    """
    kind = types.FunctionType(signature)

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        pointer = context.get_value_type(types.voidptr)
        function = cgutils.create_struct_proxy(kind)(context, builder)
        function.c_addr = builder.inttoptr(arguments[0], pointer)
        function.py_addr = function.jit_addr = cgutils.get_null_value(pointer)
        return function._getvalue()

    @intrinsic
    def cast(typing_context: Any, address: Any) -> Any:
        return kind(types.int64), generate

    return cast


def reward_to(player: int, state: BoardState) -> float:
    """1, 0 or -1: what the position means to `player` (0 while the game runs)."""
    return float(REWARDS[state[OUTCOME], player])

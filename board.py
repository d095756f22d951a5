"""Two-player board games: their rules as compiled functions over a small vector, and the `Game` over them.

A game file compiles four functions with the signatures below and lists them as `Rules`. Everything that plays
the real game (self-play, alpha-beta, rollouts, a search with a perfect model) works on those functions, so
that no game needs a second implementation. Functions with these signatures are passed to kernels as pointers:
such a kernel is compiled once for all games and cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from config import ConfigurationError
from games._prompt import ask, listed

State = NDArray[np.int64]
"""[S] a position. The first entries are common to all games (below); the others are the game's own."""

TO_PLAY = 0  # entry: the player to move, 0 or 1
OUTCOME = 1  # entry: one of the four below
MOVES = 2  # entry: moves made
OWN = 3  # the first entry that is the game's own

RUNNING, WON_BY_0, WON_BY_1, DRAWN = 0, 1, 2, 3

_state = types.Array(types.int64, 1, "C")
_mask = types.Array(types.boolean, 1, "C")
_planes = types.Array(types.int8, 3, "C")

LEGAL = types.int64(_state, _mask)
PLAY = types.void(_state, types.int64)
EVALUATE = types.float64(_state)
OBSERVE = types.void(_state, _planes)


def compiled(signature: Any) -> Callable[[Any], Any]:
    """The decorator for a rule: compiled at once for `signature`, cached on disk."""
    decorator: Callable[[Any], Any] = njit(signature, cache=True, error_model="numpy")
    return decorator


OVER = "the game is over; reset() starts another"


class IllegalMoveError(ConfigurationError):
    """A move that the rules do not allow; the message is one line that says which, and what is allowed."""


class Rules(NamedTuple):
    """A two-player, zero-sum board game with perfect information.

    A running game has a legal action: who cannot move but to pass has an action that passes.
    """

    start: Callable[[], State]  # a fresh first position [S]
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


def reward_to(player: int, state: State) -> float:
    """1, 0 or -1: what the position means to `player` (0 while the game runs)."""
    outcome = int(state[OUTCOME])
    if outcome in (RUNNING, DRAWN):
        return 0.0
    return 1.0 if outcome == WON_BY_0 + player else -1.0


class BoardGame:
    """The game API over `Rules`. A game file adds its rules, its shape, and words for its actions."""

    rules: ClassVar[Rules]
    shape: tuple[int, int, int] = (2, 3, 3)  # [C, H, W] of an observation
    num_actions: int = 9
    expert_depth: ClassVar[int] = 4  # moves that `expert_agent` looks ahead
    symbols: ClassVar[str] = "XO"  # the stones of player 0 and of player 1, as `text` shows them
    move_help: ClassVar[str] = "one of the legal moves"

    def __init__(self, seed: int | None = None) -> None:
        self.generator = np.random.default_rng(seed)
        self.state = self.rules.start()
        self._mask = np.zeros(self.num_actions, bool)

    def reset(self, seed: int | None = None) -> NDArray[np.int8]:
        """Starts a game; returns the observation [C, H, W] int8, as the player to move sees it."""
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        self.state = self.rules.start()
        return self.observation()

    def step(self, action: int) -> tuple[NDArray[np.int8], float, bool]:
        """Makes a move; returns observation, reward to the player who moved (1 for a win), and the end.

        Raises `IllegalMoveError` on a move that is not legal, and leaves the game as it was.
        """
        self.rules.legal(self.state, self._mask)
        if not 0 <= action < self.num_actions or not self._mask[action]:
            raise IllegalMoveError(self._refusal(action))
        player = int(self.state[TO_PLAY])
        self.rules.play(self.state, action)
        return self.observation(), reward_to(player, self.state), bool(self.state[OUTCOME] != RUNNING)

    def _refusal(self, action: int) -> str:
        """Why `action` cannot be played, in one line."""
        if self.state[OUTCOME] != RUNNING:
            return f"action {action} is not legal: {OVER}"
        legal = [f"{a} ({self.action_to_string(a)})" for a in self.legal_actions()]
        return f"action {action} is not legal; legal are: {listed(legal)}"

    def observation(self) -> NDArray[np.int8]:
        """The position, as the player to move sees it: [C, H, W] int8."""
        planes = np.empty(self.shape, np.int8)
        self.rules.observe(self.state, planes)
        return planes

    def legal_actions(self) -> list[int]:
        """All legal actions; none once the game is over."""
        self.rules.legal(self.state, self._mask)
        return self._mask.nonzero()[0].tolist()

    def to_play(self) -> int:
        """The player to move: 0 or 1."""
        return int(self.state[TO_PLAY])

    def expert_agent(self) -> int:
        """The best move that alpha-beta finds `expert_depth` moves ahead; a random one among equals.

        It takes the shortest way to a win, and the longest to a loss. Raises `IllegalMoveError` once the
        game is over.
        """
        from alpha_beta import best_actions

        best = best_actions(self.rules, self.state, self.num_actions, self.expert_depth, quick=True)
        if best.size == 0:
            raise IllegalMoveError(OVER)
        return int(self.generator.choice(best))

    def action_to_string(self, action: int) -> str:
        """The action in words."""
        return str(action)

    def human_to_action(self) -> int:
        """Asks at the terminal for a legal move, until there is one.

        Raises `IllegalMoveError` once the game is over, and `EOFError` when the input ends.
        """
        legal = {self.action_to_string(action): action for action in self.legal_actions()}
        if not legal:
            raise IllegalMoveError(OVER)
        words = list(legal)
        return legal[words[ask(f"Move of {self.symbols[self.to_play()]} ({self.move_help}): ", words)]]

    def render(self) -> None:
        """Prints the board."""
        print(self.text())

    def text(self) -> str:
        """The board as text."""
        raise NotImplementedError

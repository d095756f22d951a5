"""The game API over the compiled rules of a board game."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.prompts import ask, listed
from core.randomness import one_of
from games.boards.rules import OUTCOME, RUNNING, TO_PLAY, BoardState, Rules, reward_to
from games.tools.over import OVER

if TYPE_CHECKING:
    from config import MuZeroConfig
    from games.boards.preset import Sides


class IllegalMoveError(ConfigurationError):
    """A move that the rules do not allow; the message is one line that says which, and what is allowed."""


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
        from games.boards.alpha_beta import best_actions

        best = best_actions(self.rules, self.state, self.num_actions, self.expert_depth, quick=True)
        if best.size == 0:
            raise IllegalMoveError(OVER)
        return one_of(self.generator, best)

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


class SquareBoardGame(BoardGame):
    """A game on a square board of `config.board_size`, which its rules read in a position."""

    sides: ClassVar[Sides]

    def __init__(self, seed: int | None = None, config: MuZeroConfig | None = None) -> None:
        self.side = self.sides.default if config is None else self.sides.chosen(config)
        options = self.sides.options(self.side)
        self.shape, self.num_actions = options["observation_shape"], len(options["action_space"])
        start = functools.partial(self.start_on, self.side)
        self.rules = self.rules._replace(start=start)  # type: ignore[misc]
        super().__init__(seed)

    @staticmethod
    def start_on(side: int) -> BoardState:
        """The first position on a board of a side."""
        raise NotImplementedError

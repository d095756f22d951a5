"""NAME: drop stones into four columns; three in a row win.

`python muzero.py new-game` has written this file as a small game to start from. Change it step by step, and
run `python muzero.py check-game TYPED` after each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import muzero

ROWS, COLUMNS = 4, 4
IN_A_ROW = 3
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # rows and columns


class MuZeroConfig(muzero.MuZeroConfig):
    """What differs from the defaults; `python muzero.py TYPED --help` lists every option."""

    observation_shape = (2, ROWS, COLUMNS)  # channels, height, width
    action_space = tuple(range(COLUMNS))  # always 0, 1, ..., n - 1
    players = 2
    max_moves = ROWS * COLUMNS
    symmetry = "mirror"  # a position and its mirror image are worth the same; "none" if yours are not

    discount = 1.0
    td_steps = ROWS * COLUMNS  # the value target is the game's outcome
    num_simulations = 25
    evaluation_simulations = 25
    q_transform = "bounds"  # values are known to lie between -1 and 1
    support_size = 1  # check-game says when the values of your rewards need more
    support_transform = False  # outcomes of -1 and 1 are then the ends of the support

    encoding_size = 64  # larger for games with more to know
    fc_representation_layers = (128,)
    fc_dynamics_layers = (128,)
    fc_value_layers = (64,)
    fc_policy_layers = (64,)
    value_loss_weight = 1.0

    games_per_worker = 32
    ratio = 0.1
    training_steps = 20_000
    training_minutes = 3.0
    evaluation_interval = 5.0  # seconds
    evaluation_games = 64
    opponents = ("random",)  # whom to play against in evaluation


class Game:
    """The rules. An instance plays one game after another; there is no chance in them."""

    symbols = "XO"  # the stones of player 0 and of player 1 in `text`

    def __init__(self, seed: int | None = None) -> None:
        self.reset()

    def reset(self, seed: int | None = None) -> NDArray[np.int8]:
        """Starts a game; returns the first observation."""
        self.board = np.zeros((2, ROWS, COLUMNS), np.int8)  # 1 where a player has a stone
        self.player = 0
        self.over = False
        return self.observation()

    def step(self, action: int) -> tuple[NDArray[np.int8], float, bool]:
        """Makes a move; returns the observation, the reward to who moved, and whether the game is over."""
        if self.over or action not in self.legal_actions():
            raise ValueError(f"action {action} is not legal")
        row = ROWS - 1 - int(self.board[:, :, action].sum())
        self.board[self.player, row, action] = 1
        won = self._in_a_row(row, action)
        self.over = won or not self.legal_actions()
        self.player = 1 - self.player
        return self.observation(), 1.0 if won else 0.0, self.over

    def _in_a_row(self, row: int, column: int) -> bool:
        """Whether the stone that was put there completes a line of its player."""
        return any(
            1 + self._count(row, column, down, right) + self._count(row, column, -down, -right) >= IN_A_ROW
            for down, right in DIRECTIONS
        )

    def _count(self, row: int, column: int, down: int, right: int) -> int:
        """Stones of the player beside that one, in one direction."""
        count = 0
        while True:
            row, column = row + down, column + right
            if not (0 <= row < ROWS and 0 <= column < COLUMNS) or not self.board[self.player, row, column]:
                return count
            count += 1

    def legal_actions(self) -> list[int]:
        """The columns that are not full."""
        return [column for column in range(COLUMNS) if not self.board[:, 0, column].any()]

    def to_play(self) -> int:
        """The player to move: 0 or 1."""
        return self.player

    def observation(self) -> NDArray[np.int8]:
        """What the player to move sees, a new array each time: planes of the own and the other stones."""
        return self.board[[self.player, 1 - self.player]]

    # The rest is for people, and optional.

    def action_to_string(self, action: int) -> str:
        """The action in words: the column's number."""
        return str(action + 1)

    def text(self) -> str:
        """The position as lines of text."""
        letters = np.select([self.board[0] == 1, self.board[1] == 1], list(self.symbols), ".")
        numbers = [str(column + 1) for column in range(COLUMNS)]
        return "\n".join(" ".join(row) for row in [*letters.tolist(), numbers])

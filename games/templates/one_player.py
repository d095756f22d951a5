"""NAME: walk along a corridor to the treasure.

`python muzero.py new-game` has written this file as a small game to start from. Change it step by step, and
run `python muzero.py check-game TYPED` after each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import muzero

CELLS = 9
LEFT, RIGHT = 0, 1


class MuZeroConfig(muzero.MuZeroConfig):
    """What differs from the defaults; `python muzero.py TYPED --help` lists every option."""

    observation_shape = (2, 1, CELLS)  # channels, height, width
    action_space = (LEFT, RIGHT)  # always 0, 1, ..., n - 1
    players = 1
    max_moves = 30  # longer games are cut short

    discount = 0.95  # so that reaching the treasure soon is worth more
    td_steps = 10  # moves whose rewards a value target adds up
    num_simulations = 16
    evaluation_simulations = 16
    support_size = 2  # check-game says when the values of your rewards need more

    encoding_size = 16  # larger for games with more to know
    fc_representation_layers = (32,)
    value_loss_weight = 1.0

    games_per_worker = 32
    learning_starts = 500
    training_steps = 20_000
    evaluation_interval = 2.0  # seconds
    evaluation_games = 32
    target_reward = 0.7  # training ends here; the shortest ways earn 0.77 on average


class Game:
    """The rules. An instance plays one game after another, each of which its seed determines."""

    def __init__(self, seed: int | None = None) -> None:
        self.generator = np.random.default_rng(seed)  # draw all chance from it
        self.player, self.treasure = 0, 1

    def reset(self, seed: int | None = None) -> NDArray[np.int8]:
        """Starts a game; returns the first observation."""
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        player, treasure = self.generator.choice(CELLS, 2, replace=False)
        self.player, self.treasure = int(player), int(treasure)
        return self.observation()

    def step(self, action: int) -> tuple[NDArray[np.int8], float, bool]:
        """Makes a move; returns the new observation, the reward, and whether the game is over."""
        if self.player == self.treasure or action not in self.legal_actions():
            raise ValueError(f"action {action} is not legal")
        self.player += 1 if action == RIGHT else -1
        found = self.player == self.treasure
        return self.observation(), 1.0 if found else -0.1, found

    def legal_actions(self) -> list[int]:
        """Where the player can go: not beyond the ends."""
        return [LEFT] * (self.player > 0) + [RIGHT] * (self.player < CELLS - 1)

    def observation(self) -> NDArray[np.int8]:
        """What the agent sees, a new array each time: a plane for the player, and one for the treasure."""
        planes = np.zeros((2, 1, CELLS), np.int8)
        planes[0, 0, self.player] = 1
        planes[1, 0, self.treasure] = 1
        return planes

    # The rest is for people, and optional.

    def action_to_string(self, action: int) -> str:
        """The action in words."""
        return ("left", "right")[action]

    def text(self) -> str:
        """The position as lines of text."""
        letters = ["."] * CELLS
        letters[self.treasure] = "T"
        letters[self.player] = "P"
        return " ".join(letters)

"""muzero-general's smallest game: walk from the top left to the bottom right of a 3x3 grid.

The two moves are down and right; a move off the grid is allowed and wasted. Arriving ends the game and earns
10, nothing else earns anything, so discounting alone makes the shortest way (four moves) the best. There is
no chance in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import config
from core.prompts import ask

SIDE = 3
GOAL = (SIDE - 1, SIDE - 1)
REWARD = 10.0
DOWN, RIGHT = 0, 1
WORDS = ("down", "right")

Observation = NDArray[np.int8]
"""[1, 3, 3]: 1 where the player is; read-only."""


class MuZeroConfig(config.MuZeroConfig):
    """A check of a few seconds that everything learns."""

    observation_shape = (1, SIDE, SIDE)
    action_space = (DOWN, RIGHT)
    max_moves = 6  # two wasted moves are forgiven

    discount = 0.978
    td_steps = 6
    num_unroll_steps = 5
    num_simulations = 10
    evaluation_simulations = 10

    encoding_size = 8
    fc_representation_layers = (16,)
    support_size = 3  # holds values up to 10, which are 2.3 transformed

    games_per_worker = 32
    learning_starts = 500
    replay_buffer_size = 5_000
    value_loss_weight = 1.0
    visit_softmax_temperature = ((1.0, 1.0),)
    training_steps = 3_000
    evaluation_interval = 1.0
    evaluation_games = 1  # all greedy games are the same


def moves_left(row: int, column: int) -> int:
    """Moves of a shortest way from there to the goal."""
    return GOAL[0] - row + GOAL[1] - column


def optimal_return(row: int, column: int, discount: float) -> float:
    """The discounted return of optimal play from there."""
    moves = moves_left(row, column)
    return REWARD * discount ** (moves - 1) if moves else 0.0


def make_observations() -> list[list[Observation]]:
    """What is seen, by row and column of the player."""
    planes = np.eye(SIDE * SIDE, dtype=np.int8).reshape(SIDE, SIDE, 1, SIDE, SIDE)
    planes.flags.writeable = False
    return [list(row) for row in planes]


class Game:
    """The grid in this project's game API."""

    observations = make_observations()

    def __init__(self, seed: int | None = None) -> None:
        self.row, self.column = 0, 0

    def reset(self, seed: int | None = None) -> Observation:
        """Starts a game; every game starts alike, whatever the seed."""
        self.row, self.column = 0, 0
        return self.observation()

    def step(self, action: int) -> tuple[Observation, float, bool]:
        """Moves; returns observation, reward and whether the goal is reached."""
        if action == RIGHT:
            if self.column < SIDE - 1:
                self.column += 1
        elif self.row < SIDE - 1:
            self.row += 1
        arrived = (self.row, self.column) == GOAL
        return self.observation(), REWARD if arrived else 0.0, arrived

    def observation(self) -> Observation:
        """Where the player is."""
        return self.observations[self.row][self.column]

    def expert_agent(self) -> int:
        """An optimal move: down while there is room, then right."""
        return DOWN if self.row < SIDE - 1 else RIGHT

    def action_to_string(self, action: int) -> str:
        """The action in words."""
        return WORDS[action]

    def human_to_action(self) -> int:
        """Asks at the terminal for a move, until there is one."""
        return ask("Move, down or right: ", WORDS)

    def render(self) -> None:
        """Prints the grid."""
        print(self.text())

    def text(self) -> str:
        """The grid as text: x the player, 1 the goal."""
        cells = {GOAL: "1", (self.row, self.column): "x"}
        return "\n".join(
            " ".join(cells.get((row, column), "-") for column in range(SIDE)) for row in range(SIDE)
        )

"""Connect Four: stones fall down 7 columns of 6 squares; four in a row win. An action is a column, from 0.

A bitboard holds a column in 7 bits, the lowest square in the lowest. The seventh is always 0, so that no
line runs from one column's top into the next column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.boards.game import BoardGame
from games.boards.preset import SmallBoardConfig
from games.boards.rules import (
    DRAWN,
    EVALUATE,
    LEGAL,
    MOVES,
    OBSERVE,
    OUTCOME,
    OWN,
    PLAY,
    RUNNING,
    TO_PLAY,
    WON_BY_0,
    BoardState,
    Rules,
    compiled,
)

ROWS, COLUMNS = 6, 7
SQUARES = ROWS * COLUMNS
STRIDE = ROWS + 1  # bits of a column
DIRECTIONS = (1, STRIDE - 1, STRIDE, STRIDE + 1)  # from a square to its neighbour: up, falling, right, rising
STONES = OWN  # entries: the bitboards of player 0 and of player 1


class MuZeroConfig(SmallBoardConfig):
    """For two cores and up to two hours; the value target is the game's outcome."""

    observation_shape = (2, ROWS, COLUMNS)
    action_space = tuple(range(COLUMNS))
    max_moves = SQUARES
    symmetry = "mirror"

    td_steps = SQUARES
    num_simulations = 50
    evaluation_simulations = 50
    pb_c_init = 1.0
    root_dirichlet_alpha = 1.0
    move_temperature = ((8.0, 1.0), (42.0, 0.3))  # varied openings, then games that are worth learning from
    segment_length = SQUARES

    ratio = 0.024
    batch_size = 256
    evaluation_interval = 300.0
    evaluation_games = 100


def lines() -> NDArray[np.int64]:
    """The 69 lines of four squares on the board, [69] bitboards."""
    board = sum(1 << (column * STRIDE + row) for column in range(COLUMNS) for row in range(ROWS))
    shapes = [sum(1 << (step * direction) for step in range(4)) for direction in DIRECTIONS]
    moved = [shape << square for shape in shapes for square in range(COLUMNS * STRIDE)]
    return np.array([line for line in moved if line & ~board == 0], np.int64)


LINES = lines()
WORTH = np.array([0, 1, 4, 16], np.int64)  # of a line by the stones in it, none of them the opponent's


def start() -> BoardState:
    """The empty board."""
    return np.zeros(STONES + 2, np.int64)


@compiled(LEGAL)
def legal(state: Any, mask: Any) -> Any:
    """The columns that are not full."""
    taken = state[STONES] | state[STONES + 1]
    count = 0
    for column in range(COLUMNS):
        mask[column] = state[OUTCOME] == RUNNING and (taken >> (column * STRIDE + ROWS - 1)) & 1 == 0
        count += mask[column]
    return count


@compiled(PLAY)
def play(state: Any, column: Any) -> None:
    """Drops a stone into `column`."""
    player = state[TO_PLAY]
    taken = state[STONES] | state[STONES + 1]
    # Adding a column's lowest bit carries to its first empty square.
    state[STONES + player] |= (taken + (1 << (column * STRIDE))) & (((1 << ROWS) - 1) << (column * STRIDE))
    state[MOVES] += 1
    state[TO_PLAY] = 1 - player
    if state[MOVES] == SQUARES:
        state[OUTCOME] = DRAWN
    for direction in DIRECTIONS:
        pairs = state[STONES + player] & (state[STONES + player] >> direction)
        if pairs & (pairs >> (2 * direction)):
            state[OUTCOME] = WON_BY_0 + player


@compiled("int64(int64)")
def _count(stones: Any) -> Any:
    """How many bits are set."""
    count = 0
    while stones:
        stones &= stones - 1
        count += 1
    return count


@compiled(EVALUATE)
def evaluate(state: Any) -> Any:
    """Compares the lines of four that are still open to either player: more stones count more."""
    own = state[STONES + state[TO_PLAY]]
    other = state[STONES + 1 - state[TO_PLAY]]
    score = 0
    for line in LINES:
        if line & other == 0:
            score += WORTH[_count(line & own)]
        elif line & own == 0:
            score -= WORTH[_count(line & other)]
    return score / (abs(score) + 32.0)


@compiled(OBSERVE)
def observe(state: Any, planes: Any) -> None:
    """The own stones, and the opponent's; the first row is the highest."""
    for plane in range(2):
        stones = state[STONES + (state[TO_PLAY] ^ plane)]
        for column in range(COLUMNS):
            for row in range(ROWS):
                planes[plane, ROWS - 1 - row, column] = (stones >> (column * STRIDE + row)) & 1


class Game(BoardGame):
    """Connect Four in this project's game API."""

    rules = Rules(start, legal, play, evaluate, observe)
    shape = (2, ROWS, COLUMNS)
    num_actions = COLUMNS
    move_help = "a column from 1 to 7"

    def action_to_string(self, action: int) -> str:
        """The column's number on the board, 1 to 7."""
        return str(action + 1)

    def text(self) -> str:
        """The board, with the columns' numbers under it."""
        rows = [[self._sign(row, column) for column in range(COLUMNS)] for row in reversed(range(ROWS))]
        numbers = [self.action_to_string(column) for column in range(COLUMNS)]
        return "\n".join(" ".join(row) for row in [*rows, numbers])

    def _sign(self, row: int, column: int) -> str:
        for player in range(2):
            if int(self.state[STONES + player]) >> (column * STRIDE + row) & 1:
                return self.symbols[player]
        return "."

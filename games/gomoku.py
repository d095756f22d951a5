"""Gomoku: five stones in a row win, in any of the four directions; more than five win as well.

The side of the board is `board_size`, from 5 to 19. A full board is a draw.

A line is five neighbouring cells in a row. A position keeps, for each player and each n, how many lines hold
n stones of the player and none of the opponent. A move changes at most twenty lines, so that keeping the
counts costs little, and the win and the evaluation of a position are read from them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types

from games.boards.game import SquareBoardGame
from games.boards.preset import Sides, SquareBoardConfig
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
from games.tools.coordinates import board_text, square_name

LENGTH = 5  # cells of a line

# Entries of a position, behind those of every game.
SIDE = OWN  # the side of the board
LINES = SIDE + 1  # LINES + 6 * player + n: lines with n stones of the player and none of the opponent
CELLS = LINES + 2 * (LENGTH + 1)  # CELLS + row * side + column: 0 empty, 1 or 2 a stone of player 0 or 1


def board_options(side: int) -> dict[str, Any]:
    """The options that follow from the board's side, by name."""
    cells = side * side
    return {
        "observation_shape": (2, side, side),
        "action_space": tuple(range(cells)),
        "max_moves": cells,
        "td_steps": cells,  # to the game's end: value targets are outcomes
        "segment_length": cells,
    }


SIDES = Sides(tuple(range(5, 20)), default=7, options=board_options)


class MuZeroConfig(SquareBoardConfig):
    """Gomoku on a board of `board_size` (0: 7, where two hours on two cores make a player)."""

    _sides = SIDES

    board_size = SIDES.default


# --- rules ---


def first_position(side: int) -> BoardState:
    """The empty board: [16 + side * side]."""
    state = np.zeros(CELLS + side * side, np.int64)
    state[SIDE] = side
    starts = side - LENGTH + 1  # of the lines in one row
    for player in (0, 1):
        state[LINES + player * (LENGTH + 1)] = 2 * starts * side + 2 * starts * starts
    return state


@compiled(LEGAL)
def legal(state: Any, mask: Any) -> Any:
    """Marks the empty cells."""
    cells = state[CELLS:]
    running = state[OUTCOME] == RUNNING
    count = 0
    for cell in range(mask.size):
        mask[cell] = running and cells[cell] == 0
        count += mask[cell]
    return count


@compiled(types.void(types.int64[::1], types.int64, types.int64, types.int64, types.int64))
def _count_lines(state: Any, cell: Any, stride: Any, before: Any, after: Any) -> None:
    """Counts in a stone that the player to move is about to put on `cell`, for one direction.

    Cells are `stride` apart in this direction; the board has `before` and `after` (at most 4 each) cells on
    either side of `cell`.
    """
    player = state[TO_PLAY]
    mine, theirs = LINES + player * (LENGTH + 1), LINES + (1 - player) * (LENGTH + 1)
    own, other = 0, 0  # stones among the last five cells
    for offset in range(-before, after + 1):
        stone = state[CELLS + cell + offset * stride]
        own += stone == 1 + player
        other += stone == 2 - player
        first = offset - LENGTH + 1
        if first < -before:
            continue
        if other == 0:
            state[mine + own] -= 1
            state[mine + own + 1] += 1
        if own == 0:
            state[theirs + other] -= 1
        stone = state[CELLS + cell + first * stride]
        own -= stone == 1 + player
        other -= stone == 2 - player


@compiled(PLAY)
def play(state: Any, action: Any) -> None:
    """Puts a stone on a cell."""
    side, player = state[SIDE], state[TO_PLAY]
    row, column = action // side, action % side
    reach = LENGTH - 1
    up, down = min(row, reach), min(side - 1 - row, reach)
    left, right = min(column, reach), min(side - 1 - column, reach)
    _count_lines(state, action, 1, left, right)
    _count_lines(state, action, side, up, down)
    _count_lines(state, action, side + 1, min(up, left), min(down, right))
    _count_lines(state, action, side - 1, min(up, right), min(down, left))
    state[CELLS + action] = 1 + player
    state[MOVES] += 1
    state[TO_PLAY] = 1 - player
    if state[LINES + player * (LENGTH + 1) + LENGTH] > 0:
        state[OUTCOME] = WON_BY_0 + player
    elif state[MOVES] == side * side:
        state[OUTCOME] = DRAWN


@compiled(EVALUATE)
def evaluate(state: Any) -> Any:
    """Compares the players' unblocked lines; the player to move wins with a four, and a three counts more."""
    player = state[TO_PLAY]
    mine = state[LINES + player * (LENGTH + 1) :]
    theirs = state[LINES + (1 - player) * (LENGTH + 1) :]
    if mine[4] > 0:
        return 0.99
    if theirs[4] > 1:  # nearly always two cells to block with one stone
        return -0.97
    # An open three lies in three lines, a blocked one in one or two.
    attack = 0.01 * mine[1] + 0.06 * mine[2] + 0.5 * mine[3]
    threat = 0.01 * theirs[1] + 0.05 * theirs[2] + 0.25 * theirs[3] + 0.5 * theirs[4]
    return 0.95 * np.tanh(attack - threat)


@compiled(OBSERVE)
def observe(state: Any, planes: Any) -> None:
    """Own stones, the opponent's stones: [2, side, side]."""
    side, player = state[SIDE], state[TO_PLAY]
    for row in range(side):
        for column in range(side):
            stone = state[CELLS + row * side + column]
            planes[0, row, column] = stone == 1 + player
            planes[1, row, column] = stone == 2 - player


class Game(SquareBoardGame):
    """Gomoku. Player 0 moves first; an action is row * side + column, from the top left."""

    sides = SIDES
    start_on = staticmethod(first_position)
    rules = Rules(functools.partial(first_position, SIDES.default), legal, play, evaluate, observe)
    move_help = "column and row, such as c4"

    def action_to_string(self, action: int) -> str:
        """Column and row, `a1` being the top left."""
        return square_name(action, self.side)

    def text(self) -> str:
        """The board with its coordinates."""
        return board_text(self.state[CELLS:].reshape(self.side, self.side), self.symbols)

"""Gomoku: five stones in a row win, in any of the four directions; more than five win as well.

The side of the board is `board_size`, from 5 to 19. A full board is a draw.

A line is five neighbouring cells in a row. A position keeps, for each player and each n, how many lines hold
n stones of the player and none of the opponent. A move changes at most twenty lines, so that keeping the
counts costs little, and the win and the evaluation of a position are read from them.
"""

from __future__ import annotations

import functools
from typing import Any, Self

import numpy as np
from numba import types

import config
from core.errors import ConfigurationError, require
from core.options import coerce
from games.boards.game import BoardGame
from games.boards.preset import BoardConfig
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

DEFAULT_SIDE = 11
SMALLEST_SIDE, LARGEST_SIDE = 5, 19
LENGTH = 5  # cells of a line

# Entries of a position, behind those of every game.
SIDE = OWN  # the side of the board
LINES = SIDE + 1  # LINES + 6 * player + n: lines with n stones of the player and none of the opponent
CELLS = LINES + 2 * (LENGTH + 1)  # CELLS + row * side + column: 0 empty, 1 or 2 a stone of player 0 or 1


class MuZeroConfig(BoardConfig):
    """Gomoku on a board of `board_size` (0: 11); what the board's side determines need not be given."""

    board_size = DEFAULT_SIDE
    # Not given: `board_options` says what they are. The first two cannot be anything else.
    observation_shape = ()
    action_space = ()
    max_moves = 0
    td_steps = 0
    segment_length = 0

    symmetry = "dihedral"
    opponents = ("expert", "random")

    blocks = 3
    channels = 48
    temperature_threshold = 12

    def __post_init__(self) -> None:
        side = coerce(int, self.board_size, "board_size") or DEFAULT_SIDE
        require(
            SMALLEST_SIDE <= side <= LARGEST_SIDE,
            f"board_size={side}",
            f"must be from {SMALLEST_SIDE} to {LARGEST_SIDE} in gomoku",
        )
        object.__setattr__(self, "board_size", side)
        for name, value in board_options(side).items():
            if getattr(self, name) in ((), 0):
                object.__setattr__(self, name, value)
            elif isinstance(value, tuple) and coerce(tuple[int, ...], getattr(self, name), name) != value:
                raise ConfigurationError(
                    f"{name} contradicts board_size={side}: give board_size only, {name} follows from it"
                )
        super().__post_init__()

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes`; another `board_size` changes what follows from it as well."""
        if "board_size" in changes:
            now = board_options(self.board_size)
            changes = {n: type(value)() for n, value in now.items() if getattr(self, n) == value} | changes
        return super().replace(**changes)


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


class Game(BoardGame):
    """Gomoku. Player 0 moves first; an action is row * side + column, from the top left."""

    rules = Rules(functools.partial(first_position, DEFAULT_SIDE), legal, play, evaluate, observe)
    move_help = "column and row, such as c4"

    def __init__(self, seed: int | None = None, config: config.MuZeroConfig | None = None) -> None:
        self.side = (config.board_size if config else 0) or DEFAULT_SIDE
        self.shape = (2, self.side, self.side)
        self.num_actions = self.side * self.side
        start = functools.partial(first_position, self.side)
        self.rules = self.rules._replace(start=start)  # type: ignore[misc]  # all else reads the state's side
        super().__init__(seed)

    def action_to_string(self, action: int) -> str:
        """Column and row, `a1` being the top left."""
        return square_name(action, self.side)

    def text(self) -> str:
        """The board with its coordinates."""
        return board_text(self.state[CELLS:].reshape(self.side, self.side), self.symbols)

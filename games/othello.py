"""Othello (Reversi): a disc turns over the opponent's discs that it encloses; more discs win.

The side of the board is `board_size`, 6 or 8. The action after those of the squares is the pass, which is
legal only when there is no other move. The game ends when neither player can move.

Discs are bits of 64-bit numbers, bit row * 8 + column; a smaller board is the corner of the large one where
the numbers begin. No disc lies beyond its edges, so that nothing can be enclosed across them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

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

WIDTH = 8  # bits of a row, whatever the side

# Entries of a position, behind those of every game: bits of squares.
DISCS = OWN  # DISCS + player: the player's discs
TARGETS = OWN + 2  # where the player to move may put a disc
SQUARES = OWN + 3  # the squares of the board
SIDE = OWN + 4  # the side of the board
SIZE = OWN + 5

ONE, NONE = np.uint64(1), np.uint64(0)
COLUMN_A = np.uint64(0x0101010101010101)
COLUMN_H = np.uint64(0x8080808080808080)
INNER_COLUMNS = ~(COLUMN_A | COLUMN_H)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)

# The four axes: by how many bits squares are apart, and where discs can be enclosed along it. A disc in an
# outer column is enclosed from above and below only, so no line wraps around the board's edge.
STRIDES = (np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(9))
ENCLOSABLE = (INNER_COLUMNS, INNER_COLUMNS, ALL, INNER_COLUMNS)

_bits = types.uint64


def board_options(side: int) -> dict[str, Any]:
    """The options that follow from the board's side, by name."""
    longest = 2 * (side * side - 4)  # a pass before each disc, at most
    return {
        "observation_shape": (2, side, side),
        "action_space": tuple(range(pass_on(side) + 1)),
        "max_moves": longest,
        "td_steps": longest,  # to the game's end: value targets are outcomes
        "segment_length": longest,
    }


def pass_on(side: int) -> int:
    """The action that passes."""
    return side * side


SIDES = Sides((6, 8), default=6, options=board_options)


class MuZeroConfig(SquareBoardConfig):
    """Othello on a board of `board_size` (0: 6, where two hours on two cores make a player)."""

    _sides = SIDES

    board_size = SIDES.default


# --- rules ---


def position(discs: NDArray[np.uint64], player: int, side: int) -> BoardState:
    """The position [8] of the players' `discs` [2], `player` to move. One of them must have a move."""
    state = np.zeros(SIZE, np.int64)
    state[TO_PLAY], state[SIDE] = player, side
    row = (1 << side) - 1
    squares = np.uint64(sum(row << WIDTH * number for number in range(side)))
    state[DISCS : DISCS + 2] = discs.view(np.int64)
    bits = state.view(np.uint64)
    bits[SQUARES] = squares
    bits[TARGETS] = moves_of(discs[player], discs[1 - player]) & squares
    return state


def first_position(side: int) -> BoardState:
    """Four discs in the middle, in 8 x 8: player 0 on e4 and d5, player 1 on d4 and e5."""
    low, high = side // 2 - 1, side // 2
    rising = 1 << WIDTH * low + high | 1 << WIDTH * high + low
    falling = 1 << WIDTH * low + low | 1 << WIDTH * high + high
    return position(np.array([rising, falling], np.uint64), 0, side)


@compiled(_bits(_bits, _bits))
def moves_of(own: Any, other: Any) -> Any:
    """The squares where a player with the discs `own` may put a disc, on the board or beside it."""
    found = NONE
    for axis in range(4):
        stride = STRIDES[axis]
        enclosable = other & ENCLOSABLE[axis]
        up, down = (own << stride) & enclosable, (own >> stride) & enclosable
        for _ in range(WIDTH - 3):
            up |= (up << stride) & enclosable
            down |= (down >> stride) & enclosable
        found |= (up << stride) | (down >> stride)
    return found & ~(own | other)


@compiled(_bits(_bits, _bits, _bits))
def turned_by(disc: Any, own: Any, other: Any) -> Any:
    """The opponent's discs that a new `disc` (one bit) of the player with the discs `own` turns over."""
    turned = NONE
    for axis in range(4):
        stride = STRIDES[axis]
        enclosable = other & ENCLOSABLE[axis]
        up, down = (disc << stride) & enclosable, (disc >> stride) & enclosable
        for _ in range(WIDTH - 3):
            up |= (up << stride) & enclosable
            down |= (down >> stride) & enclosable
        if (up << stride) & own:
            turned |= up
        if (down >> stride) & own:
            turned |= down
    return turned


@compiled(types.int64(_bits))
def count(bits: Any) -> Any:
    """How many bits are set."""
    number = 0
    while bits:
        bits &= bits - ONE
        number += 1
    return number


@compiled(LEGAL)
def legal(state: Any, mask: Any) -> Any:
    """Marks the squares where a disc may be put, or else the pass."""
    side, targets = state[SIDE], np.uint64(state[TARGETS])
    for row in range(side):
        for column in range(side):
            mask[row * side + column] = (targets >> np.uint64(row * WIDTH + column)) & ONE
    passes = side * side
    mask[passes] = targets == NONE and state[OUTCOME] == RUNNING
    return count(targets) + mask[passes]


@compiled(PLAY)
def play(state: Any, action: Any) -> None:
    """Puts a disc on a square, or passes."""
    player, side = state[TO_PLAY], state[SIDE]
    bits = state.view(np.uint64)
    own, other = bits[DISCS + player], bits[DISCS + 1 - player]
    if action != side * side:
        disc = ONE << np.uint64(action // side * WIDTH + action % side)
        turned = turned_by(disc, own, other)
        own, other = own | disc | turned, other & ~turned
    bits[DISCS + player], bits[DISCS + 1 - player] = own, other
    bits[TARGETS] = moves_of(other, own) & bits[SQUARES]
    state[MOVES] += 1
    state[TO_PLAY] = 1 - player
    if bits[TARGETS] == NONE and moves_of(own, other) & bits[SQUARES] == NONE:
        lead = count(bits[DISCS]) - count(bits[DISCS + 1])
        state[OUTCOME] = DRAWN if lead == 0 else WON_BY_0 + (lead < 0)


@compiled(_bits(_bits))
def around(squares: Any) -> Any:
    """`squares` and all their neighbours."""
    row = squares | ((squares & ~COLUMN_H) << ONE) | ((squares & ~COLUMN_A) >> ONE)
    return row | (row << np.uint64(WIDTH)) | (row >> np.uint64(WIDTH))


@compiled(_bits(types.int64))
def corners_of(side: Any) -> Any:
    """The four corners of a board."""
    right, bottom = np.uint64(side - 1), np.uint64((side - 1) * WIDTH)
    top = ONE | ONE << right
    return top | top << bottom


@compiled(EVALUATE)
def evaluate(state: Any) -> Any:
    """Corners, discs beside empty ones, mobility, discs next to empty squares, and late the lead in discs."""
    bits = state.view(np.uint64)
    own, other = bits[DISCS + state[TO_PLAY]], bits[DISCS + 1 - state[TO_PLAY]]
    empty, corner = bits[SQUARES] & ~(own | other), corners_of(state[SIDE])
    mine, theirs = count(bits[TARGETS]), count(moves_of(other, own) & bits[SQUARES])
    mobility = (mine - theirs) / (mine + theirs + 2.0)
    rim = around(empty)
    exposed = count(own & rim) - count(other & rim)
    corners = count(own & corner) - count(other & corner)
    beside = around(empty & corner)
    given = count(own & beside) - count(other & beside)
    left = count(empty)
    lead = (count(own) - count(other)) / (1.0 + left)
    score = 0.45 * corners - 0.1 * given + 0.8 * mobility - 0.02 * exposed + 0.08 * lead
    return 0.99 * np.tanh(score)


@compiled(OBSERVE)
def observe(state: Any, planes: Any) -> None:
    """Own discs, the opponent's discs: [2, side, side]."""
    side, bits = state[SIDE], state.view(np.uint64)
    own, other = bits[DISCS + state[TO_PLAY]], bits[DISCS + 1 - state[TO_PLAY]]
    for row in range(side):
        for column in range(side):
            square = np.uint64(row * WIDTH + column)
            planes[0, row, column] = (own >> square) & ONE
            planes[1, row, column] = (other >> square) & ONE


class Game(SquareBoardGame):
    """Othello. Player 0 (Black) begins; an action is row * side + column, from the top left, or the pass."""

    sides = SIDES
    start_on = staticmethod(first_position)
    rules = Rules(functools.partial(first_position, SIDES.default), legal, play, evaluate, observe)
    move_help = "column and row, such as d3, or pass"

    def action_to_string(self, action: int) -> str:
        """Column and row, `a1` being the top left, or `pass`."""
        return "pass" if action == pass_on(self.side) else square_name(action, self.side)

    def text(self) -> str:
        """The board with its coordinates."""
        first, second = self.state[DISCS : DISCS + 2, None] >> np.arange(WIDTH * WIDTH) & 1
        stones = (first + 2 * second).reshape(WIDTH, WIDTH)
        return board_text(stones[: self.side, : self.side], self.symbols)

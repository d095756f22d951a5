"""Othello (Reversi): a disc turns over the opponent's discs that it encloses; more discs win.

Discs are bits of 64-bit numbers, bit row * 8 + column. Action 64 is the pass, which is legal only when there
is no other move. The game ends when neither player can move.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

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

SIDE = 8
PASS = SIDE * SIDE
PLACEMENTS = PASS - 4

# Entries of a position, behind those of every game: bits of squares.
DISCS = OWN  # DISCS + player: the player's discs
TARGETS = OWN + 2  # where the player to move may put a disc
SIZE = OWN + 3

ONE, NONE = np.uint64(1), np.uint64(0)
CORNERS = np.uint64(0x8100000000000081)
COLUMN_A = np.uint64(0x0101010101010101)
COLUMN_H = np.uint64(0x8080808080808080)
INNER_COLUMNS = ~(COLUMN_A | COLUMN_H)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)

# The four axes: by how many bits squares are apart, and where discs can be enclosed along it. A disc in an
# outer column is enclosed from above and below only, so no line wraps around the board's edge.
STRIDES = (np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(9))
ENCLOSABLE = (INNER_COLUMNS, INNER_COLUMNS, ALL, INNER_COLUMNS)

_bits = types.uint64


class MuZeroConfig(BoardConfig):
    """Othello on the board of 8 x 8."""

    observation_shape = (2, SIDE, SIDE)
    action_space = tuple(range(PASS + 1))
    max_moves = 2 * PLACEMENTS  # a pass before each disc, at most
    td_steps = 2 * PLACEMENTS  # to the game's end: value targets are outcomes
    segment_length = 2 * PLACEMENTS
    symmetry = "dihedral"
    opponents = ("expert", "random")

    blocks = 4
    channels = 48
    temperature_threshold = 12


# --- rules ---


def position(discs: NDArray[np.uint64], player: int) -> BoardState:
    """The position [6] of the players' `discs` [2], `player` to move. One of them must have a move."""
    state = np.zeros(SIZE, np.int64)
    state[TO_PLAY] = player
    state[DISCS : DISCS + 2] = discs.view(np.int64)
    state.view(np.uint64)[TARGETS] = moves_of(discs[player], discs[1 - player])
    return state


def first_position() -> BoardState:
    """Player 0 on e4 and d5, player 1 on d4 and e5."""
    return position(np.array([1 << 28 | 1 << 35, 1 << 27 | 1 << 36], np.uint64), 0)


@compiled(_bits(_bits, _bits))
def moves_of(own: Any, other: Any) -> Any:
    """The squares where a player with the discs `own` may put a disc."""
    found = NONE
    for axis in range(4):
        stride = STRIDES[axis]
        enclosable = other & ENCLOSABLE[axis]
        up, down = (own << stride) & enclosable, (own >> stride) & enclosable
        for _ in range(SIDE - 3):
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
        for _ in range(SIDE - 3):
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
    targets = np.uint64(state[TARGETS])
    for square in range(PASS):
        mask[square] = (targets >> np.uint64(square)) & ONE
    mask[PASS] = targets == NONE and state[OUTCOME] == RUNNING
    return count(targets) + mask[PASS]


@compiled(PLAY)
def play(state: Any, action: Any) -> None:
    """Puts a disc on a square, or passes."""
    player = state[TO_PLAY]
    bits = state.view(np.uint64)
    own, other = bits[DISCS + player], bits[DISCS + 1 - player]
    if action != PASS:
        disc = ONE << np.uint64(action)
        turned = turned_by(disc, own, other)
        own, other = own | disc | turned, other & ~turned
    bits[DISCS + player], bits[DISCS + 1 - player] = own, other
    bits[TARGETS] = moves_of(other, own)
    state[MOVES] += 1
    state[TO_PLAY] = 1 - player
    if bits[TARGETS] == NONE and moves_of(own, other) == NONE:
        lead = count(bits[DISCS]) - count(bits[DISCS + 1])
        state[OUTCOME] = DRAWN if lead == 0 else WON_BY_0 + (lead < 0)


@compiled(_bits(_bits))
def around(squares: Any) -> Any:
    """`squares` and all their neighbours."""
    row = squares | ((squares & ~COLUMN_H) << ONE) | ((squares & ~COLUMN_A) >> ONE)
    return row | (row << np.uint64(SIDE)) | (row >> np.uint64(SIDE))


@compiled(EVALUATE)
def evaluate(state: Any) -> Any:
    """Corners, discs beside empty ones, mobility, discs next to empty squares, and late the lead in discs."""
    bits = state.view(np.uint64)
    own, other = bits[DISCS + state[TO_PLAY]], bits[DISCS + 1 - state[TO_PLAY]]
    empty = ~(own | other)
    mine, theirs = count(bits[TARGETS]), count(moves_of(other, own))
    mobility = (mine - theirs) / (mine + theirs + 2.0)
    rim = around(empty)
    exposed = count(own & rim) - count(other & rim)
    corners = count(own & CORNERS) - count(other & CORNERS)
    beside = around(empty & CORNERS)
    given = count(own & beside) - count(other & beside)
    left = count(empty)
    lead = (count(own) - count(other)) / (1.0 + left)
    score = 0.45 * corners - 0.1 * given + 0.8 * mobility - 0.02 * exposed + 0.08 * lead
    return 0.99 * np.tanh(score)


@compiled(OBSERVE)
def observe(state: Any, planes: Any) -> None:
    """Own discs, the opponent's discs: [2, 8, 8]."""
    bits = state.view(np.uint64)
    own, other = bits[DISCS + state[TO_PLAY]], bits[DISCS + 1 - state[TO_PLAY]]
    for square in range(PASS):
        row, column = square // SIDE, square % SIDE
        planes[0, row, column] = (own >> np.uint64(square)) & ONE
        planes[1, row, column] = (other >> np.uint64(square)) & ONE


class Game(BoardGame):
    """Othello. Player 0 (Black) moves first; an action is row * 8 + column from the top left, or 64."""

    rules = Rules(first_position, legal, play, evaluate, observe)
    shape = (2, SIDE, SIDE)
    num_actions = PASS + 1
    move_help = "column and row, such as d3, or pass"

    def action_to_string(self, action: int) -> str:
        """Column and row, `a1` being the top left, or `pass`."""
        return "pass" if action == PASS else square_name(action, SIDE)

    def text(self) -> str:
        """The board with its coordinates."""
        first, second = self.state[DISCS : DISCS + 2, None] >> np.arange(PASS) & 1
        return board_text((first + 2 * second).reshape(SIDE, SIDE), self.symbols)

"""Who wins Connect Four from any position, and by which moves: alpha-beta over win, draw and loss.

Independent of `games/connect4.py` but for the layout of its bitboards. The search looks only at moves that do
not lose at once, tries those first that make most threats, and remembers what it has shown (Allis 1988;
Pons, "Solving Connect 4", gamesolver.org). Under a second from the 12th move on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

ROWS, COLUMNS = 6, 7
STRIDE = ROWS + 1
SQUARES = ROWS * COLUMNS
LOWEST = sum(1 << (column * STRIDE) for column in range(COLUMNS))
BOARD = LOWEST * ((1 << ROWS) - 1)
COLUMN = np.array([((1 << ROWS) - 1) << (column * STRIDE) for column in range(COLUMNS)], np.int64)
FROM_THE_MIDDLE = np.array([3, 2, 4, 1, 5, 0, 6], np.int64)
ILLEGAL = -2
REMEMBERED = (1 << 23) + 9
"""Positions in the memory, of 9 bytes each; not a multiple of what keys have in common."""
AT_MOST_DRAW, AT_LEAST_DRAW, EXACT = 0, 1, 3
"""What the memory says of a position's value; an exact one is added to `EXACT`."""


@njit(cache=True)
def winning_squares(own: Any, taken: Any) -> Any:
    """Empty squares that complete a line of four stones of `own`."""
    found = (own << 1) & (own << 2) & (own << 3)
    for step in (STRIDE - 1, STRIDE, STRIDE + 1):
        pair = (own << step) & (own << 2 * step)
        found |= pair & (own << 3 * step)
        found |= pair & (own >> step)
        pair = (own >> step) & (own >> 2 * step)
        found |= pair & (own << step)
        found |= pair & (own >> 3 * step)
    return found & (BOARD ^ taken)


@njit(cache=True)
def count(squares: Any) -> Any:
    """How many bits are set."""
    total = 0
    while squares:
        squares &= squares - 1
        total += 1
    return total


@njit(cache=True)
def sorted_moves(own: Any, taken: Any, possible: Any, moves: Any) -> Any:
    """Fills `moves` with the squares `possible`, best first: most threats, then nearest to the middle."""
    threats = np.empty(COLUMNS, np.int64)
    number = 0
    for column in FROM_THE_MIDDLE:
        move = possible & COLUMN[column]
        if move:
            made = count(winning_squares(own | move, taken))
            place = number
            while place > 0 and threats[place - 1] < made:
                threats[place], moves[place] = threats[place - 1], moves[place - 1]
                place -= 1
            threats[place], moves[place] = made, move
            number += 1
    return number


@njit(cache=True)
def safe_moves(own: Any, taken: Any) -> Any:
    """The squares to which a stone of `own` can fall without losing at once."""
    threatened = winning_squares(taken ^ own, taken)
    possible = (taken + LOWEST) & BOARD
    if possible & threatened:
        possible &= threatened
        if possible & (possible - 1):
            return 0
    return possible & ~(threatened >> 1)  # not below a square where the opponent wins


@njit(cache=True)
def shown(best: Any, alpha: Any, beta: Any) -> Any:
    """What the memory notes of a search between alpha and beta that found `best`."""
    if best <= alpha:
        return EXACT - 1 if best == -1 else AT_MOST_DRAW
    if best >= beta:
        return EXACT + 1 if best == 1 else AT_LEAST_DRAW
    return EXACT + best


@njit  # not cached: numba crashes when it loads a function that calls itself
def search(own: Any, taken: Any, made: Any, alpha: Any, beta: Any, keys: Any, known: Any) -> Any:
    """The value to the player to move, `own`, who cannot win at once: 1, 0 or -1, or a bound outside (alpha,
    beta).
    """
    possible = safe_moves(own, taken)
    if possible == 0:
        return -1
    if made >= SQUARES - 2:
        return 0
    key = own + taken
    slot = key % keys.size
    if keys[slot] == key:
        if known[slot] > AT_LEAST_DRAW:
            return known[slot] - EXACT
        if known[slot] == AT_MOST_DRAW:
            beta = min(beta, 0)
        else:
            alpha = max(alpha, 0)
        if alpha >= beta:
            return alpha
    lowest, highest = alpha, beta
    moves = np.empty(COLUMNS, np.int64)
    best = -1
    for index in range(sorted_moves(own, taken, possible, moves)):
        move = moves[index]
        best = max(best, -search(taken ^ own, taken | move, made + 1, -beta, -alpha, keys, known))
        alpha = max(alpha, best)
        if alpha >= beta:
            break
    keys[slot] = key
    known[slot] = shown(best, lowest, highest)
    return best


@njit
def fill_values(own: Any, taken: Any, keys: Any, known: Any, values: Any) -> None:
    """Writes the value of each column to the player to move into `values` [7]."""
    made = count(taken)
    for column in range(COLUMNS):
        move = (taken + LOWEST) & COLUMN[column] & BOARD
        after = taken | move
        other = taken ^ own
        if move == 0:
            values[column] = ILLEGAL
        elif winning_squares(own, taken) & move:
            values[column] = 1
        elif made + 1 == SQUARES:
            values[column] = 0
        elif winning_squares(other, after) & (after + LOWEST) & BOARD:
            values[column] = -1
        else:
            values[column] = -search(other, after, made + 1, -1, 1, keys, known)


class Connect4Solver:
    """Solves positions one after the other, and remembers what they have in common."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._keys = np.zeros(remembered, np.int64)
        self._known = np.zeros(remembered, np.int8)

    def values(self, own: int, other: int) -> NDArray[np.int64]:
        """What each column [7] is worth to the player to move, whose stones are `own`: 1 a win, 0 a draw,
        -1 a loss, -2 a full column. Bitboards as in `games/connect4.py`; the game must not be over.
        """
        values = np.empty(COLUMNS, np.int64)
        fill_values(np.int64(own), np.int64(own | other), self._keys, self._known, values)
        return values

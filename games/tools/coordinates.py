"""Squares of a board by column and row, and the board as text with both at its rim. `a1` is the top left."""

from __future__ import annotations

from numpy.typing import NDArray

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def square_name(square: int, width: int) -> str:
    """The name of `square` = row * `width` + column."""
    return f"{LETTERS[square % width]}{square // width + 1}"


def board_text(cells: NDArray, symbols: str) -> str:
    """The board with `cells` [H, W]: 0 an empty square, n >= 1 a stone shown as `symbols[n - 1]`."""
    height, width = cells.shape
    margin = len(str(height))
    head = " " * margin + "".join(f" {letter}" for letter in LETTERS[:width])
    rows = (" ".join(("." + symbols)[cell] for cell in row) for row in cells.tolist())
    return "\n".join([head, *(f"{number:{margin}} {row}" for number, row in enumerate(rows, 1))])

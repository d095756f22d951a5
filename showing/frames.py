"""Pictures of a game's position: the game's own where it draws itself, else its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from games.api.shown import ShownGame

if TYPE_CHECKING:
    from PIL.Image import Image

Frame = NDArray[np.uint8]
"""[H, W, 3] red, green and blue; sizes differ between games, and for texts between positions."""

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (45, 50, 60)
FAINT: Colour = (165, 170, 180)
STONES: tuple[Colour, Colour] = ((205, 60, 50), (40, 95, 190))
"""Of the stones of player 0 and of player 1."""
GRID = frozenset(".-+|")
"""Characters that draw the board: fainter than what stands on it."""

LETTER = 25
CELL = (18, 34)
"""Size of a letter, and width and height of its cell, in pixels."""
MARGIN = 24


def frame(game: ShownGame) -> Frame:
    """A picture of the position of `game`: what its `frame()` draws, else its text as a picture.

    Raises `ConfigurationError` when the game needs something to draw itself that is not installed.
    """
    if game.can.draw_itself:
        return np.ascontiguousarray(game.game.frame(), np.uint8)
    return drawn_text(game)


def drawn_or_text(game: ShownGame) -> Frame:
    """As `frame`, but of the game's text where it cannot draw itself here."""
    try:
        return frame(game)
    except ConfigurationError:
        return drawn_text(game)


def drawn_text(game: ShownGame) -> Frame:
    """The text of the position of `game` as a picture."""
    return text_frame(game.text(), game.symbols)


def text_frame(text: str, symbols: str = "") -> Frame:
    """`text` as a picture, one cell for each character; `symbols` are the stones of player 0 and player 1."""
    from PIL import Image, ImageDraw, ImageFont

    lines = (text or "(this game shows nothing: give it a method text)").splitlines()
    width, height = CELL
    size = 2 * MARGIN + width * max(map(len, lines)), 2 * MARGIN + height * len(lines)
    image = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(LETTER)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            place = MARGIN + width * (column + 0.5), MARGIN + height * (row + 0.5)
            draw.text(place, letter, character_colour(letter, symbols), font, anchor="mm")
    return pixels(image)


def character_colour(letter: str, symbols: str) -> Colour:
    """The colour in which `text_frame` draws a character."""
    if letter in symbols:
        return STONES[symbols.index(letter) % 2]
    return FAINT if letter in GRID else INK


def pixels(image: Image) -> Frame:
    """A Pillow image as an array."""
    return np.asarray(image.convert("RGB"), np.uint8)


def fitted(picture: Frame, width: int, height: int, background: Colour = PAPER) -> Frame:
    """`picture` in the middle of [height, width, 3], as large as fits there with its proportions kept."""
    from PIL import Image, ImageOps

    return pixels(ImageOps.pad(Image.fromarray(picture), (width, height), color=background))

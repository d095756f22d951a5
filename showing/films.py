"""Watched games as films: pictures with a caption and the value's curve below them, as GIF or MP4."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from core.errors import ConfigurationError
from games.api.shown import ShownGame
from saving.files import writing
from showing.frames import FAINT, INK, PAPER, STONES, Frame, fitted, frame, pixels
from showing.moments import Moment, caption

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

KINDS = (".gif", ".mp4")
WIDTH, PICTURE_HEIGHT, CAPTION_HEIGHT = 480, 320, 144
"""Of a film in pixels: multiples of 16, in which MP4 counts."""
FILM_SIZE = WIDTH, PICTURE_HEIGHT + CAPTION_HEIGHT
GIF_COLOURS = 64
LAST_SECONDS = 2.0
"""For which the end of a game is shown."""
NEEDS_FFMPEG = "an MP4 needs imageio-ffmpeg; run: pip install imageio-ffmpeg, or record a .gif"


class CurvePoint(NamedTuple):
    """A point of the value's curve."""

    move: int
    value: float  # to player 0


class Film:
    """Turns the moments of watched games into pictures [H, W, 3] of one size."""

    def __init__(self, draw: Callable[[ShownGame], Frame] = frame) -> None:
        self.draw = draw  # makes the picture of a game's position
        self.number = 0  # of the game being drawn
        self.points: list[CurvePoint] = []

    def picture(self, moment: Moment) -> Frame:
        """The moment as a picture; moments come in the order of play."""
        from PIL import Image, ImageDraw

        if moment.number != self.number:
            self.number, self.points = moment.number, []
        if moment.first_players_value is not None:
            self.points.append(CurvePoint(len(moment.game.moves), moment.first_players_value))
        image = Image.new("RGB", FILM_SIZE, PAPER)
        image.paste(Image.fromarray(fitted(self.draw(moment.game.shown), WIDTH, PICTURE_HEIGHT)), (0, 0))
        draw = ImageDraw.Draw(image)
        draw.line([(0, PICTURE_HEIGHT), (WIDTH, PICTURE_HEIGHT)], FAINT)
        draw_caption(draw, caption(moment))
        draw_curve(draw, self.points, two_players=moment.game.players == 2)
        return pixels(image)


def draw_caption(draw: ImageDraw, lines: Iterable[str]) -> None:
    """Writes lines under the picture."""
    from PIL import ImageFont

    font = ImageFont.load_default(15)
    for number, line in enumerate(lines):
        draw.text((12, PICTURE_HEIGHT + 8 + 20 * number), line, INK, font)


LEFT, RIGHT = 70, WIDTH - 12
TOP, BOTTOM = PICTURE_HEIGHT + 78, PICTURE_HEIGHT + 126
"""Of the curve, in pixels."""


class Axes(NamedTuple):
    """What the curve's box stands for."""

    low: float  # value
    high: float
    last: int  # move; the first is 0

    @classmethod
    def around(cls, points: list[CurvePoint], two_players: bool) -> Axes:
        """Axes that hold `points`; values of a game for two lie between -1 and 1."""
        values = [point.value for point in points]
        low, high = (-1.0, 1.0) if two_players else (min(0.0, *values), max(0.0, *values))
        return cls(low, max(high, low + 1e-6), max(points[-1].move, 1))

    def place(self, move: int, value: float) -> tuple[float, float]:
        """Where a point is drawn."""
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return LEFT + (RIGHT - LEFT) * move / self.last, BOTTOM - (BOTTOM - TOP) * share


def draw_curve(draw: ImageDraw, points: list[CurvePoint], two_players: bool) -> None:
    """Draws the value by move under the caption, up to now; in a game for two that to player 0."""
    if not points:
        return
    axes = Axes.around(points, two_players)
    draw_axes(draw, axes, "value for\nplayer 1" if two_players else "value")
    places = [axes.place(*point) for point in points]
    draw.line(places, STONES[1], 2, joint="curve")
    x, y = places[-1]
    draw.ellipse([x - 3, y - 3, x + 3, y + 3], STONES[1])


def draw_axes(draw: ImageDraw, axes: Axes, name: str) -> None:
    """Draws both axes with their ends, the line of value 0, and the name of what is drawn."""
    from PIL import ImageFont

    font = ImageFont.load_default(11)
    draw.line([(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], FAINT)
    draw.line([axes.place(0, 0.0), axes.place(axes.last, 0.0)], FAINT)
    draw.text((LEFT - 6, TOP), f"{axes.high:.3g}", INK, font, anchor="rm")
    draw.text((LEFT - 6, BOTTOM), f"{axes.low:.3g}", INK, font, anchor="rm")
    draw.text((LEFT, BOTTOM + 3), "move 0", INK, font)
    draw.text((RIGHT, BOTTOM + 3), f"move {axes.last}", INK, font, anchor="ra")
    draw.text((6, (TOP + BOTTOM) / 2 - 14), name, INK, font)


# --- files ---


class Sink(Protocol):
    """Takes the pictures of a film, all of one size."""

    def add(self, picture: Frame, seconds: float) -> None:
        """Shows `picture` for `seconds`."""
        ...

    def finish(self) -> None:
        """Writes what there is to write."""
        ...

    def close(self) -> None:
        """Ends what is still at work, whether the film is finished or not."""
        ...


class Gif:
    """A GIF that repeats for ever, written at the end, to a path or to a stream."""

    def __init__(self, target: Path | BinaryIO) -> None:
        self.target = target
        self._images: list[Any] = []
        self._milliseconds: list[int] = []

    def add(self, picture: Frame, seconds: float) -> None:
        """See `Sink`."""
        from PIL import Image

        self._images.append(Image.fromarray(picture).quantize(GIF_COLOURS, Image.Quantize.FASTOCTREE))
        self._milliseconds.append(max(20, round(seconds * 1000)))  # browsers slow down what is faster

    def finish(self) -> None:
        """See `Sink`."""
        first, *rest = self._images
        first.save(
            self.target,
            format="GIF",
            save_all=True,
            append_images=rest,
            duration=self._milliseconds,
            loop=0,
            optimize=False,
        )

    def close(self) -> None:
        """See `Sink`."""


class Mp4:
    """An MP4 (H.264), written as the pictures come. Raises `ConfigurationError` without imageio-ffmpeg."""

    def __init__(self, target: Path, fps: float) -> None:
        try:
            import imageio_ffmpeg
        except ModuleNotFoundError:
            raise ConfigurationError(NEEDS_FFMPEG) from None
        self.fps = fps
        self._writer = imageio_ffmpeg.write_frames(str(target), FILM_SIZE, fps=fps, ffmpeg_log_level="error")
        self._writer.send(None)

    def add(self, picture: Frame, seconds: float) -> None:
        """See `Sink`."""
        for _ in range(max(1, round(seconds * self.fps))):
            self._writer.send(picture.tobytes())

    def finish(self) -> None:
        """See `Sink`."""
        self.close()

    def close(self) -> None:
        """See `Sink`."""
        self._writer.close()


def check_kind(path: Path) -> None:
    """Raises `ConfigurationError` unless `path` names a kind of film that can be written."""
    if path.suffix.lower() not in KINDS:
        raise ConfigurationError(f"{path}: a film is a {' or a '.join(KINDS)} file")


@contextmanager
def film_file(path: Path, fps: float) -> Iterator[Sink]:
    """A sink for the film `path`, which is there once it is complete. Raises `ConfigurationError`."""
    check_kind(path)
    part = path.with_name(f".{path.stem}.part{path.suffix.lower()}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.touch()
            sink: Sink = Mp4(part, fps) if path.suffix.lower() == ".mp4" else Gif(part)
            with closing(sink):
                yield sink
                sink.finish()
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def shoot(moments: Iterable[Moment], sink: Sink, fps: float) -> Iterator[Moment]:
    """Adds each moment to the film; passes them on."""
    film = Film()
    for moment in moments:
        sink.add(film.picture(moment), seconds_shown(moment, fps))
        yield moment


def seconds_shown(moment: Moment, fps: float) -> float:
    """How long a moment is shown: the end of a game for longer."""
    return LAST_SECONDS if moment.action is None else 1 / fps

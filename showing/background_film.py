"""Films of greedy games for TensorBoard, made in slices beside other work while a training goes on."""

from __future__ import annotations

import io
import time

from arena.network_player import NetworkPlayer
from config import MuZeroConfig
from core.randomness import Stream, child_seed
from data import Video, Weights
from games.api.spec import GameSpec
from showing.films import FILM_SIZE, Film, Gif, seconds_shown
from showing.frames import drawn_or_text
from showing.moments import WatchedAgent, watch

MOST_PICTURES = 125
"""Of longer games not every position is shown."""
DRAWN_FPS, TEXT_FPS = 12.5, 2.0
"""Pictures in a second of games that draw themselves, and of the others."""


class BackgroundFilm:
    """The making of a film of one greedy game; in a game for two the agent plays both sides."""

    def __init__(
        self, spec: GameSpec, config: MuZeroConfig, version: int, weights: Weights, device: str = "cpu"
    ) -> None:
        player = NetworkPlayer(config, 1, device=device)
        player.load(weights, version)
        self.version = version
        self._moments = watch(
            spec, WatchedAgent(player), (), 1, child_seed(config.seed, Stream.FILM, version)
        )
        self._every = -(-config.max_moves // MOST_PICTURES)
        self._fps = DRAWN_FPS if spec.can.draw_itself else TEXT_FPS
        self._film = Film(draw=drawn_or_text)  # a training does not end for want of a library that draws
        self._stream = io.BytesIO()
        self._gif = Gif(self._stream)

    def go_on(self, seconds: float = float("inf")) -> Video | None:
        """Goes on for about `seconds`; the film once it is complete, None before."""
        began = time.perf_counter()
        for moment in self._moments:
            if moment.action is None or len(moment.game.moves) % self._every == 0:
                self._gif.add(self._film.picture(moment), seconds_shown(moment, self._fps))
            if time.perf_counter() - began > seconds:
                return None
        self._gif.finish()
        return Video(self.version, self._stream.getvalue(), *FILM_SIZE)

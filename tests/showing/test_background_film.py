"""Films made while training: in slices, of bounded length, when they are due, and into TensorBoard."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from config import MuZeroConfig
from core.errors import ConfigurationError
from data import Video
from games.api.objects import recipe_of
from games.api.sources import load_game
from runs.actors.evaluator import EvaluatorActor
from runs.actors.shell import Setup
from runs.local_run import LocalRun
from runs.reports.tensorboard_log import TensorBoardLog
from runs.session import Session
from showing.background_film import MOST_PICTURES, BackgroundFilm
from tests.helpers.toy_games import Watcher, random_weights


def film(game: str = "tictactoe", seconds: float = float("inf"), **changes: Any) -> tuple[Video, int]:
    """A film of random weights, and in how many slices it was made."""
    config = load_game(game).config.replace(evaluation_simulations=2, **changes)
    work = BackgroundFilm(load_game(game), config, 7, random_weights(config))
    slices = 1
    while (video := work.go_on(seconds)) is None:
        slices += 1
    return video, slices


def pictures(video: Video) -> int:
    image = cast(GifImageFile, Image.open(io.BytesIO(video.gif)))
    assert image.size == (video.width, video.height)
    return int(image.n_frames)


def test_a_film_made_in_slices_is_the_same() -> None:
    at_once, one = film()
    in_slices, many = film(seconds=0.0)
    assert at_once == in_slices
    assert at_once.version == 7
    assert one == 1
    assert many >= pictures(at_once) > 5, "a slice takes one position at least"


def test_of_long_games_not_every_position_is_shown() -> None:
    every, slices = film("gridworld", seconds=0.0, max_moves=40)
    some, _ = film("gridworld", max_moves=8 * MOST_PICTURES)
    assert pictures(every) == slices - 1, "the last slice finds the game over"
    assert pictures(some) <= MOST_PICTURES + 2


def test_a_missing_library_for_pictures_does_not_end_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def frame(self: Any) -> Any:
        raise ConfigurationError("needs pygame")

    monkeypatch.setattr(load_game("cartpole").game_class, "frame", frame)
    assert pictures(film("cartpole")[0]) > 1


def test_the_evaluations_actor_makes_it_between_its_evaluations() -> None:
    config = load_game("tictactoe").config.replace(evaluation_simulations=2)
    actor = EvaluatorActor()
    actor.start(Setup(recipe_of(load_game("tictactoe")), config, "cpu"))
    actor.start_film(7, random_weights(config))
    assert actor.film(0.0) is None
    assert actor.film(float("inf")) == film()[0]


def test_films_are_due_every_so_many_updates(tmp_path: Path) -> None:
    def due(session: Session, updates: int) -> bool:
        session.log.counters = session.log.counters.__class__(training_step=updates)
        return session.video_due

    never = Session(load_game("cartpole"), MuZeroConfig(), tmp_path, Watcher(), None, this_machine=False)
    assert not due(never, 10**9)
    session = Session(
        load_game("cartpole"), MuZeroConfig(video_interval=100), tmp_path, Watcher(), None, this_machine=False
    )
    assert [due(session, updates) for updates in (0, 99, 100, 150)] == [False, False, True, True]
    session.filmed(Video(120, b"", 1, 1))
    assert [due(session, updates) for updates in (150, 219, 220)] == [False, False, True]


def test_films_need_evaluations() -> None:
    with pytest.raises(ConfigurationError, match="video_interval needs evaluations"):
        MuZeroConfig(video_interval=100, evaluation_interval=0.0)


def test_a_local_run_puts_its_films_into_tensorboard(tmp_path: Path) -> None:
    config = load_game("tictactoe").config.replace(
        training_steps=64,
        video_interval=20,
        evaluation_interval=1e-6,
        evaluation_games=2,
        opponents=("random",),
        num_simulations=2,
        evaluation_simulations=2,
        learning_starts=50,
        batch_size=16,
        ratio=1.0,
    )
    log = TensorBoardLog(tmp_path, config)
    run = LocalRun(Session(load_game("tictactoe"), config, tmp_path, log, None, this_machine=False), "cpu")
    run.run(lambda: False)
    log.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0})
    events.Reload()
    films = events.Images("greedy_game")
    assert len(films) >= 2
    steps = [film.step for film in films]
    assert min(after - before for before, after in zip([0, *steps], steps, strict=False)) >= 20
    for one in films:
        shown = cast(GifImageFile, Image.open(io.BytesIO(one.encoded_image_string)))
        assert shown.size == (one.width, one.height)
        assert shown.n_frames > 5

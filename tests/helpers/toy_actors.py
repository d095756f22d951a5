"""Actors that know the games made for tests. Imported by Ray's workers, which do not import tests."""

from __future__ import annotations

from typing import Any

import ray

import self_play
from runs.actors import Launcher, SelfPlayActor
from tests.helpers.toy_games import toy_game


class ToyPlayer(SelfPlayActor):
    """A self-play actor that knows the games made for tests."""

    def __init__(self, *arguments: Any) -> None:
        vars(self_play)["load_game"] = toy_game
        super().__init__(*arguments)


class ToyLauncher(Launcher):
    """Launches self-play actors that know the games made for tests."""

    def worker(self, number: int, storage: Any, attempt: int = 0) -> Any:
        launch = ray.remote(ToyPlayer).options(num_cpus=1)
        return launch.remote(self.game, self.config, number, storage, self.player_device, attempt)

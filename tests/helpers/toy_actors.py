"""Actors that know the games made for tests. Imported by Ray's workers, which do not import tests."""

from __future__ import annotations

import self_play
from core.actor_kinds import SELF_PLAY, ActorKind
from runs.actors import Launcher, SelfPlayActor, Setup
from tests.helpers.toy_games import toy_game


class ToyPlayer(SelfPlayActor):
    """A self-play actor that knows the games made for tests."""

    def start(self, setup: Setup) -> None:
        """See `Shell`."""
        self_play.load_game = toy_game
        super().start(setup)


class ToyLauncher(Launcher):
    """Launches self-play actors that know the games made for tests."""

    def shell(self, kind: ActorKind) -> type:
        """See `Launcher`."""
        return ToyPlayer if kind is SELF_PLAY else super().shell(kind)

"""A run without Ray: the same actors in one process, in a fixed order, in rounds that repeat bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from core.actor_kinds import SELF_PLAY, STORAGE, Member
from data import Weights
from games.api.spec import GameSpec
from playing.environment import GameError, GamesBreakError
from runs.actors.shell import Setup, Shell
from runs.actors.table import ROLES
from runs.driver import Driver, Input, Rhythm, Role, forgotten
from runs.handles import DirectHandle, Kept, Pending
from runs.session import Reason, Session
from shared_storage import LocalSource

MOVES_PER_ROUND = 8
R = TypeVar("R")


@dataclass(frozen=True)
class AtHand:
    """A game in the place of its recipe."""

    game: GameSpec

    def make(self) -> GameSpec:
        """The game."""
        return self.game


class LocalRun(Driver):
    """Every actor in this process: a call has been answered when it returns.

    What a round does depends on the counters only, never on time.
    """

    def __init__(self, session: Session, device: str, roles: Sequence[Role[Any]] = ROLES) -> None:
        rhythm = Rhythm(
            moves=MOVES_PER_ROUND,
            call_seconds=math.inf,
            training_calls=1,
            training_seconds=math.inf,
            weights_interval=0.0,
            first_evaluation=session.config.evaluation_interval,
            in_rounds=True,
        )
        super().__init__(session, roles, rhythm)
        player_device = self.config.playing_device(device)
        session.plays_on(player_device)
        for name, member in self.members.items():
            part = self.shells[member.kind.name]()
            self.actors[name] = DirectHandle(part)
            if isinstance(part, Shell):
                part.start(self._setup(member, member.kind.device(device, player_device)))
        self.begin()

    def _setup(self, member: Member, device: str) -> Setup:
        storage = self.actors.get(STORAGE.name)
        source = LocalSource(storage.part, _at_hand) if isinstance(storage, DirectHandle) else None
        state, game = self.session.part(member.name), AtHand(self.session.spec)
        caution = self.session.lost_games.caution(member.name)
        return Setup(game, self.config, device, member.number, 0, source, state, caution)

    def run(self, interrupted: Callable[[], bool]) -> Reason:
        """Trains until the target is reached, the training steps are made, or `interrupted` says so.

        Raises `GameError` when the game breaks; a checkpoint without the running games is written before.
        """
        try:
            return self._rounds(interrupted)
        except GameError as error:
            if isinstance(error, GamesBreakError):
                self.session.lost(error.lost, SELF_PLAY.name)
            if not self.session.progressed:
                raise
            others = [name for name, member in self.members.items() if member.kind.restarted]
            self.session.insist(partial(self.save, others))
            raise GameError(f"{error}; {self.session.kept}") from error

    def _rounds(self, interrupted: Callable[[], bool]) -> Reason:
        while True:
            self.issue()  # plays, then trains, as far as the ratio allows, then evaluates if it is time
            reason = self.reason or self.session.reason_to_stop(interrupted)
            if reason is not None:
                self.session.insist(self.save)
            elif self.session.checkpoint_due:
                self.session.attempt(self.save)
            self.report()
            if reason is not None:
                return reason

    def call(
        self,
        actor: str,
        result: Pending[R],
        done: Callable[[R], object],
        queue: str | None = None,
        inputs: tuple[Input, ...] = (),
        awaited: bool = True,
        dropped: Callable[[], object] = forgotten,
    ) -> None:
        """The result is there."""
        done(result.where)

    def busy(self, queue: str) -> bool:
        """Never: nothing goes on beside the loop."""
        return False

    def value(self, result: Pending[R]) -> R:
        """The result."""
        there: R = result.where
        return there

    def drain(self) -> None:
        """Nothing is in flight."""


def _at_hand(kept: Kept) -> Weights:
    """What the storage refers to: without Ray, the weights are in its list."""
    weights: Weights = kept[0].where
    return weights

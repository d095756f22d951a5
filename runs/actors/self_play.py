"""The actors that play, and the first part of a game's way: from a player into the buffer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from core import actor_kinds
from data import BufferStatus, GameHistory, PlayReport, Snapshot, WeightsSource
from runs.actors.buffer import BUFFER, BufferActor
from runs.actors.shell import Setup, Shell
from runs.driver import Driver, Duty, Input, Role
from runs.handles import Pending
from search.planner import self_play_planner
from self_play import SelfPlay


class SelfPlayActor(Shell[SelfPlay]):
    """`SelfPlay` with the newest weights."""

    def _build(self, setup: Setup) -> SelfPlay:
        assert setup.source is not None, "players are launched after the storage"
        game, planner = setup.game.make(), self_play_planner(setup.config, setup.device)
        player = SelfPlay(
            game, setup.config, setup.number, setup.source, planner, setup.attempt, setup.caution
        )
        if setup.state is not None:
            player.load_state(setup.state)
        return player

    def play(self, steps: int, seconds: float = 0.5) -> tuple[PlayReport, list[GameHistory]]:
        """See `SelfPlay`."""
        return self.part.play(steps, seconds)

    def ask_instead(self, source: WeightsSource) -> None:
        """Takes newer weights from `source` from now on."""
        self.part.source = source

    def state(self) -> Snapshot:
        """See `SelfPlay`."""
        return self.part.state()


class SelfPlayDuty(Duty[SelfPlayActor]):
    """Plays as far as the ratio allows, and sends what was played to the buffer."""

    def __init__(self, driver: Driver, names: Sequence[str]) -> None:
        super().__init__(driver, names)
        self._in_flight: dict[str, int] = {}  # steps, by player
        self._arriving = 0  # steps played, and on the way to the buffer

    def issue(self) -> None:
        """Gives every player that is idle another call, if it may play."""
        for name in self.names:
            if not self.driver.deciding and not self.driver.busy(name):
                self._issue_play(name)

    def _issue_play(self, name: str) -> None:
        driver, counters = self.driver, self.driver.session.log.counters
        claimed = counters.added_steps + self._arriving + sum(self._in_flight.values())
        per_call = driver.rhythm.moves * driver.config.games_per_worker
        busy = self._arriving or driver.updates_in_flight
        waiting = not (busy or driver.updates_due(driver.updates_made))
        steps = driver.pacing.steps_to_play(claimed, counters.training_step, per_call, waiting)
        if not steps:
            return
        self._in_flight[name] = steps
        seconds = driver.rhythm.call_seconds
        report, histories = self.actor(name).call_pair(SelfPlayActor.play, steps, seconds)
        driver.call(
            name,
            report,
            partial(self._played, name, histories),
            dropped=partial(self._in_flight.pop, name, None),
        )

    def _played(self, name: str, histories: Pending[list[GameHistory]], report: PlayReport) -> None:
        """Passes the games on; by reference, as they are large."""
        self._in_flight.pop(name, None)
        self.driver.session.played(report, name)
        self._arriving += report.steps
        added = self.driver.only(BUFFER).call(BufferActor.add, histories)
        self.driver.call(
            BUFFER.kind.name,
            added,
            partial(self._added, report.steps),
            inputs=(Input(name, histories),),
            dropped=partial(self._arrived, report.steps),
        )

    def _added(self, played: int, status: BufferStatus) -> None:
        """The buffer has taken in what came of `played` steps; those of running games come later."""
        self._arrived(played)
        self.driver.session.log.stored(status)

    def _arrived(self, played: int) -> None:
        """What came of `played` steps is in the buffer, or lost."""
        self._arriving -= played


SELF_PLAY = Role(actor_kinds.SELF_PLAY, SelfPlayActor, SelfPlayDuty)

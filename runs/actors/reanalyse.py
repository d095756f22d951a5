"""The actors that look at stored positions again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from core import actor_kinds
from data import ReanalyseRequest, ReanalyseResult, Weights
from replay_buffer import Reanalyse
from runs.actors.buffer import BUFFER, BufferActor
from runs.actors.shell import Setup, Shell
from runs.actors.trainer import TRAINER, TrainerActor
from runs.driver import Driver, Duty, Input, Role, nothing


class ReanalyseActor(Shell[Reanalyse]):
    """`Reanalyse` that passes on that there is nothing to do yet."""

    def _build(self, setup: Setup) -> Reanalyse:
        return Reanalyse(setup.config, setup.device)

    def load(self, weights: Weights, version: int) -> None:
        """See `Reanalyse`."""
        self.part.load(weights, version)

    def refresh_any(self, request: ReanalyseRequest | None) -> ReanalyseResult | None:
        """The refreshed request, or None for none."""
        return self.part.refresh(request) if request is not None else None


class ReanalyseDuty(Duty[ReanalyseActor]):
    """Takes positions from the buffer and brings them back refreshed, as far as the updates pay for it."""

    def __init__(self, driver: Driver, names: Sequence[str]) -> None:
        super().__init__(driver, names)
        self._targets: dict[str, int] = {}  # which target network each worker has
        self._seen = driver.session.log.counters.training_step  # at the last request

    def issue(self) -> None:
        """Gives every worker that is idle another call, if it may reanalyse."""
        for name in self.names:
            if not self.driver.deciding and not self.driver.busy(name) and self._in_turn():
                self._issue_reanalysis(name)

    def lost(self, name: str) -> None:
        """The next worker of that name has no target network yet."""
        self._targets.pop(name, None)

    def _in_turn(self) -> bool:
        """In rounds there is one request after the updates of a round, and none in one without."""
        before, self._seen = self._seen, self.driver.session.log.counters.training_step
        return not self.driver.rhythm.in_rounds or self._seen != before

    def _issue_reanalysis(self, name: str) -> None:
        driver, counters = self.driver, self.driver.session.log.counters
        if not driver.pacing.reanalysis_allowed(counters.reanalysed_steps, counters.training_step):
            return
        worker, buffer = self.actor(name), driver.only(BUFFER)
        target = counters.training_step // driver.config.target_update_interval
        if self._targets.get(name) != target:  # only when it has changed: the trainer's queue is long
            self._targets[name] = target
            self._load_target(name)
        request = buffer.call(BufferActor.reanalyse_request, driver.config.reanalyse_batch)
        refreshed = worker.call(ReanalyseActor.refresh_any, request)
        update = buffer.call(BufferActor.reanalyse_update_any, refreshed)
        made = (Input(BUFFER.kind.name, request), Input(name, refreshed))
        driver.call(BUFFER.kind.name, update, driver.session.log.reanalysed, queue=name, inputs=made)

    def _load_target(self, name: str) -> None:
        version, weights = self.driver.only(TRAINER).call_pair(TrainerActor.target)
        loaded = self.actor(name).call(ReanalyseActor.load, weights, version)
        inputs, forgotten = (Input(TRAINER.kind.name, weights),), partial(self._targets.pop, name, None)
        self.driver.call(name, loaded, nothing, inputs=inputs, dropped=forgotten)


REANALYSE = Role(actor_kinds.REANALYSE, ReanalyseActor, ReanalyseDuty)

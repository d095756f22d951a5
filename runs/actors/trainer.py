"""The actor that learns: batches come to it from the buffer, and its weights go to the storage."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core import actor_kinds
from core.wording import counted
from data import Batch, Snapshot, TrainingResult, Weights
from runs.actors.buffer import BUFFER, BufferActor
from runs.actors.shell import SavedShell, Setup, copied
from runs.actors.storage import STORAGE
from runs.actors.writing import Place, Write
from runs.driver import Driver, Duty, Input, Publication, Role, nothing
from runs.handles import Handle, Pending
from saving.checkpoint import Written, write_part, write_weights
from shared_storage import SharedStorage

if TYPE_CHECKING:
    from trainer import Trainer

MAX_UPDATES_PER_CALL = 16
"""So few that the priorities by which their batches are drawn are fresh."""
PUBLICATION = "publication"
"""The queue of the calls that give the weights: they are not held up by those that train."""


class TrainerActor(SavedShell["Trainer"]):
    """`Trainer`, imported where it runs: no other process has to load torch."""

    def _build(self, setup: Setup) -> Trainer:
        from trainer import Trainer

        trainer = Trainer(setup.config, setup.device)
        if setup.state is not None:
            trainer.load_state(setup.state)
        return trainer

    def train(self, batches: list[Batch]) -> TrainingResult:
        """One update per batch."""
        return self.part.train(batches)

    def published(self) -> tuple[int, Weights]:
        """The number of updates made, and the weights that they made."""
        return self.part.training_step, self.part.weights()

    def target(self) -> tuple[int, Weights]:
        """The number of updates that made the target network's weights, and those weights."""
        return self.part.target_step, self.part.target_weights()

    def state(self) -> Snapshot:
        """What it takes to go on training."""
        return self.part.state()

    def _counted(self) -> int:
        """Updates made in the run's life."""
        return self.part.training_step

    def _write_of(self, place: Place) -> Write:
        """The weights as well, which a checkpoint is of."""
        return partial(_write_with_weights, place.part, copied(self.state()), self.part.weights())


def weights_in(state: Snapshot) -> Weights:
    """The network's weights in a trainer's `state()`."""
    found = ((name.partition("/"), array) for name, array in state.arrays.items())
    return {name: array for (group, _, name), array in found if group == "weights"}


def _write_with_weights(name: str, state: Snapshot, weights: Weights, folder: Path) -> Written:
    part = write_part(folder, name, state)
    return Written(part.facts, part.digests | write_weights(folder, weights))


class TrainerDuty(Duty[TrainerActor]):
    """Makes the updates that the played steps pay for, and publishes the weights now and then."""

    def __init__(self, driver: Driver, names: Sequence[str]) -> None:
        super().__init__(driver, names)
        (self._name,) = names
        self._next_publication = 0.0
        self._known = False  # how far the trainer is
        unlimited = math.isinf(driver.rhythm.training_seconds)
        self._updates_per_call = MAX_UPDATES_PER_CALL if unlimited else 1

    @property
    def _trainer(self) -> Handle[TrainerActor]:
        return self.actor(self._name)

    def begin(self) -> None:
        """Publishes the weights that the run begins with."""
        self._publish()

    def lost(self, name: str) -> None:
        """The new one has gone back some updates, nobody knows yet how many, and makes them again."""
        self._known = False
        self.driver.again = self.driver.session.log.counters.training_step
        self._publish()

    def issue(self) -> None:
        """Trains, if it may; publishes if it is time."""
        for _ in range(self.driver.rhythm.training_calls - len(self.driver.updates_in_flight)):
            if not self._issue_training():
                break
        if time.perf_counter() >= self._next_publication and not self.driver.busy(PUBLICATION):
            self._publish()

    def _issue_training(self) -> bool:
        """Gives the trainer another call, if it may make updates; whether it did."""
        driver = self.driver
        claimed = driver.updates_made + sum(driver.updates_in_flight)
        updates = min(driver.updates_due(claimed), self._updates_per_call)
        if not (updates and self._known):
            return False
        driver.updates_in_flight.append(updates)
        buffer = driver.only(BUFFER)
        batches = buffer.call(BufferActor.sample, updates)
        driver.call(
            self._name,
            self._trainer.call(TrainerActor.train, batches),
            partial(self._trained, updates, buffer),
            inputs=(Input(BUFFER.kind.name, batches),),
            dropped=partial(driver.updates_in_flight.remove, updates),
        )
        return True

    def _trained(self, asked: int, buffer: Handle[BufferActor], result: TrainingResult) -> None:
        driver, metrics = self.driver, result.metrics
        driver.updates_in_flight.remove(asked)
        again = min(driver.again, metrics.updates)
        driver.again -= again
        driver.session.trained(metrics, again)
        rate = metrics.updates / max(metrics.seconds, 1e-6)
        in_time = min(rate * driver.rhythm.training_seconds, MAX_UPDATES_PER_CALL)
        self._updates_per_call = max(1, int(in_time))
        if driver.config.PER and buffer is driver.only(BUFFER):  # another one numbers its steps otherwise
            update = driver.only(BUFFER).call(
                BufferActor.update_priorities, result.positions, result.priorities
            )
            driver.call(BUFFER.kind.name, update, nothing)

    def _publish(self) -> None:
        self._next_publication = time.perf_counter() + self.driver.rhythm.weights_interval
        version, weights = self._trainer.call_pair(TrainerActor.published)
        taken = partial(self._take_published, weights)
        self.driver.call(self._name, version, taken, queue=PUBLICATION, awaited=False)

    def _take_published(self, weights: Pending[Weights], version: int) -> None:
        """Gives the storage a reference to weights that are new."""
        driver = self.driver
        if not self._known:  # none of its updates is in flight
            self._known = True
            driver.again = max(driver.session.log.counters.training_step - version, 0)
            if driver.again:
                note = f"actor {self._name!r}: {counted(driver.again, 'update')} to be made again"
                driver.session.observer.evidence(note)
        if driver.published is None or version > driver.published.version:
            driver.published = Publication(version, weights)
            kept = driver.only(STORAGE).call(SharedStorage.publish, version, [weights])
            driver.call(STORAGE.kind.name, kept, nothing)


TRAINER = Role(actor_kinds.TRAINER, TrainerActor, TrainerDuty)

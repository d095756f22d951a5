"""The actor that has the newest weights, and the counters."""

from __future__ import annotations

from typing import TypeAlias

from core import actor_kinds
from data import Weights
from runs.driver import Duty, Role, nothing
from runs.handles import Pending
from shared_storage import SharedStorage

Kept: TypeAlias = list[Pending[Weights]]
"""One reference to weights; in a list, as Ray would send the weights themselves in its place."""


class StorageDuty(Duty[SharedStorage[Kept]]):
    """Takes note of how far the run has come. The trainer's duty gives it the weights."""

    def reported(self) -> None:
        """Records the counters."""
        for name in self.names:
            if not self.driver.busy(name):
                counters = self.driver.session.log.counters
                self.driver.call(name, self.actor(name).call(SharedStorage.record, counters), nothing)


STORAGE: Role[SharedStorage[Kept]] = Role(actor_kinds.STORAGE, SharedStorage, StorageDuty)

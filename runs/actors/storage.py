"""The actor that has the newest weights, and the counters."""

from __future__ import annotations

from core import actor_kinds
from runs.actors.shell import Shell
from runs.driver import Duty, Role, nothing
from runs.handles import Kept
from shared_storage import SharedStorage

TOLD = "told"
"""The queue of the calls that tell actors of another storage."""


class StorageDuty(Duty[SharedStorage[Kept]]):
    """Takes note of how far the run has come. The trainer's duty gives it the weights."""

    def lost(self, name: str) -> None:
        """The new one is given the newest weights, and all who take weights from a storage are told of it."""
        driver, storage = self.driver, self.actor(name)
        if driver.published is not None:
            version, weights = driver.published
            driver.call(name, storage.call(SharedStorage.publish, version, [weights]), nothing)
        from runs.actors.remote_source import RemoteSource  # which needs Ray: without it nothing is lost

        source = RemoteSource(storage)
        for other, member in driver.members.items():
            if issubclass(driver.shells[member.kind.name], Shell):
                told = driver.actors[other].call(Shell.ask_instead, source)
                driver.call(other, told, nothing, queue=TOLD, awaited=False)

    def reported(self) -> None:
        """Records the counters."""
        for name in self.names:
            if not self.driver.busy(name):
                counters = self.driver.session.log.counters
                self.driver.call(name, self.actor(name).call(SharedStorage.record, counters), nothing)


STORAGE: Role[SharedStorage[Kept]] = Role(actor_kinds.STORAGE, SharedStorage, StorageDuty)

"""How a player in a process of its own comes to newer weights."""

from __future__ import annotations

import time

import ray

from data import VersionedWeights
from runs.handles import Handle, Kept, Pending
from shared_storage import Published, SharedStorage

POLL_SECONDS = 0.05


class RemoteSource:
    """A `WeightsSource` that asks the storage actor now and then, without waiting for its answer."""

    def __init__(self, storage: Handle[SharedStorage[Kept]]) -> None:
        self._storage = storage
        self._question: Pending[Published[Kept] | None] | None = None
        self._next = 0.0

    def newer_than(self, version: int) -> VersionedWeights | None:
        """The newest weights known to be newer than `version`; waits only for the very first ones.

        Where the storage is lost there are none, until another one is named; without any weights Ray's
        error is raised.
        """
        while True:
            newer = self._ask_the_living(version)
            if newer is not None or version >= 0:
                return newer
            time.sleep(POLL_SECONDS)

    def _ask_the_living(self, version: int) -> VersionedWeights | None:
        try:
            return self._ask(version)
        except ray.exceptions.RayError:
            self._question = None
            if version < 0:
                raise
            return None

    def _ask(self, version: int) -> VersionedWeights | None:
        now = time.perf_counter()
        if self._question is None and now >= self._next:
            self._question = self._storage.call(SharedStorage.latest, version)
            self._next = now + POLL_SECONDS
        if self._question is None or not ray.wait([self._question.where], timeout=0)[0]:
            return None
        published: Published[Kept] | None = ray.get(self._question.where)
        self._question = None
        return VersionedWeights(published.version, ray.get(published.handle[0].where)) if published else None

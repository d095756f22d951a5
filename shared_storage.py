"""What the actors share: the newest weights (by reference) and the counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from data import Counters, VersionedWeights, Weights

Handle = TypeVar("Handle")


class Published(NamedTuple, Generic[Handle]):
    """One version of the weights: the number of updates that made it, and where it is."""

    version: int
    handle: Handle  # the weights, or a one-element list of an object-store reference to them


class SharedStorage(Generic[Handle]):
    """Holds the newest weights and the counters, behind typed methods.

    On Ray it holds a reference into the object store, where each version lies once, and never the
    weights' bytes; without Ray, the weights.
    """

    def __init__(self) -> None:
        self._published: Published[Handle] | None = None
        self._counters = Counters()

    def publish(self, version: int, handle: Handle) -> None:
        """Makes `handle` the newest weights, unless newer ones are there already."""
        if self._published is None or version > self._published.version:
            self._published = Published(version, handle)

    def latest(self, since: int) -> Published[Handle] | None:
        """The newest weights if they are newer than version `since`."""
        published = self._published
        return published if published is not None and published.version > since else None

    def record(self, counters: Counters) -> None:
        """Takes note of how far the run has come."""
        self._counters = counters

    def counters(self) -> Counters:
        """How far the run has come."""
        return self._counters


class LocalSource(Generic[Handle]):
    """A `WeightsSource` in the process of the storage itself; `weights_of` gives those of a handle."""

    def __init__(self, storage: SharedStorage[Handle], weights_of: Callable[[Handle], Weights]) -> None:
        self._storage = storage
        self._weights_of = weights_of

    def newer_than(self, version: int) -> VersionedWeights | None:
        """The newest weights if they are newer than `version`."""
        published = self._storage.latest(version)
        if published is None:
            return None
        return VersionedWeights(published.version, self._weights_of(published.handle))

"""What the actors share: the newest weights are never replaced by older ones, nor sent twice."""

from __future__ import annotations

import numpy as np

from data import Counters, VersionedWeights
from shared_storage import LocalSource, SharedStorage


def test_the_newest_version_is_handed_out_once() -> None:
    storage: SharedStorage[str] = SharedStorage()
    assert storage.latest(-1) is None
    storage.publish(0, "first")
    assert storage.latest(-1) == (0, "first")
    assert storage.latest(0) is None
    storage.publish(5, "fifth")
    assert storage.latest(0) == storage.latest(4) == (5, "fifth")
    assert storage.latest(5) is None


def test_older_weights_do_not_replace_newer_ones() -> None:
    storage: SharedStorage[str] = SharedStorage()
    storage.publish(5, "fifth")
    storage.publish(4, "late")
    storage.publish(5, "again")
    assert storage.latest(-1) == (5, "fifth")


def test_counters_are_noted() -> None:
    storage: SharedStorage[str] = SharedStorage()
    assert storage.counters() == Counters()
    storage.record(Counters(training_step=3, played_steps=9))
    assert storage.counters() == Counters(training_step=3, played_steps=9)


def test_a_local_source_gives_the_weights_themselves() -> None:
    storage: SharedStorage[VersionedWeights] = SharedStorage()
    source = LocalSource(storage, lambda kept: kept.weights)
    assert source.newer_than(-1) is None
    published = VersionedWeights(2, {"w": np.zeros(1, np.float32)})
    storage.publish(2, published)
    newer = source.newer_than(1)
    assert newer == published
    assert newer.weights is published.weights
    assert source.newer_than(2) is None

"""States in memory: one of each actor that is restored, as large as there is room for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data import Snapshot
from runs.actors.shell import SavedShell, Setup, SnapshotReport
from runs.handles import Pending
from runs.supervision import snapshots
from runs.supervision.snapshots import Snapshots
from tests.helpers.fake_ray import fake_run

KEPT, TOO_LARGE = SnapshotReport(8, 0.0, True), SnapshotReport(8, 0.0, False)


class Numbers(SavedShell[int]):
    """So many bytes."""

    made = size = expected = 0

    def _build(self, setup: Setup) -> int:
        return 0

    def state(self) -> Snapshot:
        self.made += 1
        return Snapshot({"numbers": np.zeros(self.size, np.uint8)}, {})

    def expected_size(self) -> int:
        return self.expected


def numbers(size: int, expected: int = 0) -> Numbers:
    """An actor whose state has so many bytes."""
    made = Numbers()
    made.size, made.expected = size, expected
    return made


def test_an_actor_gives_its_state_if_there_is_room_for_it() -> None:
    report, state = numbers(100).snapshot(100)
    assert (report.size, report.kept) == (100, True)
    assert state is not None
    report, state = numbers(101).snapshot(100)
    assert (report.size, report.kept, state) == (101, False, None)
    large = numbers(101, expected=200)
    assert large.snapshot(100)[1] is None
    assert large.made == 0, "nothing is copied that is too large as far as is known"


def test_only_those_that_are_restored_are_asked_and_not_again_before_it_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, now = fake_run(tmp_path, monkeypatch), [100.0]
    monkeypatch.setattr("runs.supervision.snapshots.time.perf_counter", lambda: now[0])
    asked: list[str] = []

    def call(actor: str, *_: Any, **__: Any) -> None:
        asked.append(actor)

    monkeypatch.setattr(run, "call", call)
    kept = Snapshots(run, 800)
    kept.go_on()
    kept.go_on()
    assert asked == ["trainer", "buffer"]
    now[0] += snapshots.SNAPSHOT_SECONDS
    kept._take("trainer", Pending(None), SnapshotReport(8, 1.0, True))  # which took its time
    kept.go_on()
    assert asked[2:] == ["buffer"]
    now[0] += snapshots.TIMES_TAKING
    kept.go_on()
    assert sorted(asked[3:]) == ["buffer", "trainer"]


def test_the_newest_is_kept_and_none_where_it_has_grown_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Snapshots(fake_run(tmp_path, monkeypatch), 800)
    for number in (1, 2):
        kept._take("trainer", Pending(number), KEPT)
    newest = kept.of("trainer")
    assert newest is not None
    assert newest.state.where == 2
    kept._take("trainer", Pending(3), TOO_LARGE)
    assert kept.of("trainer") is None

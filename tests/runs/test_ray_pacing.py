"""How much the driver has the players play: no more than was asked for, however slowly the others start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data import BufferStatus, PlayReport
from runs.actors.self_play import SelfPlayDuty
from runs.handles import Pending
from runs.ray_run import RayRun
from tests.helpers.fake_ray import fake_run

NOTHING = np.zeros(0, np.float32)


def duty_of(run: RayRun) -> SelfPlayDuty:
    duty = run.duties["self_play"]
    assert isinstance(duty, SelfPlayDuty)
    return duty


def ordered(run: RayRun) -> int:
    """Steps that the player is asked for now; its call then counts as in flight."""
    run.calls.clear()
    duty = duty_of(run)
    duty._issue_play("self_play_0")
    return duty._in_flight.get("self_play_0", 0)


def play(run: RayRun, steps: int) -> None:
    """The player's call returns, and its games are sent to the buffer."""
    report = PlayReport(steps, 0, 0, 1.0, 0.0, NOTHING, NOTHING.astype(np.int32), 0.0, 0.0, 0.0, 0)
    duty_of(run)._played("self_play_0", Pending(None), report)


def add(run: RayRun, played: int, added: int) -> None:
    """The buffer has taken in what came of `played` steps, and holds `added`."""
    duty_of(run)._added(played, BufferStatus(added, 0, 0, 10_000, 1 << 20, added))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RayRun:
    options: dict[str, Any] = {"ratio": 0.5, "learning_starts": 100, "games_per_worker": 8}
    return fake_run(tmp_path, monkeypatch, **options)


def test_steps_on_the_way_to_the_buffer_are_not_asked_for_again(run: RayRun) -> None:
    assert ordered(run) == 100
    play(run, 100)
    assert ordered(run) == 0  # although the buffer, which may be starting yet, has nothing
    add(run, 100, 70)  # 30 belong to running games
    assert ordered(run) == 30


def test_a_trainer_that_is_starting_has_its_steps_and_waits_for_none(run: RayRun) -> None:
    assert ordered(run) == 100
    play(run, 104)
    add(run, 104, 104)
    assert not run.updates_in_flight
    assert ordered(run) == 0


def test_a_trainer_without_steps_is_played_for(run: RayRun) -> None:
    ordered(run)
    play(run, 100)
    add(run, 100, 100)
    run.session.log._add(training_step=50)  # all that 100 steps pay for
    assert ordered(run) == 8  # a move of each game, though the lead allows 5 steps
    play(run, 8)
    add(run, 8, 100)  # no game has come to its end
    assert ordered(run) == 8

"""How long actors may take: by what is usual for their kind, and only while the driver looks."""

from __future__ import annotations

import pytest

from config import MuZeroConfig
from core.actor_kinds import members
from runs.supervision.deadlines import (
    ENDING_SECONDS,
    FIRST_SECONDS,
    LEAST_SECONDS,
    LOOK_SECONDS,
    TIMES_ENDING,
    TIMES_SLOWEST,
    Deadlines,
)

MEMBERS = {member.name: member for member in members(MuZeroConfig(num_workers=2, num_reanalyse_workers=1))}


def watched(configured: float = 0.0) -> Deadlines:
    """Of actors that are all at work."""
    deadlines = Deadlines(configured, MEMBERS)
    for name in MEMBERS:
        deadlines.answered(name)
    return deadlines


def pass_time(deadlines: Deadlines, on: dict[str, object], since: float, seconds: float) -> float:
    """Looks every half second while the actors are on the same; when that ends."""
    for half in range(int(2 * seconds) + 1):
        deadlines.look(on, since + half / 2)
    return since + seconds


def test_an_actor_is_late_after_two_minutes_or_ten_times_the_slowest_of_its_kind() -> None:
    deadlines = watched()
    now = pass_time(deadlines, {"self_play_0": "a"}, 0.0, LEAST_SECONDS)
    assert deadlines.late() == {}
    now = pass_time(deadlines, {"self_play_0": "b"}, now, LEAST_SECONDS + 1)  # a took two minutes
    assert deadlines.late() == {}
    assert deadlines.of("self_play_1") == pytest.approx(10 * LEAST_SECONDS, rel=0.1)
    assert deadlines.of("trainer") == LEAST_SECONDS


def test_a_late_one_is_named_with_its_seconds() -> None:
    deadlines = watched(configured=7.0)
    pass_time(deadlines, {"buffer": "a", "trainer": "b"}, 0.0, 7.0)
    assert deadlines.late() == {}
    pass_time(deadlines, {"buffer": "a", "trainer": "c"}, 7.0, 2.0)
    assert deadlines.late() == {"buffer": 9.0}
    deadlines.forget("buffer")
    assert deadlines.late() == {}


def test_a_driver_that_did_not_look_blames_nobody() -> None:
    deadlines = watched(configured=7.0)
    deadlines.look({"buffer": "a"}, 0.0)
    deadlines.look({"buffer": "a"}, 1000.0)  # the laptop was closed
    assert deadlines.late() == {}
    pass_time(deadlines, {"buffer": "a"}, 1000.0, 7.0 - LOOK_SECONDS)
    assert deadlines.late() == {}


def test_an_actor_that_has_done_nothing_yet_has_more_time_unless_the_run_is_to_end() -> None:
    deadlines = Deadlines(7.0, MEMBERS)
    assert deadlines.of("trainer") == FIRST_SECONDS
    deadlines.ending = True
    assert deadlines.of("trainer") == 7.0
    assert watched().of("trainer") == LEAST_SECONDS
    usual = watched()
    now = pass_time(usual, {"trainer": "a"}, 0.0, ENDING_SECONDS)
    pass_time(usual, {"trainer": "b"}, now, 1.0)
    assert usual.of("trainer") == TIMES_SLOWEST * ENDING_SECONDS
    usual.ending = True
    assert usual.of("buffer") == ENDING_SECONDS
    assert usual.of("trainer") == TIMES_ENDING * ENDING_SECONDS

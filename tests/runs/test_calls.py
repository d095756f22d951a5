"""Who is at work among those whose calls are in flight, and who only waits for another one."""

from __future__ import annotations

from typing import Any

import pytest

from runs import calls
from runs.calls import Call, at_work
from runs.driver import Input
from runs.handles import Pending


class Answers:
    """Ray, where some results are there."""

    def __init__(self, *there: str) -> None:
        self.there = there

    def wait(self, refs: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return [ref for ref in refs if ref in self.there], []


def call(actor: str, *inputs: tuple[str, str]) -> Call:
    """One of `actor`, given what others return: their names, and the results'."""
    return Call(actor, actor, lambda _: None, tuple(Input(who, Pending(what)) for who, what in inputs))


def test_whoever_is_waited_for_is_at_work_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    in_flight = [
        ("trained", call("trainer", ("buffer", "batches"))),
        ("updated", call("buffer", ("buffer", "request"), ("reanalyse_0", "refreshed"))),
        ("played", call("self_play_0")),
        ("played later", call("self_play_0")),
    ]
    monkeypatch.setattr(calls, "ray", Answers("request"))
    assert at_work(in_flight) == {"reanalyse_0": "trained", "self_play_0": "played"}
    monkeypatch.setattr(calls, "ray", Answers("request", "refreshed"))
    assert at_work(in_flight) == {"buffer": "updated", "self_play_0": "played"}
    monkeypatch.setattr(calls, "ray", Answers("request", "refreshed", "batches"))
    assert at_work(in_flight) == {"trainer": "trained", "buffer": "updated", "self_play_0": "played"}


def test_actors_that_wait_for_each_other_are_no_endless_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ray", Answers())
    waiting = [("a", call("trainer", ("buffer", "x"))), ("b", call("buffer", ("trainer", "y")))]
    assert len(at_work(waiting)) >= 1


def test_a_call_concerns_whose_it_is_and_whose_turn_it_takes() -> None:
    one = call("buffer")._replace(queue="reanalyse_0")
    assert one.concerns({"buffer"})
    assert one.concerns({"reanalyse_0", "trainer"})
    assert not one.concerns({"trainer"})

"""Costs add up over sittings, survive JSON, and what was not measured is never passed off as zero."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from core.cost import NOTHING, Cost, CpuSeconds, NetworkEvaluations
from core.errors import ConfigurationError
from runs.reports.scalars import cost_scalars

FIRST = Cost(
    seconds=10.5,
    cpu_seconds=CpuSeconds(driver=1.0, self_play=20.0, ray=0.5),
    gpu_seconds=2.0,
    played_steps=100,
    evaluation_steps=30,
    network_evaluations=NetworkEvaluations(5100, 64, 1500),
    updates=7,
    peak_memory=900,
)
SECOND = Cost(
    seconds=1.0,
    cpu_seconds=CpuSeconds(driver=2.0, self_play=3.0, trainer=4.0),
    gpu_seconds=0.5,
    played_steps=11,
    evaluation_steps=1,
    network_evaluations=NetworkEvaluations(100, 0, 10),
    updates=1,
    peak_memory=700,
)


def test_sittings_add_up() -> None:
    both = Cost(
        seconds=11.5,
        cpu_seconds=CpuSeconds(driver=3.0, self_play=23.0, trainer=4.0, ray=0.5),
        gpu_seconds=2.5,
        played_steps=111,
        evaluation_steps=31,
        network_evaluations=NetworkEvaluations(5200, 64, 1510),
        updates=8,
        peak_memory=900,
    )
    assert FIRST.plus(SECOND) == SECOND.plus(FIRST) == both
    assert FIRST.plus(NOTHING) == NOTHING.plus(FIRST) == FIRST


def test_kinds_that_a_program_has_added_are_counted_and_leave_no_trace_where_there_are_none() -> None:
    first, second = (
        dataclasses.replace(FIRST, added_cpu_seconds=seconds)
        for seconds in ({"counter": 1.5}, {"other": 2.0})
    )
    both = first.plus(second)
    assert both.added_cpu_seconds == {"counter": 1.5, "other": 2.0}
    assert both.plus(first).added_cpu_seconds == {"counter": 3.0, "other": 2.0}
    assert both.all_cpu_seconds == 2 * 21.5 + 3.5
    assert Cost.from_facts(json.loads(json.dumps(both.to_facts()))) == both
    assert both.plus(Cost(1.0)).added_cpu_seconds is None, "no more known than that of the usual kinds"
    assert "added_cpu_seconds" not in FIRST.to_facts()
    assert cost_scalars(both)["cost/cpu_seconds/other"] == 2.0
    assert cost_scalars(both)["cost/cpu_seconds"] == both.all_cpu_seconds
    with pytest.raises(ConfigurationError, match="-1"):
        Cost(1.0, added_cpu_seconds={"counter": -1.0})


def test_totals() -> None:
    assert FIRST.cpu_seconds is not None
    assert FIRST.cpu_seconds.total == 21.5
    assert FIRST.network_evaluations is not None
    assert FIRST.network_evaluations.total == 6664
    assert FIRST.environment_steps == 130
    assert Cost(1.0, played_steps=100).environment_steps is None


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Cost)][1:])
def test_what_one_sitting_does_not_know_is_not_known(name: str) -> None:
    unknown: dict[str, Any] = {name: None}
    partly = dataclasses.replace(FIRST, **unknown)
    for both in (partly.plus(SECOND), SECOND.plus(partly)):
        assert both == dataclasses.replace(FIRST.plus(SECOND), **unknown)


@pytest.mark.parametrize("cost", [FIRST, NOTHING, Cost(3.0), Cost(3.0, gpu_seconds=0.0, peak_memory=1 << 40)])
def test_costs_survive_json(cost: Cost) -> None:
    assert Cost.from_facts(json.loads(json.dumps(cost.to_facts(), allow_nan=False))) == cost


def test_other_facts_are_refused() -> None:
    for facts in ({}, {"seconds": 1.0, "joules": 2.0}, {"seconds": 1.0, "cpu_seconds": {"gpu": 1.0}}):
        with pytest.raises(TypeError):
            Cost.from_facts(facts)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"seconds": -1.0}, "-1.0"),
        ({"gpu_seconds": float("nan")}, "nan"),
        ({"peak_memory": -5}, "-5"),
        ({"cpu_seconds": CpuSeconds(trainer=float("inf"))}, "inf"),
        ({"network_evaluations": NetworkEvaluations(reanalysis=-2)}, "-2"),
        ({"updates": -3}, "-3"),
    ],
)
def test_impossible_costs_are_refused(changes: dict[str, object], shown: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"\Acost is {shown} and must be finite and not negative\Z"):
        dataclasses.replace(FIRST, **changes)  # type: ignore[arg-type]

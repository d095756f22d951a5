"""The table of actors: what is a file format keeps its spelling, and costs are kept by its kinds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from config import MuZeroConfig
from core import actor_kinds
from core.actor_kinds import ACTOR_KINDS, BUFFER, PROCESS_KINDS, SELF_PLAY, STORAGE, TRAINER, members
from core.cost import Cost, CpuSeconds


def names(**changes: Any) -> list[str]:
    return [member.name for member in members(MuZeroConfig(**changes))]


def test_names_are_those_in_files() -> None:
    assert [kind.name for kind in ACTOR_KINDS] == [
        "self_play",
        "trainer",
        "reanalyse",
        "evaluator",
        "buffer",
        "storage",
    ]
    seconds = Cost(1.0, CpuSeconds()).to_facts()["cpu_seconds"]
    assert list(seconds) == ["driver", *(kind.name for kind in ACTOR_KINDS), "ray"] == list(PROCESS_KINDS)
    assert set(seconds.values()) == {0.0}


def test_a_configuration_says_how_many_of_each() -> None:
    assert names(num_workers=2, num_reanalyse_workers=1) == [
        *("trainer", "storage", "self_play_0", "self_play_1", "buffer", "evaluator", "reanalyse_0")
    ]
    assert names(evaluation_interval=0.0) == ["trainer", "storage", "self_play_0", "buffer"]


def test_checkpoints_keep_trainer_buffer_and_players() -> None:
    assert {kind for kind in ACTOR_KINDS if kind.saved} == {TRAINER, BUFFER, SELF_PLAY}


def test_whoever_is_given_the_storage_is_launched_after_it() -> None:
    assert len({kind.launched for kind in ACTOR_KINDS}) == len(ACTOR_KINDS)
    assert STORAGE.launched < SELF_PLAY.launched


def test_costs_have_a_field_for_each_kind() -> None:
    fields = [field.name for field in dataclasses.fields(CpuSeconds)]
    assert fields == list(actor_kinds.PROCESS_KINDS)
    one = CpuSeconds(driver=1.0, trainer=2.0)
    assert (one.driver, one.trainer, one.buffer, one.total) == (1.0, 2.0, 0.0, 3.0)
    assert one == CpuSeconds(1.0, 0.0, 2.0)
    with pytest.raises(TypeError, match="judge"):
        CpuSeconds(judge=1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.driver = 2.0  # type: ignore[attr-defined]

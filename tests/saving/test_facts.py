"""What checkpoints say of themselves: names lead nowhere, numbers count something, parts fit the memory."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config import MuZeroConfig
from data import Counters
from saving.checkpoint import FACTS, load_checkpoint, save_best, save_generation
from saving.facts import told
from saving.files import CheckpointError, digest_file
from saving.room import FREE, check_room
from saving.run_folder import MANIFEST
from tests.saving.test_checkpoint import make_checkpoint

MIB = 1 << 20


def facts() -> dict[str, Any]:
    return {
        "game": "cartpole",
        "config": {},
        "counters": dataclasses.asdict(Counters(5, 300, added_steps=280)),
        "evaluation": 1.5,
        "cost": {"seconds": 1.0},
        "parts": {"buffer": {"first": 3}},
    }


def test_facts_are_told() -> None:
    found = told(facts())
    assert found.counters == Counters(5, 300, added_steps=280)
    assert (found.game, found.evaluation, found.recipe, found.game_digest) == ("cartpole", 1.5, None, "")
    assert found.parts == {"buffer": {"first": 3}}


@pytest.mark.parametrize(
    "changes",
    [
        *({"game": name} for name in ("../x", "a/b", "", "..", ".", "a\x00", "a\nb", "x" * 1000, 3, None)),
        {"config": []},
        {"config": None},
        {"config": "{}"},
        {"counters": {"training_step": 1}},
        {"counters": {"training_step": -1, "played_steps": 0}},
        {"counters": {"training_step": 1.5, "played_steps": 0}},
        {"counters": {"training_step": True, "played_steps": 0}},
        {"counters": {"training_step": 10**30, "played_steps": 0}},
        {"counters": {"training_step": 1, "played_steps": 0, "seconds": float("inf")}},
        {"counters": {"training_step": 1, "played_steps": 0, "more": 1}},
        {"evaluation": "high"},
        {"cost": {"seconds": -1.0}},
        {"cost": {"seconds": 1.0, "cpu_seconds": {"nobody": 1}}},
        {"cost": []},
        {"recipe": 5},
        {"game_digest": None},
        {"parts": {"buffer": []}},
        {"parts": {str(number): {} for number in range(6000)}},
    ],
)
def test_what_cannot_be_true_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        told(facts() | changes)


def test_parts_are_as_large_as_the_configuration_allows() -> None:
    config = MuZeroConfig(replay_buffer_mb=100)
    small = dict.fromkeys(("weights", "trainer", "buffer", "self_play_0", "own"), FREE)
    check_room(small, "no configuration", usable=1 << 34)
    check_room({"buffer": 100 * MIB + FREE}, config.to_json(), usable=1 << 34)
    for name in ("weights", "trainer", "buffer", "self_play_0"):
        with pytest.raises(CheckpointError, match=f"{name} takes"):
            check_room({name: 101 * MIB + FREE}, config.to_json(), usable=1 << 34)


def test_parts_must_fit_into_memory_together() -> None:
    config = MuZeroConfig(replay_buffer_mb=1_000_000)
    with pytest.raises(CheckpointError, match="buffer takes"):
        check_room({"buffer": 5 << 30}, config.to_json(), usable=8 << 30)
    with pytest.raises(CheckpointError, match="no room in memory"):
        check_room({f"own_{number}": FREE for number in range(200)}, config.to_json(), usable=8 << 30)


def test_a_sparse_part_that_is_signed_is_refused_by_its_size(tmp_path: Path) -> None:
    path = save_generation(tmp_path, make_checkpoint(), keep=1)
    with (path / "weights.npz").open("r+b") as stream:
        stream.truncate(30 << 30)
    with pytest.raises(CheckpointError, match="weights takes 30,720 MiB"):
        load_checkpoint(path)


def test_facts_are_read_only_if_they_are_the_signed_ones(tmp_path: Path) -> None:
    path = save_generation(tmp_path, make_checkpoint(), keep=1)
    changed = json.loads((path / FACTS).read_text())
    changed["counters"]["training_step"] = -1
    (path / FACTS).write_text(json.dumps(changed))
    with pytest.raises(CheckpointError, match="checksum differs"):
        load_checkpoint(path)
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["files"][FACTS] = digest_file(path / FACTS)
    (path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="training_step is -1"):
        load_checkpoint(path)


def test_weights_that_are_no_numbers_or_in_double_precision_are_refused(tmp_path: Path) -> None:
    for wrong in (np.array([np.nan], np.float32), np.ones(3), np.ones(3, np.int32)):
        weights: dict[str, Any] = {"value.0.weight": wrong}
        path = tmp_path / "best.checkpoint"
        save_best(path, dataclasses.replace(make_checkpoint(), weights=weights))
        with pytest.raises(CheckpointError, match=r"value\.0\.weight"):
            load_checkpoint(path)

"""Checkpoints: what is saved comes back; damage is reported, never obeyed; a crash loses no generation."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import MuZeroConfig
from core.cost import Cost, CpuSeconds, NetworkEvaluations
from core.errors import ConfigurationError
from data import Counters, Snapshot
from saving import checkpoint as module
from saving import files
from saving.checkpoint import (
    FORMAT_VERSION,
    Checkpoint,
    load_checkpoint,
    load_generation,
    newest_generation,
    save_best,
    save_generation,
)
from saving.facts import counters_of
from saving.files import CheckpointError
from saving.run_folder import new_run_folder, newest_run, run_folder_of

COST = Cost(1.5, CpuSeconds(driver=3.25), 0.0, 100, 8, NetworkEvaluations(4900, 0, 200), 7, 1 << 30)

SCALAR: Any = np.float64(2.5)  # an array of no dimensions in all but its type


def make_checkpoint(step: int = 7, seed: int = 0) -> Checkpoint:
    generator = np.random.default_rng(seed)
    weights = {
        "value.0.weight": generator.normal(size=(3, 4)).astype(np.float32),
        "file": np.zeros(0, np.float32),
    }
    parts = {
        "trainer": Snapshot({"exp_avg/0": np.arange(5.0), "scalar": SCALAR}, {"name": "AdamW"}),
        "self_play_0": Snapshot({}, {"random": generator.bit_generator.state, "nan": None}),
    }
    config = MuZeroConfig(seed=3, lr_init=0.01)
    counters = Counters(step, 100, 4, 0, 900, 1.5)
    return Checkpoint("cartpole", config.to_json(), weights, counters, parts, 480.5, COST)


def assert_equal(a: Checkpoint, b: Checkpoint) -> None:
    def plain(c: Checkpoint) -> object:
        return c.game, c.config_json, c.counters, c.evaluation, c.measured_cost, c.format_version

    assert plain(a) == plain(b)
    assert_same_arrays(a.weights, b.weights)
    assert a.parts.keys() == b.parts.keys()
    for name, part in a.parts.items():
        assert_same_arrays(part.arrays, b.parts[name].arrays)
        assert part.facts == b.parts[name].facts


def assert_same_arrays(a: dict, b: dict) -> None:
    assert a.keys() == b.keys()
    for name, array in a.items():
        assert array.dtype == b[name].dtype
        np.testing.assert_array_equal(array, b[name])


def test_generation_comes_back_whole(tmp_path: Path) -> None:
    saved = make_checkpoint()
    path = save_generation(tmp_path, saved, keep=2)
    assert path.parent == tmp_path / "checkpoints"
    for place in (path, tmp_path):
        assert_equal(load_checkpoint(place, expect_game="cartpole"), saved)
    assert MuZeroConfig.from_json(load_generation(path).config_json) == MuZeroConfig(seed=3, lr_init=0.01)
    assert run_folder_of(path) == run_folder_of(tmp_path) == tmp_path


def test_random_state_continues(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    state = Snapshot({}, {"random": generator.bit_generator.state})
    path = save_generation(tmp_path, dataclasses.replace(make_checkpoint(), parts={"driver": state}), keep=1)
    restored = np.random.default_rng()
    restored.bit_generator.state = load_generation(path).parts["driver"].facts["random"]
    np.testing.assert_array_equal(restored.random(4), generator.random(4))


def test_best_is_one_small_file_without_parts(tmp_path: Path) -> None:
    saved = make_checkpoint()
    path = tmp_path / "run" / "best.checkpoint"
    save_best(path, saved)
    assert_equal(load_checkpoint(path), dataclasses.replace(saved, parts={}))
    assert os.listdir(path.parent) == ["best.checkpoint"]
    with np.load(path, allow_pickle=False) as archive:
        assert "weights/value.0.weight" in archive.files


def without_cost(saved: Checkpoint) -> dict[str, object]:
    facts = FACTS_OF(saved)
    return {name: value for name, value in facts.items() if name != "cost"}


FACTS_OF = module._facts


def test_files_of_before_costs_were_kept_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = make_checkpoint(step=7)
    monkeypatch.setattr(module, "_facts", without_cost)
    save_best(tmp_path / "best.checkpoint", saved)
    for path in (tmp_path / "best.checkpoint", save_generation(tmp_path, saved, keep=1)):
        found = load_checkpoint(path)
        assert found.measured_cost is None
        assert found.counters == saved.counters
        assert found.cost == Cost(1.5, played_steps=100, updates=7)
    assert saved.cost == COST


def test_keeps_the_newest_generations(tmp_path: Path) -> None:
    paths = [save_generation(tmp_path, make_checkpoint(step), keep=2) for step in (10, 20, 20, 15)]
    assert sorted(os.listdir(tmp_path / "checkpoints")) == [path.name for path in paths[2:]]
    newest = newest_generation(tmp_path)
    assert newest == paths[3], "the generation written last is the newest, whatever its step"
    assert load_checkpoint(tmp_path).training_step == 15


def test_crash_at_any_rename_or_sync_leaves_the_previous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_checkpoint(10)
    save_generation(tmp_path, first, keep=1)
    for name in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, _crash)
            with pytest.raises(SystemError):
                save_generation(tmp_path, make_checkpoint(20), keep=1)
        assert_equal(load_checkpoint(tmp_path), first)
    path = save_generation(tmp_path, make_checkpoint(30), keep=1)
    assert os.listdir(tmp_path / "checkpoints") == [path.name], "what the crashes left is gone"


def test_crash_while_saving_best_keeps_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "best.checkpoint"
    save_best(path, make_checkpoint(10))
    monkeypatch.setattr(os, "replace", _crash)
    with pytest.raises(SystemError):
        save_best(path, make_checkpoint(20))
    assert load_checkpoint(path).training_step == 10
    assert os.listdir(tmp_path) == ["best.checkpoint"]


def _crash(*_: object) -> None:
    raise SystemError("power cut")


def test_full_disk_is_a_checkpoint_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_generation(tmp_path, make_checkpoint(), keep=1)


QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """`content` cut short, or with one byte changed, at a drawn place."""
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        return content[:place]
    flip = data.draw(st.integers(1, 255))
    return content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]


@QUICK
@given(data=st.data())
def test_any_damage_to_best_is_reported(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "best.checkpoint"
    save_best(path, make_checkpoint())
    path.write_bytes(damaged(path.read_bytes(), data))
    with pytest.raises(CheckpointError, match=r"best\.checkpoint"):
        load_checkpoint(path)


@QUICK
@given(data=st.data())
def test_any_damage_to_a_generation_is_reported(tmp_path: Path, data: st.DataObject) -> None:
    saved = make_checkpoint()
    path = save_generation(tmp_path, saved, keep=1)
    victim = path / data.draw(st.sampled_from(sorted(os.listdir(path))))
    original = victim.read_bytes()
    victim.write_bytes(damaged(original, data))
    harmless = victim.name == "manifest.json" and _same_json(victim.read_bytes(), original)
    if harmless:  # one blank for another
        assert_equal(load_checkpoint(path), saved)
        return
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def _same_json(a: bytes, b: bytes) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


@pytest.mark.parametrize("name", ["weights.npz", "facts.json", "part_trainer.npz"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    path = save_generation(tmp_path, make_checkpoint(), keep=1)
    (path / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(path)


def test_other_format_version_is_refused(tmp_path: Path) -> None:
    newer = dataclasses.replace(make_checkpoint(), format_version=FORMAT_VERSION + 1)
    save_best(tmp_path / "best.checkpoint", newer)
    for path in (tmp_path / "best.checkpoint", save_generation(tmp_path, newer, keep=1)):
        with pytest.raises(
            CheckpointError, match=f"format {FORMAT_VERSION + 1}, this version reads format {FORMAT_VERSION}"
        ):
            load_checkpoint(path)


def test_checkpoint_of_another_game_is_refused(tmp_path: Path) -> None:
    save_best(tmp_path / "x", make_checkpoint())
    with pytest.raises(CheckpointError, match="of 'cartpole': give one of 'gomoku'"):
        load_checkpoint(tmp_path / "x", expect_game="gomoku")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a", "b")
    for name in ("text", "empty", "zip", "absent"):
        with pytest.raises(CheckpointError, match=name):
            load_checkpoint(tmp_path / name)


def test_loading_never_unpickles(tmp_path: Path) -> None:
    flag = tmp_path / "executed"

    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(flag),)

    path = save_generation(tmp_path, make_checkpoint(), keep=1)
    np.savez(path / "weights.npz", evil=np.array([Evil()], object))
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["weights.npz"] = files.digest_file(path / "weights.npz")
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(path)
    assert not flag.exists()


def test_run_folders(tmp_path: Path) -> None:
    first, second = new_run_folder(tmp_path, "cartpole"), new_run_folder(tmp_path, "cartpole")
    assert first != second
    assert first.parent == tmp_path / "cartpole"
    with pytest.raises(CheckpointError, match="no run with a checkpoint"):
        newest_run(tmp_path)
    for folder, time in ((first, 2000), (second, 1000)):
        os.utime(save_generation(folder, make_checkpoint(), keep=1) / "manifest.json", (time, time))
    assert newest_run(tmp_path) == newest_run(tmp_path, "cartpole") == first
    shutil.rmtree(first)
    assert newest_run(tmp_path) == second
    with pytest.raises(CheckpointError, match="no run of 'gomoku'"):
        newest_run(tmp_path, "gomoku")


def test_unwritable_results_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(ConfigurationError, match=r"results_path: cannot write to .*file"):
            new_run_folder(tmp_path / place, "cartpole")


def test_runs_of_earlier_versions_have_added_what_they_played() -> None:
    facts = dataclasses.asdict(Counters(5, 300, added_steps=280))
    assert counters_of(facts).added_steps == 280
    del facts["added_steps"]
    assert counters_of(facts) == Counters(5, 300, added_steps=300)

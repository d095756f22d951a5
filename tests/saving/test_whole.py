"""Damage of a run's newest checkpoint, and what killed processes leave in its folder."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from saving.checkpoint import load_checkpoint, remove_unfinished, save_generation
from saving.files import CheckpointError
from saving.run_folder import hold
from tests.saving.test_checkpoint import make_checkpoint

Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [cut, flip, remove])
@pytest.mark.parametrize("name", ["part_trainer.npz", "weights.npz", "facts.json", "manifest.json"])
def test_a_damaged_newest_generation_falls_back_with_one_line(
    tmp_path: Path, damage: Damage, name: str
) -> None:
    save_generation(tmp_path, make_checkpoint(10), keep=3)
    damage(save_generation(tmp_path, make_checkpoint(20), keep=3) / name)
    said: list[str] = []
    assert load_checkpoint(tmp_path, say=said.append).training_step == 10
    (line,) = said
    assert "000001-step-10 before it is taken" in line
    assert "\n" not in line


def test_where_no_generation_is_whole_one_line_says_so(tmp_path: Path) -> None:
    for step in (10, 20):
        flip(save_generation(tmp_path, make_checkpoint(step), keep=3) / "weights.npz")
    with pytest.raises(
        CheckpointError, match=r"none of the 2 checkpoints in .* is whole; .*000002-step-20"
    ) as e:
        load_checkpoint(tmp_path)
    assert "\n" not in str(e.value)


def test_a_whole_newest_generation_needs_no_line(tmp_path: Path) -> None:
    said: list[str] = []
    for step in (10, 20):
        save_generation(tmp_path, make_checkpoint(step), keep=3)
    assert load_checkpoint(tmp_path, say=said.append).training_step == 20
    assert said == []


def test_a_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = save_generation(tmp_path, make_checkpoint(10), keep=3)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match="No space left"):
            save_generation(tmp_path, make_checkpoint(20), keep=3)
    assert list((tmp_path / "checkpoints").iterdir()) == [first]


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    whole = save_generation(tmp_path, make_checkpoint(10), keep=3)
    half = tmp_path / "checkpoints" / "000002-step-20"
    half.mkdir()
    (half / "weights.npz").write_bytes(b"PK")
    left = tmp_path / f".best.checkpoint.{dead_process()}.tmp"
    of_others = tmp_path / f".name.txt.{os.getppid()}.tmp"
    old = tmp_path / f".metrics.jsonl.{os.getppid()}.tmp"
    for path in (left, of_others, old, whole / f".manifest.json.{dead_process()}.tmp"):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [of_others.name, "checkpoints"]
    assert list((tmp_path / "checkpoints").iterdir()) == [whole]
    assert set(json.loads((whole / "manifest.json").read_text())["files"]) | {"manifest.json"} == {
        path.name for path in whole.iterdir()
    }


HOLDER = """
import sys, time
from pathlib import Path
from saving.run_folder import hold
folder = Path(sys.argv[1])
log = (folder / "log.txt").open("a")
hold(log, folder)
print("held", flush=True)
time.sleep(60)
"""


def test_a_run_is_held_by_one_process_which_is_named_and_leaves_no_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
        with (tmp_path / "log.txt").open("a") as log:
            with pytest.raises(ConfigurationError, match=f"is running in .* \\(process {holder.pid}\\)"):
                hold(log, tmp_path)
            holder.kill()
            holder.wait()
            assert hold(log, tmp_path) is None


def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with (tmp_path / "log.txt").open("a") as log:
        note = hold(log, tmp_path)
    assert note is not None
    assert note.startswith("warning: files cannot be locked here: No locks available; nothing keeps")

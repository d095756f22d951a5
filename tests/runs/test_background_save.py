"""Checkpoints on Ray while the training goes on: whole, of one cut, shared as far as that is safe."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
import ray

from core.actor_kinds import SELF_PLAY
from runs import background_save, session
from runs.actors.table import ROLES
from runs.background_save import BackgroundSave, link_or_copy
from runs.cluster import start_ray
from runs.ray_run import RayRun
from saving.checkpoint import Checkpoint, load_checkpoint, load_generation
from tests.helpers import hanging_disk
from tests.runs.test_ray_run import config, finish, kill_actor, started

LONG: dict[str, Any] = {
    "training_steps": 100_000,
    "checkpoint_interval": 1.0,
    "segment_length": 100,
    "keep_checkpoints": 3,
    "replay_buffer_size": 100_000,
    "replay_window": 1.0,  # nothing leaves the buffer
}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    start_ray(config(num_workers=2), None)
    yield
    ray.shutdown()


class Generations:
    """Keeps every generation that is completed during a run, and ends it after so many."""

    def __init__(self, run: RayRun, wanted: int) -> None:
        self.run, self.wanted = run, wanted
        self.found: dict[str, Checkpoint] = {}
        self.shared: dict[str, set[int]] = {}  # files of rows by generation

    def __call__(self) -> bool:
        for path in sorted((self.run.session.folder / "checkpoints").glob("*")):
            if path.name not in self.found and (path / "manifest.json").exists():
                self.found[path.name] = load_generation(path)
                self.shared[path.name] = {rows.stat().st_ino for rows in path.glob("rows_*")}
        return len(self.found) >= self.wanted

    def rows_are_shared(self) -> bool:
        """Whether every generation has files of the one before the last, if that had any rows."""
        names = sorted(name for name, found in self.found.items() if found.counters.added_steps > 0)
        pairs = list(zip(names, names[2:], strict=False))
        return bool(pairs) and all(self.shared[left] & self.shared[right] for left, right in pairs)


def running_steps(checkpoint: Checkpoint) -> int:
    """Steps of the games that its players were in the middle of."""
    players = [part for name, part in checkpoint.parts.items() if name.startswith("self_play")]
    return sum(int(part.arrays["table.lengths"].sum()) for part in players)


def assert_of_one_cut(checkpoint: Checkpoint) -> None:
    """Every played step is in the buffer or in a running game, and the counters are those of the parts."""
    counters, parts = checkpoint.counters, checkpoint.parts
    assert counters.training_step == parts["trainer"].facts["training_step"]
    assert counters.added_steps == parts["buffer"].facts["ever"]
    assert counters.played_steps == counters.added_steps + running_steps(checkpoint)
    assert checkpoint.cost.updates == counters.training_step


def test_generations_made_while_training_are_of_one_cut_and_can_be_gone_on_with(tmp_path: Path) -> None:
    with started(tmp_path, num_workers=2, **LONG) as run:
        generations = Generations(run, 5)
        assert finish(run, generations) == "interrupted"
        assert run.saves.held == ()
    names = sorted(generations.found)
    for checkpoint in generations.found.values():
        assert_of_one_cut(checkpoint)
        assert {"trainer", "buffer", "self_play_0", "self_play_1", "judge"} == set(checkpoint.parts)
    assert_of_one_cut(load_checkpoint(tmp_path))
    steps = [generations.found[name].training_step for name in names]
    assert steps == sorted(set(steps)), "training went on between them"
    for left, right in pairwise(names):
        assert not generations.shared[left] & generations.shared[right], (
            "damage of one costs the other nothing"
        )
    assert generations.rows_are_shared(), "rows are not written every time"

    before = load_checkpoint(tmp_path).counters
    with started(tmp_path, resume=True, num_workers=2, **LONG) as run:
        assert finish(run, lambda: run.session.log.counters.training_step > before.training_step + 20)
        now = run.session.log.counters
        assert now.training_step <= 0.1 * now.added_steps + 1, "the ratio holds from the first update on"


def test_parts_that_are_written_elsewhere_come_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as if no actor saw the run's folder
    monkeypatch.setattr(BackgroundSave, "_mark_folder", lambda self: None)
    with started(tmp_path, **LONG) as run:
        generations = Generations(run, 5)
        assert finish(run, generations) == "interrupted"
    for checkpoint in generations.found.values():
        assert_of_one_cut(checkpoint)
    assert generations.rows_are_shared()


def test_what_the_disk_refuses_an_actor_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RETRY_SECONDS", 0.1)
    mark, tries = BackgroundSave._mark_folder, list[Path]()

    def in_the_way(self: BackgroundSave) -> None:
        mark(self)
        tries.append(self.folder)
        if len(tries) <= 3:
            (self.folder / "part_buffer.npz").mkdir()

    monkeypatch.setattr(BackgroundSave, "_mark_folder", in_the_way)
    with started(tmp_path, **LONG) as run:
        assert finish(run, Generations(run, 1)) == "interrupted"
        events = run.session.observer.events  # type: ignore[attr-defined]
    said = [line for line in events if "cannot write the checkpoint" in line]
    assert len(said) == 1
    assert said[0].endswith("Is a directory; the run goes on and tries again")
    assert sum("could be written again" in line for line in events) == 1
    left = {path for path in (tmp_path / "checkpoints").iterdir() if not (path / "manifest.json").exists()}
    assert not left


def test_a_player_that_dies_while_a_checkpoint_is_made_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, killed = BackgroundSave._mark_folder, list[str]()

    def kill(self: BackgroundSave) -> None:
        mark(self)
        if not killed:
            killed.append("self_play_0")
            kill_actor(cast(RayRun, self.run), "self_play_0")

    monkeypatch.setattr(BackgroundSave, "_mark_folder", kill)
    with started(tmp_path, num_workers=2, **LONG) as run:
        generations = Generations(run, 2)
        assert finish(run, generations) == "interrupted"
    first, second = (generations.found[name] for name in sorted(generations.found)[:2])
    assert "self_play_0" not in first.parts
    assert "self_play_0" in second.parts
    assert killed


@pytest.mark.parametrize("name", ["trainer", "buffer"])
def test_a_checkpoint_whose_trainer_or_buffer_dies_is_given_up_and_the_next_one_has_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(session, "RETRY_SECONDS", 0.1)
    mark, folders = BackgroundSave._mark_folder, list[Path]()

    def kill(self: BackgroundSave) -> None:
        mark(self)
        folders.append(self.folder)
        if len(folders) == 2:
            kill_actor(cast(RayRun, self.run), name)

    monkeypatch.setattr(BackgroundSave, "_mark_folder", kill)
    with started(tmp_path, **LONG) as run:
        generations = Generations(run, 3)
        assert finish(run, generations) == "interrupted"
        events = run.session.observer.events  # type: ignore[attr-defined]
    assert any(f"{folders[1]}: actor '{name}' was lost; the run goes on" in event for event in events)
    steps = [generations.found[name].training_step for name in sorted(generations.found)]
    assert steps == sorted(steps)
    for checkpoint in generations.found.values():
        counters = checkpoint.counters
        assert counters.training_step >= checkpoint.parts["trainer"].facts["training_step"]
        assert counters.added_steps >= checkpoint.parts["buffer"].facts["ever"]


@pytest.mark.parametrize("hold", [0.5, 1e6])
def test_nobody_waits_for_ever_for_a_player_that_hangs_while_a_checkpoint_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold: float
) -> None:
    monkeypatch.setattr(background_save, "HOLD_SECONDS", hold)
    monkeypatch.setattr(RayRun, "slowest", lambda *_: 0.0)  # however busy this machine is
    mark, stopped = BackgroundSave._mark_folder, list[str]()

    def stop(self: BackgroundSave) -> None:
        mark(self)
        run = cast(RayRun, self.run)
        if not stopped and run.session.log.counters.training_step > 20:
            stopped.append(self.folder.name)
            place = run.launched["self_play_0"].place
            assert place is not None
            os.kill(ray.get(place.where).number, signal.SIGSTOP)

    monkeypatch.setattr(BackgroundSave, "_mark_folder", stop)
    with started(tmp_path, num_workers=2, call_deadline=20.0, **LONG) as run:
        events = run.session.observer.events  # type: ignore[attr-defined]
        generations, before = Generations(run, 100), list[list[str]]()

        def made_and_replaced() -> bool:
            generations()
            if set(stopped) & set(generations.found):
                before.append([event for event in events if "was lost" in event])
            return bool(before) and any("was lost" in event for event in events)

        assert finish(run, made_and_replaced) == "interrupted"
        assert any("'self_play_0' was lost and is started again: no answer for" in event for event in events)
    parts = generations.found[stopped[0]].parts
    assert ("self_play_0" in parts, "self_play_1" in parts) == (False, True)
    assert bool(before[0]) == (hold > 20.0), "the others wait for it no longer than they have to"


def test_a_part_that_a_disk_never_takes_holds_no_later_checkpoint_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_save, "MOST_SECONDS", 2.0)
    monkeypatch.setattr(session, "RETRY_SECONDS", 0.1)
    roles = [hanging_disk.ROLE if role.kind is SELF_PLAY else role for role in ROLES]
    hangs = tmp_path / hanging_disk.HANGS
    hangs.touch()
    with started(tmp_path, roles=roles, **LONG) as run:

        def refused() -> bool:
            said = run.session.observer.events  # type: ignore[attr-defined]
            late = any("self_play_0: not written after 2 s; the run goes on" in line for line in said)
            if late:
                hangs.unlink()
                monkeypatch.setattr(background_save, "MOST_SECONDS", 900.0)
            return late

        assert finish(run, refused) == "interrupted"
    assert "self_play_0" in load_checkpoint(tmp_path).parts


@pytest.mark.parametrize("refused", [None, OSError(1, "Operation not permitted")])
def test_where_there_are_no_hard_links_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: OSError | None
) -> None:
    def link(source: Path, path: Path) -> None:
        if refused is not None:
            raise refused
        shutil.copyfile(source, path)

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "a").write_bytes(b"rows")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"rows"

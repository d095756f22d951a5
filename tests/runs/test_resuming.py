"""Going on with a run: a disk that is full for a while, a run that is running, finished, copied, damaged."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arena.registry import Registry
from core.errors import BAD_INPUT
from core.project import PROJECT
from muzero import MuZero
from runs import session
from runs.callbacks import Callback
from runs.session import TrainingOutcome
from runs.status import RunStatus
from saving.checkpoint import load_checkpoint
from saving.files import CheckpointError
from saving.run_folder import BEST_NAME
from tests.helpers.command_line import python
from tests.helpers.small_runs import SMALL


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def trained(callbacks: Sequence[Callback] = (), **changes: Any) -> TrainingOutcome:
    return MuZero("cartpole", SMALL | changes).train(local=True, callbacks=callbacks)


class FullDisk:
    """Refuses to keep what is written, as long as it says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOSPC) -> None:
        self.refusing, self.refused, self._code = False, 0, code
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, descriptor: int) -> None:
        if self.refusing:
            self.refused += 1
            raise OSError(self._code, os.strerror(self._code))


class FullForAWhile(Callback):
    """Has the disk refuse from one update to another."""

    def __init__(self, disk: FullDisk, first: int, last: int) -> None:
        self.disk, self.first, self.last = disk, first, last

    def on_status(self, status: RunStatus) -> None:
        self.disk.refusing = self.first <= status.counters.training_step < self.last


def lines_with(text: str, folder: Path) -> int:
    return sum(text in line for line in (folder / "log.txt").read_text().splitlines())


@pytest.fixture
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is due after every round."""
    monkeypatch.setattr(session.Session, "checkpoint_due", True)


@pytest.mark.usefixtures("results", "always_due")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EDQUOT])
def test_a_periodic_checkpoint_that_fails_is_said_once_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    disk = FullDisk(monkeypatch, code)
    outcome = trained(callbacks=[FullForAWhile(disk, 10, 40)])
    assert disk.refused > 2
    assert lines_with("warning: cannot write the checkpoint", outcome.folder) == 1
    assert lines_with("could be written again", outcome.folder) == 1
    assert load_checkpoint(outcome.folder).training_step == 50
    assert all((path / "manifest.json").exists() for path in (outcome.folder / "checkpoints").iterdir())


@pytest.mark.usefixtures("results", "always_due")
def test_the_best_weights_are_kept_once_the_disk_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch)
    outcome = trained(callbacks=[FullForAWhile(disk, 0, 40)], evaluation_interval=1e-6)
    assert disk.refused > 2
    best = load_checkpoint(outcome.folder / BEST_NAME)
    assert best.evaluation is not None


@pytest.mark.usefixtures("results")
def test_the_last_checkpoint_is_tried_a_few_times_and_then_ends_the_run_with_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = FullDisk(monkeypatch)
    monkeypatch.setattr(session, "LAST_PAUSE", 0.0)
    with pytest.raises(CheckpointError, match="No space left") as raised:
        trained(callbacks=[FullForAWhile(disk, 10, 1000)])
    assert "\n" not in str(raised.value)
    assert disk.refused == session.LAST_TRIES > 1


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("changes", "reason", "option"),
    [
        ({}, "training_steps", "--training-steps"),
        ({"training_minutes": 1e-6}, "training_minutes", "--training-minutes"),
        (
            {"target_reward": 1.0, "target_games": 2, "evaluation_interval": 1e-6},
            "target_reward",
            "--target-reward",
        ),
    ],
)
def test_a_finished_run_says_so_and_stays_as_it_is(
    changes: dict[str, Any], reason: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trained(**changes)
    assert first.reason == reason
    kept = sorted((first.folder / "checkpoints").iterdir())
    capsys.readouterr()
    again = MuZero.resume(first.folder, local=True)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "is finished" in line]
    assert option in line
    assert again.reason == reason
    assert again.counters == load_checkpoint(first.folder).counters
    assert sorted((first.folder / "checkpoints").iterdir()) == kept


@pytest.mark.usefixtures("results")
def test_another_bound_prolongs_a_finished_run() -> None:
    first = trained(training_steps=20)
    assert MuZero.resume(first.folder, {"training_steps": 24}, local=True).counters.training_step == 24
    solved = trained(target_reward=1.0, target_games=2, evaluation_interval=1e-6)
    again = MuZero.resume(solved.folder, {"target_reward": 400.0}, local=True)
    assert again.reason == "training_steps"


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


def test_a_run_that_is_running_is_left_alone(results: Path) -> None:
    folder = trained(training_steps=20).folder.absolute()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    command = [sys.executable, "-c", HOLDER, str(folder)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
        refused = python("resume", str(folder), "--local", "--training-steps", "30")
        holder.kill()
        holder.wait()
    assert refused.returncode == BAD_INPUT
    assert refused.stderr == (
        f"error: a training is running in {folder} (process {holder.pid}): stop it first\n"
    )
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_copied_run_writes_into_its_own_folder_and_the_present_results(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(results_path=str(tmp_path / "there"), training_steps=20, evaluation_interval=1e-6)
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(first.folder, copy)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("*")}
    MuZero.resume(copy, {"training_steps": 30}, local=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("*")} == before
    assert Registry(results, "cartpole").versions()
    assert {path.name for path in tmp_path.iterdir()} == {"there", "elsewhere", "results"}
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["copy"]
    MuZero.resume(copy, {"training_steps": 40, "results_path": str(tmp_path / "mine")}, local=True)
    assert Registry(tmp_path / "mine", "cartpole").versions()


@pytest.mark.usefixtures("results")
def test_a_damaged_newest_checkpoint_costs_one_generation(capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained(training_steps=20).folder
    MuZero.resume(folder, {"training_steps": 30}, local=True)
    newest = max((folder / "checkpoints").iterdir())
    content = (newest / "part_buffer.npz").read_bytes()
    (newest / "part_buffer.npz").write_bytes(content[: len(content) // 2])
    capsys.readouterr()
    outcome = MuZero.resume(folder, {"training_steps": 40}, local=True)
    lines = [line for line in capsys.readouterr().out.splitlines() if "is taken" in line]
    assert len(lines) == 1
    assert outcome.counters.training_step == 40


@pytest.mark.usefixtures("results")
def test_a_new_sitting_removes_what_a_killed_one_left() -> None:
    folder = trained(training_steps=20).folder
    (folder / f".best.checkpoint.{2**22 + 1}.tmp").write_bytes(b"half")
    half = folder / "checkpoints" / "000009-step-30"
    half.mkdir()
    MuZero.resume(folder, {"training_steps": 30}, local=True)
    assert not list(folder.glob(".*.tmp"))
    assert not half.exists()


@pytest.mark.usefixtures("results")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_training_whose_output_does_not_fit_goes_on(tmp_path: Path) -> None:
    sizes = [
        f"--{name.replace('_', '-').lower()}={value}" for name, value in SMALL.items() if name in OPTIONS
    ]
    with Path("/dev/full").open("w") as full:
        done = python("cartpole", "--local", *sizes, "--results-path", str(tmp_path / "r"), stdout=full)
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "warning: cannot write the output: No space left on device; the work goes on and tries again\n"
    )


OPTIONS = ("training_steps", "games_per_worker", "num_simulations", "batch_size", "ratio", "learning_starts")


def test_checkpoints_that_are_a_link_are_not_gone_on_with(results: Path, tmp_path: Path) -> None:
    """Generations would be written, and removed, elsewhere."""
    run = trained().folder
    elsewhere = tmp_path / "elsewhere"
    shutil.move(run / "checkpoints", elsewhere)
    (run / "checkpoints").symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    with pytest.raises(CheckpointError, match="symbolic link"):
        MuZero.resume(run, {"training_steps": 10_000}, local=True)
    assert sorted(elsewhere.rglob("*")) == before

"""A results folder that was written before the code had packages is read, gone on with and shown.

`tests/data/earlier_results` is what `python muzero.py cartpole` (150 updates on Ray) left, and `tune` with
three trials, which all failed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import muzero
from core.project import PROJECT
from saving.checkpoint import load_checkpoint
from saving.run_folder import BEST_NAME, newest_run
from tuning.ledger import Ledger, Opened
from tuning.study import Study

EARLIER = PROJECT / "tests" / "data" / "earlier_results"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of the folder, to write to."""
    return Path(shutil.copytree(EARLIER, tmp_path / "results"))


def carried_out(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the command prints."""
    assert muzero.run([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_it_is_resumed_with_all_its_parts(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = newest_run(results, "cartpole")
    before = load_checkpoint(run)
    assert set(before.parts) == {"trainer", "buffer", "self_play_0", "judge"}
    options = ["--training-steps", 170, "--evaluation-interval", 0, "--results-path", results]
    carried_out(capsys, "resume", run, "--local", *options)
    after = load_checkpoint(run)
    assert after.training_step == 170
    assert after.counters.played_steps >= before.counters.played_steps
    assert after.weights.keys() == before.weights.keys()
    assert any(not np.array_equal(after.weights[name], before.weights[name]) for name in after.weights)


def test_its_best_checkpoint_is_evaluated(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = newest_run(results, "cartpole") / BEST_NAME
    line = ["evaluate", "cartpole", "--checkpoint", best, "--games", 4, "--json", "--results-path", results]
    found = json.loads(carried_out(capsys, *line))
    assert found["games"] == 4
    assert found["mean"] > 15  # a random player's is about 22 with a standard deviation of 12


def test_it_is_plotted(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "curves.png"
    carried_out(capsys, "plot", newest_run(results, "cartpole"), "--out", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_it_is_watched(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = tmp_path / "film.gif"
    best = newest_run(results, "cartpole") / BEST_NAME
    carried_out(capsys, "watch", "cartpole", "--checkpoint", best, "--simulations", 2, "--record", film)
    assert film.read_bytes().startswith(b"GIF89a")


def test_its_registry_is_listed(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "v0001" in carried_out(capsys, "models", "list", "cartpole", "--results-path", results)


def test_its_search_is_restored(results: Path) -> None:
    [folder] = (results / "tune" / "cartpole").iterdir()
    opened, *events = Ledger(folder).events()
    assert isinstance(opened, Opened)
    study = Study(opened)
    study.apply_all([opened, *events])
    assert {number: trial.phase for number, trial in study.trials.items()} == dict.fromkeys(
        (1, 2, 3), "failed"
    )


def test_a_copied_run_registers_where_we_are_and_not_where_its_file_says(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file says `earlier`, a folder of whoever has trained it."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    copied = shutil.copytree(newest_run(results, "cartpole"), tmp_path / "copied")
    options = ["--local", "--training-steps", 151, "--evaluation-interval", 0]
    carried_out(capsys, "resume", copied, *options)
    assert [path.name for path in here.iterdir()] == ["results"]
    assert (here / "results" / "models" / "cartpole" / "v0001.checkpoint").exists()
    carried_out(capsys, "resume", newest_run(results, "cartpole"), *options)
    assert [path.name for path in here.iterdir()] == ["results"], "one that lies among results stays there"

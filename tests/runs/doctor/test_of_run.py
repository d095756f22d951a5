"""What the doctor says of a run's folder, whatever lies in it."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from config import MuZeroConfig
from data import Counters
from runs.doctor.finding import Finding
from runs.doctor.of_run import examined
from saving.checkpoint import Checkpoint, save_generation
from saving.run_folder import hold


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was saved after 40 updates and has ended in order."""
    folder = tmp_path / "run"
    folder.mkdir()
    config = MuZeroConfig().to_json()
    (folder / "config.json").write_text(config)
    (folder / "log.txt").write_text("run folder: run\n 1.0 s | step 40/100\n")
    measure(folder, 40)
    for step in (20, 40):
        weights = {"w": np.zeros(2, np.float32)}
        save_generation(folder, Checkpoint("cartpole", config, weights, Counters(training_step=step)), 2)
    return folder


def measure(folder: Path, updates: int) -> None:
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write(json.dumps({"updates": updates, "played_steps": 7, "seconds": 120.0}) + "\n")


def said(folder: Path, level: str) -> list[str]:
    return [finding.text for finding in examined(folder) if finding.level == level]


def remedies(folder: Path) -> str:
    return "\n".join(finding.remedy for finding in examined(folder))


def test_a_run_that_has_ended_in_order(run: Path) -> None:
    assert said(run, "fine") == [
        "it came to 40 updates in 2.0 minutes of training",
        "newest complete checkpoint: 000002-step-40",
    ]
    assert said(run, "note") == ["the run has ended, and all of it is saved"]
    assert said(run, "fault") == []


def test_a_run_that_was_killed_names_what_is_lost_and_how_to_go_on(run: Path) -> None:
    measure(run, 1240)
    (fault,) = said(run, "fault")
    assert fault.startswith(
        "the run ended without saving: 1,200 updates after the newest checkpoint are lost"
    )
    assert f"python muzero.py resume {run} goes on from update 40" in remedies(run)


def test_a_run_that_is_running_has_lost_nothing(run: Path) -> None:
    measure(run, 1240)
    with (run / "log.txt").open("a") as log:
        hold(log, run)
        assert said(run, "fault") == []
        assert said(run, "fine")[0] == "the run is running now"


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_counts(run: Path) -> None:
    (run / "checkpoints" / "000002-step-40" / "weights.npz").write_bytes(b"damaged")
    faults = said(run, "fault")
    assert faults[0] == "checkpoint 000002-step-40: weights.npz: is damaged: its checksum differs"
    assert "20 updates after the newest checkpoint are lost" in faults[1]
    shutil.rmtree(run / "checkpoints")
    assert said(run, "fault") == ["there is no complete checkpoint: the run cannot be resumed"]
    (run / "best.checkpoint").touch()
    assert "--weights-from" in remedies(run)


def test_the_logs_story_is_told(run: Path) -> None:
    with (run / "log.txt").open("a") as log:
        log.write("actor 'self_play_0' was lost and is started again\n" * 3)
        log.write("actor 'evaluator' was lost and is started again\nwarning: targets do not fit\n" * 2)
        log.write("Traceback (most recent call last):\n  File x\nZeroDivisionError: by zero\n")
    assert said(run, "fault") == [
        "actor self_play_0 was lost 3 times and started again",
        "an error was raised: ZeroDivisionError: by zero",
    ]
    assert said(run, "note")[1:] == [
        "actor evaluator was lost 2 times and started again",
        "it warned: targets do not fit",
    ]


def test_actors_are_told_of_with_the_reasons_of_their_losses(run: Path) -> None:
    with (run / "log.txt").open("a") as log:
        log.write("actor 'trainer' was lost and is started again as it was 3 s ago: exit code 7\n" * 2)
        log.write("actor 'trainer' was lost and is started again from nothing: its node died\n")
        log.write("actor 'self_play_0' was lost and is started again: no answer for 120 s (call_deadline)\n")
        log.write("training ended: Ray's head process (GCS) has died\n")
    assert said(run, "fault") == [
        "actor trainer was lost 3 times and started again: exit code 7 (2); its node died (1)"
    ]
    assert said(run, "note")[1:] == [
        "actor self_play_0 was lost 1 time and started again: no answer for 120 s (call_deadline) (1)",
        "it once ended so: Ray's head process (GCS) has died",
    ]


def test_lost_games_are_counted_by_reason(run: Path) -> None:
    lines = [json.dumps({"reason": reason}) for reason in ("hangs", "raises", "hangs")] + ["{cut short"]
    (run / "lost_games.jsonl").write_text("\n".join(lines))
    notes = [text for text in said(run, "note") if " lost: " in text]
    assert notes[0] == "2 games lost: hangs"
    assert "1 game lost: of which the line is damaged" in notes


def test_what_was_left_half_written_is_named(run: Path) -> None:
    (run / ".best.checkpoint.123.tmp").touch()
    assert "half-written files were left behind: .best.checkpoint.123.tmp" in said(run, "note")


def test_an_empty_folder_and_none_are_findings(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        assert any("config.json: No such file" in text for text in said(folder, "fault"))


@pytest.mark.parametrize("name", ["config.json", "log.txt", "metrics.jsonl", "lost_games.jsonl", "manifest"])
def test_what_is_no_regular_file_is_never_opened(run: Path, name: str) -> None:
    path = run / "checkpoints" / "000002-step-40" / "manifest.json" if name == "manifest" else run / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert any("is no regular file" in text for text in said(run, "fault"))
    path.unlink()
    path.symlink_to("/dev/zero")
    assert any("is no regular file" in text for text in said(run, "fault"))


JUNK = (b"", b"{", b"[]", b"null", b"\xff" * 100, b"[" * 100_000, b'{"files": 3}', b'{"files": {"../x": 1}}')
NUMBERS = (
    b'{"updates": 1e999, "seconds": null}\n{"updates": "x", "seconds": []}\n{"updates": NaN, "seconds": 1}'
)


def test_no_damage_makes_it_fail(run: Path) -> None:
    draw = random.Random(5)
    pristine = run.parent / "pristine"
    shutil.copytree(run, pristine)
    for _ in range(150):
        shutil.rmtree(run)
        shutil.copytree(pristine, run)
        files = sorted(path for path in run.rglob("*") if path.is_file())
        for path in draw.sample(files, 2):
            damage(path, draw)
        assert all(isinstance(finding, Finding) for finding in examined(run))


def damage(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    match draw.randrange(4):
        case 0:
            path.write_bytes(draw.choice((*JUNK, NUMBERS)))
        case 1:
            path.write_bytes(content[: draw.randrange(len(content) + 1)])
        case 2:
            for _ in range(8 if content else 0):
                content[draw.randrange(len(content))] = draw.randrange(256)
            path.write_bytes(content)
        case 3:
            path.unlink()
            path.mkdir()

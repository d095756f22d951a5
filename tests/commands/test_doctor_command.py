"""`python muzero.py doctor` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import muzero
from config import MuZeroConfig
from core.errors import ConfigurationError
from runs.doctor import of_machine
from runs.doctor.finding import Finding


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a fresh folder, on a machine that lacks nothing."""
    monkeypatch.chdir(tmp_path)
    machine = [Finding("fine", "all is well here")]
    monkeypatch.setattr(of_machine, "examined", lambda config, results: iter(machine))


def made(date: str) -> Path:
    folder = Path("results") / "cartpole" / date
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text(MuZeroConfig().to_json())
    (folder / "log.txt").touch()
    (folder / "metrics.jsonl").touch()
    return folder


def test_without_a_run_it_is_about_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert muzero.run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out == "no run yet\nthis machine\n  ok    all is well here\nnothing is wrong\n"


def test_the_newest_run_is_examined_and_faults_are_the_exit_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made("2026-01-01--00-00-00")
    newest = made("2026-01-02--00-00-00")
    assert muzero.run(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"run {newest}"
    assert "  FAULT there is no complete checkpoint: the run cannot be resumed" in lines
    assert "        -> train anew" in lines
    assert lines[-1] == "1 fault found"


def test_a_run_is_named_by_its_time_and_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    made("2026-01-02--00-00-00")
    older = made("2026-01-01--00-00-00")
    assert muzero.run(["doctor", "2026-01-01--00-00-00", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["run"], found["faults"]) == (str(older), 1)
    assert found["of_machine"] == [{"level": "fine", "text": "all is well here", "remedy": ""}]


def test_what_is_no_run_is_refused_in_a_line() -> None:
    Path("file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(ConfigurationError, match=r"no run"):
            muzero.run(["doctor", name])


def test_a_terminal_obeys_nothing_that_stands_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    (made("2026-01-01--00-00-00") / "log.txt").write_text("warning: \x1b[2Jgone\n")
    muzero.run(["doctor"])
    assert "\x1b" not in capsys.readouterr().out

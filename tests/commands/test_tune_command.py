"""`python muzero.py tune`, and `train --config` with what it finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import muzero
from commands import train
from commands._config_options import file_values
from core.errors import ConfigurationError
from core.project import PROJECT
from games.api.sources import load_game
from runs.facade import MuZero
from tests.helpers.bad_parameters import BAD_PARAMETERS
from tests.helpers.fake_trials import FakeRunner
from tuning import trial
from tuning.ledger import Ledger, Opened

SEARCH = ("tune", "cartpole", "--param", "num_simulations=int:8:64", "--param", "lr_init=log:1e-4:1e-1")


@pytest.fixture(autouse=True)
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """Trials that take no time; works in a fresh folder."""
    fake = FakeRunner()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trial, "TrialProcess", fake)
    monkeypatch.setattr("tuning.tuner.POLL_SECONDS", 0.0)
    return fake


def line(*arguments: str) -> int:
    return muzero._reported(lambda: muzero.run(arguments))


def search_folder() -> Path:
    [folder] = Path("results/tune/cartpole").iterdir()
    return folder


def first_event(folder: Path) -> Opened:
    ledger = Ledger(folder)
    event = ledger.events()[0]
    ledger.close()
    assert isinstance(event, Opened)
    return event


def test_a_search_from_the_command_line(runner: FakeRunner, capsys: pytest.CaptureFixture) -> None:
    options = [
        "--budget",
        "5",
        "--parallel",
        "2",
        "--minutes",
        "1.5",
        "--games-per-worker",
        "8",
        "--seed",
        "3",
    ]
    assert line(*SEARCH, *options, "--games", "7", "--rungs", "1", "--reduction", "4") == 0
    folder, printed = search_folder(), capsys.readouterr().out
    event = first_event(folder)
    assert event.parameters == ("num_simulations=int:8:64", "lr_init=log:1e-4:1e-1")
    assert event.options == {"games_per_worker": 8}
    assert (event.budget, event.parallel, event.minutes, event.steps, event.games) == (5, 2, 1.5, 0, 7)
    assert (event.rungs, event.reduction, event.seed) == (1, 4, 3)
    assert [started.plan.config.training_minutes for started in runner.started] == [1.5] * 5
    assert {started.plan.config.training_steps for started in runner.started} == {400_000}
    assert "5 trials of cartpole, 1.5 minutes each, 2 at a time" in printed
    assert f"to train with it: python muzero.py cartpole --config {folder}/best.json" in printed
    assert {path.name for path in folder.iterdir()} >= {"results.csv", "best.json", "search.png", "hparams"}
    best = json.loads((folder / "best.json").read_text())
    parsed = train._parser(load_game("cartpole").config, []).parse(
        ["cartpole", "--config", str(folder / "best.json")]
    )
    assert file_values(parsed.config) == best
    assert best["games_per_worker"] == 8


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tune"], "name a game, or --resume FOLDER"),
        (["tune", "cartoole", *SEARCH[2:]], "did you mean 'cartpole'?"),
        (["tune", "cartpole"], "nothing to search: give --param"),
        ([*SEARCH, "--lr-init", "0.1"], "lr_init is searched, so it cannot be given as an option"),
        ([*SEARCH, "--budget", "0"], "whole number of at least 1"),
        ([*SEARCH, "--parallel", "x"], "whole number of at least 1"),
        ([*SEARCH, "--minutes", "0"], "'0' is not a number above 0"),
        ([*SEARCH, "--minutes", "nan"], "'nan' is not a number above 0"),
        ([*SEARCH, "--minutes", "1", "--steps", "5"], "give either --minutes or --steps"),
        ([*SEARCH, "--rungs", "9"], "--rungs 9: with --reduction 3 the first would be at"),
        ([*SEARCH, "--reduction", "1"], "whole number of at least 2"),
        ([*SEARCH, "--training-minutes", "3"], "give the budget of a trial by --minutes"),
        ([*SEARCH, "--target-reward", "475"], "every trial uses its whole budget"),
        ([*SEARCH, "--evaluation-interval", "0"], "trials are compared by their evaluations"),
        ([*SEARCH, "--batch-size", "0"], "batch_size=0 is out of range"),
        ([*SEARCH, "--batch-sise", "8"], "unknown option '--batch-sise', did you mean '--batch-size'?"),
        ([*SEARCH, "--results-path", "/dev/null/x"], "cannot write to /dev/null/x"),
        (["tune", "--resume", "nowhere"], "no search in nowhere: it has no ledger.jsonl"),
        (["tune", "--resume", "nowhere", "--steps", "5"], "--steps is settled for a search that is resumed"),
        (["tune", "--resume", "nowhere", "--batch-size", "5"], "--batch-size is settled"),
        *[(["tune", "cartpole", "--param", text], expected) for text, expected in BAD_PARAMETERS],
    ],
)
def test_bad_input_is_one_line_before_anything_starts(
    runner: FakeRunner, capsys: pytest.CaptureFixture, arguments: list[str], expected: str
) -> None:
    assert line(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert expected in printed.err
    assert not runner.started
    assert not Path("results").exists()


def test_a_search_without_a_full_trial_says_why(runner: FakeRunner, capsys: pytest.CaptureFixture) -> None:
    runner.score = lambda config: None
    assert line(*SEARCH, "--budget", "2", "--steps", "9") == 2
    printed = capsys.readouterr()
    assert "trial 2 failed: RuntimeError: too hot" in printed.out
    assert printed.err.count("\n") == 1
    assert "ran in full; the last that failed: RuntimeError: too hot" in printed.err


def test_ctrl_c_says_how_to_go_on_and_more_trials_can_be_added(
    runner: FakeRunner, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = runner.score

    def interrupted(config: Any) -> float | None:
        if len(runner.started) == 3:
            os.kill(os.getpid(), signal.SIGTERM)  # like Ctrl-C
        return scored(config)

    runner.score = interrupted
    handler = signal.getsignal(signal.SIGTERM)
    assert line(*SEARCH, "--budget", "5", "--steps", "9") == 130
    assert signal.getsignal(signal.SIGTERM) is handler
    folder, printed = search_folder(), capsys.readouterr().out
    assert printed.endswith(f"interrupted; to go on: python muzero.py tune --resume {folder}\n")
    assert not runner.alive
    assert (folder / "results.csv").exists()
    runner.score = scored
    first = len(runner.started)
    assert line("tune", "gomoku", "--resume", str(folder)) == 2
    assert "is a search of cartpole, not of gomoku" in capsys.readouterr().err
    assert line("tune", "--resume", str(folder), "--budget", "6") == 0
    assert "6 trials of cartpole, 9 updates each; 3 have ended, to be run again: 4" in capsys.readouterr().out
    assert [started.plan.folder.name for started in runner.started[first:]] == ["004", "005", "006"]


PROGRAM = """
import sys
from tests.helpers.fake_trials import FakeRunner
from tuning import trial
import muzero, tuning.tuner
tuning.tuner.POLL_SECONDS = 0.05
trial.TrialProcess = FakeRunner()
muzero.main()
"""


def test_killed_in_the_middle_it_goes_on_with_what_had_finished(
    runner: FakeRunner, capsys: pytest.CaptureFixture
) -> None:
    command = [sys.executable, "-c", PROGRAM, *SEARCH, "--budget", "40", "--steps", "9", "--rungs", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(PROJECT)}
    )
    assert process.stdout is not None
    for printed in process.stdout:
        if printed.startswith("trial 3 finished"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    folder = search_folder()
    before = (folder / "ledger.jsonl").read_text()
    finished = before.count('"event": "finished"')
    assert 3 <= finished < 40
    assert line("tune", "--resume", str(folder), "--budget", str(finished + 2)) == 0
    assert f"; {finished} have ended" in capsys.readouterr().out
    after = (folder / "ledger.jsonl").read_text()
    assert after.startswith(before[: before.rfind("\n") + 1])
    assert after.count('"event": "finished"') == finished + 2
    assert len(runner.started) == 2


def test_a_ledger_that_does_not_fit_together_is_one_line(
    runner: FakeRunner, capsys: pytest.CaptureFixture
) -> None:
    assert line(*SEARCH, "--budget", "2", "--steps", "9", "--rungs", "0") == 0
    path = search_folder() / "ledger.jsonl"
    lines = [one for one in path.read_text().splitlines(True) if '"event": "asked"' not in one]
    path.write_text("".join(lines))
    capsys.readouterr()
    assert line("tune", "--resume", str(search_folder()), "--budget", "3") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path} does not fit together")
    assert said.count("\n") == 1


def test_a_full_disk_is_one_line(
    runner: FakeRunner, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tuning.report.write_whole", full)
    assert line(*SEARCH, "--budget", "2", "--steps", "9", "--rungs", "0") == 2
    said = capsys.readouterr().err
    assert said == f"error: cannot go on in {search_folder()}: No space left on device\n"


def test_help_shows_the_games_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        muzero.run(["tune", "cartpole", "--help"])
    said = capsys.readouterr().out
    assert "--param PARAM" in said
    assert "default 32" in said


# --- train --config ---


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The options that `train` would train with, given its arguments."""

    def noted(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        class Noting(MuZero):
            def __init__(self, game: str, options: dict[str, Any] | None = None) -> None:
                found.update(options or {})
                super().__init__(game, options)
                raise ConfigurationError("not in a test")

        monkeypatch.setattr(train, "MuZero", Noting)
        line(*arguments)
        return found

    return noted


def test_options_of_a_file_give_way_to_json_and_to_options(
    configured: Callable[..., dict[str, Any]],
) -> None:
    Path("own.json").write_text('{"lr_init": 0.5, "batch_size": 7, "num_workers": 3, "fc_value_layers": [5]}')
    found = configured(
        "cartpole", '{"lr_init": 0.25, "batch_size": 8}', "--config", "own.json", "--lr-init", "0.125"
    )
    assert found == {"lr_init": 0.125, "batch_size": 8, "num_workers": 3, "fc_value_layers": [5]}
    assert configured("train", "cartpole", "--config", "own.json")["lr_init"] == 0.5


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "--config file.json: No such file or directory"),
        (b"{", "--config file.json is not valid JSON"),
        (b"[1]", "--config file.json must be a JSON object"),
        (b"\xff\xfe\x00", "--config file.json is not text"),
        (b'{"lr_initt": 1}', "unknown option 'lr_initt', did you mean 'lr_init'?"),
        (b'{"lr_init": "fast"}', "lr_init='fast' must be float"),
        (b'{"lr_init": -1}', "lr_init=-1.0 is out of range"),
    ],
)
def test_a_bad_file_is_one_line(capsys: pytest.CaptureFixture, content: bytes | None, expected: str) -> None:
    if content is not None:
        Path("file.json").write_bytes(content)
    assert line("cartpole", "--config", "file.json") == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert expected in printed.err
    assert not Path("results").exists()

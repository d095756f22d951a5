"""How many processes may be started, and which Python may run all this."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NamedTuple

import pytest

import muzero
from config import MuZeroConfig
from core import interpreter, processes
from core.errors import ConfigurationError
from core.processes import free_processes
from runs.machine import ACTOR_THREADS, RAY_THREADS, check_processes
from tests.helpers.command_line import program


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user who may start 500 processes and threads, in a container without a limit."""
    monkeypatch.setattr(processes, "CONTAINER", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("resource.getrlimit", lambda what: (500, resource.RLIM_INFINITY))
    monkeypatch.setattr(processes, "_threads_of", lambda user: 420)
    return tmp_path


def test_the_limits_of_user_and_container(limits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert free_processes() == 80
    (limits / "pids.max").write_text("max\n")
    (limits / "pids.current").write_text("12\n")
    assert free_processes() == 80
    (limits / "pids.max").write_text("52\n")
    assert free_processes() == 40
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (limits / "pids.max").write_text("max\n")
    assert free_processes() is None, "the user's limit does not hold for root"


def test_own_threads_are_counted() -> None:
    assert processes._threads_of(os.getuid()) >= 1
    assert processes._threads_of(54321) == 0


def test_a_run_on_ray_needs_room_for_its_processes() -> None:
    config = MuZeroConfig(num_workers=1)
    needed = RAY_THREADS + ACTOR_THREADS * 5  # trainer, storage, buffer, player, evaluator
    check_processes(config, None)
    check_processes(config, needed)
    with pytest.raises(ConfigurationError, match=rf"about {needed} processes and threads, and only 80 more"):
        check_processes(config, 80)


def test_a_training_is_refused_and_leaves_nothing(
    limits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="or train in one process with --local"):
        muzero.MuZero("cartpole").train()
    assert not (tmp_path / "results").exists()


class Version(NamedTuple):
    major: int
    minor: int
    micro: int


def test_an_old_python_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.version_info", Version(3, 10, 4))
    with pytest.raises(SystemExit) as caught:
        interpreter.require_python()
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: this needs Python 3.11 or newer, and runs on 3.10.4\n"
    monkeypatch.setattr("sys.version_info", Version(3, 11, 0))
    interpreter.require_python()


def test_python_is_looked_at_before_anything_that_it_lacks() -> None:
    """Python 3.10 knows no `typing.Self`, which the configuration imports."""
    finished = program(
        "import sys, typing; sys.version_info = (3, 10, 4); del typing.Self\n"
        "import runpy; runpy.run_path('muzero.py', run_name='__main__')"
    )
    assert finished.stderr == "error: this needs Python 3.11 or newer, and runs on 3.10.4\n"
    assert finished.returncode == 2


def test_a_missing_package_is_named() -> None:
    finished = program(
        "import sys; sys.modules['numpy'] = None; sys.argv = ['muzero.py', 'evaluate', 'cartpole']\n"
        "import runpy; runpy.run_path('muzero.py', run_name='__main__')"
    )
    assert finished.stderr == "error: numpy is not installed; run: pip install -r requirements.txt\n"
    assert finished.returncode == 2

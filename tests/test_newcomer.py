"""What somebody does on the first day, with the commands as they are typed, in a copy of the project."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from core.project import PROJECT

LEFT_OUT = ("results", ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "tests")
SHORT = ("--training-steps", "150", "--learning-starts", "200", "--evaluation-interval", "1")
SMALL = ("--evaluation-games", "4", "--num-simulations", "8", "--max-moves", "100")
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with the agents that ship."""
    folder = tmp_path_factory.mktemp("newcomer") / "muzero"
    shutil.copytree(PROJECT, folder, ignore=lambda path, names: LEFT_OUT if Path(path) == PROJECT else ())
    shutil.copytree(PROJECT / "results" / "pretrained", folder / "results" / "pretrained")
    return folder


def said(home: Path, *arguments: str) -> str:
    """What a command that ends well prints, errors included; never a traceback."""
    command = [sys.executable, "muzero.py", *arguments]
    finished = subprocess.run(
        command,
        cwd=home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert "Traceback" not in finished.stdout
    assert "error:" not in finished.stdout
    return finished.stdout


def test_first_day(home: Path) -> None:
    """Trains, sees, evaluates and finds again; then a game of one's own."""
    trained = said(home, "cartpole", *SHORT, *SMALL)
    folder = re.search(r"run folder: (results/cartpole/\S+)", trained)
    assert folder is not None
    use = re.search(
        r"to use it: python muzero\.py (play cartpole --checkpoint v0001)$", trained, re.MULTILINE
    )
    assert use is not None
    assert "game 1, move 0" in said(home, "watch", "cartpole", "--games", "1", "--checkpoint", "v0001")
    judged = said(home, "evaluate", "cartpole", "--games", "4", "--checkpoint", "v0001")
    assert re.search(r"v0001\S*: 4 games, mean \d+", judged)
    assert "agent: " in said(home, "evaluate", "cartpole", "--games", "2"), "which one was taken, and why"
    said(home, "new-game", "corridor")
    assert "the game keeps the contract" in said(home, "check-game", "corridor")
    said(home, "corridor", *SHORT, "--evaluation-games", "4")
    said(home, "runs", "name", "corridor", "first-try")
    listed = said(home, "runs", "list")
    assert re.search(r"corridor/\S+ .* first-try$", listed, re.MULTILINE)
    assert folder[1].removeprefix("results/") in listed
    assert "sitting 1" in said(home, "runs", "show", "first-try")
    assert "4 games" in said(home, "evaluate", "corridor", "--games", "4", "--checkpoint", "first-try")
    resumed = said(home, "resume", "first-try", "--training-steps", "160")
    assert "step 160/160" in resumed
    said(home, "runs", "delete", "first-try", "--yes")
    assert "first-try" not in said(home, "runs", "list")


def test_a_game_at_the_terminal(home: Path) -> None:
    arguments = ["muzero.py", "play", "connect4", "--opponent", "expert", "--simulations", "8"]
    child = pexpect.spawn(sys.executable, arguments, cwd=str(home), encoding="utf-8", timeout=120)
    for typed in ("4", "help", "hint", "undo", "q"):
        child.expect("your move ")
        child.sendline(typed)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@contextmanager
def serving(home: Path, *arguments: str) -> Iterator[str]:
    """The address of the page that a command serves."""
    command = [sys.executable, "-u", "muzero.py", "play", *arguments, "--web", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://\S+/", line)
        assert address is not None, line
        yield address[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_game_in_the_browser(home: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("there is no browser")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic")
    with (
        serving(home, "connect4", "--opponent", "expert", "--seat", "2") as address,
        sync_api.sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        tab = browser.new_page()
        tab.set_default_timeout(120_000)
        tab.goto(address)
        tab.wait_for_selector("#status:has-text('Your turn: you are Blue')")
        tab.click('.cell[data-cell="3"]')
        tab.wait_for_function("() => document.querySelectorAll('#moves button').length === 3")
        assert tab.input_value("#opponent") == "expert"
        browser.close()
        time.sleep(0.2)

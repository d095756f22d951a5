"""Games that hang, exit or crash are reported, and end nothing but the process that checks them."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from checking.in_child import OUTSIDE, Order, Place, Pulse, check_in_child, place_in
from commands.check_game import check_game_command
from core.errors import ConfigurationError
from games.api.sources import GameFolder
from tests.helpers.game_folders import folder_of

GAME = """\
import ctypes
import os
import re
import sys
import time

import numpy as np

import config


class MuZeroConfig(config.MuZeroConfig):
    observation_shape = (1, 1, 2)
    action_space = (0, 1)
    max_moves = 5


class Game:
    def __init__(self, seed=None):
        self.moves = 0

    def reset(self):
        self.moves = 0
        return np.zeros((1, 1, 2), np.float32)

    def step(self, action):
        self.moves += 1
        if self.moves == 3:
            FAULT
        return np.full((1, 1, 2), self.moves / 5, np.float32), 1.0, self.moves >= 5

    def text(self):
        return str(self.moves)
"""
FAULT_LINE = 1 + GAME[: GAME.index("FAULT")].count("\n")


def folder_with(fault: str, folder: Path) -> GameFolder:
    """A folder with one game, which meets `fault` at its third move."""
    (folder / "toy.py").write_text(GAME.replace("FAULT", fault))
    return folder_of(folder)


@pytest.mark.parametrize(
    ("fault", "name", "found"),
    [
        ("while True: pass", "hangs", f"step, line {FAULT_LINE}, did not return within 1 s"),
        ("time.sleep(1e6)", "hangs", f"step, line {FAULT_LINE}, did not return within 1 s"),
        # holds the interpreter's lock: the thread that looks at the stack cannot run
        ("re.match('(a+)+$', 'a' * 60 + 'b')", "hangs", "did not return within 1 s"),
        ("os._exit(3)", "exits", f"step, line {FAULT_LINE}, ended the process with exit status 3"),
        ("os._exit(0)", "exits", f"step, line {FAULT_LINE}, ended the process with exit status 0"),
        ("ctypes.string_at(0)", "crashes", f"step, line {FAULT_LINE}, was ended by SIGSEGV"),
        ("os.abort()", "crashes", f"step, line {FAULT_LINE}, was ended by SIGABRT"),
        ("os.kill(os.getpid(), 9)", "crashes", "was ended by SIGKILL; was there enough memory?"),
    ],
)
def test_the_end_of_the_process_is_a_finding(fault: str, name: str, found: str, tmp_path: Path) -> None:
    report = check_in_child(Order(folder_with(fault, tmp_path), "toy", games=2, deadline=1))
    (finding,) = report.findings
    assert (finding.name, finding.severity) == (name, "fault")
    assert name in OUTSIDE
    assert found in finding.found
    assert not report.passed


def test_slow_is_not_hanging(tmp_path: Path) -> None:
    order = Order(folder_with("time.sleep(0.25)", tmp_path), "toy", games=2, deadline=2)
    started = time.monotonic()
    report = check_in_child(order)
    assert time.monotonic() - started > order.deadline
    assert [finding.name for finding in report.findings] == ["speed"]


def test_what_hangs_while_it_is_read_is_found_there(tmp_path: Path) -> None:
    folder = folder_with("pass", tmp_path)
    with (tmp_path / "toy.py").open("a") as file:
        file.write("\nwhile True:\n    pass\n")
    (finding,) = check_in_child(Order(folder, "toy", deadline=1)).findings
    assert finding.name == "hangs"
    assert finding.found.startswith("reading its file, line ")


def test_sys_exit_is_an_exception_like_others(tmp_path: Path) -> None:
    (finding,) = check_in_child(Order(folder_with("sys.exit(0)", tmp_path), "toy", games=2)).findings
    assert finding.name == "legal-action-refused"
    assert "SystemExit" in finding.found


def test_a_file_that_is_no_game_is_refused(tmp_path: Path) -> None:
    folder = folder_with("pass", tmp_path)
    (tmp_path / "toy.py").write_text("import nosuchpackage\n")
    with pytest.raises(ConfigurationError, match=r"toy\.py, line 1: ModuleNotFoundError: .*nosuchpackage"):
        check_in_child(Order(folder, "toy"))


def test_the_command_says_where_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_with("time.sleep(1e6)", tmp_path)
    assert check_game_command(["toy", "--deadline", "1"], folder) == 1
    printed = capsys.readouterr().out
    assert f"fault hangs: step, line {FAULT_LINE}, did not return within 1 s" in printed
    assert "--deadline SECONDS" in printed


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = children()
    check_in_child(Order(folder_with("time.sleep(1e6)", tmp_path), "toy", games=1, deadline=1))
    assert children() == before


def children() -> set[str]:
    """Process ids of all processes that this one has started and not yet seen end."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


# --- parts ---


def test_a_call_is_timed_from_when_it_was_first_seen() -> None:
    _, sender = multiprocessing.Pipe(duplex=False)
    pulse = Pulse(sender, "nowhere.py", 0)
    frame = sys._getframe()  # no caller of a game is above it: the whole stack counts as the call
    first = pulse.look(frame, 10.0)
    assert first is not None
    assert (first.line, first.seconds) == (0, 0.0)
    assert pulse.look(frame, 12.5) == first._replace(seconds=2.5)


def test_the_stack_of_a_crash_tells_where_in_the_games_file(tmp_path: Path) -> None:
    stack = tmp_path / "stack.txt"
    lines = [
        'File "/lib/x.py", line 5 in inner',
        'File "/a/toy.py", line 7 in step',
        'File "/a/b.py", line 9 in f',
    ]
    stack.write_text("Fatal Python error: Segmentation fault\n\n" + "\n".join(f"  {line}" for line in lines))
    assert place_in(stack, "/a/toy.py") == Place("step", 7, 0.0)
    assert place_in(stack, "/a/other.py") is None

"""Kernels are compiled once before actors start: nothing is left to compile, and later runs skip it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config import MuZeroConfig
from core.project import PROJECT
from runs import precompile as kernels
from runs.precompile import warm_kernels
from tests.helpers.toy_games import Watcher

LEFT_TO_COMPILE = """
from numba.core.dispatcher import Dispatcher
import self_play
from networks import fast_inference
from search import mcts
from search.planner import self_play_planner
from runs.precompile import compile_kernels
from tests.helpers.toy_games import WalkConfig, fixed_source, toy_game

def compiled():
    return {
        (module.__name__, name): len(kernel.signatures)
        for module in (mcts, fast_inference)
        for name, kernel in vars(module).items()
        if isinstance(kernel, Dispatcher)
    }

for search in ("puct", "gumbel"):
    compile_kernels(WalkConfig(search=search))
    before = compiled()
    for transform in ("parent_and_siblings", "min_max", "bounds"):
        config = WalkConfig(search=search, q_transform=transform)
        planner = self_play_planner(config, "cpu")
        self_play.SelfPlay(toy_game("walk"), config, 0, fixed_source(config), planner).play(4)
    left = {name: count for name, count in compiled().items() if count != before[name]}
    assert before and not left, left
"""


def test_nothing_is_left_to_compile() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LEFT_TO_COMPILE], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def stamp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stamp of no earlier run; warming up notes the configuration that it is for."""
    path = tmp_path / "stamp"
    monkeypatch.setattr(kernels, "stamp_path", lambda config: path)
    code = f"import sys, pathlib; pathlib.Path({str(tmp_path / 'warmed')!r}).write_text(sys.stdin.read())"
    monkeypatch.setattr(kernels, "WARM_UP", code)
    return path


def test_the_first_run_compiles_and_later_ones_do_not(stamp: Path, tmp_path: Path) -> None:
    config, watcher = MuZeroConfig(num_simulations=7), Watcher()
    with warm_kernels(config, watcher):
        assert not stamp.exists()
    assert stamp.exists()
    assert MuZeroConfig.from_json((tmp_path / "warmed").read_text()) == config
    assert len(watcher.events) == 1
    assert "compiling the kernels" in watcher.events[0]
    (tmp_path / "warmed").unlink()
    with warm_kernels(config, watcher):
        pass
    assert len(watcher.events) == 1
    assert not (tmp_path / "warmed").exists()


def test_a_failed_warm_up_leaves_no_stamp(stamp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "WARM_UP", "raise SystemExit(1)")
    with warm_kernels(MuZeroConfig(), Watcher()):
        pass
    assert not stamp.exists()

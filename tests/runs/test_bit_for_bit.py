"""In one process a run that was stopped, or killed at any moment, ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.project import PROJECT
from muzero import MuZero
from saving.checkpoint import Checkpoint, load_checkpoint, newest_generation
from tests.helpers.small_runs import SMALL

NETWORK = {name: SMALL[name] for name in SMALL if name.startswith(("fc_", "encoding"))}
QUICK: dict[str, Any] = {
    "games_per_worker": 4,
    "num_simulations": 4,
    "batch_size": 8,
    "learning_starts": 40,
    "ratio": 0.1,
    "training_steps": 60,
    "num_unroll_steps": 2,
    "td_steps": 3,
    "target_reward": None,
    "num_workers": 1,
    "evaluation_interval": 0.0,
    "num_reanalyse_workers": 1,
    "reanalyse_batch": 16,
    "seed": 5,
    "checkpoint_interval": 1.0,
    "replay_buffer_size": 2000,
    "target_update_interval": 16,
}
KINDS: dict[str, dict[str, Any]] = {
    "cartpole": NETWORK | {"segment_length": 20, "max_moves": 60, "PER": True},  # one player, Gymnasium
    "tictactoe": NETWORK,  # a board for two as compiled rules
    "twentyone": NETWORK,  # chance decides
    "gridworld": NETWORK | {"max_moves": 30},  # plain classes
}
PROGRAM = """
import sys, json
from muzero import MuZero
from runs import session
session.Session.checkpoint_due = True  # after every round
MuZero(sys.argv[1], json.loads(sys.argv[2])).train(local=True)
"""


def options(game: str, results: Path) -> dict[str, Any]:
    return QUICK | KINDS[game] | {"results_path": str(results)}


def assert_same(left: Checkpoint, right: Checkpoint) -> None:
    """Bit for bit the same weights, optimiser, buffer and running games."""
    assert left.counters.training_step == right.counters.training_step == QUICK["training_steps"]
    assert left.counters.played_steps == right.counters.played_steps
    assert left.counters.added_steps == right.counters.added_steps
    for name, array in left.weights.items():
        np.testing.assert_array_equal(array, right.weights[name], err_msg=name)
    for part in left.parts.keys() - {"judge"}:
        assert left.parts[part].facts == right.parts[part].facts
        for name, array in left.parts[part].arrays.items():
            np.testing.assert_array_equal(array, right.parts[part].arrays[name], err_msg=f"{part}.{name}")


def uninterrupted(game: str, results: Path) -> Checkpoint:
    return load_checkpoint(MuZero(game, options(game, results)).train(local=True).folder)


def begun(game: str, results: Path) -> subprocess.Popen[bytes]:
    """A training of its own process, which saves after every round."""
    command = [sys.executable, "-c", PROGRAM, game, json.dumps(options(game, results))]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stopped(game: str, results: Path, sent: signal.Signals, after: float) -> Path:
    """The folder of a run that was sent a signal so many seconds after its first checkpoint."""
    training = begun(game, results)
    try:
        while not (folders := [path for path in results.glob("*/*") if newest_generation(path)]):
            assert training.poll() is None
            time.sleep(0.01)
        time.sleep(after)
        training.send_signal(sent)
        training.wait(60)
    finally:
        training.kill()
        training.wait()
    return folders[0]


@pytest.mark.parametrize("game", KINDS)
def test_a_run_that_was_stopped_or_killed_ends_as_if_nothing_had_happened(game: str, tmp_path: Path) -> None:
    wanted = uninterrupted(game, tmp_path / "whole")
    moments = random.Random(game)
    for number, sent in enumerate((signal.SIGINT, signal.SIGKILL, signal.SIGKILL)):
        folder = stopped(game, tmp_path / str(number), sent, moments.uniform(0.0, 0.4))
        assert load_checkpoint(folder).training_step <= QUICK["training_steps"]
        MuZero.resume(folder, local=True)
        assert_same(load_checkpoint(folder), wanted)

"""Checkpoints for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data import Counters
from saving.checkpoint import Checkpoint, save_best
from tests.arena.test_players import small_tictactoe
from tests.helpers.toy_games import random_weights


def saved(path: Path, game: str = "tictactoe", seed: int = 0, **changes: Any) -> Path:
    config = small_tictactoe(**changes)
    save_best(path, Checkpoint(game, config.to_json(), random_weights(config, seed), Counters(7)))
    return path

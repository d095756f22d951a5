"""Checkpoints for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config import MuZeroConfig
from data import Counters
from games.api.sources import load_game
from saving.checkpoint import Checkpoint, save_best
from tests.helpers.toy_games import random_weights

TICTACTOE = load_game("tictactoe")


def saved(
    path: Path, game: str = "tictactoe", seed: int = 0, evaluation: float | None = None, **changes: Any
) -> Path:
    config = small_tictactoe(**changes)
    weights = random_weights(config, seed)
    save_best(path, Checkpoint(game, config.to_json(), weights, Counters(7), evaluation=evaluation))
    return path


def small_tictactoe(**changes: Any) -> MuZeroConfig:
    return TICTACTOE.config.replace(**{"evaluation_simulations": 4, **changes})

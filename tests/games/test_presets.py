"""A dummy run of every shipped preset: made small mechanically, it trains, evaluates and is registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena.registry import Registry
from config import MuZeroConfig
from games.api.sources import OWN_GAMES, load_game
from runs.launch import train
from saving.checkpoint import load_checkpoint
from saving.run_folder import BEST_NAME
from tests.helpers.toy_games import Watcher

SMALL: dict[str, Any] = {
    "training_steps": 3,
    "learning_starts": 24,
    "ratio": 0.5,
    "num_simulations": 3,
    "evaluation_simulations": 2,
    "fast_simulations": 2,
    "games_per_worker": 2,
    "segment_length": 12,
    "td_steps": 6,
    "max_moves": 24,
    "batch_size": 4,
    "gradient_accumulation": 1,
    "reanalyse_batch": 8,
    "channels": 4,
    "blocks": 1,
    "evaluation_interval": 1e-6,
    "evaluation_games": 2,
    "target_reward": None,
    "opponents": ("random",),
}


@pytest.mark.parametrize("game", OWN_GAMES.names())
def test_a_dummy_run_of(game: str, tmp_path: Path) -> None:
    config: MuZeroConfig = load_game(game).config.replace(**SMALL)
    folder = tmp_path / game / "run"
    folder.mkdir(parents=True)
    watcher = Watcher()
    outcome = train(
        load_game(game), config, folder, local=True, address=None, resume_from=None, observer=watcher
    )
    assert outcome.counters.training_step == 3
    assert outcome.evaluation is not None
    assert len(outcome.evaluation.returns) == 2
    assert outcome.evaluation.opponent == ("random" if config.players == 2 else None)
    best = load_checkpoint(folder / BEST_NAME, expect_game=game)
    assert MuZeroConfig.from_json(best.config_json).network == config.network
    assert [version.name for version in Registry(tmp_path, game).versions()] == ["v0001"]

"""A run that begins with another agent's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config import MuZeroConfig
from data import Counters
from muzero import MuZero
from runs import provenance
from runs.beginning import beginning, fitting
from saving.checkpoint import Checkpoint, load_checkpoint, save_best
from saving.files import CheckpointError
from tests.helpers.toy_games import random_weights
from trainer import Trainer

SMALL: dict[str, Any] = {
    "training_steps": 4,
    "learning_starts": 60,
    "games_per_worker": 4,
    "max_moves": 30,
    "num_simulations": 4,
    "evaluation_interval": 0.0,
    "target_reward": None,
}


def saved(path: Path, config: MuZeroConfig, game: str = "cartpole") -> Path:
    save_best(path, Checkpoint(game, config.to_json(), random_weights(config, 5), Counters(77)))
    return path


def trainer_of(config: MuZeroConfig, path: Path) -> tuple[Trainer, str]:
    start, notes = beginning("cartpole", config, None, path)
    trainer = Trainer(config, "cpu")
    trainer.load_state(start.parts["trainer"])
    assert start.counters == Counters()
    return trainer, notes[0]


def test_all_weights_are_taken_where_the_network_is_the_same(tmp_path: Path) -> None:
    config = MuZeroConfig()
    path = saved(tmp_path / "x.checkpoint", config)
    trainer, note = trainer_of(config, path)
    for name, array in random_weights(config, 5).items():
        np.testing.assert_array_equal(trainer.weights()[name], array)
        np.testing.assert_array_equal(trainer.target_weights()[name], array)
    assert trainer.training_step == 0
    assert note == f"weights from {path} (77 updates): all {len(trainer.weights())} arrays"


def test_what_does_not_fit_is_new_and_said(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.checkpoint", MuZeroConfig(), game="another")
    config = MuZeroConfig(action_space=(0, 1, 2), seed=3)
    trainer, note = trainer_of(config, path)
    own, theirs = Trainer(config, "cpu").weights(), random_weights(MuZeroConfig(), 5)
    taken = fitting(own, theirs)
    assert 0 < len(taken) < len(own)
    for name, array in trainer.weights().items():
        np.testing.assert_array_equal(array, theirs[name] if name in taken else own[name])
    assert f": {len(taken)} of {len(own)} arrays; new are " in note
    assert " here, " in note
    assert " there)" in note


def test_a_network_of_another_kind_fits_nowhere(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.checkpoint", MuZeroConfig())
    other = MuZeroConfig(network="resnet", observation_shape=(2, 3, 3), channels=4, blocks=1)
    with pytest.raises(CheckpointError, match="none of them fits into this network by name and shape"):
        beginning("cartpole", other, None, path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    config = MuZeroConfig()
    weights = random_weights(config) | {"bad": np.array([np.nan], np.float32)}
    save_best(tmp_path / "x.checkpoint", Checkpoint("cartpole", config.to_json(), weights, Counters(1)))
    with pytest.raises(CheckpointError, match="are not finite: was it damaged"):
        beginning("cartpole", config, None, tmp_path / "x.checkpoint")


def test_a_training_goes_on_from_the_weights(tmp_path: Path) -> None:
    options = SMALL | {"results_path": str(tmp_path), "lr_init": 0.0, "weight_decay": 0.0}
    trainer = MuZero("cartpole", options)
    path = saved(tmp_path / "x.checkpoint", trainer.config)
    outcome = trainer.train(local=True, weights_from=path)
    kept = load_checkpoint(outcome.folder)
    for name, array in random_weights(trainer.config, 5).items():  # at a learning rate of 0 they stay
        np.testing.assert_allclose(kept.weights[name], array, atol=1e-6)
    assert kept.training_step == 4
    assert f"weights from {path} (77 updates): all " in (outcome.folder / "log.txt").read_text()
    (sitting,) = provenance.read(outcome.folder)
    assert sitting["began_with"][0].startswith(f"weights from {path}")
    both = trainer.train(local=True, weights_from=str(outcome.folder), games_from=outcome.folder)
    assert both.counters.training_step == 4

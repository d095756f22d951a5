"""Training, resuming and evaluating from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ConfigurationError
from core.project import PRETRAINED
from games.api.sources import load_game
from muzero import Agent, MuZero
from playing.make_table import make_table
from saving.files import CheckpointError
from tests.helpers.small_runs import SMALL

SHORT: dict[str, Any] = {
    "training_steps": 6,
    "learning_starts": 60,
    "games_per_worker": 4,
    "max_moves": 30,
    "num_simulations": 4,
    "evaluation_simulations": 4,
    "evaluation_games": 2,
    "evaluation_interval": 0.001,
    "target_reward": None,
}


def test_numpy_numbers_and_paths_are_options(tmp_path: Path) -> None:
    options = {
        "training_steps": np.int64(7),
        "lr_init": np.float32(0.25),
        "discount": np.int32(1),
        "PER": np.bool_(False),
        "fc_value_layers": np.array([8, 4]),
        "results_path": tmp_path,
    }
    config = MuZero("cartpole", options).config
    assert (config.training_steps, config.lr_init, config.discount) == (7, 0.25, 1.0)
    assert type(config.training_steps) is int
    assert (config.PER, config.fc_value_layers, config.results_path) == (False, (8, 4), str(tmp_path))
    assert MuZero("cartpole", {"fc_value_layers": np.array([3], np.int8)}).config.to_json()


@pytest.mark.parametrize(
    "options",
    [
        {"training_steps": np.float64(7)},
        {"training_steps": np.bool_(True)},
        {"PER": np.int64(1)},
        {"lr_init": np.bool_(True)},
        {"fc_value_layers": "88"},
        {"fc_value_layers": np.array([1.5])},
        {"fc_value_layers": {1: 2}},
        {"results_path": 3},
    ],
)
def test_other_types_are_refused_as_before(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        MuZero("cartpole", options)


def test_a_training_gives_its_folder_and_its_agent(tmp_path: Path) -> None:
    trainer = MuZero("cartpole", SHORT | {"results_path": str(tmp_path)})
    outcome = trainer.train(local=True)
    assert outcome.folder.parent == tmp_path / "cartpole"
    assert (outcome.folder / "config.json").exists()
    agent = outcome.agent
    assert isinstance(agent, Agent)
    table = make_table(trainer.spec, agent.config, 1)
    table.reset(0, 1)
    assert agent.analyse(table).action in (0, 1)
    for path in (str(outcome.folder), outcome.folder, str(outcome.folder / "best.checkpoint")):
        assert len(MuZero.evaluate("cartpole", path, games=2, simulations=1).returns) == 2
    again = MuZero.resume(str(outcome.folder), {"training_steps": 8}, local=True)
    assert (again.folder, again.counters.training_step) == (outcome.folder, 8)
    begun = trainer.train(local=True, games_from=str(outcome.folder))
    assert begun.folder != outcome.folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"games": 0}, "games=0 must be at least 1"),
        ({"games": -1}, "games=-1 must be at least 1"),
        ({"simulations": -3}, "simulations=-3 must be at least 0"),
    ],
)
def test_numbers_that_cannot_be_are_refused(changes: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{said}$"):
        MuZero.evaluate("cartpole", PRETRAINED / "cartpole" / "best.checkpoint", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("simulations", [-3, 1_000_000_000])
def test_an_agent_refuses_such_numbers(simulations: int) -> None:
    path = str(PRETRAINED / "cartpole" / "best.checkpoint")
    with pytest.raises(ConfigurationError, match=f"simulations={simulations} must be from 0 to"):
        Agent.load(path, "cartpole", simulations)
    agent = Agent.load(path, "cartpole")
    table = make_table(load_game("cartpole"), agent.config, 1)
    table.reset(0, 1)
    with pytest.raises(ConfigurationError, match=f"simulations={simulations} must be from 0 to"):
        agent.analyse(table, simulations=simulations)


def test_an_agent_of_another_game_or_of_nothing() -> None:
    with pytest.raises(CheckpointError):
        Agent.load("nowhere", "cartpole")
    with pytest.raises(ConfigurationError, match="unknown game 'cartpol'"):
        Agent.load("nowhere", "cartpol")


def test_a_program_is_told_which_of_its_options_change_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    options = SMALL | {"results_path": str(tmp_path), "training_steps": 2, "channels": 7, "blocks": 1}
    usual = {"batch_norm": load_game("cartpole").config.batch_norm}
    outcome = MuZero("cartpole", options | usual).train(local=True)
    said = capsys.readouterr().out
    assert "note: channels has no effect: the network is fully connected" in said
    assert "batch_norm" not in said
    MuZero.resume(outcome.folder, {"training_steps": 4, "root_dirichlet_alpha": 0.3}, local=True)
    assert "has no effect" not in capsys.readouterr().out

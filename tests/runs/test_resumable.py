"""Parts of a checkpoint that do not fit to its configuration are refused before any actor is made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config import MuZeroConfig
from data import Snapshot
from learning.gradient_path import TrainingError
from runs.resumable import check_resumable
from saving.checkpoint import Checkpoint, load_agent, load_checkpoint, save_best
from saving.files import CheckpointError
from saving.fitting import check_weights
from saving.run_folder import newest_run
from tests.runs.test_earlier_runs import EARLIER

PATH = Path("run")
Change = Callable[[dict[str, np.ndarray], dict[str, Any]], object]


@pytest.fixture(scope="module")
def earlier() -> Checkpoint:
    return load_checkpoint(newest_run(EARLIER, "cartpole"))


def changed(checkpoint: Checkpoint, part: str, change: Change) -> Checkpoint:
    """With one part's arrays and facts as `change` makes them."""
    own = checkpoint.parts[part]
    arrays = {name: array.copy() for name, array in own.arrays.items()}
    facts = json.loads(json.dumps(own.facts))
    change(arrays, facts)
    return dataclasses.replace(checkpoint, parts=checkpoint.parts | {part: Snapshot(arrays, facts)})


def put(name: str, place: Any, number: Any) -> Change:
    return lambda arrays, _: arrays[name].__setitem__(place, number)


def become(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda arrays, _: arrays.update({name: change(arrays[name])})


def fact(name: str, value: Any) -> Change:
    return lambda _, facts: facts.update({name: value})


def remove(name: str) -> Change:
    return lambda arrays, _: arrays.pop(name)


GENERATOR: dict[str, Any] = {"bit_generator": "PCG64", "state": {"state": 1, "inc": 2}, "has_uint32": 0}

WRONG: list[tuple[str, str, Change]] = [
    ("buffer", "actions", put("actions", 5, 2)),
    ("buffer", "actions", put("actions", 5, -1)),
    ("buffer", "kind", put("kind", 0, 3)),
    ("buffer", "follow", put("remaining", 7, 9999)),
    ("buffer", "follow", put("remaining", -1, 3)),
    ("buffer", "follow", become("terminated", lambda a: a ^ (np.arange(len(a)) == 7))),
    ("buffer", "looks back|past", put("past", 0, 1)),
    ("buffer", "weights", put("weights", 3, -1.0)),
    ("buffer", "drawn", become("weights", np.zeros_like)),
    ("buffer", "root_values", put("root_values", 3, np.inf)),
    ("buffer", "observations", become("observations", lambda a: a.astype(np.float64))),
    ("buffer", "observations", become("observations", lambda a: a[:, :, :, :3])),
    ("buffer", "rewards", become("rewards", lambda a: a[:-1])),
    ("buffer", "policies", become("policies", lambda a: a[:, 0])),
    ("buffer", "missing", remove("to_play")),
    ("buffer", "missing", remove("actions")),
    ("buffer", "none of its", lambda arrays, _: arrays.update(more=np.zeros(1))),
    ("buffer", "first", fact("first", -1)),
    ("buffer", "first", fact("first", 10**30)),
    ("buffer", "cursor", fact("cursor", 10**6)),
    ("buffer", "random numbers", fact("generator", GENERATOR)),
    ("buffer", "random numbers", fact("generator", None)),
    ("self_play_0", "table.actions", put("table.actions", 0, 7)),
    ("self_play_0", "moves", put("table.lengths", 0, 0)),
    ("self_play_0", "table.lengths", put("table.lengths", 0, -5)),
    ("self_play_0", "recorder.cursor", put("recorder.cursor", 0, 10**6)),
    ("self_play_0", "begins behind|past", put("recorder.past", 0, 50)),
    ("self_play_0", "room", become("recorder.actions", lambda a: a[:, :3])),
    ("self_play_0", "seeds", become("table.seeds", lambda a: a[:2])),
    ("self_play_0", "random numbers", fact("generator", {"bit_generator": "MT19937"})),
    ("trainer", "value.0.bias", become("weights/value.0.bias", lambda a: a[:1])),
    ("trainer", "value.0.bias", remove("target/value.0.bias")),
    ("trainer", "square", put("optimizer/square", 0, -1.0)),
    ("trainer", "mean", put("optimizer/mean", 0, np.inf)),
    ("trainer", "square", become("optimizer/mean", lambda a: a[:1])),
    ("trainer", "missing", remove("optimizer/mean")),
    ("trainer", "float32", become("optimizer/mean", lambda a: a.astype(np.float64))),
    ("trainer", "training_step", fact("training_step", "150")),
    ("trainer", "training_step", fact("training_step", -1)),
    ("trainer", "skipped", fact("skipped", "many")),
    ("trainer", "returns", fact("returns", 10**60)),
    ("judge", "evaluations", fact("evaluations", 10**60)),
    ("judge", "seats", put("seats", 0, 1)),
    ("judge", "missing", remove("returns")),
    ("judge", "no games", lambda arrays, _: arrays.update({n: a[:0] for n, a in arrays.items()})),
]


@pytest.mark.parametrize(("part", "named", "change"), WRONG)
def test_a_part_that_does_not_fit_is_named(
    earlier: Checkpoint, part: str, named: str, change: Change
) -> None:
    with pytest.raises(CheckpointError, match=f"its {part} does not fit: .*({named})") as caught:
        check_resumable(PATH, changed(earlier, part, change))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_an_optimizer_of_another_size_is_not_spread_over_the_parameters(earlier: Checkpoint) -> None:
    from trainer import Trainer

    def one(arrays: dict[str, np.ndarray], _: object) -> None:
        arrays.update({f"optimizer/{name}": np.ones(1, np.float32) for name in ("mean", "square")})

    state = changed(earlier, "trainer", one).parts["trainer"]
    with pytest.raises(TrainingError, match="has 1 numbers, where this network has 15968"):
        Trainer(earlier.config, "cpu").load_state(state)


def test_what_earlier_versions_and_this_one_wrote_fits(earlier: Checkpoint) -> None:
    check_resumable(PATH, earlier)
    without = changed(earlier, "buffer", remove("exploratory"))
    check_resumable(PATH, changed(without, "self_play_0", remove("openings.lengths")))


def test_a_configuration_of_another_network_is_refused_before_one_is_made(earlier: Checkpoint) -> None:
    for changes in ({"encoding_size": 10**9}, {"fc_value_layers": (5,)}, {"network": "resnet"}):
        config = earlier.config.replace(**changes)
        with pytest.raises(ValueError, match=r"weights|missing|shape|none of its"):
            check_weights(earlier.weights, config)
    blocks = earlier.config.replace(network="resnet", blocks=10**9)
    with pytest.raises(ValueError, match="about"):
        check_weights(earlier.weights, blocks)


@pytest.mark.parametrize("network", ["fullyconnected", "resnet"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_shapes_of_weights_are_those_of_the_network(network: str, batch_norm: bool) -> None:
    from models import get_weights, make_network

    config = MuZeroConfig(
        network=network,
        batch_norm=batch_norm,
        observation_shape=(2, 6, 7),
        action_space=tuple(range(7)),
        stacked_observations=1,
        fc_representation_layers=(9, 5),
        channels=4,
        blocks=1,
    )
    made = {name: array.shape for name, array in get_weights(make_network(config)).items()}
    assert config.network_kind.weight_shapes(config) == made


def test_an_agent_has_the_weights_of_its_configuration(earlier: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "best.checkpoint"
    save_best(path, earlier)
    assert load_agent(path).training_step == 150
    for name, array in (
        ("value.0.bias", np.zeros(3)),
        ("value.0.bias", np.full(64, np.inf)),
        ("x", np.ones(1)),
    ):
        weights = earlier.weights | {name: array.astype(np.float32)}
        save_best(path, dataclasses.replace(earlier, weights=weights))
        load_checkpoint(path)
        with pytest.raises(CheckpointError, match=rf"best\.checkpoint cannot be read .*{name}"):
            load_agent(path)

import logging
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from config import MuZeroConfig
from core.project import PROJECT
from data import Evaluation, InferenceModel, Weights
from models import get_weights, make_network, support_to_scalar
from networks.fast_inference import FullyConnectedModel
from networks.perceptrons import perceptron_sizes
from search.inference import make_model
from search.torch_inference import TorchModel

HIDDEN = st.lists(st.integers(1, 9), max_size=2).map(tuple)
CONFIGS = st.builds(
    MuZeroConfig,
    observation_shape=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 4)),
    action_space=st.integers(1, 5).map(lambda n: tuple(range(n))),
    players=st.integers(1, 2),
    stacked_observations=st.integers(0, 2),
    support_size=st.integers(1, 12),
    encoding_size=st.integers(2, 11),
    fc_representation_layers=HIDDEN,
    fc_dynamics_layers=HIDDEN,
    fc_residual_dynamics=st.booleans(),
    support_transform=st.booleans(),
    fc_reward_layers=HIDDEN,
    fc_value_layers=HIDDEN,
    fc_policy_layers=HIDDEN,
)
RESIDUAL = MuZeroConfig(
    network="resnet", observation_shape=(2, 3, 4), action_space=(0, 1, 2), channels=6, blocks=1, players=2
)


def random_weights(config: MuZeroConfig, rng: np.random.Generator, scale: float = 1.0) -> Weights:
    weights = get_weights(make_network(config))
    return {
        name: (np.abs(a) + rng.random(a.shape) if "running_var" in name else rng.normal(0, scale, a.shape))
        .astype(np.float32)
        .reshape(a.shape)
        for name, a in weights.items()
    }


def random_observations(config: MuZeroConfig, rows: int, rng: np.random.Generator) -> np.ndarray:
    _, height, width = config.observation_shape
    return rng.normal(size=(rows, config.stacked_channels, height, width)).astype(np.float32)


def copied(evaluation: Evaluation) -> Evaluation:
    return Evaluation._make(np.array(array) for array in evaluation)


def walk(model: InferenceModel, config: MuZeroConfig, rows: int, nodes: int, seed: int) -> list[Evaluation]:
    """A root and `nodes` edges from random earlier nodes, the same for every model."""
    rng = np.random.default_rng(seed)
    to_play = rng.integers(config.players, size=rows).astype(np.int32)
    evaluations = [copied(model.root(random_observations(config, rows, rng), to_play))]
    for node in range(1, nodes + 1):
        parents = rng.integers(node, size=rows).astype(np.int32)
        actions = rng.integers(config.num_actions, size=rows).astype(np.int32)
        evaluations.append(copied(model.recurrent(parents, actions, node)))
    return evaluations


def reference(config: MuZeroConfig, weights: Weights, rows: int, nodes: int, seed: int) -> list[Evaluation]:
    """What `walk` finds, computed with the trainer's network in double precision, one sample at a time."""
    rng = np.random.default_rng(seed)
    network = make_network(config).eval().double()
    network.load_state_dict({name: torch.as_tensor(a) for name, a in weights.items()})
    to_play = rng.integers(config.players, size=rows).astype(np.int32)
    observations = random_observations(config, rows, rng)
    outputs = [
        [network.initial_inference(torch.from_numpy(observations[row : row + 1]).double())]
        for row in range(rows)
    ]
    turns = to_play[:, None].tolist()
    for node in range(1, nodes + 1):
        parents = rng.integers(node, size=rows).astype(np.int32)
        actions = rng.integers(config.num_actions, size=rows).astype(np.int32)
        for row in range(rows):
            latent = outputs[row][parents[row]].latent
            outputs[row].append(network.recurrent_inference(latent, torch.tensor([actions[row]])))
            turns[row].append((turns[row][parents[row]] + 1) % config.players)

    def evaluation(node: int) -> Evaluation:
        nodes_of_rows = [row[node] for row in outputs]
        value, reward = (
            torch.stack([support_to_scalar(logits, config.support_transform) for logits in all_logits])
            for all_logits in (
                [o.value_logits for o in nodes_of_rows],
                [o.reward_logits for o in nodes_of_rows],
            )
        )
        return Evaluation(
            value.detach().numpy(),
            reward.detach().numpy(),
            np.full(rows, 1 if node == 0 else config.discount),
            np.array([turn[node] for turn in turns]),
            torch.cat([o.policy_logits for o in nodes_of_rows]).detach().numpy(),
        )

    return [evaluation(node) for node in range(nodes + 1)]


def assert_same(ours: list[Evaluation], expected: list[Evaluation]) -> None:
    for node, (a, b) in enumerate(zip(ours, expected, strict=True)):
        for name, x, y in zip(Evaluation._fields, a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4, err_msg=f"{name} of node {node}")


@settings(derandomize=True, deadline=None, max_examples=25)
@given(CONFIGS, st.integers(1, 9), st.integers(0, 1000))
def test_every_path_agrees_with_the_trainers_network(config: MuZeroConfig, rows: int, seed: int) -> None:
    weights = random_weights(config, np.random.default_rng(seed), scale=0.7)
    expected = reference(config, weights, rows, 4, seed)
    for path in (FullyConnectedModel, TorchModel):
        model = path(config, 9, 4)
        model.load(weights)
        assert_same(walk(model, config, rows, 4, seed), expected)


@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": False}, {"action_planes": "one_hot"}, {"latent_scaling": "none"}]
)
def test_residual_networks_agree_with_the_trainers_network(options: dict[str, Any]) -> None:
    config = RESIDUAL.replace(**options)
    weights = random_weights(config, np.random.default_rng(0), scale=0.3)
    model = make_model(config, 5, 6)
    model.load(weights)
    assert_same(walk(model, config, 3, 6, 1), reference(config, weights, 3, 6, 1))


@pytest.mark.parametrize(("available", "batch"), [(True, 8), (True, 7), (False, 8)])
def test_bfloat16_rounds_where_it_is_faster(
    available: bool, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": available})
    config = RESIDUAL.replace(inference_bfloat16=True)
    weights = random_weights(config, np.random.default_rng(0), scale=0.3)
    model = make_model(config, batch, 6)
    model.load(weights)
    found, expected = walk(model, config, 3, 6, 1), reference(config, weights, 3, 6, 1)
    if not available or batch < 8:
        assert_same(found, expected)
        return
    errors = [np.abs(a.policy_logits - b.policy_logits) for a, b in zip(found, expected, strict=True)]
    size = np.abs([evaluation.policy_logits for evaluation in expected]).mean()
    assert 1e-4 * size < np.mean(errors) < 0.02 * size
    for evaluation in found:
        assert {a.dtype for a in (evaluation.value, evaluation.reward, evaluation.policy_logits)} == {
            np.dtype(np.float32)
        }


@pytest.mark.parametrize("scale", [30.0, 1e-20])
def test_extreme_logits_are_decoded(scale: float) -> None:
    config = MuZeroConfig(support_size=300)
    weights = random_weights(config, np.random.default_rng(0), scale=scale)
    model = make_model(config, 4, 4)
    model.load(weights)
    for ours, expected in zip(walk(model, config, 4, 1, 0), reference(config, weights, 4, 1, 0), strict=True):
        np.testing.assert_allclose(ours.value, expected.value, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("path", [FullyConnectedModel, TorchModel])
def test_paths_answer_with_the_same_types(path: Any) -> None:
    model = path(MuZeroConfig(), 3, 2)
    model.load(random_weights(MuZeroConfig(), np.random.default_rng(0)))
    observations = np.zeros((2, 1, 1, 4), np.float32)
    for evaluation in (
        model.root(observations, np.zeros(2, np.int32)),
        model.recurrent(np.zeros(2, np.int32), np.ones(2, np.int32), 1),
    ):
        assert all(array.flags.c_contiguous for array in evaluation)
        assert [a.dtype.name for a in evaluation] == ["float32", "float32", "float32", "int32", "float32"]
        assert [a.shape for a in evaluation] == [(2, 1), (2, 1), (2,), (2,), (2, 2)]


@pytest.mark.parametrize("path", [FullyConnectedModel, TorchModel])
def test_fewer_rows_and_new_roots_leave_nothing_behind(path: Any) -> None:
    config = MuZeroConfig(players=2)
    weights = random_weights(config, np.random.default_rng(0))
    used, fresh = path(config, 8, 3), path(config, 2, 3)
    used.load(weights)
    fresh.load(weights)
    walk(used, config, 8, 3, 0)
    walk(used, config, 2, 3, 2)
    assert_same(walk(used, config, 2, 3, 1), walk(fresh, config, 2, 3, 1))


@pytest.mark.parametrize("path", [FullyConnectedModel, TorchModel])
def test_evaluate_values_any_number_of_positions_beside_a_search(path: Any) -> None:
    config = MuZeroConfig(players=2)
    model = path(config, 4, 2)
    model.load(random_weights(config, np.random.default_rng(0)))
    observations = random_observations(config, 9, np.random.default_rng(1))
    rows = np.zeros(4, np.int32)
    expected = copied(model.root(observations[:4], rows))
    edge = copied(model.recurrent(rows, rows, 1))
    model.root(observations[:4], rows)
    values = model.evaluate(observations)
    assert values.shape == (9,)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[:4], expected.value[:, 0], rtol=1e-5)
    assert model.evaluate(observations[:0]).shape == (0,)
    np.testing.assert_allclose(values[4:], model.evaluate(observations[4:]), rtol=1e-5, atol=1e-6)
    assert_same([copied(model.recurrent(rows, rows, 1))], [edge])


@pytest.mark.parametrize("path", [FullyConnectedModel, TorchModel])
def test_weights_of_other_shapes_are_refused(path: Any) -> None:
    model = path(MuZeroConfig(), 1, 1)
    with pytest.raises((ValueError, RuntimeError), match=r"shape|size"):
        model.load(get_weights(make_network(MuZeroConfig(encoding_size=9))))
    with pytest.raises((KeyError, RuntimeError)):
        model.load({})


def test_layer_sizes_are_the_networks() -> None:
    config = MuZeroConfig(stacked_observations=3, fc_value_layers=(), fc_policy_layers=(3, 4))
    weights = get_weights(make_network(config))
    for part, sizes in zip(
        ("value", "reward", "policy", "representation", "dynamics"), perceptron_sizes(config), strict=True
    ):
        for index in range(len(sizes) - 1):
            assert weights[f"{part}.{2 * index}.weight"].shape == (sizes[index + 1], sizes[index])


def test_auto_takes_the_path_that_needs_no_torch() -> None:
    assert make_model(MuZeroConfig(), 1, 1).name == "numba (cpu)"
    assert make_model(MuZeroConfig(inference="torch"), 1, 1).name == "torch (cpu)"
    assert make_model(RESIDUAL, 1, 1).name == "torch (cpu)"
    program = """import sys, config
from search import inference
inference.make_model(config.MuZeroConfig(), 1, 1)
print("torch" in sys.modules)"""
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == "False\n"


def test_without_a_compiler_the_compiled_path_falls_back_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(function: Any) -> Any:
        def call(*_: Any) -> Any:
            raise RuntimeError("no compiler\nwith a long explanation")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    config = MuZeroConfig(inference="compile")
    weights = random_weights(config, np.random.default_rng(0))
    with caplog.at_level(logging.WARNING):
        model = make_model(config, 3, 2)
    assert [record.getMessage() for record in caplog.records] == [
        "torch.compile failed, the network is evaluated eagerly: no compiler"
    ]
    model.load(weights)
    assert_same(walk(model, config, 3, 2, 0), reference(config, weights, 3, 2, 0))

"""The hand-derived gradients against an independent slow reference in double precision."""

import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import models
from benchmarks.train import eager_loss, random_batch
from config import MuZeroConfig
from core.supports import scalar_to_support
from data import Batch, LossStatistics
from learning.gradients import AutogradGradients
from learning.optimizers import flatten_parameters
from learning.statistics import loss_scales
from learning.terms import PLAIN, active
from networks import fused_update
from networks.fused_update import FusedUpdate

LAYERS = st.lists(st.integers(1, 9), max_size=2).map(tuple)


def make_config(**changes: Any) -> MuZeroConfig:
    return MuZeroConfig(
        **{"observation_shape": (1, 2, 3), "action_space": (0, 1, 2), "support_size": 6, "seed": 3, **changes}
    )


def random_network(config: MuZeroConfig) -> models.MuZeroNetwork:
    """A network none of whose layers is zero, unlike a fresh one's last layers."""
    network = models.make_network(config)
    generator = torch.Generator().manual_seed(config.seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.4, generator=generator)
    return network


def by_hand(config: MuZeroConfig, batch: Batch, scale: float) -> tuple[LossStatistics, dict]:
    """The statistics, and all gradients by name, of the hand-derived path."""
    parameters = {n: p.detach().numpy() for n, p in random_network(config).named_parameters()}
    gradients = {n: np.full_like(p, np.nan) for n, p in parameters.items()}
    return FusedUpdate(config, parameters, gradients)(batch, scale), gradients


def by_autograd(config: MuZeroConfig, batch: Batch, scale: float) -> tuple[LossStatistics, dict]:
    """The same of the trainer's autograd path."""
    network = random_network(config)
    flat = flatten_parameters(network)
    statistics = AutogradGradients(config, network, flat.gradient, active(PLAIN, config))(batch, scale)
    return statistics, gradients_of(network)


def figures(statistics: LossStatistics) -> list[float]:
    return [*statistics.losses, statistics.value_entropy, statistics.policy_entropy]


def gradients_of(network: nn.Module) -> dict:
    return {n: p.grad.numpy() for n, p in network.named_parameters() if p.grad is not None}


def by_pseudocode(config: MuZeroConfig, batch: Batch) -> dict:
    """The gradients of the paper's pseudocode (appendix G), step by step, in double precision."""
    network = random_network(config).double()
    observations, actions, value, reward, policy, value_mask, reward_mask, policy_mask, weights = (
        torch.from_numpy(a).double() for a in batch[:9]
    )
    K = config.num_unroll_steps
    output = network.initial_inference(observations)
    predictions = [(1.0, output)]
    for k in range(K):
        latent = models.scale_gradient(output.latent, 0.5)
        output = network.recurrent_inference(latent, actions[:, k].long())
        predictions.append((1 / K, output))

    def categorical(logits: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(
            logits,
            models.scalar_to_support(scalars, config.support_size, config.support_transform),
            reduction="none",
        )

    total = torch.zeros((), dtype=torch.float64)
    for k, (gradient_scale, output) in enumerate(predictions):
        loss = config.value_loss_weight * categorical(output.value_logits, value[:, k]) * value_mask[:, k]
        loss += (
            functional.cross_entropy(output.policy_logits, policy[:, k], reduction="none") * policy_mask[:, k]
        )
        if k > 0:
            reward_loss = categorical(output.reward_logits, reward[:, k - 1]) * reward_mask[:, k - 1]
            loss += config.reward_loss_weight * reward_loss
        total = total + models.scale_gradient((loss * weights).mean(), gradient_scale)
    torch.autograd.backward(total)
    return gradients_of(network)


def assert_equal_gradients(actual: dict, expected: dict, tolerance: float = 1e-5) -> None:
    """Equal within `tolerance` of each parameter's (and a millionth of the network's) largest gradient."""
    assert actual.keys() == expected.keys()
    largest = max(np.abs(gradient).max() for gradient in expected.values())
    for name, gradient in expected.items():
        allowed = tolerance * np.abs(gradient).max() + 1e-6 * largest
        np.testing.assert_allclose(actual[name], gradient, rtol=0, atol=allowed, err_msg=name)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    representation=LAYERS,
    dynamics=LAYERS,
    reward=LAYERS,
    value=LAYERS,
    policy=LAYERS,
    residual=st.booleans(),
    transformed=st.booleans(),
    reward_weight=st.sampled_from([1.0, 3.0]),
    latent=st.integers(2, 12),
    K=st.integers(1, 5),
    S=st.integers(1, 9),
    seed=st.integers(0, 2**16),
)
def test_both_paths_equal_the_pseudocode(
    representation: tuple[int, ...],
    dynamics: tuple[int, ...],
    reward: tuple[int, ...],
    value: tuple[int, ...],
    policy: tuple[int, ...],
    residual: bool,
    transformed: bool,
    reward_weight: float,
    latent: int,
    K: int,
    S: int,
    seed: int,
) -> None:
    config = make_config(
        fc_representation_layers=representation,
        fc_dynamics_layers=dynamics,
        fc_reward_layers=reward,
        fc_value_layers=value,
        fc_policy_layers=policy,
        fc_residual_dynamics=residual,
        support_transform=transformed,
        reward_loss_weight=reward_weight,
        encoding_size=latent,
        num_unroll_steps=K,
        seed=seed,
    )
    batch = random_batch(config, S, np.random.default_rng(seed))
    expected = by_pseudocode(config, batch)
    hand_statistics, hand = by_hand(config, batch, 1 / S)
    autograd_statistics, autograd = by_autograd(config, batch, 1 / S)
    # latents of two features that are nearly equal are scaled by their small difference
    assert_equal_gradients(hand, expected, 1e-3)
    assert_equal_gradients(autograd, expected, 1e-3)
    np.testing.assert_allclose(figures(hand_statistics), figures(autograd_statistics), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        hand_statistics.root_values, autograd_statistics.root_values, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("K", [1, 5])
def test_preset_sized_update_equals_the_benchmarks_reference(K: int) -> None:
    layers = {f"fc_{m}_layers": (64,) for m in ("representation", "dynamics", "reward", "value", "policy")}
    config = make_config(encoding_size=32, support_size=10, num_unroll_steps=K, **layers)
    batch = random_batch(config, 128, np.random.default_rng(K))
    network = random_network(config)
    loss, root_values = eager_loss(network, config, batch)
    torch.autograd.backward(loss)
    statistics, gradients = by_hand(config, batch, 1 / 128)
    assert_equal_gradients(gradients, gradients_of(network))
    total = config.value_loss_weight * statistics.losses[0] + statistics.losses[1] + statistics.losses[2]
    assert total == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(statistics.root_values, root_values.numpy(), rtol=1e-4, atol=1e-4)


def test_gradients_are_overwritten_and_follow_the_batch_size() -> None:
    config = make_config()
    batch = random_batch(config, 8, np.random.default_rng(0))
    half = Batch._make(array[:4] for array in batch)
    parameters = {n: p.detach().numpy() for n, p in random_network(config).named_parameters()}
    gradients = {n: np.zeros_like(p) for n, p in parameters.items()}
    update = FusedUpdate(config, parameters, gradients)
    update(batch, 1 / 8)
    first = {name: gradient.copy() for name, gradient in gradients.items()}
    update(half, 1 / 4)
    assert_equal_gradients(gradients, by_autograd(config, half, 1 / 4)[1])
    update(batch, 1 / 8)
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, first[name])


def test_read_only_batches_are_accepted() -> None:
    config = make_config()
    batch = random_batch(config, 4, np.random.default_rng(0))
    expected = by_hand(config, batch, 0.25)[1]
    for array in batch:
        array.flags.writeable = False
    for name, gradient in by_hand(config, batch, 0.25)[1].items():
        np.testing.assert_array_equal(gradient, expected[name])


def test_losses_of_a_case_computed_by_hand() -> None:
    """Uniform predictions: every cross entropy is ln of the number of classes, whatever the target."""
    config = make_config(num_unroll_steps=2)
    network = models.make_network(config)
    parameters = {n: p.detach().numpy() for n, p in network.named_parameters()}
    gradients = {n: np.zeros_like(p) for n, p in parameters.items()}
    batch = random_batch(config, 2, np.random.default_rng(0))._replace(
        value_mask=np.array([[1, 1, 0], [1, 0, 0]], np.float32),
        reward_mask=np.array([[1, 1], [0, 1]], np.float32),
        policy_mask=np.array([[0, 1, 1], [1, 1, 1]], np.float32),
        weights=np.array([1, 0.5], np.float32),
    )
    statistics = FusedUpdate(config, parameters, gradients)(batch, 1 / 2)
    atoms, actions = math.log(13), math.log(3)
    assert statistics.losses[0] == pytest.approx((1.5 + 0.5) / 2 * atoms, rel=1e-6)
    assert statistics.losses[1] == pytest.approx((1 + 0.25) / 2 * atoms, rel=1e-6)
    assert statistics.losses[2] == pytest.approx((1 + 1) / 2 * actions, rel=1e-6)
    assert statistics.value_entropy == pytest.approx(atoms, rel=1e-6)
    assert statistics.policy_entropy == pytest.approx(actions, rel=1e-6)
    np.testing.assert_allclose(statistics.root_values, 0, atol=1e-6)
    # the value head's last bias: scale * (uniform - two-hot), summed over the terms
    scales = loss_scales(batch.value_mask, batch.weights, 1 / 2, 0).T[..., None]
    two_hot = scalar_to_support(batch.target_value, 6)
    expected = config.value_loss_weight * (scales * (1 / 13 - two_hot)).sum((0, 1))
    np.testing.assert_allclose(gradients["value.2.bias"], expected, atol=1e-6)


def test_large_logits_do_not_overflow() -> None:
    config = make_config()
    network = random_network(config)
    with torch.no_grad():
        cast(nn.Linear, network.policy[-1]).bias.copy_(torch.tensor([500.0, 0.0, -500.0]))
    parameters = {n: p.detach().numpy() for n, p in network.named_parameters()}
    gradients = {n: np.zeros_like(p) for n, p in parameters.items()}
    statistics = FusedUpdate(config, parameters, gradients)(
        random_batch(config, 4, np.random.default_rng(0)), 1 / 4
    )
    assert np.isfinite(figures(statistics)).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_not_a_number_is_not_hidden() -> None:
    """A broken weight in front of a ReLU must reach the loss or a gradient, where the trainer looks."""
    config = make_config(fc_representation_layers=(5,))
    network = random_network(config)
    with torch.no_grad():
        first = cast(nn.Linear, cast(nn.Sequential, network.representation)[0])
        first.weight[0, 0] = math.nan
    parameters = {n: p.detach().numpy() for n, p in network.named_parameters()}
    gradients = {n: np.zeros_like(p) for n, p in parameters.items()}
    statistics = FusedUpdate(config, parameters, gradients)(
        random_batch(config, 4, np.random.default_rng(0)), 1 / 4
    )
    assert math.isnan(statistics.losses[0])


def test_constants_are_those_of_the_network() -> None:
    assert fused_update.SCALING_EPSILON == models.SCALING_EPSILON

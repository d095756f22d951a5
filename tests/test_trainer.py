"""The trainer: what an update is made of, and that training can be left and taken up again."""

import json
import logging
import math
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import models
from benchmarks.train import random_batch
from config import MuZeroConfig
from core.supports import scalar_to_support
from data import Batch, Snapshot, TrainingMetrics
from learning import guard
from learning.consistency import ConsistencyHeads, ConsistencyTerm
from learning.gradient_path import GradientPath, TrainingError
from learning.guard import IN_A_ROW, MOST_RETURNS, RATE_FACTOR
from learning.loss import LossTargets, Unrolled, cross_entropy, unroll, unrolled_loss
from learning.optimizers import SGD, AdamW, FlatParameters, flatten_parameters
from learning.terms import PLAIN, TERMS, active
from runs.reports.scalars import training_scalars
from trainer import Trainer


def make_config(**changes: Any) -> MuZeroConfig:
    return MuZeroConfig(
        **{
            "observation_shape": (1, 1, 3),
            "num_unroll_steps": 2,
            "batch_size": 8,
            "support_size": 4,
            **changes,
        }
    )


def make_batches(config: MuZeroConfig, count: int, seed: int = 0) -> list[Batch]:
    generator = np.random.default_rng(seed)
    return [random_batch(config, config.batch_size, generator) for _ in range(count)]


def assert_same_weights(first: Trainer, second: Trainer, tolerance: float = 0.0) -> None:
    for name, array in first.weights().items():
        np.testing.assert_allclose(array, second.weights()[name], rtol=0, atol=tolerance, err_msg=name)


BOTH_PATHS = pytest.mark.parametrize("fused", [True, False], ids=["fused", "autograd"])
RESNET = {"network": "resnet", "observation_shape": (2, 3, 3), "channels": 4, "blocks": 1}


# --- the consistency loss ---


def consistent(samples: int = 8, seed: int = 1, **changes: Any) -> tuple[MuZeroConfig, Batch]:
    """A configuration with the loss, and a batch of random next observations and masks."""
    config = make_config(**RESNET, batch_size=samples, consistency_loss_weight=0.5, **changes)
    (batch,) = make_batches(config, 1)
    generator = np.random.default_rng(seed)
    shape = (samples, config.num_unroll_steps, *batch.observations.shape[1:])
    return config, batch._replace(
        next_observations=generator.normal(size=shape).astype(np.float32),
        next_mask=(generator.random(shape[:2]) < 0.7).astype(np.float32),
    )


def heads_of(trainer: Trainer) -> ConsistencyHeads:
    heads = trainer._own["heads"]
    assert isinstance(heads, ConsistencyHeads)
    return heads


def test_the_consistency_loss_is_the_mean_distance_of_unrolled_latents() -> None:
    config, batch = consistent(batch_norm=False)
    trainer = Trainer(config, "cpu")
    network, heads = trainer.network, heads_of(trainer)
    latent = network.represent(torch.from_numpy(batch.observations))
    imagined, seen = [], []
    for k in range(config.num_unroll_steps):
        latent = network.transition(latent, torch.from_numpy(batch.actions[:, k]))
        imagined.append(latent)
        seen.append(network.represent(torch.from_numpy(batch.next_observations[:, k])))
    left = heads.predictor(heads.projector(torch.cat(imagined))).detach().double().numpy()
    right = heads.projector(torch.cat(seen)).detach().double().numpy()
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    distances = (1 - (left * right).sum(1) / lengths).reshape(config.num_unroll_steps, -1)
    expected = (distances * batch.next_mask.T * batch.weights).mean()
    metrics = trainer.train([batch]).metrics
    assert metrics.term("consistency") == pytest.approx(expected, rel=1e-3)
    parts = 0.25 * metrics.term("value") + metrics.term("reward") + metrics.term("policy")
    assert metrics.loss == pytest.approx(parts + 0.5 * metrics.term("consistency"), rel=1e-6)


@pytest.mark.parametrize("narrow", [False, True])
def test_the_consistency_loss_teaches_what_is_imagined(narrow: bool) -> None:
    heads = ConsistencyTerm().modules(consistent()[0])
    imagined, seen = (torch.rand(8, 4, 3, 3, requires_grad=True) for _ in range(2))
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        distances = heads.distances(imagined, seen)
    assert distances.dtype == torch.float32
    torch.autograd.backward(distances.sum())
    assert seen.grad is None
    for learning in (imagined, *heads.parameters()):
        assert learning.grad is not None
        assert learning.grad.any()


def test_masked_next_observations_change_nothing() -> None:
    config, batch = consistent(batch_norm=False)
    hidden = batch._replace(next_mask=np.zeros_like(batch.next_mask))
    without = Trainer(config.replace(consistency_loss_weight=0.0), "cpu")
    trainer = Trainer(config, "cpu")
    assert trainer.train([hidden]).metrics.term("consistency") == 0
    without.train([hidden])
    assert_same_weights(trainer, without, 1e-7)
    assert set(trainer.weights()) == set(without.weights())


@pytest.mark.parametrize("narrow", [False, True])
def test_imagined_latents_come_to_be_those_of_what_follows(
    narrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": narrow})
    options: dict[str, Any] = {
        "batch_norm": False,
        "num_unroll_steps": 1,
        "lr_init": 0.003,
        "autocast": True,
    }
    config, batch = consistent(64, **options)
    following = batch.observations.copy()
    following[np.arange(64), :, batch.actions[:, 0] % 3] += 1  # each action adds one to the cells of a row
    batch = batch._replace(next_observations=following[:, None], next_mask=np.ones((64, 1), np.float32))
    trainer = Trainer(config, "cpu")
    first = trainer.train([batch]).metrics.term("consistency")
    last = trainer.train([batch] * 150).metrics.term("consistency")
    assert last < 0.5 * first
    # not because all latents have become alike
    others = batch._replace(next_observations=np.roll(batch.next_observations, 1, axis=0))
    other, own = (trainer.train([b]).metrics.term("consistency") for b in (others, batch))
    assert other > 2 * own


# --- the pieces ---


def test_loss_of_a_case_computed_by_hand() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25]], [[0.2, 0.2, 0.6]]]))
    targets = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 0.5, 0.5]]])
    scales = torch.tensor([[2.0], [0.5]])
    expected = 2 * math.log(2) - 0.5 * (0.5 * math.log(0.2) + 0.5 * math.log(0.6))
    assert cross_entropy(logits, targets, scales).item() == pytest.approx(expected, rel=1e-6)


def test_flat_parameters_are_the_network() -> None:
    network = torch.nn.Linear(3, 2)
    before = network.weight.detach().clone()
    flat = flatten_parameters(network)
    torch.testing.assert_close(network.weight.detach(), before, rtol=0, atol=0)
    flat.values.fill_(2)
    network(torch.ones(1, 3)).sum().backward()
    network(torch.ones(1, 3)).sum().backward()
    assert network.weight.min() == network.bias.max() == 2
    assert flat.gradient.sum() == 2 * (6 + 2)


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_optimizers_equal_torchs(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    expected = torch.nn.Parameter(torch.randn(100, generator=generator))
    flat = FlatParameters(expected.detach().clone(), torch.zeros(100))
    theirs = (
        torch.optim.AdamW([expected], weight_decay=0.1, foreach=False)
        if name == "AdamW"
        else torch.optim.SGD([expected], weight_decay=0.1, momentum=0.9, foreach=False)
    )
    device = torch.device("cpu")
    ours = AdamW(100, device, 0.1) if name == "AdamW" else SGD(100, device, 0.1, 0.9)
    for number in range(1, 30):
        flat.gradient.copy_(torch.randn(100, generator=generator))
        expected.grad = flat.gradient.clone()
        theirs.param_groups[0]["lr"] = 0.01 / number
        theirs.step()
        ours.step(flat, 0.01 / number, number)
        torch.testing.assert_close(flat.values, expected.detach(), rtol=0, atol=1e-7)


# --- the update ---


def test_learning_rate_follows_the_schedule_once_per_optimizer_step() -> None:
    config = make_config(
        lr_init=0.1, lr_decay_rate=0.5, lr_decay_steps=1, lr_warmup_steps=1, gradient_accumulation=4
    )
    trainer = Trainer(config, "cpu")
    rates = [trainer.train([batch]).metrics.learning_rate for batch in make_batches(config, 4)]
    assert rates == pytest.approx([0.05, 0.05, 0.025, 0.0125])
    assert trainer.training_step == 4


@BOTH_PATHS
def test_the_learning_rate_is_the_size_of_the_step(fused: bool) -> None:
    """AdamW's first step without decay is one learning rate along each gradient's sign."""
    config = make_config(lr_init=0.01, weight_decay=0.0, fused_update=fused, max_grad_norm=0.0)
    trainer = Trainer(config, "cpu")
    before = trainer.weights()
    trainer.train(make_batches(config, 1))
    change = np.abs(trainer.weights()["value.2.bias"] - before["value.2.bias"])
    np.testing.assert_allclose(change, 0.01, rtol=1e-3)


def figures(metrics: TrainingMetrics) -> list[float]:
    """What updates computed: the losses, entropies, and the gradient's norm."""
    entropies = metrics.value_entropy, metrics.policy_entropy
    return [metrics.loss, *(term.loss for term in metrics.terms), *entropies, metrics.gradient_norm]


@BOTH_PATHS
@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
def test_accumulation_in_parts_equals_the_whole_batch(fused: bool, optimizer: str) -> None:
    config = make_config(fused_update=fused, optimizer=optimizer, lr_init=0.01)
    whole, parts = Trainer(config, "cpu"), Trainer(config.replace(gradient_accumulation=4), "cpu")
    batches = make_batches(config, 3)
    first, second = whole.train(batches), parts.train(batches)
    assert_same_weights(whole, parts, 1e-4 if optimizer == "AdamW" else 1e-6)
    assert figures(first.metrics) == pytest.approx(figures(second.metrics), rel=1e-4)
    np.testing.assert_allclose(first.priorities, second.priorities, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(first.positions, second.positions)


@BOTH_PATHS
def test_clipping_bounds_the_step_and_not_the_reported_norm(fused: bool) -> None:
    config = make_config(
        fused_update=fused, optimizer="SGD", momentum=0.0, weight_decay=0.0, lr_init=1.0, max_grad_norm=0.01
    )
    batch = make_batches(config, 1)

    def step_length(config: MuZeroConfig) -> tuple[float, float]:
        trainer = Trainer(config, "cpu")
        before = trainer.weights()
        norm = trainer.train(batch).metrics.gradient_norm
        after = trainer.weights()
        return math.sqrt(sum(((after[n] - before[n]) ** 2).sum() for n in before)), norm

    clipped, norm = step_length(config)
    free, same_norm = step_length(config.replace(max_grad_norm=0.0))
    assert norm == same_norm > 0.01
    assert clipped == pytest.approx(0.01, rel=1e-3)
    assert free == pytest.approx(norm, rel=1e-3)


@BOTH_PATHS
def test_both_paths_make_the_same_training(fused: bool) -> None:
    config = make_config(fused_update=fused, optimizer="SGD", lr_init=0.05)
    other = config.replace(fused_update=not fused)
    batches = make_batches(config, 5)
    first, second = Trainer(config, "cpu"), Trainer(other, "cpu")
    metrics = [trainer.train(batches).metrics for trainer in (first, second)]
    assert figures(metrics[0]) == pytest.approx(figures(metrics[1]), rel=1e-4)
    assert_same_weights(first, second, 1e-5)


@BOTH_PATHS
@pytest.mark.parametrize("head", ["value", "reward", "policy"])
def test_a_masked_head_does_not_learn(fused: bool, head: str) -> None:
    config = make_config(fused_update=fused, weight_decay=0.0)
    (batch,) = make_batches(config, 1)
    mask = f"{head}_mask"
    trainer = Trainer(config, "cpu")
    before = trainer.weights()
    result = trainer.train([batch._replace(**{mask: np.zeros_like(getattr(batch, mask))})])
    after = trainer.weights()
    assert result.metrics.term(head) == 0
    for other in ("value", "reward", "policy"):
        changed = not np.array_equal(before[f"{other}.2.bias"], after[f"{other}.2.bias"])
        assert changed == (other != head)


@BOTH_PATHS
def test_masked_targets_and_weightless_samples_change_nothing(fused: bool) -> None:
    config = make_config(fused_update=fused)
    (batch,) = make_batches(config, 1)
    batch.weights[3] = 0
    twin = Batch._make(array.copy() for array in batch)
    twin.target_value[batch.value_mask == 0] = 77
    twin.target_reward[batch.reward_mask == 0] = 77
    twin.target_policy[batch.policy_mask == 0] = 0.5
    twin.target_value[3] = -77
    first, second = Trainer(config, "cpu"), Trainer(config, "cpu")
    assert first.train([batch]).metrics.loss == second.train([twin]).metrics.loss
    assert_same_weights(first, second)


@BOTH_PATHS
def test_priorities_are_distances_of_the_roots_decoded_values(fused: bool) -> None:
    config = make_config(fused_update=fused)
    batches = make_batches(config, 2)
    result = Trainer(config.replace(lr_init=0.0), "cpu").train(batches)
    values = np.concatenate([batch.target_value[:, 0] for batch in batches])
    expected = np.abs(values.clip(-config.support_reach, config.support_reach))
    np.testing.assert_allclose(result.priorities, expected, rtol=1e-5, atol=1e-5)
    assert result.priorities.dtype == np.float32
    np.testing.assert_array_equal(result.positions, np.tile(np.arange(8), 2))


@BOTH_PATHS
def test_targets_beyond_the_support_count_as_its_end_and_are_told(fused: bool) -> None:
    """Once the network predicts the end there is nothing more to learn, and no priority is left."""
    config = make_config(fused_update=fused, support_size=2, support_transform=False, lr_init=0.0)
    (batch,) = make_batches(config, 1)
    values = np.zeros_like(batch.target_value)
    values[:3, 0] = [100.0, -50.0, 1.5]
    rewards = np.zeros_like(batch.target_reward)
    rewards[0, 0] = 2.5
    result = Trainer(config, "cpu").train([batch._replace(target_value=values, target_reward=rewards)])
    np.testing.assert_allclose(result.priorities[:4], [2, 2, 1.5, 0], atol=1e-5)  # it predicts 0
    assert result.metrics.largest_target == 100
    assert result.metrics.clipped_targets == pytest.approx(3 / (values.size + rewards.size))
    inside = batch._replace(target_value=values.clip(-2, 2), target_reward=rewards.clip(-2, 2))
    assert Trainer(config, "cpu").train([inside]).metrics.clipped_targets == 0


def test_a_network_that_cannot_tell_observations_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(config: MuZeroConfig) -> Any:
        network = models.make_network(config)
        for parameter in network.representation.parameters():
            torch.nn.init.zeros_(parameter)
        return network

    monkeypatch.setattr("trainer.make_network", blind)
    with pytest.raises(TrainingError, match="cannot tell one observation from another"):
        Trainer(make_config(), "cpu")


def test_metrics_are_means_over_the_updates() -> None:
    config = make_config()
    batches = make_batches(config, 3)
    one_by_one = Trainer(config, "cpu")
    single = [one_by_one.train([batch]).metrics for batch in batches]
    metrics = Trainer(config, "cpu").train(batches).metrics
    assert metrics.training_step == metrics.updates == 3
    for field in ("loss", "value_entropy", "gradient_norm"):
        expected = np.mean([getattr(m, field) for m in single])
        assert getattr(metrics, field) == pytest.approx(expected, rel=1e-6)
    for name in ("value", "reward", "policy"):
        expected = np.mean([m.term(name) for m in single])
        assert metrics.term(name) == pytest.approx(expected, rel=1e-6) != 0
    weighted = (
        config.value_loss_weight * metrics.term("value") + metrics.term("reward") + metrics.term("policy")
    )
    assert metrics.loss == pytest.approx(weighted, rel=1e-6)
    assert single[0].value_entropy == pytest.approx(math.log(9), rel=1e-6)
    assert single[0].policy_entropy == pytest.approx(math.log(2), rel=1e-6)


def broken_batch(config: MuZeroConfig, field: str, seed: int = 0) -> Batch:
    """One with a NaN in `field`, none of which is masked."""
    (batch,) = make_batches(config, 1, seed)
    array = getattr(batch, field).copy()
    array.flat[0] = math.nan
    return batch._replace(
        **{field: array, "value_mask": np.ones((8, 3), np.float32)},
        reward_mask=np.ones((8, 2), np.float32),
        policy_mask=np.ones((8, 3), np.float32),
    )


@pytest.fixture
def quietly() -> Iterator[None]:
    """Without NumPy's warnings of what is not finite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


BROKEN = pytest.mark.parametrize(
    ("field", "message"),
    [
        ("target_value", "target_value of a batch is not finite at step 0"),
        ("target_reward", "target_reward of a batch is not finite at step 0"),
        ("target_policy", "diverged at step 0: loss nan"),
        ("observations", "diverged at step 0: loss nan"),
    ],
)


@BOTH_PATHS
@BROKEN
@pytest.mark.usefixtures("quietly")
def test_a_loss_that_is_not_finite_stops_before_the_weights(fused: bool, field: str, message: str) -> None:
    config = make_config(fused_update=fused)
    trainer, untouched = Trainer(config, "cpu"), Trainer(config, "cpu")
    broken = broken_batch(config, field)
    result = trainer.train([broken])
    assert (len(result.positions), len(result.priorities), result.metrics.updates) == (0, 0, 0)
    assert_same_weights(trainer, untouched)
    assert trainer.training_step == 0
    with pytest.raises(TrainingError, match=message) as caught:
        trainer.train([broken] * IN_A_ROW * (MOST_RETURNS + 1))
    assert "\n" not in str(caught.value)
    assert_same_weights(trainer, untouched)
    assert trainer.training_step == 0


# --- what is not finite ---


@BOTH_PATHS
@pytest.mark.usefixtures("quietly")
def test_an_update_that_is_not_finite_is_left_out_as_if_it_had_never_been(fused: bool) -> None:
    config = make_config(fused_update=fused)
    first, second = make_batches(config, 2)
    trainer, undisturbed = Trainer(config, "cpu"), Trainer(config, "cpu")
    result = trainer.train([first, broken_batch(config, "observations"), second])
    expected = undisturbed.train([first, second])
    assert_same_weights(trainer, undisturbed)
    np.testing.assert_array_equal(result.positions, expected.positions)
    np.testing.assert_array_equal(result.priorities, expected.priorities)
    assert (result.metrics.updates, result.metrics.loss) == (2, expected.metrics.loss)
    assert result.metrics.guarded[:2] == (1, 0)
    assert "diverged at step 1: loss nan" in result.metrics.guarded.reason
    assert training_scalars(result.metrics)["training/skipped_updates"] == 1
    assert "training/skipped_updates" not in training_scalars(expected.metrics)


@pytest.mark.usefixtures("quietly")
def test_what_batch_norm_has_seen_of_a_broken_batch_is_forgotten() -> None:
    config = make_config(network="resnet", observation_shape=(1, 3, 3), blocks=1, channels=4, batch_norm=True)
    (batch,) = make_batches(config, 1)
    trainer = Trainer(config, "cpu")
    trainer.train([batch])
    trainer.train([batch._replace(observations=np.full_like(batch.observations, np.nan))])
    assert all(np.isfinite(array).all() for array in trainer.weights().values())
    assert math.isfinite(trainer.train([batch]).metrics.loss)


@pytest.mark.usefixtures("quietly")
def test_after_several_in_a_row_training_goes_back_and_learns_more_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "KEPT_EVERY", 10)
    config = make_config(lr_init=0.01)
    batches = make_batches(config, 35)
    trainer, earlier = Trainer(config, "cpu"), Trainer(config, "cpu")
    trainer.train(batches)
    earlier.train(batches[:20])
    broken = broken_batch(config, "observations")
    assert trainer.train([broken] * (IN_A_ROW - 1)).metrics.guarded.returns == 0
    found = trainer.train([broken]).metrics
    assert_same_weights(trainer, earlier)
    assert trainer.training_step == 35, "what has been counted stays counted"
    assert found.guarded[:4] == (IN_A_ROW, 1, 20, RATE_FACTOR)
    rates = [trainer.train(batches[:1]).metrics.learning_rate for _ in range(2)]
    assert rates == [config.lr_init * RATE_FACTOR] * 2
    resumed = Trainer(config, "cpu")
    resumed.load_state(trainer.state())
    assert resumed.train(batches[:1]).metrics.learning_rate == rates[0]
    assert resumed.train(batches[:1]).metrics.guarded[:2] == (IN_A_ROW, 1)


@pytest.mark.usefixtures("quietly")
def test_going_back_again_and_again_ends_the_run_unless_it_has_helped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "RECOVERED", 3)
    config = make_config()
    good, broken = make_batches(config, 3), broken_batch(config, "observations")
    trainer = Trainer(config, "cpu")
    for _ in range(MOST_RETURNS + 2):
        trainer.train([broken] * IN_A_ROW)
        trainer.train(good)
    assert trainer.train(good).metrics.guarded.returns == MOST_RETURNS + 2
    for _ in range(MOST_RETURNS):
        trainer.train([broken] * IN_A_ROW)
        trainer.train(good[:2])
    with pytest.raises(TrainingError, match="diverged at step"):
        trainer.train([broken] * IN_A_ROW)


def test_weights_that_are_not_finite_are_left_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config()
    batches = make_batches(config, 2)
    trainer, untouched = Trainer(config, "cpu"), Trainer(config, "cpu")
    step = trainer._optimizer.step

    def overflow(parameters: FlatParameters, learning_rate: float, number: int) -> None:
        step(parameters, learning_rate, number)
        parameters.values[0] = math.inf

    monkeypatch.setattr(trainer._optimizer, "step", overflow)
    assert trainer.train(batches[:1]).metrics.guarded[:3] == (0, 1, 0)
    assert_same_weights(trainer, untouched)
    assert all(np.isfinite(array).all() for array in trainer.target_weights().values())


def test_a_snapshot_says_nothing_of_what_has_not_happened() -> None:
    trainer = Trainer(make_config(), "cpu")
    trainer.train(make_batches(trainer.config, 1))
    assert trainer.state().facts == {"training_step": 1}


# --- learning ---


@BOTH_PATHS
def test_a_fixed_batch_is_learned_down_to_the_entropy_of_its_targets(fused: bool) -> None:
    config = make_config(
        fused_update=fused, encoding_size=16, lr_init=0.01, weight_decay=0.0, fc_representation_layers=(32,)
    )
    (batch,) = make_batches(config, 1)
    trainer = Trainer(config, "cpu")
    first = trainer.train([batch]).metrics
    last = trainer.train([batch] * 1500).metrics
    final = trainer.train([batch]).metrics
    step_scales = np.array([1, 1 / 2, 1 / 2], np.float32)

    def entropy(targets: np.ndarray, scales: np.ndarray) -> float:
        logarithms = np.log(np.where(targets > 0, targets, 1))
        return float(-((targets * logarithms).sum(-1) * scales * batch.weights[:, None]).sum() / 8)

    floor = entropy(batch.target_policy, batch.policy_mask * step_scales)
    value_floor = entropy(scalar_to_support(batch.target_value, 4), batch.value_mask * step_scales)
    assert floor - 1e-4 < final.term("policy") < floor + 0.02 < first.term("policy")
    assert value_floor - 1e-4 < final.term("value") < value_floor + 0.05 < first.term("value")
    assert final.loss < last.loss < first.loss


def test_residual_networks_learn() -> None:
    config = make_config(**RESNET, lr_init=0.01)
    batches = make_batches(config, 1)
    trainer = Trainer(config, "cpu")
    assert trainer.train(batches * 40).metrics.loss > trainer.train(batches).metrics.loss
    names = trainer.weights().keys()
    assert any(name.endswith("running_mean") for name in names)


def test_unrolling_in_one_call_of_each_head_equals_step_by_step() -> None:
    config = make_config(**RESNET)
    trainer = Trainer(config, "cpu")
    network = trainer.network.eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.linspace(-0.3, 0.4, parameter.numel()).view(parameter.shape))
        (batch,) = make_batches(config, 1)
        actions = torch.from_numpy(batch.actions.T.copy())
        predictions = unroll(network, torch.from_numpy(batch.observations), actions)
        output = network.initial_inference(torch.from_numpy(batch.observations))
        for k in range(3):
            torch.testing.assert_close(predictions.value[k], output.value_logits)
            torch.testing.assert_close(predictions.policy[k], output.policy_logits)
            if k > 0:
                torch.testing.assert_close(predictions.reward[k - 1], output.reward_logits)
            if k < 2:
                output = network.recurrent_inference(output.latent, actions[k])


# --- weights, target network, state ---


def test_target_weights_are_copied_at_the_interval() -> None:
    config = make_config(target_update_interval=3)
    trainer = Trainer(config, "cpu")
    history = [trainer.weights()]
    for batch in make_batches(config, 7):
        trainer.train([batch])
        history.append(trainer.weights())
        expected = history[len(history) - 1 - trainer.training_step % 3]
        for name, array in trainer.target_weights().items():
            np.testing.assert_array_equal(array, expected[name])


def test_weights_are_copies() -> None:
    trainer = Trainer(make_config(), "cpu")
    before = trainer.weights()
    for copies in (trainer.weights(), trainer.target_weights()):
        for array in copies.values():
            assert array.dtype == np.float32
            array.fill(1)
    for name, array in before.items():
        np.testing.assert_array_equal(trainer.weights()[name], array)
        np.testing.assert_array_equal(trainer.target_weights()[name], array)


@pytest.mark.parametrize(
    "changes",
    [{}, {"fused_update": False}, {"optimizer": "SGD"}, RESNET],
    ids=["fused", "autograd", "sgd", "resnet"],
)
def test_training_continues_bit_for_bit_from_its_state(changes: dict) -> None:
    config = make_config(**changes, target_update_interval=2, lr_decay_rate=0.5, lr_decay_steps=2)
    batches = make_batches(config, 6)
    through = Trainer(config, "cpu")
    through.train(batches[:3])
    saved = through.state()
    facts = json.loads(json.dumps(saved.facts))
    arrays = {name: array.copy() for name, array in saved.arrays.items()}
    expected = through.train(batches[3:])
    for name, array in saved.arrays.items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=f"{name} is not a copy")
    resumed = Trainer(config.replace(seed=99), "cpu")
    resumed.load_state(Snapshot(arrays, facts))
    for name, array in resumed.state().arrays.items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    actual = resumed.train(batches[3:])
    assert actual.metrics._replace(seconds=0) == expected.metrics._replace(seconds=0)
    assert_same_weights(resumed, through)
    for name, array in through.state().arrays.items():
        np.testing.assert_array_equal(resumed.state().arrays[name], array, err_msg=name)


def test_same_seed_same_weights_and_another_seed_others() -> None:
    config = make_config()
    batches = make_batches(config, 3)
    first, second, other = (Trainer(config.replace(seed=s), "cpu") for s in (1, 1, 2))
    for trainer in (first, second, other):
        trainer.train(batches)
    assert_same_weights(first, second)
    assert not np.array_equal(first.weights()["dynamics.0.weight"], other.weights()["dynamics.0.weight"])


# --- options ---


def test_a_failing_compiler_is_reported_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compiled(function: Any) -> Any:
        def fail(*arguments: Any) -> Any:
            raise RuntimeError("no C compiler found\nlong trace")

        return fail

    monkeypatch.setattr(torch, "compile", compiled)
    config = make_config(fused_update=False)
    batches = make_batches(config, 2)
    eager, fallback = Trainer(config, "cpu"), Trainer(config.replace(compile=True), "cpu")
    with caplog.at_level(logging.WARNING):
        fallback.train(batches)
    assert [r.message for r in caplog.records] == [
        "torch.compile failed, the update is computed eagerly: no C compiler found"
    ]
    eager.train(batches)
    assert_same_weights(eager, fallback)


def test_autocast_changes_the_gradients_by_rounding_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    config = make_config(fused_update=False)
    plain, autocast = Trainer(config, "cpu"), Trainer(config.replace(autocast=True), "cpu")
    (batch,) = make_batches(config, 1)
    norms = [trainer.train([batch]).metrics.gradient_norm for trainer in (plain, autocast)]
    assert norms[0] != norms[1]
    assert norms[0] == pytest.approx(norms[1], rel=0.02)


def test_a_cpu_without_bfloat16_does_not_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True})
    config = make_config(fused_update=False)
    batches = make_batches(config, 2)
    plain, autocast = Trainer(config, "cpu"), Trainer(config.replace(autocast=True), "cpu")
    plain.train(batches)
    autocast.train(batches)
    assert_same_weights(plain, autocast)


def test_loss_is_computed_in_single_precision_under_autocast() -> None:
    config = make_config(fused_update=False)
    trainer = Trainer(config, "cpu")
    (batch,) = make_batches(config, 1)
    zeros = torch.zeros(3, 8)
    targets = LossTargets(
        *(zeros, zeros[1:], torch.full((3, 8, 2), 0.5), zeros + 1, zeros[1:] + 1, zeros + 1),
        torch.from_numpy(batch.next_observations.swapaxes(0, 1)),
        zeros[:0],
    )
    with torch.autocast("cpu", torch.bfloat16):
        loss, losses, roots = unrolled_loss(
            trainer.network,
            active(PLAIN, config),
            torch.from_numpy(batch.observations),
            torch.from_numpy(batch.actions.T.copy()),
            targets,
        )
    assert loss.dtype == losses.dtype == roots.dtype == torch.float32
    assert losses[2].item() == pytest.approx(24 * math.log(2), rel=1e-6)


def test_no_batches_is_an_error() -> None:
    with pytest.raises(ValueError, match="no batches"):
        Trainer(make_config(), "cpu").train([])


class SmallLatents:
    """A term of somebody's own: the latents that are imagined are to be small."""

    name = group = "small_latents"

    def weight(self, config: MuZeroConfig) -> float:
        return 0.5

    def modules(self, config: MuZeroConfig) -> nn.Module:
        return nn.Linear(1, 1, bias=False)

    def loss(self, seen: Unrolled, own: nn.Module | None) -> torch.Tensor:
        assert isinstance(own, nn.Linear)
        size = seen.predictions.latents.square().mean().reshape(1, 1)
        loss: torch.Tensor = own(size).square().sum()
        return loss


def test_a_term_of_ones_own_is_learned_measured_and_kept() -> None:
    config = make_config()
    (batch,) = make_batches(config, 1)
    trainer, plain = Trainer(config, "cpu", (*TERMS, SmallLatents())), Trainer(config, "cpu")
    first, ours = trainer.train([batch]).metrics, plain.train([batch]).metrics
    assert [term.name for term in first.terms] == ["value", "reward", "policy", "small_latents"]
    assert first.loss == pytest.approx(ours.loss + 0.5 * first.term("small_latents"), rel=1e-5)
    last = trainer.train([batch] * 100).metrics
    assert last.term("small_latents") < first.term("small_latents")
    assert training_scalars(last)["loss/small_latents"] == last.term("small_latents")
    again = Trainer(config, "cpu", (*TERMS, SmallLatents()))
    again.load_state(trainer.state())
    metrics = [one.train([batch]).metrics._replace(seconds=0.0) for one in (trainer, again)]
    assert metrics[0] == metrics[1]


# --- several learners ---


class Mean:
    """What two learners in threads of one process gather their gradients by."""

    def __init__(self) -> None:
        self.gradients: list[torch.Tensor] = []
        self.given = threading.Barrier(2, timeout=60)
        self.taken = threading.Barrier(2, self.gradients.clear, timeout=60)  # before either goes on

    def __call__(self, gradient: torch.Tensor) -> None:
        self.gradients.append(gradient.clone())
        self.given.wait()
        mean = sum(self.gradients, torch.zeros_like(gradient)) / 2
        self.taken.wait()
        gradient.copy_(mean)


def halves_of(batches: list[Batch]) -> list[list[Batch]]:
    size = len(batches[0].actions) // 2
    parts = slice(0, size), slice(size, None)
    return [[Batch._make(array[part] for array in batch) for batch in batches] for part in parts]


@BOTH_PATHS
def test_learners_that_gather_their_gradients_learn_as_one_from_both_batches(fused: bool) -> None:
    config = make_config(fused_update=fused, optimizer="SGD", lr_init=0.05, max_grad_norm=0.5)
    batches = [batch._replace(weights=np.ones(8, np.float32)) for batch in make_batches(config, 5)]
    whole = Trainer(config, "cpu")
    expected = whole.train(batches).metrics
    assert expected.gradient_norm > 0.5, "it is clipped, behind the gathering"
    path = GradientPath(Mean())
    pair = [Trainer(config, "cpu", gradient_path=path) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(one.train, half) for one, half in zip(pair, halves_of(batches), strict=True)]
        metrics = [end.result(timeout=60).metrics for end in ends]
    assert_same_weights(pair[0], pair[1])
    assert_same_weights(pair[0], whole, 1e-5)
    assert metrics[0].gradient_norm == metrics[1].gradient_norm == pytest.approx(expected.gradient_norm)
    assert metrics[0].loss != metrics[1].loss, "each says what its own batch's is"


def test_a_gradient_that_is_not_finite_once_it_is_gathered_changes_nothing() -> None:
    config = make_config()

    def gather(gradient: torch.Tensor) -> None:
        gradient.fill_(math.inf)

    path = GradientPath(gather)
    trainer, untouched = Trainer(config, "cpu", gradient_path=path), Trainer(config, "cpu")
    assert trainer.train(make_batches(config, 1)).metrics.updates == 0
    with pytest.raises(TrainingError, match=r"diverged at step 0: loss [\d.]+, gradient norm inf"):
        trainer.train(make_batches(config, IN_A_ROW * (MOST_RETURNS + 1)))
    assert_same_weights(trainer, untouched)

"""The trainer: the unrolled loss of MuZero (paper, appendix G) and the update it leads to.

One optimiser step, read from top to bottom in `Trainer._update`: gradients of the batch, the check that they
are finite, clipping, the optimiser, and now and then the target network. Gradients come from autograd
(`AutogradGradients`: any network, any device) or are derived by hand (`fused_update.FusedUpdate`: fully
connected networks on the CPU, several times faster); both overwrite the same buffer.

Parameters and gradients each lie in one flat vector, of which the network's own tensors are views. So
clipping and the optimiser are a handful of operators however many layers there are.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from config import MuZeroConfig
from core.errors import ConfigurationError
from data import Batch, State, TrainingMetrics, TrainingResult, Weights
from fused_update import (
    LATENT_GRADIENT_SCALE,
    FusedUpdate,
    LossStatistics,
    add_statistics,
    loss_scales,
)
from models import (
    ConsistencyHeads,
    MuZeroNetwork,
    get_weights,
    has_bfloat16,
    make_consistency_heads,
    make_network,
    scale_gradient,
    set_weights,
)

ALIGNMENT = 32
"""Parameters start at multiples of this many elements in the flat vector (128 bytes)."""

logger = logging.getLogger(__name__)


class TrainingError(ConfigurationError):
    """The update cannot be made; the message is one line saying why and what to do."""


# --- flat parameters ---


class FlatParameters(NamedTuple):
    """All parameters of a network in one vector and all gradients in another, padded with zeros."""

    values: Tensor  # [n] float32
    gradient: Tensor  # [n] float32


def flatten_parameters(network: nn.Module) -> FlatParameters:
    """Moves the network's parameters into one vector, of which they become views, like their `.grad`."""
    parameters = list(network.parameters())
    sizes = [-(-p.numel() // ALIGNMENT) * ALIGNMENT for p in parameters]
    flat = FlatParameters(*(torch.zeros(sum(sizes), device=parameters[0].device) for _ in range(2)))
    start = 0
    for parameter, size in zip(parameters, sizes, strict=True):
        own = slice(start, start + parameter.numel())
        flat.values[own] = parameter.detach().flatten()
        parameter.data = flat.values[own].view(parameter.shape)
        parameter.grad = flat.gradient[own].view(parameter.shape)
        start += size
    return flat


# --- optimisers ---


class Optimizer(Protocol):
    """An update rule over one flat vector. Its state is the tensors in `state`, and nothing else."""

    state: dict[str, Tensor]

    def step(self, parameters: FlatParameters, learning_rate: float, number: int) -> None:
        """Changes the values in place by their gradient; `number` counts the steps from 1."""
        ...


class AdamW:
    """Loshchilov & Hutter 2019; bit for bit what torch.optim.AdamW does by default, on one vector.

    Torch's own class is not used because making one imports torch's compiler, a second of every start.
    """

    def __init__(self, size: int, device: torch.device, weight_decay: float) -> None:
        self.weight_decay = weight_decay
        self.betas = (0.9, 0.999)
        self.epsilon = 1e-8
        self.state = {name: torch.zeros(size, device=device) for name in ("mean", "square")}

    def step(self, parameters: FlatParameters, learning_rate: float, number: int) -> None:
        """Changes the values in place by their gradient; `number` counts the steps from 1."""
        values, gradient = parameters
        mean, square = self.state["mean"], self.state["square"]
        values.mul_(1 - learning_rate * self.weight_decay)
        mean.lerp_(gradient, 1 - self.betas[0])
        square.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
        correction = math.sqrt(1 - self.betas[1] ** number)
        divisor = square.sqrt().div_(correction).add_(self.epsilon)
        values.addcdiv_(mean, divisor, value=-learning_rate / (1 - self.betas[0] ** number))


class SGD:
    """Stochastic gradient descent with momentum; bit for bit what torch.optim.SGD does, on one vector."""

    def __init__(self, size: int, device: torch.device, weight_decay: float, momentum: float) -> None:
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.state = {"velocity": torch.zeros(size, device=device)}

    def step(self, parameters: FlatParameters, learning_rate: float, number: int) -> None:
        """Changes the values in place by their gradient; `number` counts the steps from 1."""
        values, gradient = parameters
        velocity = self.state["velocity"]
        velocity.mul_(self.momentum).add_(gradient.add(values, alpha=self.weight_decay))
        values.add_(velocity, alpha=-learning_rate)


def make_optimizer(config: MuZeroConfig, parameters: FlatParameters) -> Optimizer:
    """The configured optimiser."""
    size, device = len(parameters.values), parameters.values.device
    if config.optimizer == "SGD":
        return SGD(size, device, config.weight_decay, config.momentum)
    return AdamW(size, device, config.weight_decay)


# --- the loss ---


class Predictions(NamedTuple):
    """The logits of all unrolled steps, time-major."""

    value: Tensor  # [K + 1, S, F]
    reward: Tensor  # [K, S, F]
    policy: Tensor  # [K + 1, S, A]
    latents: Tensor  # [K, S, ...] of the unrolled steps


class LossWeights(NamedTuple):
    """What the losses beside the policy's are multiplied by."""

    value: float
    reward: float
    consistency: float


class Targets(NamedTuple):
    """What the predictions are held against, and the factors of the loss terms (masks included)."""

    value: Tensor  # [K + 1, S]
    reward: Tensor  # [K, S]
    policy: Tensor  # [K + 1, S, A]
    value_scales: Tensor  # [K + 1, S]
    reward_scales: Tensor  # [K, S]
    policy_scales: Tensor  # [K + 1, S]
    observations: Tensor  # [K, S, C, H, W]; K 0 without consistency loss
    consistency_scales: Tensor  # [K, S]


def unroll(network: MuZeroNetwork, observations: Tensor, actions: Tensor) -> Predictions:
    """The predictions for observations [S, C, H, W] and along actions [K, S]; each head is called once."""
    latents = [network.represent(observations)]
    for action in actions:
        latents.append(network.transition(scale_gradient(latents[-1], LATENT_GRADIENT_SCALE), action))
    stacked = torch.stack(latents)
    everything, unrolled = stacked.flatten(0, 1), stacked[1:].flatten(0, 1)
    return Predictions(
        network.value(everything).unflatten(0, stacked.shape[:2]),
        network.reward(unrolled).unflatten(0, actions.shape),
        network.policy(everything).unflatten(0, stacked.shape[:2]),
        stacked[1:],
    )


def unrolled_loss(
    network: MuZeroNetwork,
    heads: ConsistencyHeads | None,
    observations: Tensor,
    actions: Tensor,
    targets: Targets,
    weights: LossWeights,
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of MuZero over a batch: the number to differentiate, the four losses it is made of [4]
    (value, reward, policy, and consistency where there are heads), and the logits at the root [S, F + A].
    """
    predictions = Predictions(*(p.float() for p in unroll(network, observations, actions)))
    consistency = predictions.value.new_zeros(())
    if heads is not None:
        with torch.no_grad():
            seen = network.represent(targets.observations.flatten(0, 1))
        distances = heads.distances(predictions.latents.flatten(0, 1), seen)
        consistency = (distances * targets.consistency_scales.flatten()).sum()
    losses = torch.stack(
        [
            cross_entropy(predictions.value, network.encode(targets.value), targets.value_scales),
            cross_entropy(predictions.reward, network.encode(targets.reward), targets.reward_scales),
            cross_entropy(predictions.policy, targets.policy, targets.policy_scales),
            consistency,
        ]
    )
    loss = weights.value * losses[0] + weights.reward * losses[1] + losses[2]
    loss = loss + weights.consistency * losses[3]
    return loss, losses, torch.cat([predictions.value[0], predictions.policy[0]], -1)


def cross_entropy(logits: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    """The sum of scales [...] times the cross entropy of logits [..., n] under the distributions targets."""
    return -((targets * functional.log_softmax(logits, -1)).sum(-1) * scales).sum()


def mean_entropy(logits: Tensor) -> Tensor:
    """The mean entropy in nats of the distributions softmax(logits[S, n])."""
    logarithms = functional.log_softmax(logits, -1)
    return -(logarithms.exp() * logarithms).sum(-1).mean()


class AutogradGradients:
    """Gradients of the unrolled loss by autograd: any network, any device."""

    def __init__(
        self,
        config: MuZeroConfig,
        network: MuZeroNetwork,
        gradient: Tensor,
        heads: ConsistencyHeads | None = None,
    ) -> None:
        self.config = config
        self.network = network
        self.heads = heads
        self.gradient = gradient
        self._weights = LossWeights(
            config.value_loss_weight, config.reward_loss_weight, config.consistency_loss_weight
        )
        self._autocast = config.autocast and has_bfloat16(gradient.device)
        self._loss: Callable[..., tuple[Tensor, Tensor, Tensor]] = (
            self._compile if config.compile else unrolled_loss
        )

    def __call__(self, batch: Batch, scale: float) -> LossStatistics:
        """Overwrites the gradients with those of `scale` times the sum of the samples' losses."""
        self.gradient.zero_()
        observations, actions, targets = self._on_device(batch, scale)
        with torch.autocast(self.gradient.device.type, torch.bfloat16, enabled=self._autocast):
            loss, losses, roots = self._loss(
                self.network,
                self.heads,
                observations,
                actions,
                targets,
                self._weights,
            )
        loss.backward()  # type: ignore[no-untyped-call]
        return self._statistics(losses, roots, scale * len(roots))

    def _compile(self, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The first call of a compiled loss, or of the eager one where compiling fails: a line says why."""
        compiled = torch.compile(unrolled_loss)
        try:
            answer = compiled(*arguments)
            self._loss = compiled
        except Exception as error:  # whatever the compiler raises, the eager path still works
            reason = str(error).strip().splitlines()[0]
            logger.warning("torch.compile failed, the update is computed eagerly: %s", reason)
            self._loss = unrolled_loss
            answer = unrolled_loss(*arguments)
        return answer

    def _on_device(self, batch: Batch, scale: float) -> tuple[Tensor, Tensor, Targets]:
        device = self.gradient.device
        targets = (
            batch.target_value.T,
            batch.target_reward.T,
            batch.target_policy.swapaxes(0, 1),
            loss_scales(batch.value_mask, batch.weights, scale, 0),
            loss_scales(batch.reward_mask, batch.weights, scale, 1),
            loss_scales(batch.policy_mask, batch.weights, scale, 0),
            batch.next_observations.swapaxes(0, 1),
            loss_scales(batch.next_mask, batch.weights, scale, 1),
        )
        return (
            to_device(batch.observations, device),
            to_device(batch.actions.T, device),
            Targets(*(to_device(target, device) for target in targets)),
        )

    @torch.no_grad()
    def _statistics(self, losses: Tensor, roots: Tensor, share: float) -> LossStatistics:
        """What goes back to the host, in one copy."""
        atoms = self.config.full_support_size
        value_logits, policy_logits = roots[:, :atoms], roots[:, atoms:]
        entropies = torch.stack([mean_entropy(value_logits), mean_entropy(policy_logits)]) * share
        numbers = torch.cat([losses, entropies, self.network.decode(value_logits)]).cpu().numpy()
        value, reward, policy, consistency, value_entropy, policy_entropy = numbers[:6].tolist()
        return LossStatistics(
            value, reward, policy, consistency, value_entropy, policy_entropy, root_values=numbers[6:]
        )


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """A copy of `array` on `device`; on the way to a GPU through pinned memory, without waiting for it."""
    dtype = torch.int64 if array.dtype.kind == "i" else torch.float32
    staged = torch.empty(array.shape, dtype=dtype, pin_memory=device.type == "cuda")
    staged.numpy()[...] = array
    return staged.to(device, non_blocking=True)


# --- the trainer ---


class _Update(NamedTuple):
    """What one optimiser step did."""

    statistics: LossStatistics
    loss: float
    gradient_norm: float
    learning_rate: float
    priorities: NDArray[np.float32]  # [S]


class Trainer:
    """Owns the network that learns, its optimiser and its target network.

    `config.seed` alone decides the first weights, and nothing here is random: the same batches give the
    same weights on the same machine.
    """

    def __init__(self, config: MuZeroConfig, device: str) -> None:
        self.config = config
        self.device = torch.device(device)
        self.network = make_network(config).to(self.device)
        self.heads: ConsistencyHeads | None = None
        if config.consistency_loss_weight:
            self.heads = make_consistency_heads(config).to(self.device)
        learning = [self.network] if self.heads is None else [self.network, self.heads]
        self._parameters = flatten_parameters(nn.ModuleList(learning))
        self._optimizer = make_optimizer(config, self._parameters)
        self._gradients: Callable[[Batch, float], LossStatistics] = self._make_gradients()
        self._step = 0
        self._target = get_weights(self.network)

    @property
    def training_step(self) -> int:
        """Optimiser steps made since the start of the run."""
        return self._step

    def train(self, batches: Sequence[Batch]) -> TrainingResult:
        """One optimiser step per batch.

        Raises `ValueError` when there are no batches, and `TrainingError` when a target, a loss or a
        gradient is not finite; the parameters are then still those of the update before.
        """
        if not batches:
            raise ValueError("no batches to train on")
        started = time.perf_counter()
        updates = [self._update(batch) for batch in batches]
        return TrainingResult(
            self._metrics(updates, time.perf_counter() - started),
            np.concatenate([batch.positions for batch in batches]),
            np.concatenate([update.priorities for update in updates]),
        )

    def weights(self) -> Weights:
        """A copy of the weights."""
        return get_weights(self.network)

    @property
    def target_step(self) -> int:
        """Optimiser steps that the target network's weights have had."""
        return self._step - self._step % self.config.target_update_interval

    def target_weights(self) -> Weights:
        """A copy of the weights as they were at the last multiple of `target_update_interval` steps."""
        return {name: array.copy() for name, array in self._target.items()}

    def state(self) -> State:
        """Everything that training needs to go on bit for bit: weights, target, optimiser, step."""
        groups = {
            "weights": self.weights(),
            "target": self.target_weights(),
            "optimizer": {n: t.detach().cpu().numpy().copy() for n, t in self._optimizer.state.items()},
            "heads": {} if self.heads is None else get_weights(self.heads),
        }
        arrays = {f"{group}/{name}": a for group, named in groups.items() for name, a in named.items()}
        return State(arrays, {"training_step": self._step})

    def load_state(self, state: State) -> None:
        """Goes back to what `state()` returned. Raises `KeyError` or `RuntimeError` if it does not fit."""
        set_weights(self.network, _group(state, "weights"))
        if self.heads is not None:
            set_weights(self.heads, _group(state, "heads"))
        for name, tensor in self._optimizer.state.items():
            tensor.copy_(torch.tensor(state.arrays[f"optimizer/{name}"]))
        self._target = _group(state, "target")
        self._step = int(state.facts["training_step"])

    def _make_gradients(self) -> Callable[[Batch, float], LossStatistics]:
        config = self.config
        plain = config.network == "fullyconnected" and not config.consistency_loss_weight
        by_hand = config.fused_update and plain and self.device.type == "cpu"
        if not by_hand:
            return AutogradGradients(config, self.network, self._parameters.gradient, self.heads)
        parameters = dict(self.network.named_parameters())
        return FusedUpdate(
            config,
            {name: p.detach().numpy() for name, p in parameters.items()},
            {name: p.grad.numpy() for name, p in parameters.items() if p.grad is not None},
        )

    def _update(self, batch: Batch) -> _Update:
        """One optimiser step."""
        self._check_targets(batch)
        statistics = self._batch_gradients(batch)
        loss = (
            self.config.value_loss_weight * statistics.value_loss
            + self.config.reward_loss_weight * statistics.reward_loss
            + statistics.policy_loss
            + self.config.consistency_loss_weight * statistics.consistency_loss
        )
        norm = float(torch.linalg.vector_norm(self._parameters.gradient))
        self._check_finite(loss, norm)
        if 0 < self.config.max_grad_norm < norm:
            self._parameters.gradient.mul_(self.config.max_grad_norm / norm)
        learning_rate = self.config.learning_rate(self._step)
        self._step += 1
        self._optimizer.step(self._parameters, learning_rate, self._step)
        if self._step % self.config.target_update_interval == 0:
            self._target = self.weights()
        priorities = np.abs(statistics.root_values - batch.target_value[:, 0])
        return _Update(statistics, loss, norm, learning_rate, priorities)

    def _batch_gradients(self, batch: Batch) -> LossStatistics:
        """Fills the gradient of the batch's mean loss, part by part."""
        samples, parts = len(batch.actions), self.config.gradient_accumulation
        if parts == 1:
            return self._gradients(batch, 1 / samples)
        bounds = [samples * part // parts for part in range(parts + 1)]
        gradient = torch.zeros_like(self._parameters.gradient)
        statistics = []
        for start, end in itertools.pairwise(bounds):
            part = Batch._make(array[start:end] for array in batch)
            statistics.append(self._gradients(part, 1 / samples))
            gradient += self._parameters.gradient
        self._parameters.gradient.copy_(gradient)
        return add_statistics(statistics)

    def _check_targets(self, batch: Batch) -> None:
        """Raises `TrainingError` unless they are finite: others cannot be put on a support."""
        for name in ("target_value", "target_reward"):
            if not np.isfinite(getattr(batch, name)).all():
                raise TrainingError(
                    f"{name} of a batch is not finite at step {self._step}: look at the rewards of the game"
                )

    def _check_finite(self, loss: float, norm: float) -> None:
        """Raises `TrainingError` unless both are finite."""
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(
                f"training diverged at step {self._step}: loss {loss:g}, gradient norm {norm:g}; "
                "try a smaller lr_init or max_grad_norm"
            )

    def _metrics(self, updates: list[_Update], seconds: float) -> TrainingMetrics:
        statistics = [update.statistics for update in updates]
        return TrainingMetrics(
            training_step=self._step,
            loss=_mean([update.loss for update in updates]),
            value_loss=_mean([s.value_loss for s in statistics]),
            reward_loss=_mean([s.reward_loss for s in statistics]),
            policy_loss=_mean([s.policy_loss for s in statistics]),
            consistency_loss=_mean([s.consistency_loss for s in statistics]),
            value_entropy=_mean([s.value_entropy for s in statistics]),
            policy_entropy=_mean([s.policy_entropy for s in statistics]),
            gradient_norm=_mean([update.gradient_norm for update in updates]),
            learning_rate=updates[-1].learning_rate,
            updates=len(updates),
            seconds=seconds,
            gpu_memory=torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None,
        )


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


def _group(state: State, group: str) -> Weights:
    """Copies of the arrays that `Trainer.state` named `group`/..."""
    prefix = f"{group}/"
    return {n.removeprefix(prefix): np.array(a) for n, a in state.arrays.items() if n.startswith(prefix)}

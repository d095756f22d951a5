"""Optimisers over one flat vector of parameters, and their learning rate."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from config import MuZeroConfig

ALIGNMENT = 32
"""Parameters start at multiples of this many elements in the flat vector (128 bytes)."""


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


def learning_rate(config: MuZeroConfig, training_step: int) -> float:
    """The learning rate of optimiser step `training_step` (from 0): linear warm-up, exponential decay from
    `lr_decay_start` on.
    """
    warmup = min(1.0, (training_step + 1) / (config.lr_warmup_steps + 1))
    decaying = max(training_step - max(config.lr_decay_start, 0), 0)
    return config.lr_init * warmup * math.pow(config.lr_decay_rate, decaying / config.lr_decay_steps)


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

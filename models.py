"""The networks: representation h, dynamics g and prediction f (MuZero paper, figure 1), in torch.

The trainer calls a `MuZeroNetwork` and gets logits; for the search `search/torch_inference.py` owns the
latents and answers with decoded scalars. S samples, A actions, D latent features, F atoms of a support.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from config import MuZeroConfig
from core.supports import EPSILON
from data import Weights

SCALING_EPSILON = 1e-5
"""Added to the range that a latent is divided by."""

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class NetworkOutput(NamedTuple):
    """What the network says of S samples, for training."""

    value_logits: Tensor  # [S, F]
    reward_logits: Tensor  # [S, F] of the edge into the state; zeros, which decode to 0, at a root
    policy_logits: Tensor  # [S, A]
    latent: Tensor  # [S, D] or [S, channels, height, width]


# --- value and reward supports: the torch twins of core/supports.py ---


def transform(values: Tensor) -> Tensor:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + eps x (MuZero paper, appendix F)."""
    return torch.sign(values) * (torch.sqrt(torch.abs(values) + 1) - 1) + EPSILON * values


def inverse_transform(values: Tensor) -> Tensor:
    """The inverse of `transform`, in the form that does not cancel: see core/supports.py."""
    shifted = torch.abs(values) + (1 + EPSILON)
    root = 2 * shifted / (1 + torch.sqrt(1 + 4 * EPSILON * shifted))
    return torch.sign(values) * (root * root - 1)


def scalar_to_support(values: Tensor, support_size: int, transformed: bool = True) -> Tensor:
    """Scalars [...] as two-hot distributions [..., F] over the integers -support_size..support_size."""
    clipped = (transform(values) if transformed else values).clamp(-support_size, support_size)
    lower = clipped.floor().clamp(max=support_size - 1)
    share = (clipped - lower).unsqueeze(-1)
    index = (lower.long() + support_size).unsqueeze(-1)
    distribution = values.new_zeros((*values.shape, 2 * support_size + 1))
    return distribution.scatter_(-1, index, 1 - share).scatter_(-1, index + 1, share)


def support_to_scalar(logits: Tensor, transformed: bool = True) -> Tensor:
    """Scalars [...] from logits [..., F]: the expectation, transformed back if `transformed`."""
    support_size = logits.shape[-1] // 2
    atoms = torch.arange(-support_size, support_size + 1, dtype=logits.dtype, device=logits.device)
    mean = torch.softmax(logits, -1) @ atoms
    return inverse_transform(mean) if transformed else mean


# --- pieces of networks ---


def scale_gradient(tensor: Tensor, scale: float) -> Tensor:
    """`tensor`, whose gradient is multiplied by `scale` (MuZero paper, appendix G)."""
    return tensor * scale + tensor.detach() * (1 - scale)


def scale_latent(latent: Tensor) -> Tensor:
    """`latent` min-max scaled to [0, 1] (MuZero paper, appendix G): a vector [S, D] over its features,
    planes [S, channels, height, width] over the board of each channel. Planes of a single cell are a vector:
    scaled by themselves they would be 0, whatever the input.
    """
    if latent.dim() == 2:
        axes: tuple[int, ...] = (1,)
    else:
        axes = (2, 3) if math.prod(latent.shape[2:]) > 1 else (1,)
    low, high = latent.amin(axes, keepdim=True), latent.amax(axes, keepdim=True)
    return (latent - low) / (high - low + SCALING_EPSILON)


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of the given sizes with ReLU between them and none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convolution(inputs: int, outputs: int, batch_norm: bool) -> list[nn.Module]:
    """A 3x3 convolution that keeps the board's size; batch norm, if wanted, brings the bias."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch_norm)
    return [layer, nn.BatchNorm2d(outputs)] if batch_norm else [layer]


class ResidualBlock(nn.Module):
    """Two convolutions around a skip connection (He et al. 2016)."""

    def __init__(self, channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *convolution(channels, channels, batch_norm),
            nn.ReLU(),
            *convolution(channels, channels, batch_norm),
        )

    def forward(self, planes: Tensor) -> Tensor:
        """[S, channels, height, width] to the same shape."""
        return torch.relu(planes + cast(Tensor, self.residual(planes)))


def residual_blocks(config: MuZeroConfig, count: int, channels: int) -> list[nn.Module]:
    """`count` residual blocks."""
    return [ResidualBlock(channels, config.batch_norm) for _ in range(count)]


def residual_tower(config: MuZeroConfig, inputs: int) -> nn.Sequential:
    """A convolution to the configured channels, then the configured residual blocks."""
    first = convolution(inputs, config.channels, config.batch_norm)
    return nn.Sequential(*first, nn.ReLU(), *residual_blocks(config, config.blocks, config.channels))


def residual_downsampling(config: MuZeroConfig) -> nn.Sequential:
    """Images to a sixteenth of their height and width (MuZero paper, appendix F, Atari)."""
    channels, half = config.channels, max(1, config.channels // 2)
    return nn.Sequential(
        nn.Conv2d(config.stacked_channels, half, 3, stride=2, padding=1, bias=False),
        *residual_blocks(config, 2, half),
        nn.Conv2d(half, channels, 3, stride=2, padding=1, bias=False),
        *residual_blocks(config, 3, channels),
        nn.AvgPool2d(3, stride=2, padding=1),
        *residual_blocks(config, 3, channels),
        nn.AvgPool2d(3, stride=2, padding=1),
    )


def plain_downsampling(inputs: int, channels: int, board: tuple[int, int]) -> nn.Sequential:
    """Images to `board` by two convolutions and poolings (muzero-general's cheaper variant)."""
    middle = (inputs + channels) // 2
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 2 * board[0], stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(middle, channels, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AdaptiveAvgPool2d(board),
    )


# --- networks ---


class MuZeroNetwork(nn.Module):
    """The five modules of a MuZero network and the two ways to call them.

    `representation`, `dynamics`, `reward`, `value` and `policy` are given by the subclasses, as is how an
    action joins the latent. The last layer of each head starts at zero: value 0, reward 0, uniform policy.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        representation: nn.Module,
        dynamics: nn.Module,
        heads: Callable[[str, int], nn.Sequential],
    ) -> None:
        super().__init__()
        self.num_actions = config.num_actions
        self.full_support_size = config.full_support_size
        self.support_transform = config.support_transform
        self.scaled = config.latent_scaling == "min_max"
        self.representation = representation
        self.dynamics = dynamics
        self.reward = heads("reward", config.full_support_size)
        self.value = heads("value", config.full_support_size)
        self.policy = heads("policy", config.num_actions)
        for head in (self.reward, self.value, self.policy):
            last = cast(nn.Linear, head[-1])
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def join(self, latent: Tensor, actions: Tensor) -> Tensor:
        """The input of the dynamics: `latent` with `actions` [S] beside it."""
        raise NotImplementedError

    def represent(self, observations: Tensor) -> Tensor:
        """Latents of stacked observations [S, C, H, W]."""
        latent = cast(Tensor, self.representation(observations))
        return scale_latent(latent) if self.scaled else latent

    def transition(self, latent: Tensor, actions: Tensor) -> Tensor:
        """Latents after taking `actions` [S] (integers)."""
        following = cast(Tensor, self.dynamics(self.join(latent, actions)))
        return scale_latent(following) if self.scaled else following

    def encode(self, scalars: Tensor) -> Tensor:
        """Values or rewards [...] as distributions [..., F]."""
        return scalar_to_support(scalars, self.full_support_size // 2, self.support_transform)

    def decode(self, logits: Tensor) -> Tensor:
        """Values or rewards [...] from their logits [..., F]."""
        return support_to_scalar(logits, self.support_transform)

    def initial_inference(self, observations: Tensor) -> NetworkOutput:
        """Representation and prediction of stacked observations [S, C, H, W]."""
        latent = self.represent(observations)
        no_reward = latent.new_zeros((len(latent), self.full_support_size))
        return NetworkOutput(self.value(latent), no_reward, self.policy(latent), latent)

    def recurrent_inference(self, latent: Tensor, actions: Tensor) -> NetworkOutput:
        """Dynamics and prediction: `actions` [S] (integers) taken in `latent`."""
        latent = self.transition(latent, actions)
        return NetworkOutput(self.value(latent), self.reward(latent), self.policy(latent), latent)


class FullyConnectedNetwork(MuZeroNetwork):
    """Multilayer perceptrons on a latent vector of `encoding_size` features; actions are one-hot."""

    def __init__(self, config: MuZeroConfig) -> None:
        sizes = config.perceptron_sizes
        heads = {"reward": sizes.reward, "value": sizes.value, "policy": sizes.policy}
        super().__init__(
            config, mlp(sizes.representation), mlp(sizes.dynamics), lambda head, _: mlp(heads[head])
        )
        self.residual = config.fc_residual_dynamics

    def represent(self, observations: Tensor) -> Tensor:
        """Latents [S, D] of stacked observations [S, C, H, W]."""
        return scale_latent(self.representation(observations.flatten(1)))

    def transition(self, latent: Tensor, actions: Tensor) -> Tensor:
        """Latents [S, D] after taking `actions` [S] (integers)."""
        change = self.dynamics(self.join(latent, actions))
        return scale_latent(latent + change if self.residual else change)

    def join(self, latent: Tensor, actions: Tensor) -> Tensor:
        """[S, D + A]: the latent, then the action's one-hot vector."""
        return torch.cat([latent, functional.one_hot(actions.long(), self.num_actions).to(latent.dtype)], 1)


class ResidualNetwork(MuZeroNetwork):
    """Residual towers on planes [channels, height, width], in muzero-general's shape.

    An action is one or more further planes (see `action_planes`). Every head is a 1x1 convolution to few
    channels followed by a multilayer perceptron.
    """

    action_planes: Tensor

    def __init__(self, config: MuZeroConfig) -> None:
        channels, board = config.channels, config.latent_board
        reduced = {
            "reward": (config.reduced_channels_reward, config.resnet_fc_reward_layers),
            "value": (config.reduced_channels_value, config.resnet_fc_value_layers),
            "policy": (config.reduced_channels_policy, config.resnet_fc_policy_layers),
        }

        def head(name: str, outputs: int) -> nn.Sequential:
            planes, hidden = reduced[name]
            perceptron = mlp([planes * math.prod(board), *hidden, outputs])
            return nn.Sequential(nn.Conv2d(channels, planes, 1), nn.Flatten(), *perceptron)

        planes = action_planes(config)
        dynamics = residual_tower(config, channels + planes.shape[1])
        super().__init__(config, residual_representation(config), dynamics, head)
        self.register_buffer("action_planes", planes, persistent=False)

    def join(self, latent: Tensor, actions: Tensor) -> Tensor:
        """[S, channels + P, height, width]: the latent, then the P planes of the action."""
        return torch.cat([latent, self.action_planes[actions.long()].to(latent.dtype)], 1)


def action_planes(config: MuZeroConfig) -> Tensor:
    """What tells a residual network's dynamics each action, [A, P, height, width], as configured."""
    A, (height, width) = config.num_actions, config.latent_board
    actions, cells = torch.arange(A), torch.arange(height * width)
    if config.action_planes == "board":
        own = cells if config.actions_are_cells else cells % width
        return (own == actions[:, None]).float().reshape(A, 1, height, width)
    numbers = torch.eye(A) if config.action_planes == "one_hot" else (actions / A)[:, None]
    return numbers[:, :, None, None].repeat(1, 1, height, width)


def residual_representation(config: MuZeroConfig) -> nn.Sequential:
    """Down-sampling as configured, then the residual tower."""
    if config.downsample == "none":
        return residual_tower(config, config.stacked_channels)
    if config.downsample == "resnet":
        smaller = residual_downsampling(config)
    else:
        smaller = plain_downsampling(config.stacked_channels, config.channels, config.latent_board)
    return nn.Sequential(*smaller, *residual_blocks(config, config.blocks, config.channels))


def make_network(config: MuZeroConfig) -> MuZeroNetwork:
    """The configured network on the CPU, in training mode; `config.seed` alone decides its weights."""
    kinds = {"fullyconnected": FullyConnectedNetwork, "resnet": ResidualNetwork}
    return seeded(lambda: kinds[config.network](config), config.seed)


def seeded(make: Callable[[], AnyModule], seed: int) -> AnyModule:
    """What `make` returns when `seed` decides all that is random in it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def get_weights(network: nn.Module) -> Weights:
    """A copy of the network's parameters and buffers as float32 numpy arrays."""
    return {
        name: np.array(tensor.detach().cpu().numpy(), np.float32)
        for name, tensor in network.state_dict().items()
    }


def set_weights(network: nn.Module, weights: Weights) -> None:
    """Copies `weights` into the network. Raises `RuntimeError` when names or shapes differ."""
    network.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()})


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` has bfloat16 in hardware; a CPU without it takes longer than in single precision."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

"""Residual networks in torch."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from config import MuZeroConfig
from models import MuZeroNetwork, mlp

# --- pieces ---


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


def plain_downsampling(inputs: int, channels: int, board: tuple[int, ...]) -> nn.Sequential:
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


# --- the network ---


class ResidualNetwork(MuZeroNetwork):
    """Residual towers on planes [channels, height, width], in muzero-general's shape.

    An action is one or more further planes (see `action_planes`). Every head is a 1x1 convolution to few
    channels followed by a multilayer perceptron.
    """

    action_planes: Tensor

    def __init__(self, config: MuZeroConfig) -> None:
        channels, board = config.channels, config.latent_shape[1:]
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
        scaled = config.latent_scaling == "min_max"
        super().__init__(config, residual_representation(config), dynamics, head, scaled)
        self.register_buffer("action_planes", planes, persistent=False)

    def join(self, latent: Tensor, actions: Tensor) -> Tensor:
        """[S, channels + P, height, width]: the latent, then the P planes of the action."""
        return torch.cat([latent, self.action_planes[actions.long()].to(latent.dtype)], 1)


def action_planes(config: MuZeroConfig) -> Tensor:
    """What tells a residual network's dynamics each action, [A, P, height, width], as configured."""
    A, (height, width) = config.num_actions, config.latent_shape[1:]
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
        smaller = plain_downsampling(config.stacked_channels, config.channels, config.latent_shape[1:])
    return nn.Sequential(*smaller, *residual_blocks(config, config.blocks, config.channels))

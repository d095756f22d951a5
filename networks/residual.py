"""The kind of residual networks: for boards and pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from config import MuZeroConfig
from core.errors import require
from core.network_kinds import NetworkKind
from networks.perceptrons import weights_of

if TYPE_CHECKING:  # torch
    from models import MuZeroNetwork

BFLOAT16_LEVELS = 256
"""Multiples of 1/n between 0 and 1 that bfloat16 tells apart."""


class Residual(NetworkKind[MuZeroConfig]):
    """Residual towers on planes."""

    title = "a resnet"
    options = (
        *("latent_scaling", "downsample", "blocks", "channels", "batch_norm", "action_planes"),
        *("reduced_channels_reward", "reduced_channels_value", "reduced_channels_policy"),
        *("resnet_fc_reward_layers", "resnet_fc_value_layers", "resnet_fc_policy_layers"),
    )
    image_input = True
    plays_on_gpu = True

    def make(self, config: MuZeroConfig) -> MuZeroNetwork:
        """A `ResidualNetwork`."""
        from networks.residual_network import ResidualNetwork

        return ResidualNetwork(config)

    def latent_shape(self, config: MuZeroConfig) -> tuple[int, ...]:
        """[channels, height, width]."""
        return config.channels, *_board(config)

    def check(self, config: MuZeroConfig) -> None:
        """Actions are told apart, and something is left of a latent that is scaled to [0, 1]."""
        narrow = config.autocast or config.inference_bfloat16
        require(
            not narrow or config.action_planes != "scalar" or config.num_actions <= BFLOAT16_LEVELS,
            "action_planes",
            f"scalar cannot tell more than {BFLOAT16_LEVELS} actions apart in bfloat16; use one_hot or board",
        )
        nothing = "is 1, which leaves nothing of a latent state that is scaled; use at least 2"
        scaled = config.latent_scaling == "min_max"
        require(not scaled or math.prod(self.latent_shape(config)) > 1, "channels", nothing)

    def weight_shapes(self, config: MuZeroConfig) -> dict[str, tuple[int, ...]]:
        """Those of a network on torch's device without memory."""
        import torch

        with torch.device("meta"):
            named = self.make(config).state_dict()
        return {name: tuple(tensor.shape) for name, tensor in named.items()}

    def parameters(self, config: MuZeroConfig) -> int:
        """Those of the blocks and of the heads' layers."""
        convolution = 9 * config.channels**2
        cells = math.prod(_board(config))
        heads = (
            (config.reduced_channels_value, config.resnet_fc_value_layers),
            (config.reduced_channels_reward, config.resnet_fc_reward_layers),
            (config.reduced_channels_policy, config.resnet_fc_policy_layers),
        )
        layers = ((cells * planes, *sizes) for planes, sizes in heads)
        return 2 * (2 * config.blocks + 1) * convolution + weights_of(layers)


def _board(config: MuZeroConfig) -> tuple[int, int]:
    """Height and width of the latent planes."""
    _, height, width = config.observation_shape
    if config.downsample == "none":
        return height, width
    return math.ceil(height / 16), math.ceil(width / 16)

"""Fully connected networks in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from config import MuZeroConfig
from models import MuZeroNetwork, mlp, scale_latent
from networks.perceptrons import perceptron_sizes


class FullyConnectedNetwork(MuZeroNetwork):
    """Multilayer perceptrons on a latent vector of `encoding_size` features; actions are one-hot."""

    def __init__(self, config: MuZeroConfig) -> None:
        sizes = perceptron_sizes(config)
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

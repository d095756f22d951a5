"""The consistency loss (EfficientZero paper, section 4.1): imagined latents are to be those that come."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from config import MuZeroConfig
from learning.loss import Unrolled
from models import mlp, seeded


class ConsistencyHeads(nn.Module):
    """What imagined latents are compared through with those of the observations that came: a projector for
    both, a predictor for the imagined ones (Chen & He 2021; EfficientZero paper, section 4.1).
    """

    def __init__(self, latent_size: int, size: int = 128, bottleneck: int = 64) -> None:
        super().__init__()
        self.projector = nn.Sequential(
            nn.Flatten(),
            nn.Linear(latent_size, size),
            nn.BatchNorm1d(size),
            nn.ReLU(),
            nn.Linear(size, size),
        )
        self.predictor = mlp([size, bottleneck, size])

    def distances(self, imagined: Tensor, seen: Tensor) -> Tensor:
        """1 minus the cosine similarity [S] of two latents each. The gradient reaches the imagined ones."""
        predicted = self.predictor(self.projector(imagined))
        with torch.no_grad():
            target = self.projector(seen)
        return 1 - functional.cosine_similarity(predicted.float(), target.float(), dim=1)


class ConsistencyTerm:
    """Distances of the imagined latents from those of the observations that came, and the heads for them."""

    name = "consistency"
    group = "heads"

    def weight(self, config: MuZeroConfig) -> float | None:
        """`consistency_loss_weight`; without one the term is left out."""
        return config.consistency_loss_weight or None

    def modules(self, config: MuZeroConfig) -> ConsistencyHeads:
        """Heads for the configured network's latents; `config.seed` alone decides their weights."""
        return seeded(lambda: ConsistencyHeads(config.latent_size), config.seed)

    def loss(self, seen: Unrolled, own: nn.Module | None) -> Tensor:
        """The sum of the scaled distances."""
        assert isinstance(own, ConsistencyHeads)
        with torch.no_grad():
            came = seen.network.represent(seen.targets.observations.flatten(0, 1))
        distances = own.distances(seen.predictions.latents.flatten(0, 1), came)
        return (distances * seen.targets.consistency_scales.flatten()).sum()

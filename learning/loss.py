"""The unrolled loss of MuZero (paper, appendix G) in torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from config import MuZeroConfig
from learning.statistics import LATENT_GRADIENT_SCALE
from models import MuZeroNetwork, scale_gradient


class Predictions(NamedTuple):
    """The logits of all unrolled steps, time-major."""

    value: Tensor  # [K + 1, S, F]
    reward: Tensor  # [K, S, F]
    policy: Tensor  # [K + 1, S, A]
    latents: Tensor  # [K, S, ...] of the unrolled steps


class LossTargets(NamedTuple):
    """What the predictions are held against, and the factors of the loss terms (masks included)."""

    value: Tensor  # [K + 1, S]
    reward: Tensor  # [K, S]
    policy: Tensor  # [K + 1, S, A]
    value_scales: Tensor  # [K + 1, S]
    reward_scales: Tensor  # [K, S]
    policy_scales: Tensor  # [K + 1, S]
    observations: Tensor  # [K, S, C, H, W]; K 0 without consistency loss
    consistency_scales: Tensor  # [K, S]


class Unrolled(NamedTuple):
    """What a term of the loss is computed from."""

    network: MuZeroNetwork
    predictions: Predictions
    targets: LossTargets


class Term(Protocol):
    """A term of the loss: `learning/terms.py` lists them, and their metrics are called by their names."""

    @property
    def name(self) -> str:
        """In metrics, `loss/<name>`."""
        ...

    @property
    def group(self) -> str:
        """In checkpoints, of what it learns by itself."""
        ...

    def weight(self, config: MuZeroConfig) -> float | None:
        """What it is multiplied by; None: it is left out."""
        ...

    def modules(self, config: MuZeroConfig) -> nn.Module | None:
        """What it learns beside the network, if anything; `config.seed` alone decides its weights."""
        ...

    def loss(self, seen: Unrolled, own: nn.Module | None) -> Tensor:
        """The term over a batch, a scalar; `own` is what `modules` made."""
        ...


class ActiveTerm(NamedTuple):
    """A term of a run's loss."""

    term: Term
    weight: float
    own: nn.Module | None  # what it learns by itself


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
    terms: Sequence[ActiveTerm],
    observations: Tensor,
    actions: Tensor,
    targets: LossTargets,
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of MuZero over a batch: the number to differentiate, the terms it is the weighted sum of [T],
    and the logits at the root [S, F + A].
    """
    predictions = Predictions(*(p.float() for p in unroll(network, observations, actions)))
    seen = Unrolled(network, predictions, targets)
    losses = [term.loss(seen, own) for term, _, own in terms]
    loss = terms[0].weight * losses[0]
    for (_, weight, _), other in zip(terms[1:], losses[1:], strict=True):
        loss = loss + weight * other
    return loss, torch.stack(losses), torch.cat([predictions.value[0], predictions.policy[0]], -1)


def cross_entropy(logits: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    """The sum of scales [...] times the cross entropy of logits [..., n] under the distributions targets."""
    return -((targets * functional.log_softmax(logits, -1)).sum(-1) * scales).sum()


def mean_entropy(logits: Tensor) -> Tensor:
    """The mean entropy in nats of the distributions softmax(logits[S, n])."""
    logarithms = functional.log_softmax(logits, -1)
    return -(logarithms.exp() * logarithms).sum(-1).mean()

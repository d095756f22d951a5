"""The unrolled loss of MuZero (paper, appendix G) in torch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from learning.statistics import LATENT_GRADIENT_SCALE
from models import ConsistencyHeads, MuZeroNetwork, scale_gradient


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
    targets: LossTargets,
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

"""Gradients of the unrolled loss: by autograd for any network on any device, or as the kind of network has
them itself (`core/network_kinds.py:NetworkKind.gradients`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from config import MuZeroConfig
from data import Batch, Gradients, LossStatistics
from learning.loss import ActiveTerm, LossTargets, mean_entropy, unrolled_loss
from learning.statistics import loss_scales
from learning.terms import PLAIN
from models import MuZeroNetwork, has_bfloat16

logger = logging.getLogger(__name__)


def make_gradients(
    config: MuZeroConfig, network: MuZeroNetwork, gradient: Tensor, terms: Sequence[ActiveTerm]
) -> Gradients:
    """The own ones of the kind of network, which are for MuZero's loss on the CPU and which `fused_update`
    may forbid; else autograd's, written to `gradient`.
    """
    own = config.network_kind.own_gradients and config.fused_update
    if not own or gradient.device.type != "cpu" or tuple(one.term for one in terms) != PLAIN:
        return AutogradGradients(config, network, gradient, terms)
    parameters = dict(network.named_parameters())
    return config.network_kind.gradients(
        config,
        {name: p.detach().numpy() for name, p in parameters.items()},
        {name: p.grad.numpy() for name, p in parameters.items() if p.grad is not None},
    )


class AutogradGradients:
    """Gradients of the unrolled loss by autograd: any network, any device."""

    def __init__(
        self,
        config: MuZeroConfig,
        network: MuZeroNetwork,
        gradient: Tensor,
        terms: Sequence[ActiveTerm],
    ) -> None:
        self.config = config
        self.network = network
        self.terms = terms
        self.gradient = gradient
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
                self.terms,
                observations,
                actions,
                targets,
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

    def _on_device(self, batch: Batch, scale: float) -> tuple[Tensor, Tensor, LossTargets]:
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
            LossTargets(*(to_device(target, device) for target in targets)),
        )

    @torch.no_grad()
    def _statistics(self, losses: Tensor, roots: Tensor, share: float) -> LossStatistics:
        """What goes back to the host, in one copy."""
        atoms = self.config.full_support_size
        value_logits, policy_logits = roots[:, :atoms], roots[:, atoms:]
        entropies = torch.stack([mean_entropy(value_logits), mean_entropy(policy_logits)]) * share
        numbers = torch.cat([losses, entropies, self.network.decode(value_logits)]).cpu().numpy()
        terms = len(self.terms)
        value_entropy, policy_entropy = numbers[terms : terms + 2].tolist()
        return LossStatistics(
            tuple(numbers[:terms].tolist()), value_entropy, policy_entropy, root_values=numbers[terms + 2 :]
        )


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """A copy of `array` on `device`; on the way to a GPU through pinned memory, without waiting for it."""
    dtype = torch.int64 if array.dtype.kind == "i" else torch.float32
    staged = torch.empty(array.shape, dtype=dtype, pin_memory=device.type == "cuda")
    staged.numpy()[...] = array
    return staged.to(device, non_blocking=True)

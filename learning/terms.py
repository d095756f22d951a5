"""The terms of the loss. Another one is a class with the methods of `learning/loss.py:Term`, added here."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from config import MuZeroConfig
from learning.consistency import ConsistencyTerm
from learning.loss import ActiveTerm, Term, Unrolled, cross_entropy


class HeadTerm:
    """Cross entropy of what a head of the network predicts: nothing else is learned for it."""

    def modules(self, config: MuZeroConfig) -> None:
        """Nothing of its own."""


class ValueTerm(HeadTerm):
    """Cross entropy of the predicted value distributions."""

    name = group = "value"

    def weight(self, config: MuZeroConfig) -> float:
        """`value_loss_weight`."""
        return config.value_loss_weight

    def loss(self, seen: Unrolled, own: nn.Module | None) -> Tensor:
        """The sum over samples and steps."""
        targets = seen.targets
        return cross_entropy(seen.predictions.value, seen.network.encode(targets.value), targets.value_scales)


class RewardTerm(HeadTerm):
    """Cross entropy of the predicted reward distributions."""

    name = group = "reward"

    def weight(self, config: MuZeroConfig) -> float:
        """`reward_loss_weight`."""
        return config.reward_loss_weight

    def loss(self, seen: Unrolled, own: nn.Module | None) -> Tensor:
        """The sum over samples and unrolled steps."""
        targets = seen.targets
        return cross_entropy(
            seen.predictions.reward, seen.network.encode(targets.reward), targets.reward_scales
        )


class PolicyTerm(HeadTerm):
    """Cross entropy of the predicted policies and those of the search; the others are weighed against it."""

    name = group = "policy"

    def weight(self, config: MuZeroConfig) -> float:
        """1."""
        return 1.0

    def loss(self, seen: Unrolled, own: nn.Module | None) -> Tensor:
        """The sum over samples and steps."""
        return cross_entropy(seen.predictions.policy, seen.targets.policy, seen.targets.policy_scales)


PLAIN: tuple[Term, ...] = (ValueTerm(), RewardTerm(), PolicyTerm())
"""Those of MuZero (paper, equation 1), in the order in which they are added up."""
TERMS: tuple[Term, ...] = (*PLAIN, ConsistencyTerm())


def active(terms: Sequence[Term], config: MuZeroConfig) -> list[ActiveTerm]:
    """Those of the terms that `config` does not leave out, with what they learn by themselves."""
    weighed = ((term, term.weight(config)) for term in terms)
    return [ActiveTerm(term, weight, term.modules(config)) for term, weight in weighed if weight is not None]

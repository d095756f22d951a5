"""Asynchronous successive halving (ASHA, Li et al. 2020, https://arxiv.org/abs/1810.05934), stopping variant.

At each rung, a share of a trial's budget, it is compared with all trials that came there before: it goes on
if it is among the best 1/reduction of them. Nobody waits for anybody. The first `reduction - 1` trials at a
rung always go on, as there is nothing to compare them with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.errors import ConfigurationError

REDUCTION = 3
RUNGS = 2


def rung_shares(rungs: int, reduction: int) -> tuple[float, ...]:
    """Where `rungs` rungs are, as shares of the budget, rising: 1/9 and 1/3 for two rungs and reduction 3.

    Raises `ConfigurationError` when the first would be at less than a hundredth.
    """
    if not 2 <= reduction <= LARGEST_REDUCTION:
        raise ConfigurationError(f"--reduction {reduction}: must be from 2 to {LARGEST_REDUCTION}")
    if rungs < 0:
        raise ConfigurationError(f"--rungs {rungs}: must be at least 0")
    first = math.exp(-rungs * math.log(reduction))
    if first < SMALLEST_SHARE * (1 - 1e-9):
        raise ConfigurationError(
            f"--rungs {rungs}: with --reduction {reduction} the first would be at {first:.2%} of the "
            "budget, which says nothing yet; give fewer"
        )
    return tuple(1 / reduction**power for power in range(rungs, 0, -1))


SMALLEST_SHARE = 0.01
LARGEST_REDUCTION = 100


class Halving:
    """The scores at the rungs, and who goes on."""

    def __init__(self, shares: Sequence[float], reduction: int = REDUCTION) -> None:
        self.shares = tuple(shares)
        self.reduction = reduction
        self._scores: list[dict[int, float]] = [{} for _ in shares]  # by trial, at each rung

    def record(self, trial: int, rung: int, score: float) -> bool:
        """Notes what a trial has at a rung; whether it goes on.

        A score that is not a number is worse than any.
        """
        scores = self._scores[rung]
        scores[trial] = own = -math.inf if math.isnan(score) else score
        better = sum(other > own for other in scores.values())
        return len(scores) < self.reduction or better < len(scores) / self.reduction

    def forget(self, trial: int) -> None:
        """Leaves out a trial that is run again: it may not come as far."""
        for scores in self._scores:
            scores.pop(trial, None)


def conservative_score(full: Sequence[float], share: float) -> float | None:
    """What a trial that was stopped after `share` of its budget counts as: worse than any run in full.

    It is below the worst of the `full` scores, the further the less it has run: what is certain is the order,
    not the value. None as long as no trial has run in full. Its own score at the rung is never used: that is
    the score of another, shorter training.
    """
    if not full:
        return None
    worst, best = min(full), max(full)
    spread = max(best - worst, 0.01 * abs(worst), 1e-6)
    return worst - (1 - share) * spread

"""The ratio of training to self-play, kept from both sides: whoever is ahead waits."""

from __future__ import annotations

import math

from config import MuZeroConfig
from data import Counters

LEAD = 0.05
"""How far self-play may run ahead of the ratio, so that neither side waits for the other's every call."""


class Pacing:
    """How much either side may do next. Pure arithmetic on the counters.

    The ratio holds from where it was last changed; `start` says where that was.
    """

    def __init__(self, config: MuZeroConfig, start: Counters | None = None) -> None:
        self.config = config
        start = start or Counters()
        self.first_step, self.first_update = start.ratio_since_step, start.ratio_since_update

    def steps_allowed(self, played: int, training_step: int) -> int:
        """Steps that may be played beyond `played` (calls in flight included) before more updates.

        At least the steps that make one more update due, so that the two sides never wait for each other.
        """
        ratio = self.config.ratio
        if ratio == 0:
            return UNLIMITED
        updates = training_step - self.first_update
        ahead = self.first_step + math.ceil(max((1 + LEAD) * updates, updates + 1) / ratio)
        return max(ahead - played, self.config.learning_starts - played, 0)

    def steps_to_play(self, played: int, training_step: int, at_most: int, stored: bool) -> int:
        """Steps for the next call of a player, of those allowed `at_most` so many.

        While nothing is `stored` (nor on its way) there is nothing to train on, whatever the ratio says: the
        games are still running, and are played on.
        """
        allowed = self.steps_allowed(played, training_step)
        return min(allowed, at_most) if allowed or stored else at_most

    def updates_allowed(self, played: int, training_step: int) -> int:
        """Updates that may be made beyond `training_step` (calls in flight included) before more steps."""
        left = self.config.training_steps - training_step
        if played < self.config.learning_starts:
            return 0
        if self.config.ratio == 0:
            return max(left, 0)
        due = self.first_update + int(self.config.ratio * (played - self.first_step))
        return max(min(due - training_step, left), 0)

    def reanalysis_allowed(self, reanalysed: int, training_step: int) -> bool:
        """Whether `reanalyse_batch` more steps may be reanalysed."""
        config = self.config
        return reanalysed + config.reanalyse_batch <= config.reanalyse_ratio * training_step


UNLIMITED = 1 << 30

"""The ratio of training to self-play, kept from both sides: whoever is ahead waits."""

from __future__ import annotations

import math
from fractions import Fraction

from config import MuZeroConfig
from data import Counters

LEAD = Fraction(1, 20)
"""How far self-play may run ahead of the ratio, so that neither side waits for the other's every call."""
UNLIMITED = 1 << 30


class Pacing:
    """How much either side may do next. Exact arithmetic on the counters: rounding would stop both sides.

    Updates are paid for by steps that have been added to the replay buffer, since it is those that they are
    drawn from. A step of a running game pays nothing until its game, or a segment of it, has come to its end.
    The ratio holds from where it was last changed; `start` says where that was.
    """

    def __init__(self, config: MuZeroConfig, start: Counters | None = None) -> None:
        self.config = config
        self.ratio = exact(config.ratio)
        self.reanalyse_ratio = exact(config.reanalyse_ratio)
        start = start or Counters()
        self.first_step, self.first_update = start.ratio_since_step, start.ratio_since_update

    def steps_allowed(self, added: int, training_step: int) -> int:
        """Steps that may be played when `added` are in the buffer or in flight, before more updates.

        At least the steps that make one more update due, so that the two sides never wait for each other.
        """
        if self.ratio == 0:
            return UNLIMITED
        updates = training_step - self.first_update
        ahead = self.first_step + math.ceil(max((1 + LEAD) * updates, Fraction(updates + 1)) / self.ratio)
        return max(ahead - added, self.config.learning_starts - added, 0)

    def steps_to_play(self, added: int, training_step: int, at_most: int, waiting: bool) -> int:
        """Steps for the next call of a player, of those allowed `at_most` so many.

        While the trainer is `waiting` for steps every player may make a move in each of its games, whatever
        others have in flight: only what reaches the end of a game or segment will pay.
        """
        allowed = self.steps_allowed(added, training_step)
        return min(max(allowed, self.config.games_per_worker if waiting else 0), at_most)

    def updates_allowed(self, added: int, training_step: int) -> int:
        """Updates that may be made beyond `training_step` (calls in flight included) before more steps."""
        left = self.config.training_steps - training_step
        if added < self.config.learning_starts:
            return 0
        if self.ratio == 0:
            return max(left, 0)
        due = self.first_update + math.floor(self.ratio * (added - self.first_step))
        return max(min(due - training_step, left), 0)

    def reanalysis_allowed(self, reanalysed: int, training_step: int) -> bool:
        """Whether `reanalyse_batch` more steps may be reanalysed."""
        return reanalysed + self.config.reanalyse_batch <= self.reanalyse_ratio * training_step


def exact(number: float) -> Fraction:
    """The fraction that `number` was meant to be: 1/49 and 0.0048 themselves, not the floats next to them."""
    return Fraction(number).limit_denominator(10**9) or Fraction(number)

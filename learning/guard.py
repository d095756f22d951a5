"""What becomes of updates that are not finite: they are left out; after several in a row training goes back.

The rule. An update whose targets, loss or gradient are not finite changes nothing and is counted. After
`IN_A_ROW` of them, or at once where the weights themselves are not finite, weights and optimiser become again
what they were at the last good state, and the learning rate is `RATE_FACTOR` of what it was. After
`MOST_RETURNS` such returns, none of them followed by `RECOVERED` good updates, the next one ends the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from data import Guarded

IN_A_ROW = 5
RATE_FACTOR = 0.5
MOST_RETURNS = 3
RECOVERED = 10_000
"""Updates after which returns are forgotten; the learning rate stays lower."""
KEPT_EVERY = 500
"""Updates between states that are kept. Of two the older one is gone back to: just before it shows that
training has diverged, losses are huge and still finite."""


class _Good(NamedTuple):
    """A state to go back to."""

    step: int  # optimiser steps that had been made
    copies: list[Tensor]


class UpdateGuard:
    """Keeps what an update changes: all of `changed`, and of these apart the network's `buffers`.

    Both are changed in place, so that they are the same tensors all the time. A copy of them costs a few
    passes over memory every `KEPT_EVERY` updates.
    """

    def __init__(self, changed: Sequence[Tensor], buffers: Sequence[Tensor]) -> None:
        self._changed, self._buffers = [*changed, *buffers], buffers
        self._good: list[_Good] = []  # at most two, the older one first
        self._in_a_row = 0
        self._since_return = 0  # good updates
        self._recent_returns = 0
        self.report = Guarded()

    def begin(self, step: int) -> None:
        """Has a state to go back to from the first update on; `step` have been made."""
        if not self._good:
            self._keep(step)

    def passed(self, step: int) -> None:
        """Loss and gradient at the present weights are finite; `step` updates have been made."""
        self._in_a_row = 0
        self._since_return += 1
        if self._since_return == RECOVERED:
            self._recent_returns = 0
        if step - self._good[-1].step >= KEPT_EVERY:
            self._keep(step)

    def failed(self, error: Exception) -> bool:
        """The update could not be made, for the reason `error`; whether training has gone back.

        Raises `error` where going back has not helped.
        """
        self._in_a_row += 1
        self.report = self.report._replace(skipped=self.report.skipped + 1, reason=str(error))
        if self._in_a_row < IN_A_ROW and self.healthy():
            parameters = len(self._changed) - len(self._buffers)
            self._restore(self._buffers, self._good[-1].copies[parameters:])
            return False
        self._go_back(error)
        return True

    def diverged(self, error: Exception) -> None:
        """The last update has made weights that are not finite. Raises `error` as `failed` does."""
        self._go_back(error)

    def healthy(self) -> bool:
        """Whether the weights are finite: a sum of finite ones is, unless it is beyond all measure."""
        return bool(torch.isfinite(self._changed[0].sum()))

    def forget(self) -> None:
        """What was kept is of no use any more: other weights were put in their place."""
        self._good.clear()

    def facts(self) -> dict[str, Any]:
        """What a checkpoint keeps: nothing as long as nothing has happened."""
        report = self.report
        return {"skipped": report.skipped, "returns": report.returns} if report.skipped else {}

    def load_facts(self, facts: Mapping[str, Any]) -> None:
        """Goes on from what `facts` returned, in a trainer's facts."""
        self.forget()
        report = Guarded.of_facts(facts)
        self.report = report._replace(rate_factor=RATE_FACTOR**report.returns)

    def _keep(self, step: int) -> None:
        self._good = [*self._good[-1:], _Good(step, [tensor.detach().clone() for tensor in self._changed])]

    def _go_back(self, error: Exception) -> None:
        if self._recent_returns == MOST_RETURNS:
            raise error
        good = self._good[0]
        self._restore(self._changed, good.copies)
        self._good = [good]
        self._in_a_row = self._since_return = 0
        self._recent_returns += 1
        self.report = self.report._replace(
            returns=self.report.returns + 1,
            returned_to=good.step,
            rate_factor=self.report.rate_factor * RATE_FACTOR,
            reason=str(error),
        )

    @staticmethod
    @torch.no_grad()
    def _restore(tensors: Sequence[Tensor], copies: Sequence[Tensor]) -> None:
        for tensor, copy in zip(tensors, copies, strict=True):
            tensor.copy_(copy)

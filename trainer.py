"""The trainer: updates of the networks by the unrolled loss of MuZero (paper, appendix G).

One optimiser step, read from top to bottom in `Trainer._update`: gradients of the batch, their way to the
optimiser (`learning/gradient_path.py`: gathered, checked, clipped), its step, and now and then the target
network. Gradients come from autograd (`learning/gradients.py`, of the terms in `learning/terms.py`: any
network, any device) or from the kind of network, where it has faster ones; both overwrite the same buffer.

Parameters and gradients each lie in one flat vector, of which the network's own tensors are views. So
clipping and the optimiser are a handful of operators however many layers there are.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from config import MuZeroConfig
from data import Batch, LossStatistics, Snapshot, TermLoss, TrainingMetrics, TrainingResult, Weights
from learning.gradient_path import OWN, GradientPath, TrainingError, diverged
from learning.gradients import make_gradients
from learning.guard import UpdateGuard
from learning.loss import Term
from learning.optimizers import flatten_parameters, learning_rate, make_optimizer
from learning.statistics import add_statistics
from learning.terms import TERMS, active
from models import MuZeroNetwork, get_weights, make_network, set_weights

NO_POSITIONS = np.zeros(0, np.int64)
NO_PRIORITIES = np.zeros(0, np.float32)


class _Beyond(NamedTuple):
    """What of a batch's targets lies beyond the support."""

    share: float
    largest: float  # of all, absolute


class _Update(NamedTuple):
    """What one optimiser step did."""

    statistics: LossStatistics
    loss: float
    gradient_norm: float
    priorities: NDArray[np.float32]  # [S]
    beyond: _Beyond


class Trainer:
    """Owns the network that learns, its optimiser and its target network.

    `config.seed` alone decides the first weights, and nothing here is random: the same batches give the
    same weights on the same machine.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        device: str,
        terms: Sequence[Term] = TERMS,
        gradient_path: GradientPath = OWN,
    ) -> None:
        self.config = config
        self._gradient_path = gradient_path
        self.device = torch.device(device)
        self.network = make_network(config).to(self.device)
        self._terms = active(terms, config)
        self._own = {one.term.group: one.own.to(self.device) for one in self._terms if one.own is not None}
        _check_tells_apart(config, self.network)
        learning = nn.ModuleList([self.network, *self._own.values()])
        self._parameters = flatten_parameters(learning)
        self._optimizer = make_optimizer(config, self._parameters)
        changed = [self._parameters.values, *self._optimizer.state.values()]
        self._guard = UpdateGuard(changed, list(learning.buffers()))
        self._gradients = make_gradients(config, self.network, self._parameters.gradient, self._terms)
        self._reach = config.support_reach
        self._step = 0
        self._target = get_weights(self.network)

    @property
    def training_step(self) -> int:
        """Optimiser steps made since the start of the run."""
        return self._step

    def train(self, batches: Sequence[Batch]) -> TrainingResult:
        """One optimiser step per batch, but for those at which a target, the loss or the gradient is not
        finite: they are left out, and are none of the updates that the result tells of.

        Raises `ValueError` when there are no batches, and `TrainingError` when going back to an earlier state
        has not helped (`learning/guard.py`); the parameters are then still those of the update before.
        """
        if not batches:
            raise ValueError("no batches to train on")
        started = time.perf_counter()
        made = [(batch, update) for batch in batches if (update := self._guarded_update(batch)) is not None]
        self._check_weights()
        updates = [update for _, update in made]
        return TrainingResult(
            self._metrics(updates, time.perf_counter() - started),
            np.concatenate([NO_POSITIONS, *(batch.positions for batch, _ in made)]),
            np.concatenate([NO_PRIORITIES, *(update.priorities for update in updates)]),
        )

    def weights(self) -> Weights:
        """A copy of the weights."""
        return get_weights(self.network)

    @property
    def target_step(self) -> int:
        """Optimiser steps that the target network's weights have had."""
        return self._step - self._step % self.config.target_update_interval

    def target_weights(self) -> Weights:
        """A copy of the weights as they were at the last multiple of `target_update_interval` steps."""
        return {name: array.copy() for name, array in self._target.items()}

    def state(self) -> Snapshot:
        """Everything that training needs to go on bit for bit: weights, target, optimiser, step."""
        groups = {
            "weights": self.weights(),
            "target": self.target_weights(),
            "optimizer": {n: t.detach().cpu().numpy().copy() for n, t in self._optimizer.state.items()},
            **{group: get_weights(own) for group, own in self._own.items()},
        }
        arrays = {f"{group}/{name}": a for group, named in groups.items() for name, a in named.items()}
        return Snapshot(arrays, {"training_step": self._step} | self._guard.facts())

    def load_state(self, state: Snapshot) -> None:
        """Goes back to what `state()` returned. Raises `KeyError`, `TrainingError` or
        `RuntimeError` if it does not fit.
        """
        set_weights(self.network, _group(state, "weights"))
        for group, own in self._own.items():
            set_weights(own, _group(state, group))
        for name, tensor in self._optimizer.state.items():
            array = state.arrays[f"optimizer/{name}"]
            if array.shape != tuple(tensor.shape):
                raise TrainingError(
                    f"the optimiser's {name} has {array.size} numbers, where this network has "
                    f"{tensor.numel()}: use another checkpoint"
                )
            tensor.copy_(torch.tensor(array))
        self._target = _group(state, "target")
        self._step = int(state.facts["training_step"])
        self._guard.load_facts(state.facts)

    def begin_with(self, weights: Weights) -> None:
        """Begins with these weights in place of random ones. Raises `RuntimeError` if they do not fit."""
        set_weights(self.network, weights)
        self._guard.forget()
        self._target = self.weights()

    def _guarded_update(self, batch: Batch) -> _Update | None:
        """One optimiser step; None where it was left out, or training has gone back instead."""
        self._guard.begin(self._step)
        try:
            return self._update(batch)
        except TrainingError as error:
            if self._guard.failed(error):
                self._target = self.weights()
            return None

    def _check_weights(self) -> None:
        """Goes back where an update has made weights that are not finite: nobody is to play with them."""
        if not self._guard.healthy():
            self._guard.diverged(diverged(self._step, "its weights are not finite"))
            self._target = self.weights()

    def _update(self, batch: Batch) -> _Update:
        """One optimiser step."""
        self._check_targets(batch)
        statistics = self._batch_gradients(batch)
        loss = sum(one.weight * loss for one, loss in zip(self._terms, statistics.losses, strict=True))
        norm = self._gradient_path(self._parameters.gradient, loss, self._step, self.config.max_grad_norm)
        self._guard.passed(self._step)
        rate = self._rate(self._step)
        self._step += 1
        self._optimizer.step(self._parameters, rate, self._step)
        if self._step % self.config.target_update_interval == 0:
            self._target = self.weights()
        values = np.clip(batch.target_value[:, 0], -self._reach, self._reach)  # no update can go beyond
        priorities = np.abs(statistics.root_values - values)
        return _Update(statistics, loss, norm, priorities, self._beyond(batch))

    def _rate(self, step: int) -> float:
        """The learning rate of optimiser step `step` (from 0), lower once training has gone back."""
        return learning_rate(self.config, step) * self._guard.report.rate_factor

    def _beyond(self, batch: Batch) -> _Beyond:
        """What of the batch's targets is cut by the support."""
        targets = batch.target_value, batch.target_reward
        largest = max(float(np.abs(target).max(initial=0.0)) for target in targets)
        cut = largest > self._reach  # seldom: then it is worth counting
        count = sum(np.count_nonzero(np.abs(target) > self._reach) for target in targets) if cut else 0
        return _Beyond(float(count / sum(target.size for target in targets)), largest)

    def _batch_gradients(self, batch: Batch) -> LossStatistics:
        """Fills the gradient of the batch's mean loss, part by part."""
        samples, parts = len(batch.actions), self.config.gradient_accumulation
        if parts == 1:
            return self._gradients(batch, 1 / samples)
        bounds = [samples * part // parts for part in range(parts + 1)]
        gradient = torch.zeros_like(self._parameters.gradient)
        statistics = []
        for start, end in itertools.pairwise(bounds):
            part = Batch._make(array[start:end] for array in batch)
            statistics.append(self._gradients(part, 1 / samples))
            gradient += self._parameters.gradient
        self._parameters.gradient.copy_(gradient)
        return add_statistics(statistics)

    def _check_targets(self, batch: Batch) -> None:
        """Raises `TrainingError` unless they are finite: others cannot be put on a support."""
        for name in ("target_value", "target_reward"):
            if not np.isfinite(getattr(batch, name)).all():
                raise TrainingError(
                    f"{name} of a batch is not finite at step {self._step}: look at the rewards of the game"
                )

    def _metrics(self, updates: list[_Update], seconds: float) -> TrainingMetrics:
        statistics = [update.statistics for update in updates]
        return TrainingMetrics(
            training_step=self._step,
            loss=_mean([update.loss for update in updates]),
            terms=tuple(
                TermLoss(one.term.name, _mean([s.losses[number] for s in statistics]))
                for number, one in enumerate(self._terms)
            ),
            value_entropy=_mean([s.value_entropy for s in statistics]),
            policy_entropy=_mean([s.policy_entropy for s in statistics]),
            gradient_norm=_mean([update.gradient_norm for update in updates]),
            learning_rate=self._rate(max(self._step - 1, 0)),
            updates=len(updates),
            seconds=seconds,
            gpu_memory=torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None,
            clipped_targets=_mean([update.beyond.share for update in updates]),
            largest_target=max((update.beyond.largest for update in updates), default=0.0),
            guarded=self._guard.report,
        )


def _check_tells_apart(config: MuZeroConfig, network: MuZeroNetwork) -> None:
    """Raises `TrainingError` where all of some random observations have the same latent state, or latent
    states have another shape than the kind of network says.
    """
    shape = (8, config.stacked_channels, *config.observation_shape[1:])
    observations = np.random.default_rng(config.seed).normal(size=shape).astype(np.float32)
    device = next(network.parameters()).device
    training = network.training
    with torch.no_grad():
        latents = network.eval().represent(torch.from_numpy(observations).to(device))
    network.train(training)
    made, said = list(latents.shape[1:]), list(config.latent_shape)
    if made != said:
        raise TrainingError(
            f"network {config.network} makes latent states of shape {made}, where its kind says {said}"
        )
    latents = latents.flatten(1)
    if float((latents.amax(0) - latents.amin(0)).max()) == 0:
        raise TrainingError(
            "the network cannot tell one observation from another: all of them have the same latent state; "
            "make it wider, or use another downsample"
        )


def _mean(numbers: list[float]) -> float:
    """NaN if there are none."""
    return sum(numbers) / len(numbers) if numbers else math.nan


def _group(state: Snapshot, group: str) -> Weights:
    """Copies of the arrays that `Trainer.state` named `group`/..."""
    prefix = f"{group}/"
    return {n.removeprefix(prefix): np.array(a) for n, a in state.arrays.items() if n.startswith(prefix)}

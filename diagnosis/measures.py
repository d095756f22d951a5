"""Figures that compare what a model says with what happened: errors by horizon, calibration, search.

Errors are root mean squares. An error "relative to predicting 0" is divided by the root mean square of what
was to be predicted: 0 is perfect, 1 is as good as always saying 0, above 1 is worse. `nan` means that there
was nothing to compare, or nothing but zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.policies import best_legal, divergence
from data import BoolArray, FloatArray
from diagnosis.played import Played
from diagnosis.unrolling import Unrolled

BINS = 10
FEWEST = 8
"""Samples below which a figure is not given."""
MOST_GUESSED = 0.5
"""Positions whose return depends more than this on where a game was cut short are not compared."""


class Horizon(NamedTuple):
    """Means over sampled positions, by the number k of unrolled moves, 0 to H. All arrays are [H + 1]."""

    samples: NDArray[np.int64]  # positions that were compared
    reward_error: FloatArray  # of the k-th reward; nan at 0
    reward_size: FloatArray  # root mean square of the real k-th reward
    value_error: FloatArray  # imagined value against the realised return
    fresh_value_error: FloatArray  # the same of the value seen in the real position
    value_drift: FloatArray  # imagined value against the one seen in the real position
    value_size: FloatArray  # root mean square of the realised returns
    policy_divergence: FloatArray  # KL(search || imagined policy), nats
    fresh_policy_divergence: FloatArray  # KL(search || policy seen in the real position)
    uniform_divergence: FloatArray  # KL(search || any legal action alike)
    agreement: FloatArray  # share in which the imagined policy's first choice is the search's
    fresh_agreement: FloatArray
    latent_drift: FloatArray  # |imagined - fresh| / |fresh|, relative L2 distance of latent states
    latent_cosine: FloatArray  # their cosine
    latent_apart: float  # relative L2 distance of the latent states of two random positions


def by_horizon(played: Played, unrolled: Unrolled, generator: np.random.Generator) -> Horizon:
    """The figures of `Horizon`."""
    steps, rows = played.steps, unrolled.rows
    imagined, fresh = unrolled.imagined, unrolled.fresh
    known = unrolled.valid & (played.guessed[rows] <= MOST_GUESSED)
    real_rewards = np.roll(steps.rewards[rows], 1, axis=0)  # of the moves that led to `rows`
    realised = played.realised[rows]
    policy, legal = _policies(played, rows)
    taught = unrolled.valid & policy.any(axis=2)
    fresh_norm = np.linalg.norm(fresh.latents, axis=2)
    return Horizon(
        samples=unrolled.valid.sum(axis=1),
        reward_error=rms(imagined.rewards - real_rewards, unrolled.moved),
        reward_size=rms(real_rewards, unrolled.moved),
        value_error=rms(imagined.values - realised, known),
        fresh_value_error=rms(fresh.values - realised, known),
        value_drift=rms(imagined.values - fresh.values, unrolled.valid),
        value_size=rms(realised, known),
        policy_divergence=mean(_divergence(policy, imagined.logits, legal), taught),
        fresh_policy_divergence=mean(_divergence(policy, fresh.logits, legal), taught),
        uniform_divergence=mean(_divergence(policy, np.zeros_like(fresh.logits), legal), taught),
        agreement=mean(_agrees(policy, imagined.logits, legal), taught),
        fresh_agreement=mean(_agrees(policy, fresh.logits, legal), taught),
        latent_drift=mean(_distance(imagined.latents, fresh.latents, fresh_norm), unrolled.valid),
        latent_cosine=mean(_cosine(imagined.latents, fresh.latents), unrolled.valid),
        latent_apart=_apart(fresh.latents[0], generator),
    )


def _policies(played: Played, rows: NDArray[np.int64]) -> tuple[FloatArray, BoolArray]:
    """Search policies and legal actions at `rows` [H + 1, S], both [H + 1, S, A]."""
    legal = played.legal(rows.ravel())
    return played.steps.policies[rows], legal.reshape(*rows.shape, -1)


def _divergence(policy: FloatArray, logits: FloatArray, legal: BoolArray) -> FloatArray:
    """KL(policy || softmax(logits) over the legal actions) of arrays [..., A]."""
    actions = policy.shape[-1]
    flat = divergence(policy.reshape(-1, actions), logits.reshape(-1, actions), legal.reshape(-1, actions))
    return flat.reshape(policy.shape[:-1])


def _agrees(policy: FloatArray, logits: FloatArray, legal: BoolArray) -> FloatArray:
    """1 where the likeliest legal action by `logits` is (one of) the policy's likeliest, else 0; [..., A]."""
    chosen = np.take_along_axis(policy, best_legal(logits, legal)[..., None], axis=-1)[..., 0]
    return np.asarray(chosen >= policy.max(axis=-1) - 1e-6, np.float64)


def _distance(first: FloatArray, second: FloatArray, norm: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(first - second, axis=-1) / np.maximum(norm, 1e-9))


def _cosine(first: FloatArray, second: FloatArray) -> FloatArray:
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.asarray((first * second).sum(axis=-1) / np.maximum(norms, 1e-9))


def _apart(latents: FloatArray, generator: np.random.Generator) -> float:
    """Mean relative distance of each of the latents [S, D] from another one."""
    others = latents[(np.arange(len(latents)) + generator.integers(1, max(len(latents), 2))) % len(latents)]
    return float(_distance(others, latents, np.linalg.norm(latents, axis=1)).mean())


def mean(values: FloatArray, counted: BoolArray) -> FloatArray:
    """Row means [H + 1] of `values` [H + 1, S] where `counted`; nan from too few."""
    counts = counted.sum(axis=1)
    sums = np.where(counted, values, 0.0).sum(axis=1, dtype=np.float64)
    return np.where(counts >= FEWEST, sums / np.maximum(counts, 1), np.nan)


def rms(values: FloatArray, counted: BoolArray) -> FloatArray:
    """Row root mean squares [H + 1] of `values` [H + 1, S] where `counted`; nan from too few."""
    return np.sqrt(mean(np.square(values, dtype=np.float64), counted))


def relative(error: float, size: float) -> float:
    """An error relative to predicting 0."""
    return error / size if size > 0 else float("nan")


# --- calibration ---


class Calibration(NamedTuple):
    """Values against the returns that followed, in bins of about as many positions each."""

    predicted: FloatArray  # [bins] mean
    realised: FloatArray  # [bins] mean
    spread: FloatArray  # [bins] standard error of the mean realised return, as if positions were independent
    counts: NDArray[np.int64]  # [bins]
    error: float  # expected calibration error: mean of |predicted - realised| over positions, by bin
    rms_error: float  # of single positions
    size: float  # root mean square of the realised returns
    correlation: float  # of values and returns; nan if either does not vary

    @property
    def explained(self) -> float:
        """1 - (error / size)^2: the share of the squared returns that the values explain."""
        return 1.0 - relative(self.rms_error, self.size) ** 2


def calibrate(predicted: FloatArray, realised: FloatArray) -> Calibration:
    """The calibration of `predicted` [n] values by `realised` [n] returns, n at least 1."""
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, predicted, side="right")
    counts = np.bincount(bins, minlength=BINS)
    used = counts > 0

    def means(values: FloatArray) -> FloatArray:
        return np.bincount(bins, values, BINS)[used] / counts[used]

    low, high = means(predicted), means(realised)
    variance = np.maximum(means(np.square(realised, dtype=np.float64)) - high**2, 0.0)
    varies = predicted.std() > 1e-6 and realised.std() > 1e-6
    return Calibration(
        predicted=low,
        realised=high,
        spread=np.sqrt(variance / counts[used]),
        counts=counts[used],
        error=float((np.abs(low - high) * counts[used]).sum() / counts.sum()),
        rms_error=float(np.sqrt(np.mean(np.square(predicted - realised, dtype=np.float64)))),
        size=float(np.sqrt(np.mean(np.square(realised, dtype=np.float64)))),
        correlation=float(np.corrcoef(predicted, realised)[0, 1]) if varies else float("nan"),
    )


# --- search ---


class SearchEffect(NamedTuple):
    """The network's policies and values of n positions before a search without noise, and after."""

    divergence: FloatArray  # [n] KL(search || network), nats
    uniform_divergence: FloatArray  # [n] KL(search || any legal action alike), nats
    agrees: FloatArray  # [n] 1 where the first choice stays the same, else 0
    value_before: FloatArray  # [n] to the player to move
    value_after: FloatArray  # [n]


def search_effect(
    policy: FloatArray, logits: FloatArray, legal: BoolArray, values: tuple[FloatArray, FloatArray]
) -> SearchEffect:
    """Compares the search's policies [n, A] with the network's logits [n, A]; values before and after [n]."""
    return SearchEffect(
        divergence=_divergence(policy, logits, legal),
        uniform_divergence=_divergence(policy, np.zeros_like(logits), legal),
        agrees=_agrees(policy, logits, legal),
        value_before=values[0],
        value_after=values[1],
    )

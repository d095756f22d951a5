"""Whether a model can be trusted: figures against thresholds. docs/diagnose.md says where those come from."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from core.wording import counted
from data import FloatArray
from diagnosis.measures import Calibration, Horizon, SearchEffect, relative

LEAST_EXPLAINED = 0.1
"""Of the squared rewards or returns; an untrained network explains nothing."""
MOST_MISCALIBRATED = 0.25
"""Expected calibration error, relative to predicting 0."""
FAR_OFF = 0.6
"""The same where values are of no use at all."""
MOST_DRIFT = 0.35
"""Error of imagined rewards, and distance of imagined values from fresh ones, relative to predicting 0."""
DRIFT_FACTOR = 1.25
"""Error of rewards further ahead, by that one move ahead, where that is large."""

WEAK, STRONG = 0.2, 0.5
"""Correlations below which values say next to nothing, or not much, of returns."""

Level = Literal["trusted", "care", "untrusted", "unknown"]


class Criterion(NamedTuple):
    """A figure and what it must be."""

    name: str
    found: str
    wanted: str
    passed: bool | None  # None: not known
    essential: bool  # without it the model is not to be trusted at all
    failure: str  # what it means if it is not passed

    @property
    def word(self) -> str:
        """How it went, for people."""
        return {True: "good", False: "bad", None: "unknown"}[self.passed]


class Reach(NamedTuple):
    """Moves ahead."""

    good: int  # up to which the model stays true
    compared: int  # of which there were enough to compare


class Fact(NamedTuple):
    """A figure without a threshold."""

    name: str
    text: str


class Verdict(NamedTuple):
    """What the figures say."""

    level: Level
    text: str  # one sentence
    checks: tuple[Criterion, ...]
    facts: tuple[Fact, ...]


def judge(
    horizon: Horizon, rewards: Calibration, values: Calibration, search: SearchEffect, unroll_steps: int
) -> Verdict:
    """The verdict on a model that was trained to unroll `unroll_steps` (K) moves.

    `rewards` are those predicted one move ahead.
    """
    reach = trusted_moves(horizon, rewards, values)
    checks = (
        _explained("rewards one move ahead: explained", rewards, "it does not know the rewards"),
        _calibrated("rewards one move ahead: off on average", rewards, "its rewards are off on average", 0.0),
        _explained("values: explained", values, "its values say next to nothing of the returns"),
        _calibrated("values: off on average", values, "its values are off on average", FAR_OFF),
        _reaches(reach, unroll_steps),
    )
    level, text = _conclusion(checks, reach)
    return Verdict(level, text, checks, facts(horizon, rewards, values, search, unroll_steps))


def _explained(name: str, calibration: Calibration, failure: str) -> Criterion:
    found = calibration.explained
    passed = None if math.isnan(found) else found >= LEAST_EXPLAINED
    return Criterion(name, _percent(found), f"at least {LEAST_EXPLAINED:.0%}", passed, True, failure)


def _calibrated(name: str, calibration: Calibration, failure: str, hopeless: float) -> Criterion:
    """Essential where it is above `hopeless`."""
    found = relative(calibration.error, calibration.size)
    essential = not found <= hopeless
    passed = None if math.isnan(found) else found <= MOST_MISCALIBRATED
    return Criterion(name, _percent(found), f"at most {MOST_MISCALIBRATED:.0%}", passed, essential, failure)


def _reaches(reach: Reach, unroll_steps: int) -> Criterion:
    """Games that are shorter than K moves cannot show more than they have."""
    wanted = min(unroll_steps, reach.compared)
    return Criterion(
        "moves ahead that it stays true",
        str(reach.good),
        f"at least {wanted or unroll_steps}",
        reach.good >= wanted if wanted else None,
        False,
        f"it goes wrong after {reach.good} of the {unroll_steps} moves that it was trained to look ahead",
    )


def trusted_moves(horizon: Horizon, rewards: Calibration, values: Calibration) -> Reach:
    """How many moves ahead imagined rewards and values stay true: within `MOST_DRIFT`.

    Rewards that nobody can predict exactly, by chance for one, may err somewhat more than one move ahead.
    """
    compared = int(np.flatnonzero(np.isfinite(horizon.reward_error)).max(initial=0))
    if not rewards.explained >= LEAST_EXPLAINED:
        return Reach(0, compared)
    one_move = relative(rewards.rms_error, rewards.size)
    allowed = max(MOST_DRIFT, DRIFT_FACTOR * one_move) * horizon.reward_size
    wrong = (horizon.reward_error > allowed) | (horizon.value_drift > MOST_DRIFT * values.size)
    good = int(wrong[1:].argmax()) if wrong[1:].any() else compared
    return Reach(good, compared)


def _conclusion(checks: tuple[Criterion, ...], reach: Reach) -> tuple[Level, str]:
    failed = [check for check in checks if check.passed is False]
    if essential := [check for check in failed if check.essential]:
        return "untrusted", f"the model is NOT to be trusted: {_listed(essential)}"
    if any(check.essential and check.passed is None for check in checks):
        return "unknown", (
            "the model cannot be judged: no reward came up in these games; play more of them (--games), or "
            "others (--seed), or train until games end with a result"
        )
    if failed:
        return "care", f"the model is to be trusted with care: {_listed(failed)}"
    return (
        "trusted",
        f"the model can be trusted: its rewards and values hold {counted(reach.good, 'move')} ahead",
    )


def _listed(failed: list[Criterion]) -> str:
    return "; ".join(check.failure for check in failed)


def facts(
    horizon: Horizon, rewards: Calibration, values: Calibration, search: SearchEffect, unroll_steps: int
) -> tuple[Fact, ...]:
    """Figures without a threshold: there is none that holds for every game."""
    return (
        Fact("reward error one move ahead", _of(rewards.rms_error, rewards.size, "reward")),
        Fact(f"reward error {counted(unroll_steps, 'move')} ahead", _of_horizon(horizon, unroll_steps)),
        Fact("value error against the return", _of(values.rms_error, values.size, "return")),
        Fact("correlation of values and returns", _correlated(values.correlation)),
        Fact(
            "latent drift one move ahead",
            f"{_at(horizon.latent_drift, 1)} relative L2, cosine {_at(horizon.latent_cosine, 1)} "
            f"(two random positions: {_number(horizon.latent_apart)})",
        ),
        Fact(
            "policy before and after search",
            f"KL {search.divergence.mean():.3f} nats (from a uniform policy "
            f"{search.uniform_divergence.mean():.3f}), first choice kept {search.agrees.mean():.0%}",
        ),
    )


def _of(error: float, size: float, what: str) -> str:
    if not size > 0:
        return f"unknown: there was no {what}"
    return f"{error:.4g}, {relative(error, size):.1%} of the {what}s' root mean square of {size:.4g}"


def _of_horizon(horizon: Horizon, k: int) -> str:
    return _of(float(horizon.reward_error[k]), float(horizon.reward_size[k]), "reward")


def _correlated(correlation: float) -> str:
    """A correlation, and what it says in words."""
    if math.isnan(correlation):
        return "unknown: the values or the returns were all the same"
    found = _number(correlation)
    if correlation < WEAK:
        return f"{found}, next to none: values do not tell positions that went well from others"
    return found + (", weak" if correlation < STRONG else "")


def _at(values: FloatArray, k: int) -> str:
    return _number(float(values[k]))


def _percent(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.1%}"


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.2f}"

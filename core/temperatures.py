"""Temperatures that change as a training, or a game, goes on: step functions as data."""

from __future__ import annotations

from core.errors import require

Schedule = tuple[tuple[float, float], ...]
"""A step function as data: `(until, value)` pairs, `until` being the fraction of `training_steps` up to
which `value` holds. The last value holds for the rest."""


def schedule_value(schedule: Schedule, progress: float) -> float:
    """The value of a step function at `progress` (fraction of the training, from 0)."""
    for until, value in schedule:
        if progress < until:
            return value
    return schedule[-1][1]


def check_temperatures(name: str, schedule: Schedule) -> None:
    """Raises `ConfigurationError` about field `name` when a schedule of temperatures cannot be followed."""
    ends = [until for until, _ in schedule]
    require(
        ends == sorted(ends) and all(value >= 0 for _, value in schedule),
        name,
        "must be (until, value) pairs with rising until and values >= 0",
    )

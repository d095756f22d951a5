"""The search that somebody asks for, completed by the defaults and checked: what its ledger opens with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.spec import GameSpec, check_facts, check_learnable
from tuning.halving import REDUCTION, RUNGS, rung_shares
from tuning.ledger import Opened
from tuning.space import parse_space
from tuning.suggester import OPTIMIZER, nevergrad_version

Number = TypeVar("Number", int, float)

BUDGET = 20
PARALLEL = 1
GAMES = 100
OWN_FIELDS = {
    "training_minutes": "give the budget of a trial by --minutes",
    "training_steps": "give the budget of a trial by --steps",
    "target_reward": "every trial uses its whole budget",
    "checkpoint_interval": "trials keep no checkpoints but the best",
    "keep_checkpoints": "trials keep no checkpoints but the best",
    "log_interval": "trials are read every second",
}
"""Fields that the search sets in every trial, and why."""
OUTSIDE = ("seed", "results_path")
"""Fields that are the search's own, and none of its trials'."""


class Wanted(NamedTuple):
    """What was asked for; None where nothing was said."""

    game: GameSpec
    parameters: tuple[str, ...]  # as they were written
    options: Mapping[str, Any]  # fields of the configuration
    budget: int | None  # trials
    parallel: int | None  # at a time
    minutes: float | None  # of a trial
    steps: int | None  # of a trial, updates
    games: int | None  # that score it
    rungs: int | None
    reduction: int | None


def opened(wanted: Wanted) -> Opened:
    """The search that was asked for. Raises `ConfigurationError` if it cannot be run."""
    from arena.players import check_opponents

    options = _fixed_options(wanted.options)
    base = wanted.game.config.replace(**options)
    check_facts(wanted.game, base)
    check_learnable(base)
    check_opponents(wanted.game, base)
    _check_space(wanted, base, options)
    found = Opened(
        game=wanted.game.text,
        parameters=wanted.parameters,
        options=options,
        budget=given(wanted.budget, BUDGET),
        parallel=given(wanted.parallel, PARALLEL),
        minutes=_minutes(wanted, base),
        steps=given(wanted.steps, 0),
        rungs=given(wanted.rungs, RUNGS),
        reduction=given(wanted.reduction, REDUCTION),
        games=given(wanted.games, GAMES),
        seed=wanted.options.get("seed", 0),
        optimizer=OPTIMIZER,
        nevergrad=nevergrad_version(),
    )
    if not found.rungs and wanted.reduction is not None:
        raise ConfigurationError("--reduction needs --rungs: with none, no trial is compared or stopped")
    rung_shares(found.rungs, found.reduction)
    return found


def _fixed_options(given_options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the configuration that are the same in all trials."""
    for name in given_options:
        if name in OWN_FIELDS:
            raise ConfigurationError(f"{name} cannot be given to a search: {OWN_FIELDS[name]}")
    return {name: value for name, value in given_options.items() if name not in OUTSIDE}


def _check_space(wanted: Wanted, base: MuZeroConfig, options: Mapping[str, Any]) -> None:
    for parameter in parse_space(wanted.parameters, base):
        if parameter.name in options:
            raise ConfigurationError(
                f"{parameter.name} is searched, so it cannot be given as an option as well"
            )
    if not base.evaluation_interval:
        raise ConfigurationError("evaluation_interval=0: trials are compared by their evaluations")


def _minutes(wanted: Wanted, base: MuZeroConfig) -> float:
    """The minutes of a trial; 0 where its updates are limited."""
    if wanted.minutes is not None and wanted.steps is not None:
        raise ConfigurationError("give either --minutes or --steps")
    if wanted.steps is not None:
        return 0.0
    return given(wanted.minutes, base.training_minutes)


def given(value: Number | None, default: Number) -> Number:
    """`value`, or the default where there is none."""
    return default if value is None else value

"""What is searched: parameters written `lr_init=log:1e-4:1e-1`, and the bounds within which they stay."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from config import MuZeroConfig, field_docs, field_types, parse_option
from core.errors import ConfigurationError, did_you_mean
from core.options import type_name

Scale = Literal["uniform", "log", "int", "logint", "choice"]
SCALES: tuple[Scale, ...] = get_args(Scale)
WHOLE: tuple[Scale, ...] = ("int", "logint")
LOGARITHMIC: tuple[Scale, ...] = ("log", "logint")

Values = dict[str, Any]
"""A value for each parameter of a space, by field name; plain JSON."""

NOT_SEARCHED = {
    "seed": "each trial gets its own",
    "results_path": "the search has a folder of its own",
    "training_minutes": "the budget of a trial is given by --minutes or --steps",
    "training_steps": "the budget of a trial is given by --minutes or --steps",
    "checkpoint_interval": "it does not change what is learned",
    "keep_checkpoints": "it does not change what is learned",
    "log_interval": "it does not change what is learned",
}
FIXED_GROUPS = {
    "game": "it would change the game",
    "evaluation": "it would change how trials are compared",
}
SEARCHED_ALL_THE_SAME = ("stacked_observations", "symmetry")
"""Of these groups."""


@dataclass(frozen=True)
class Parameter:
    """A field of the configuration and the values that it may take."""

    name: str
    scale: Scale
    low: float = math.nan  # inclusive, as is `high`; nan for choices
    high: float = math.nan
    choices: tuple[Any, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.scale in WHOLE

    @property
    def logarithmic(self) -> bool:
        """Whether equal ratios count the same."""
        return self.scale in LOGARITHMIC

    def place_of(self, value: Any) -> int:
        """The number of the choice that `value` is, from 0; it may have been read from JSON."""
        return [as_json(choice) for choice in self.choices].index(as_json(value))

    def contains(self, value: Any) -> bool:
        """Whether `value` is one of its values."""
        if self.scale == "choice":
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high


def as_json(value: Any) -> Any:
    """A value as JSON gives it back: lists for tuples."""
    return json.loads(json.dumps(value))


def parse_parameter(text: str) -> Parameter:
    """The parameter that `text` describes. Raises `ConfigurationError`."""
    name, equals, domain = text.partition("=")
    scale, colon, rest = domain.partition(":")
    if not (equals and colon and rest):
        raise ConfigurationError(f"--param {text}: write {FORMS}")
    if scale not in SCALES:
        suggestion = did_you_mean(scale, list(SCALES))
        raise ConfigurationError(f"--param {text}: unknown scale {scale!r}{suggestion}; write {FORMS}")
    _check_field(name, text)
    if scale == "choice":
        choices = tuple(parse_option(name, part.strip()) for part in _split(rest))
        return _choices(name, choices, text)
    return _numbers(name, scale, rest, text)


FORMS = "NAME=uniform:LOW:HIGH, log:LOW:HIGH, int:LOW:HIGH, logint:LOW:HIGH or choice:A,B,..."


def _check_field(name: str, text: str) -> None:
    docs = field_docs()
    if name not in docs:
        raise ConfigurationError(f"--param {text}: unknown option {name!r}{did_you_mean(name, list(docs))}")
    reason = NOT_SEARCHED.get(name)
    if reason is None and name not in SEARCHED_ALL_THE_SAME:
        reason = FIXED_GROUPS.get(docs[name].group)
    if reason is not None:
        raise ConfigurationError(f"--param {text}: {name} is not searched: {reason}")


def _split(text: str) -> list[str]:
    """Parts between commas outside all brackets."""
    depth, parts = 0, [""]
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _choices(name: str, choices: tuple[Any, ...], text: str) -> Parameter:
    if len(set(choices)) < len(choices) or len(choices) < 2:
        raise ConfigurationError(f"--param {text}: give at least two different choices")
    return Parameter(name, "choice", choices=choices)


def _numbers(name: str, scale: Scale, bounds: str, text: str) -> Parameter:
    kind = type_name(field_types()[name]).removesuffix(" or none")
    suitable = {"int": WHOLE, "float": tuple(s for s in SCALES[:-1] if s not in WHOLE)}.get(kind, ())
    if scale not in suitable:
        names = " or ".join((*suitable, "choice"))
        raise ConfigurationError(f"--param {text}: {name} is {kind}, so its scale is {names}")
    try:
        low, high = (int(part) if scale in WHOLE else float(part) for part in bounds.split(":"))
    except ValueError:
        expected = "two whole numbers" if scale in WHOLE else "two numbers"
        raise ConfigurationError(f"--param {text}: {scale} needs {expected}, LOW:HIGH") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigurationError(f"--param {text}: LOW must be below HIGH, and both finite")
    if scale in LOGARITHMIC and low <= 0:
        raise ConfigurationError(f"--param {text}: a logarithmic scale starts above 0")
    return Parameter(name, scale, low, high)


def parse_space(texts: Sequence[str], base: MuZeroConfig) -> tuple[Parameter, ...]:
    """The parameters that `texts` describe, each of whose extremes is tried on `base`.

    Raises `ConfigurationError` when there are none, one is there twice, or a value cannot be configured.
    """
    space = tuple(parse_parameter(text) for text in texts)
    names = [parameter.name for parameter in space]
    if not space:
        raise ConfigurationError(f"nothing to search: give --param at least once, as {FORMS}")
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"--param {name}: given twice")
    for parameter in space:
        for value in parameter.choices or (parameter.low, parameter.high):
            base.replace(**{parameter.name: value})
    return space


def own_values(space: Sequence[Parameter], base: MuZeroConfig) -> Values | None:
    """The values that `base` has itself; None if one of them is outside the space."""
    values = {parameter.name: getattr(base, parameter.name) for parameter in space}
    inside = all(parameter.contains(values[parameter.name]) for parameter in space)
    return values if inside else None


def short(value: Any, digits: int = 4) -> str:
    """A value as people read it."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, tuple | list):
        return "[" + ",".join(short(part, digits) for part in value) + "]"
    return str(value)


def listed(values: Values) -> str:
    """`lr_init=0.01 optimizer=SGD`."""
    return " ".join(f"{name}={short(value)}" for name, value in values.items())

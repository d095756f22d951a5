"""The machinery of options: fields that say what they mean, and values that are given as text or JSON."""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, Literal, TypeVar, cast

from core.errors import ConfigurationError
from core.json_text import brief, parse_json

T = TypeVar("T")


@dataclass(frozen=True)
class FieldDoc:
    """What a field of the configuration says about itself: its meaning, group and inclusive bounds."""

    doc: str
    group: str
    low: float = -math.inf
    high: float = math.inf
    formerly: tuple[str, ...] = ()  # names that it had in earlier versions
    choices: tuple[str, ...] = ()  # what a text may be, where its type does not say it


def option(
    default: T,
    group: str,
    doc: str,
    low: float = -math.inf,
    high: float = math.inf,
    formerly: tuple[str, ...] = (),
    choices: tuple[str, ...] = (),
) -> T:
    """A dataclass field that carries its documentation, group, inclusive numeric bounds and the rest of
    `FieldDoc`.
    """
    documented = FieldDoc(doc, group, low, high, formerly, choices)
    field: Any = dataclasses.field(default=default, metadata={"doc": documented})
    return cast(T, field)


def renamed(values: Mapping[str, T], docs: Mapping[str, FieldDoc]) -> dict[str, T]:
    """`values` by the present names of their fields: old checkpoints and commands say earlier ones.

    Raises `ConfigurationError` where a field is given by two of its names.
    """
    present = {old: name for name, doc in docs.items() for old in doc.formerly}
    found: dict[str, T] = {}
    for name, value in values.items():
        new = present.get(name, name)
        if new in found:
            raise ConfigurationError(f"{new} is given twice: {name} is an earlier name of it")
        found[new] = value
    return found


def kind_of(expected: Any, doc: FieldDoc) -> str:
    """A field's type in words, or its choices."""
    return "|".join(doc.choices) or type_name(expected)


def type_name(expected: Any) -> str:
    """A field's type in words a user can act on: `int`, `puct|gumbel`, `list of int`."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is Literal:
        return "|".join(arguments)
    if origin is tuple:
        inner = type_name(arguments[0])
        return f"list of {inner}" if arguments[-1] is Ellipsis else f"list of {len(arguments)} {inner}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join("none" if a is type(None) else type_name(a) for a in arguments)
    return str(expected.__name__)


def coerce(expected: Any, value: Any, name: str) -> Any:
    """`value` as `expected`: lists become tuples, integers floats, NumPy's numbers and paths Python's own.

    Nothing else is converted. Raises `ConfigurationError` when it is of another type.
    """
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else coerce(arguments[0], value, name)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        value = list(value)
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(inner) == len(value):
            return tuple(coerce(t, v, name) for t, v in zip(inner, value, strict=True))
    elif origin is dict and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: coerce(arguments[1], of_key, f"{name}.{key}") for key, of_key in value.items()}
    elif _is_scalar(expected, value):
        return fspath(value) if expected is str else expected(value)
    raise ConfigurationError(f"{name}={brief(value)} must be {type_name(expected)}")


def _is_scalar(expected: Any, value: Any) -> bool:
    """Whether `value` is one of type `expected`, or NumPy's like it, or a path for a text."""
    truth = type(value).__name__ in ("bool", "bool_")  # or NumPy's, without importing it
    if expected is bool or truth:
        return truth and expected is bool
    if expected in (int, float):
        return isinstance(value, numbers.Integral if expected is int else numbers.Real)
    return expected is str and isinstance(value, str | PathLike)


def parse_json_object(text: str, what: str) -> dict[str, Any]:
    """The object in JSON `text`. Raises `ConfigurationError` naming `what` when it is not one."""
    try:
        value = parse_json(text, constants=True)
    except ValueError as error:
        raise ConfigurationError(f"{what} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigurationError(f"{what} must be a JSON object such as '{{\"lr_init\": 0.01}}'")
    return value


_JSON_WORDS = {"True": "true", "False": "false", "None": "null", "none": "null"}


def parse_value(expected: Any, text: str, name: str) -> Any:
    """The value of type `expected` written as command-line text; lists as JSON or with commas.

    Raises `ConfigurationError` naming `name`.
    """
    if typing.get_origin(expected) is Literal or expected is str:
        return coerce(expected, text, name)
    value = _json_or_text(text)
    if type_name(expected).startswith("list") and not isinstance(value, list):
        value = [_json_or_text(part.strip()) for part in text.split(",")]
    return coerce(expected, value, name)


def _json_or_text(text: str) -> Any:
    try:
        return parse_json(_JSON_WORDS.get(text, text), constants=True)
    except ValueError:
        return text

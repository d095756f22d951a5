"""The machinery of options: fields that say what they mean, and values that are given as text or JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from core.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True)
class FieldDoc:
    """What a field of the configuration says about itself: its meaning, group and inclusive bounds."""

    doc: str
    group: str
    low: float = -math.inf
    high: float = math.inf


def option(default: T, group: str, doc: str, low: float = -math.inf, high: float = math.inf) -> T:
    """A dataclass field that carries its documentation, group and inclusive numeric bounds."""
    field: Any = dataclasses.field(default=default, metadata={"doc": FieldDoc(doc, group, low, high)})
    return cast(T, field)


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
    """`value` as `expected`: lists become tuples and integers floats; nothing else is converted.

    Raises `ConfigurationError` when it is of another type.
    """
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else coerce(arguments[0], value, name)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list | tuple | range):
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(inner) == len(value):
            return tuple(coerce(t, v, name) for t, v in zip(inner, value, strict=True))
    elif expected is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif expected in (int, bool, str) and type(value) is expected:
        return value
    raise ConfigurationError(f"{name}={value!r} must be {type_name(expected)}")


def parse_json_object(text: str, what: str) -> dict[str, Any]:
    """The object in JSON `text`. Raises `ConfigurationError` naming `what` when it is not one."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
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
        return json.loads(_JSON_WORDS.get(text, text))
    except json.JSONDecodeError:
        return text

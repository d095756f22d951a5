"""JSON that somebody else may have written: parsed with bounds, so that no text costs more than it should."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

DEPTH = 32
"""Lists and objects within each other."""
DIGITS = 64
"""Of a whole number: as many as the state of a random generator has, and some to spare."""
CONTAINERS = 200_000
"""Lists and objects in one text."""
VALUES = 2_000_000
"""Commas in one text."""
LARGEST = 2**53
"""Of numbers that count something: whole numbers up to here are exact in any JSON."""

Number = TypeVar("Number", int, float)


def parse_json(text: str | bytes, constants: bool = False) -> Any:
    """What JSON `text`, UTF-8 if it is bytes, says. How long it may be is up to whoever has read it.

    Raises `ValueError` on anything else: also on a name given twice in one object, on nesting deeper than
    `DEPTH`, on more than `CONTAINERS` lists or `VALUES` values, on whole numbers of more than `DIGITS`
    digits, on halves of characters, and, unless `constants`, on NaN and Infinity.
    """
    said = text.decode("utf-8") if isinstance(text, bytes) else text
    if said.count("[") + said.count("{") > CONTAINERS or said.count(",") > VALUES:
        raise ValueError("more values than any file of ours has")
    try:
        value = json.loads(
            said,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_constant=float if constants else _refuse_constant,
        )
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if said.count("[") + said.count("{") > DEPTH:
        _check_depth(value)
    if _HALF_A_CHARACTER.search(said):
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a `ValueError` where it is no text
    return value


_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""What may be one: JSON can say half of a character beyond 16 bits, which cannot be printed."""
_TOO_DEEP = f"lists or objects within each other, deeper than {DEPTH}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _check_depth(value: Any) -> None:
    """Level by level, without recursion."""
    level = [value]
    for _ in range(DEPTH + 1):
        inner: list[Any] = []
        for one in level:
            inner.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        level = [one for one in inner if isinstance(one, list | dict)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


# --- what a value must be ---


def whole(value: Any, name: str, low: int = 0, high: int = LARGEST) -> int:
    """`value`, if it is a whole number from `low` to `high`. Raises `ValueError` about `name`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {brief(value)} and must be a whole number from {low} to {high}")
    return value


def real(value: Any, name: str, low: float = -math.inf, high: float = math.inf) -> float:
    """`value`, if it is a finite number from `low` to `high`. Raises `ValueError` about `name`."""
    possible = isinstance(value, int | float) and not isinstance(value, bool)
    if not (possible and low <= value <= high and abs(value) < math.inf):
        raise ValueError(f"{name} is {brief(value)} and must be a number{_bounds(low, high)}")
    return float(value)


def _bounds(low: float, high: float) -> str:
    return "" if (low, high) == (-math.inf, math.inf) else f" from {low:g} to {high:g}"


def text(value: Any, name: str, longest: int = 4096) -> str:
    """`value`, if it is text of up to `longest` characters. Raises `ValueError` about `name`."""
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"{name} is {brief(value)} and must be text of at most {longest} characters")
    return value


def entries(value: Any, name: str) -> dict[str, Any]:
    """`value`, if it is an object. Raises `ValueError` about `name`."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {brief(value)} and must be an object")
    return value


def optional(check: Callable[[Any, str], Number], value: Any, name: str) -> Number | None:
    """What `check` says of `value`, unless it is None."""
    return None if value is None else check(value, name)


LONGEST_SHOWN = 80
"""Characters of a value in a message."""


def brief(value: Any) -> str:
    """A value as a message shows it, however large it is."""
    if isinstance(value, str):
        value = value[: LONGEST_SHOWN + 1]
    elif isinstance(value, list | tuple | dict | set) and len(value) > LONGEST_SHOWN:
        return f"{type(value).__name__} of {len(value)} entries"
    shown = repr(value)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."

"""Whether arrays that come from a file are what they should be: names, shapes, dtypes, ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.json_text import brief, entries

LARGEST_FINITE = float(np.finfo(np.float64).max)


class Wanted(NamedTuple):
    """What an array has to be like."""

    shape: tuple[int | None, ...]  # None: any length
    dtype: DTypeLike | None  # None: any of numbers
    low: float = -LARGEST_FINITE  # inclusive, as is `high`
    high: float = LARGEST_FINITE


def check_arrays(
    arrays: Mapping[str, NDArray[Any]], wanted: Mapping[str, Wanted], optional: tuple[str, ...] = ()
) -> None:
    """Raises `ValueError` unless `arrays` are all those that are `wanted`, or all but the `optional` ones."""
    missing = wanted.keys() - arrays.keys() - set(optional)
    more = arrays.keys() - wanted.keys()
    if missing or more:
        which = (
            f"{brief(min(missing))} is missing" if missing else f"{brief(min(more))} is none of its arrays"
        )
        raise ValueError(which)
    for name, array in arrays.items():
        check_array(array, wanted[name], name)


def check_array(array: NDArray[Any], wanted: Wanted, name: str) -> None:
    """Raises `ValueError` about `name` unless `array` is as `wanted`."""
    lengths = zip(array.shape, wanted.shape, strict=False)
    if len(array.shape) != len(wanted.shape) or any(w not in (None, n) for n, w in lengths):
        raise ValueError(f"{name} has shape {_shape(array.shape)} and not {_shape(wanted.shape)}")
    if wanted.dtype is not None and array.dtype != np.dtype(wanted.dtype):
        raise ValueError(f"{name} is {array.dtype} and not {np.dtype(wanted.dtype)}")
    if not array.size:
        return
    least, most = float(array.min()), float(array.max())
    if not (wanted.low <= least and most <= wanted.high):
        raise ValueError(f"{name} goes from {least:g} to {most:g}, out of {wanted.low:g} to {wanted.high:g}")


def _shape(shape: tuple[int | None, ...]) -> str:
    return "x".join("n" if length is None else str(length) for length in shape) or "()"


def check_generator(state: Any) -> None:
    """Raises `ValueError` unless `state` is one of a generator of random numbers of ours (PCG64)."""
    try:
        generator: Any = np.random.PCG64(0)
        generator.state = entries(state, "the state of the random numbers")
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
        raise ValueError(f"the state of its random numbers is none: {brief(str(error))}") from None

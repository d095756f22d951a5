"""How all trees are searched: the configuration and the rule, as kernels read them."""

from __future__ import annotations

import functools
import hashlib
import inspect
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from config import MuZeroConfig
from search.rules.rule import SearchRule
from search.tree import SearchParameters

SMALLEST_RANGE = 1e-8
"""Least denominator when values are scaled to [0, 1], as in mctx."""
SETS = ("rule", "values")
"""Names of sets of functions that kernels are compiled for: the name of a field of the constants that begins
so says which set it is, so that it is part of the kernels' type."""


class Constants(NamedTuple):
    """What the kernels and several rules read; a rule's own numbers stand beside it in the same record."""

    max_depth: int
    by_siblings: bool  # values are scaled by those of a node's actions
    tree_bounds: bool  # or by the extremes of the whole tree
    low: float  # or by known bounds
    high: float
    least_range: float  # that values are scaled by


def make_parameters(
    config: MuZeroConfig, rule: SearchRule, values: type, simulations: int, dtype: DTypeLike
) -> SearchParameters:
    """Those of a search by `rule` with this many simulations, its values handled by the set `values`."""
    low, high = config.value_bounds
    common = Constants(
        max_depth=config.max_depth or simulations,
        by_siblings=config.q_transform == "parent_and_siblings",
        tree_bounds=config.q_transform == "min_max",
        low=low,
        high=high,
        least_range=max(config.min_q_range, SMALLEST_RANGE),
    )
    numbers = common._asdict() | rule.constants(config)._asdict()
    kinds = tuple((name, type(number)) for name, number in numbers.items())
    sets = path_of(type(rule)), path_of(values)
    constants = np.zeros(1, constants_type(np.dtype(dtype), kinds, sets))
    for name, number in numbers.items():
        constants[name] = number
    visits = np.arange(simulations + 2, dtype=np.float64)
    return SearchParameters(
        constants=constants,
        exploration=rule.exploration(config, visits).astype(dtype),
        schedule=np.array(rule.schedule(config, simulations), np.int32),
    )


@functools.cache
def constants_type(
    real: np.dtype[Any], numbers: tuple[tuple[str, type], ...], sets: tuple[str, ...]
) -> np.dtype[np.void]:
    """The record of such numbers, which also names the `SETS` of functions to compile for.

    The same object at each call, which numba recognises in less time.
    """
    kinds = {bool: "?", int: "i4", float: real.str}
    fields = [(name, kinds[kind]) for name, kind in numbers]
    marks = [(f"{what} {path}", "i1") for what, path in zip(SETS, sets, strict=True)]
    return np.dtype([*fields, *marks], align=True)


def path_of(chosen: type) -> str:
    """`module:Class`, and the digest of its file: what was compiled for an earlier text of it is not used."""
    digest = hashlib.sha256(inspect.getsource(inspect.getmodule(chosen) or chosen).encode()).hexdigest()[:16]
    return f"{chosen.__module__}:{chosen.__qualname__} {digest}"

"""Where random numbers come from: streams derived from one seed, so that no two users share numbers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """Who uses a stream of random numbers."""

    SELF_PLAY = 1  # and the worker's number, and how many workers of the run had been lost, if any
    EVALUATION = 2
    BUFFER = 3
    REANALYSE = 4  # and the weights' version and the first position
    OPENINGS = 5
    OPPONENT = 6


def make_generator(seed: int, stream: Stream, *which: int) -> np.random.Generator:
    """The generator that `seed` determines for a stream, or for part `which` of it."""
    return np.random.default_rng([seed, stream, *which])


def one_of(generator: np.random.Generator, choices: Sequence[int] | NDArray[Any]) -> int:
    """A random one of `choices` [n], n > 0: the one that `generator.choice` draws, and sooner."""
    return int(choices[int(generator.integers(len(choices)))])

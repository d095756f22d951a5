"""The parts of a fully connected network, and the sizes of their layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple


class PerceptronSizes(NamedTuple):
    """Sizes of the layers of a fully connected network's parts, by their names, inputs first."""

    value: tuple[int, ...]
    reward: tuple[int, ...]
    policy: tuple[int, ...]
    representation: tuple[int, ...]
    dynamics: tuple[int, ...]


def weights_of(perceptrons: Iterable[tuple[int, ...]]) -> int:
    """The number of weights between the layers of these sizes; biases are left out."""
    return sum(inputs * outputs for sizes in perceptrons for inputs, outputs in itertools.pairwise(sizes))

"""The parts of a fully connected network, and the sizes of their layers."""

from __future__ import annotations

from typing import NamedTuple


class PerceptronSizes(NamedTuple):
    """Sizes of the layers of a fully connected network's parts, by their names, inputs first."""

    value: tuple[int, ...]
    reward: tuple[int, ...]
    policy: tuple[int, ...]
    representation: tuple[int, ...]
    dynamics: tuple[int, ...]

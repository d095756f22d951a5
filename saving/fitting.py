"""Whether a checkpoint's weights are those of its configuration, found out before a network is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from config import MuZeroConfig
from core.array_checks import Wanted, check_arrays


def check_weights(weights: Mapping[str, NDArray[Any]], config: MuZeroConfig) -> None:
    """Raises `ValueError` unless `weights` have the names, the shapes and the number that `config` says.

    Of a kind of network that cannot say them it is found out where the weights are loaded.
    """
    numbers, said = sum(array.size for array in weights.values()), config.network_kind.parameters(config)
    if said is not None and said > ROUGHLY * numbers + ROUGHLY:
        raise ValueError(f"the weights are {numbers:,} numbers, where this network has about {said:,}")
    shapes = config.network_kind.weight_shapes(config)
    if shapes is not None:
        check_arrays(weights, {name: Wanted(shape, None) for name, shape in shapes.items()})


ROUGHLY = 2
"""How far the rough count of a kind of network may be too high."""

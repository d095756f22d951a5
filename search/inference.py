"""The choice of the path by which the search evaluates the network.

Imports torch only when the chosen path needs it: processes that play fully connected games on the CPU
start without it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import Model, Weights


class InferenceModel(Model, Protocol):
    """A `data.Model` that takes new weights and also values single positions."""

    name: str  # of the path, for people

    def load(self, weights: Weights) -> None:
        """Copies `weights`. The model answers only after the first call."""
        ...

    def evaluate(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """The values [n] of stacked observations [n, C, H, W], n at will; leaves the search's nodes alone."""
        ...


def make_model(config: MuZeroConfig, batch: int, simulations: int, device: str = "cpu") -> InferenceModel:
    """The inference path `config.inference` asks for, for up to `batch` roots of `simulations` each."""
    if chosen_path(config, device) == "numba":
        from search.fast_inference import FullyConnectedModel

        return FullyConnectedModel(config, batch, simulations)
    from search.torch_inference import TorchModel

    return TorchModel(config, batch, simulations, device)


def chosen_path(config: MuZeroConfig, device: str) -> str:
    """`config.inference` with auto resolved: numba where it applies, which is where it wins, else torch."""
    if config.inference != "auto":
        return config.inference
    return "numba" if config.network == "fullyconnected" and device == "cpu" else "torch"

"""The choice of the path by which the search evaluates the network.

Imports torch only when the chosen path needs it: processes that play fully connected games on the CPU
start without it.
"""

from __future__ import annotations

from config import MuZeroConfig
from data import InferenceModel


def make_model(config: MuZeroConfig, batch: int, simulations: int, device: str = "cpu") -> InferenceModel:
    """The inference path `config.inference` asks for, for up to `batch` roots of `simulations` each."""
    if chosen_path(config, device) == "numba":
        return config.network_kind.fast_model(config, batch, simulations)
    from search.torch_inference import TorchModel

    return TorchModel(config, batch, simulations, device)


def chosen_path(config: MuZeroConfig, device: str) -> str:
    """`config.inference` with auto resolved: numba where it applies, which is where it wins, else torch."""
    if config.inference != "auto":
        return config.inference
    return "numba" if config.network_kind.fast_inference and device == "cpu" else "torch"

"""The kind of fully connected networks: searched without torch on the CPU, with gradients derived by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from config import MuZeroConfig
from core.errors import require
from core.network_kinds import NetworkKind
from networks.perceptrons import perceptron_shapes, perceptron_sizes, weights_of

if TYPE_CHECKING:  # torch and numba
    import numpy as np
    from numpy.typing import NDArray

    from data import Gradients, InferenceModel
    from models import MuZeroNetwork


class FullyConnected(NetworkKind[MuZeroConfig]):
    """Multilayer perceptrons on a latent vector."""

    title = "fully connected"
    options = (
        *("encoding_size", "fc_representation_layers", "fc_dynamics_layers", "fc_residual_dynamics"),
        *("fc_reward_layers", "fc_value_layers", "fc_policy_layers", "fused_update"),
    )
    fast_inference = True
    own_gradients = True

    def make(self, config: MuZeroConfig) -> MuZeroNetwork:
        """A `FullyConnectedNetwork`."""
        from networks.fully_connected_network import FullyConnectedNetwork

        return FullyConnectedNetwork(config)

    def latent_shape(self, config: MuZeroConfig) -> tuple[int, ...]:
        """[D]."""
        return (config.encoding_size,)

    def check(self, config: MuZeroConfig) -> None:
        """A latent of one number is 0 once it is scaled to [0, 1]."""
        nothing = "is 1, which leaves nothing of a latent state that is scaled; use at least 2"
        require(config.encoding_size > 1, "encoding_size", nothing)

    def parameters(self, config: MuZeroConfig) -> int:
        """The weights of all layers."""
        return weights_of(perceptron_sizes(config))

    def weight_shapes(self, config: MuZeroConfig) -> dict[str, tuple[int, ...]]:
        """Those of all layers."""
        return perceptron_shapes(perceptron_sizes(config))

    def fast_model(self, config: MuZeroConfig, batch: int, simulations: int) -> InferenceModel:
        """One numba kernel per call."""
        from networks.fast_inference import FullyConnectedModel

        return FullyConnectedModel(config, batch, simulations)

    def gradients(
        self,
        config: MuZeroConfig,
        parameters: Mapping[str, NDArray[np.float32]],
        gradients: Mapping[str, NDArray[np.float32]],
    ) -> Gradients:
        """Derived by hand, several times faster than autograd's."""
        from networks.fused_update import FusedUpdate

        return FusedUpdate(config, parameters, gradients)

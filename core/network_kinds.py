"""What a run has to know of its kind of network, and the names of the kinds.

Facts are there without torch: processes that need no network, or evaluate it without torch, start sooner.
What makes something imports what it needs when it is called.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from core.by_name import ByName

if TYPE_CHECKING:  # numpy, which `--help` does without
    import numpy as np
    from numpy.typing import NDArray

    from data import Gradients, InferenceModel

Config_contra = TypeVar("Config_contra", contravariant=True)


class NetworkKind(ABC, Generic[Config_contra]):
    """A kind of network, whose facts are class attributes and whose capabilities are off unless it says so.

    Derive `class Mine(NetworkKind[MuZeroConfig])`. A dataclass has its fields as options of its own, given as
    `network="module:Mine(width=32)"`.
    """

    title: ClassVar[str]
    """Ends the sentence `the network is ...`."""
    options: ClassVar[tuple[str, ...]] = ()
    """Fields of the configuration that it reads, of those that not every kind does."""
    image_input: ClassVar[bool] = False
    """Whether it sees what lies beside what: pictures are for such a kind."""
    plays_on_gpu: ClassVar[bool] = False
    """Whether self-play is worth a GPU's time where `selfplay_on_gpu` leaves it open."""
    fast_inference: ClassVar[bool] = False
    """Whether it has a `fast_model`, which `inference` calls numba."""
    own_gradients: ClassVar[bool] = False
    """Whether it has `gradients` of its own, which `fused_update` allows."""

    @abstractmethod
    def make(self, config: Config_contra) -> object:
        """A fresh `models.py:MuZeroNetwork`, on the CPU; torch's random numbers are seeded already."""

    @abstractmethod
    def latent_shape(self, config: Config_contra) -> tuple[int, ...]:
        """The shape of one latent state: [D], or [channels, height, width], or another."""

    def check(self, config: Config_contra) -> None:
        """Raises `ConfigurationError` on options that cannot work together; all have their types."""
        return

    def parameters(self, config: Config_contra) -> int | None:
        """About as many numbers as the network has, without making it; None: make one and count."""
        return None

    def weight_shapes(self, config: Config_contra) -> Mapping[str, tuple[int, ...]] | None:
        """The shapes of all weights by their names in `state_dict`, without allocating any; None: not known.

        What a file has is compared with them before a network is made. `parameters` has been found to fit.
        """
        return None

    def fast_model(self, config: Config_contra, batch: int, simulations: int) -> InferenceModel:
        """Evaluates the network on the CPU without torch, for up to `batch` roots of `simulations` each."""
        raise NotImplementedError(f"{type(self).__name__} has no fast_inference")

    def gradients(
        self,
        config: Config_contra,
        parameters: Mapping[str, NDArray[np.float32]],
        gradients: Mapping[str, NDArray[np.float32]],
    ) -> Gradients:
        """What fills `gradients` on the CPU with those of MuZero's own loss (`learning/terms.py:PLAIN`).

        Both are views of the trainer's tensors by their names in `state_dict`, and stay where they are.
        """
        raise NotImplementedError(f"{type(self).__name__} has no own_gradients")


NETWORKS: ByName[NetworkKind[Any]] = ByName(
    "network",
    NetworkKind,
    {"fullyconnected": "networks.fully_connected:FullyConnected", "resnet": "networks.residual:Residual"},
)
"""The kinds; another one is a line here, or stays outside and is called `MODULE:CLASS`."""

"""The parts of a fully connected network, and the sizes of their layers: known without torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from config import MuZeroConfig


class PerceptronSizes(NamedTuple):
    """Sizes of the layers of a fully connected network's parts, by their names, inputs first."""

    value: tuple[int, ...]
    reward: tuple[int, ...]
    policy: tuple[int, ...]
    representation: tuple[int, ...]
    dynamics: tuple[int, ...]


def perceptron_sizes(config: MuZeroConfig) -> PerceptronSizes:
    """The layers of the fully connected network that `config` describes."""
    D, A, F = config.encoding_size, config.num_actions, config.full_support_size
    _, height, width = config.observation_shape
    return PerceptronSizes(
        value=(D, *config.fc_value_layers, F),
        reward=(D, *config.fc_reward_layers, F),
        policy=(D, *config.fc_policy_layers, A),
        representation=(config.stacked_channels * height * width, *config.fc_representation_layers, D),
        dynamics=(D + A, *config.fc_dynamics_layers, D),
    )


def weights_of(perceptrons: Iterable[tuple[int, ...]]) -> int:
    """The number of weights between the layers of these sizes; biases are left out."""
    return sum(inputs * outputs for sizes in perceptrons for inputs, outputs in itertools.pairwise(sizes))


def linear_name(part: str, index: int) -> str:
    """The name of linear layer `index` (from 0) in a network's perceptron `part`: between two is a ReLU."""
    return f"{part}.{2 * index}"


def perceptron_shapes(sizes: PerceptronSizes) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights and biases of a fully connected network, by their names in `state_dict`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for part, layers in sizes._asdict().items():
        for index, (inputs, outputs) in enumerate(itertools.pairwise(layers)):
            name = linear_name(part, index)
            shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return shapes

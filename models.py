"""What every network is: representation h, dynamics g and prediction f (MuZero paper, figure 1), in torch.

The trainer calls a `MuZeroNetwork` and gets logits; for the search `search/torch_inference.py` owns the
latents and answers with decoded scalars. S samples, A actions, D latent features, F atoms of a support.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from config import MuZeroConfig
from core.errors import ConfigurationError, require
from core.supports import EPSILON
from data import Weights

SCALING_EPSILON = 1e-5
"""Added to the range that a latent is divided by."""

Made = TypeVar("Made")


class NetworkOutput(NamedTuple):
    """What the network says of S samples, for training."""

    value_logits: Tensor  # [S, F]
    reward_logits: Tensor  # [S, F] of the edge into the state; zeros, which decode to 0, at a root
    policy_logits: Tensor  # [S, A]
    latent: Tensor  # [S, D] or [S, channels, height, width]


# --- value and reward supports: the torch twins of core/supports.py ---


def transform(values: Tensor) -> Tensor:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + eps x (MuZero paper, appendix F)."""
    return torch.sign(values) * (torch.sqrt(torch.abs(values) + 1) - 1) + EPSILON * values


def inverse_transform(values: Tensor) -> Tensor:
    """The inverse of `transform`, in the form that does not cancel: see core/supports.py."""
    shifted = torch.abs(values) + (1 + EPSILON)
    root = 2 * shifted / (1 + torch.sqrt(1 + 4 * EPSILON * shifted))
    return torch.sign(values) * (root * root - 1)


def scalar_to_support(values: Tensor, support_size: int, transformed: bool = True) -> Tensor:
    """Scalars [...] as two-hot distributions [..., F] over the integers -support_size..support_size."""
    clipped = (transform(values) if transformed else values).clamp(-support_size, support_size)
    lower = clipped.floor().clamp(max=support_size - 1)
    share = (clipped - lower).unsqueeze(-1)
    index = (lower.long() + support_size).unsqueeze(-1)
    distribution = values.new_zeros((*values.shape, 2 * support_size + 1))
    return distribution.scatter_(-1, index, 1 - share).scatter_(-1, index + 1, share)


def support_to_scalar(logits: Tensor, transformed: bool = True) -> Tensor:
    """Scalars [...] from logits [..., F]: the expectation, transformed back if `transformed`."""
    support_size = logits.shape[-1] // 2
    atoms = torch.arange(-support_size, support_size + 1, dtype=logits.dtype, device=logits.device)
    mean = torch.softmax(logits, -1) @ atoms
    return inverse_transform(mean) if transformed else mean


# --- pieces of networks ---


def scale_gradient(tensor: Tensor, scale: float) -> Tensor:
    """`tensor`, whose gradient is multiplied by `scale` (MuZero paper, appendix G)."""
    return tensor * scale + tensor.detach() * (1 - scale)


def scale_latent(latent: Tensor) -> Tensor:
    """`latent` min-max scaled to [0, 1] (MuZero paper, appendix G): a vector [S, D] over its features,
    planes [S, channels, height, width] over the board of each channel. Planes of a single cell are a vector:
    scaled by themselves they would be 0, whatever the input.
    """
    if latent.dim() == 2:
        axes: tuple[int, ...] = (1,)
    else:
        axes = (2, 3) if math.prod(latent.shape[2:]) > 1 else (1,)
    low, high = latent.amin(axes, keepdim=True), latent.amax(axes, keepdim=True)
    return (latent - low) / (high - low + SCALING_EPSILON)


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of the given sizes with ReLU between them and none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# --- latents of a search ---


class LatentStore:
    """The latents of all nodes of a search: N nodes of each of up to `rows` trees, on the network's device.

    Convolutions read channels last, so that they lie so. A network whose latents hold more than has to be
    kept for each node, as a history of earlier ones, may bring another store (`MuZeroNetwork.make_store`):
    nodes are put in order, the root first, and each of the others after `gather` of its parents.
    """

    def __init__(self, nodes: int, rows: int, example: Tensor) -> None:
        """For latents like `example` [S, D] or [S, channels, ...]."""
        self._latents = example.new_zeros((nodes, rows, *example.movedim(1, -1).shape[1:]))
        self._rows = torch.arange(rows, device=example.device)

    def put(self, node: int, latents: Tensor) -> None:
        """Keeps `latents` [B, ...] as those of the first B trees' node `node`."""
        self._latents[node, : len(latents)] = latents.movedim(1, -1)

    def gather(self, parents: Tensor) -> Tensor:
        """The latents [B, ...] of the nodes `parents` [B] int64 of the first B trees."""
        slots = torch.add(self._rows[: len(parents)], parents, alpha=len(self._rows))
        return self._latents.flatten(0, 1).index_select(0, slots).movedim(-1, 1)


# --- the network ---


class MuZeroNetwork(nn.Module):
    """The five modules of a MuZero network and the two ways to call them.

    `representation`, `dynamics`, `reward`, `value` and `policy` are given by the subclasses, as is how an
    action joins the latent; latents are `scaled`, unless they do without. The last layer of each head starts
    at zero: value 0, reward 0, uniform policy.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        representation: nn.Module,
        dynamics: nn.Module,
        heads: Callable[[str, int], nn.Sequential],
        scaled: bool = True,
    ) -> None:
        super().__init__()
        self.num_actions = config.num_actions
        self.full_support_size = config.full_support_size
        self.support_transform = config.support_transform
        self.scaled = scaled
        self.representation = representation
        self.dynamics = dynamics
        self.reward = heads("reward", config.full_support_size)
        self.value = heads("value", config.full_support_size)
        self.policy = heads("policy", config.num_actions)
        for head in (self.reward, self.value, self.policy):
            last = cast(nn.Linear, head[-1])
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def join(self, latent: Tensor, actions: Tensor) -> Tensor:
        """The input of the dynamics: `latent` with `actions` [S] beside it."""
        raise NotImplementedError

    def represent(self, observations: Tensor) -> Tensor:
        """Latents of stacked observations [S, C, H, W]."""
        latent = cast(Tensor, self.representation(observations))
        return scale_latent(latent) if self.scaled else latent

    def transition(self, latent: Tensor, actions: Tensor) -> Tensor:
        """Latents after taking `actions` [S] (integers)."""
        following = cast(Tensor, self.dynamics(self.join(latent, actions)))
        return scale_latent(following) if self.scaled else following

    def make_store(self, nodes: int, rows: int, example: Tensor) -> LatentStore:
        """Where a search of so many `nodes` in each of up to `rows` trees keeps latents like `example`."""
        return LatentStore(nodes, rows, example)

    def encode(self, scalars: Tensor) -> Tensor:
        """Values or rewards [...] as distributions [..., F]."""
        return scalar_to_support(scalars, self.full_support_size // 2, self.support_transform)

    def decode(self, logits: Tensor) -> Tensor:
        """Values or rewards [...] from their logits [..., F]."""
        return support_to_scalar(logits, self.support_transform)

    def initial_inference(self, observations: Tensor) -> NetworkOutput:
        """Representation and prediction of stacked observations [S, C, H, W]."""
        latent = self.represent(observations)
        no_reward = latent.new_zeros((len(latent), self.full_support_size))
        return NetworkOutput(self.value(latent), no_reward, self.policy(latent), latent)

    def recurrent_inference(self, latent: Tensor, actions: Tensor) -> NetworkOutput:
        """Dynamics and prediction: `actions` [S] (integers) taken in `latent`."""
        latent = self.transition(latent, actions)
        return NetworkOutput(self.value(latent), self.reward(latent), self.policy(latent), latent)


def make_network(config: MuZeroConfig) -> MuZeroNetwork:
    """The configured network on the CPU, in training mode; `config.seed` alone decides its weights.

    Raises `ConfigurationError` where the kind of network makes anything else.
    """
    network = seeded(lambda: config.network_kind.make(config), config.seed)
    require(isinstance(network, MuZeroNetwork), "network", f"{config.network} makes no MuZeroNetwork")
    return cast(MuZeroNetwork, network)


def seeded(make: Callable[[], Made], seed: int) -> Made:
    """What `make` returns when `seed` decides all that is random in it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def get_weights(network: nn.Module) -> Weights:
    """A copy of the network's parameters and buffers as float32 numpy arrays."""
    return {
        name: np.array(tensor.detach().cpu().numpy(), np.float32)
        for name, tensor in network.state_dict().items()
    }


def set_weights(network: nn.Module, weights: Weights) -> None:
    """Copies `weights` into the network. Raises `UnfitWeightsError` when names or shapes differ."""
    try:
        _load(network, weights)
    except RuntimeError as error:
        why = " ".join(str(error)[:1000].split())[:300]
        raise UnfitWeightsError(f"weights do not fit into the network: {why}") from None


class UnfitWeightsError(ConfigurationError, RuntimeError):
    """Weights are not those of a network, by name or by shape."""


def _load(network: nn.Module, weights: Weights) -> None:
    network.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()})


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` has bfloat16 in hardware; a CPU without it takes longer than in single precision."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

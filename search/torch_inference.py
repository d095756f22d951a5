"""Any network evaluated for the search with torch, on the CPU or a GPU."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from config import MuZeroConfig
from data import Evaluation, IntArray, Weights
from models import LatentStore, MuZeroNetwork, NetworkOutput, has_bfloat16, make_network, set_weights

logger = logging.getLogger(__name__)

BFLOAT16_ROWS = 8
"""From so many on, evaluations of a residual network take less time in bfloat16 than in single precision."""


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """`module` with every batch norm merged, in place, into the convolution in front of it."""
    for name, child in module.named_children():
        fold_batch_norms(child)
        if not isinstance(child, nn.Sequential):
            continue
        layers: list[nn.Module] = []
        for layer in child:
            if isinstance(layer, nn.BatchNorm2d):
                layers[-1] = fuse_conv_bn_eval(cast(nn.Conv2d, layers[-1]), layer)
            else:
                layers.append(layer)
        setattr(module, name, nn.Sequential(*layers))
    return module


class TorchModel:
    """Evaluates any network on any device for the search; its store has the latents of all nodes.

    Rows may be fewer than `batch`. Only parent indices and actions go to the device, and one array of
    decoded scalars and policy logits comes back. Convolutions run with batch norms folded and channels last.
    """

    def __init__(self, config: MuZeroConfig, batch: int, simulations: int, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.capacity = batch
        self.rows = 0
        self.name = f"torch ({self.device.type})"
        narrow = config.inference_bfloat16 and batch >= BFLOAT16_ROWS and has_bfloat16(self.device)
        self._dtype = torch.bfloat16 if narrow else torch.float32
        self._template = make_network(config).eval().requires_grad_(False)
        self._network = self._inference_network()
        self._store = self._make_store(simulations + 1)
        self._to_play = np.zeros((simulations + 1, batch), np.int32)
        self._row_numbers = np.arange(batch)
        self._root: Callable[[Tensor], tuple[Tensor, Tensor]] = self._evaluate_root
        self._recurrent: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = self._evaluate_edge
        if config.inference == "compile":
            self._compile()

    def load(self, weights: Weights) -> None:
        """Takes over `weights` (copied). Raises `RuntimeError` when names or shapes differ."""
        set_weights(self._template, weights)
        self._network.load_state_dict(self._inference_network().state_dict())

    @torch.inference_mode()
    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """Evaluates B stacked observations [B, C, H, W] and keeps their latents as node 0."""
        self.rows = len(observations)
        self._to_play[0, : self.rows] = to_play
        latent, answer = self._root(self._observations(observations))
        self._store.put(0, latent)
        return self._evaluation(answer, 0, 1.0)

    @torch.inference_mode()
    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """Takes `actions` [B] in the nodes `parents` [B] and keeps the latents as node `node`."""
        rows = self._row_numbers[: self.rows]
        edges = np.stack([parents, actions], dtype=np.int64)
        from_nodes, taken = torch.from_numpy(edges).to(self.device)
        latent, answer = self._recurrent(self._store.gather(from_nodes), taken)
        self._store.put(node, latent)
        self._to_play[node, : self.rows] = (self._to_play[parents, rows] + 1) % self.config.players
        return self._evaluation(answer, node, self.config.discount)

    @torch.inference_mode()
    def evaluate(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """The values [n] of any number of stacked observations [n, C, H, W]."""
        latent = self._network.represent(self._observations(observations))
        return np.asarray(self._network.decode(self._network.value(latent).float()).cpu().numpy(), np.float32)

    def _observations(self, observations: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(observations, np.float32)).to(self.device, self._dtype)

    def _evaluate_root(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self._decoded(self._network.initial_inference(observations))

    def _evaluate_edge(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        return self._decoded(self._network.recurrent_inference(latent, actions))

    def _decoded(self, output: NetworkOutput) -> tuple[Tensor, Tensor]:
        """The latent, and [S, 2 + A]: value, reward and policy logits side by side, to be copied at once."""
        scalars = self._network.decode(torch.stack([output.value_logits, output.reward_logits], 1).float())
        return output.latent, torch.cat([scalars, output.policy_logits.float()], 1)

    def _evaluation(self, answer: Tensor, node: int, discount: float) -> Evaluation:
        answers = answer.cpu().numpy()
        # contiguous like every other path's, so that the search compiles its kernels once
        value, reward, logits = (np.ascontiguousarray(a) for a in np.split(answers, [1, 2], axis=1))
        discounts = np.full(self.rows, discount, np.float32)
        return Evaluation(value, reward, discounts, self._to_play[node, : self.rows], logits)

    def _inference_network(self) -> MuZeroNetwork:
        network = cast(MuZeroNetwork, fold_batch_norms(copy.deepcopy(self._template)))
        return network.to(self.device, self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    @torch.inference_mode()
    def _make_store(self, nodes: int) -> LatentStore:
        shape = 1, *self.config.latent_shape
        example = torch.empty(shape, dtype=self._dtype, device=self.device)
        return self._network.make_store(nodes, self.capacity, example)

    def _compile(self) -> None:
        """Replaces the eager calls by compiled ones, or says in one line why not."""
        root, recurrent = torch.compile(self._evaluate_root), torch.compile(self._evaluate_edge)
        zeros = torch.zeros(self.capacity, dtype=torch.long, device=self.device)
        try:
            with torch.inference_mode():
                recurrent(self._store.gather(zeros), zeros)
        except Exception as error:  # whatever the compiler raises, the eager path still works
            reason = str(error).strip().splitlines()[0]
            logger.warning("torch.compile failed, the network is evaluated eagerly: %s", reason)
            return
        self._root, self._recurrent = root, recurrent
        self.name = f"compile ({self.device.type})"

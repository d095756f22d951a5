"""The model along real games: what it imagines k moves ahead, and what it says of the real position there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config import MuZeroConfig
from data import BoolArray, Weights
from diagnosis.played import Played
from models import MuZeroNetwork, NetworkOutput, make_network, set_weights

CHUNK = 256
"""Positions that the network evaluates at once."""


class Predicted(NamedTuple):
    """What the network says of S positions after 0 to H moves from there."""

    values: NDArray[np.float32]  # [H + 1, S] to the player to move
    rewards: NDArray[np.float32]  # [H + 1, S] of the move that led there; 0 at k = 0
    logits: NDArray[np.float32]  # [H + 1, S, A]
    latents: NDArray[np.float32]  # [H + 1, S, D] flat


class Unrolled(NamedTuple):
    """S positions of real games and the H moves that were made from there, twice."""

    rows: NDArray[np.int64]  # [H + 1, S] of the games' positions; clipped where `valid` is false
    valid: BoolArray  # [H + 1, S] the game had not ended k moves ahead
    moved: BoolArray  # [H + 1, S] the k-th move was made, perhaps the game's last; false at k = 0
    imagined: Predicted  # by the dynamics, from the latent state of the first position
    fresh: Predicted  # by the representation, from the real observation of each position; no rewards


def load_network(config: MuZeroConfig, weights: Weights) -> MuZeroNetwork:
    """The network of a checkpoint, for inference on the CPU."""
    network = make_network(config).eval().requires_grad_(False)
    set_weights(network, weights)
    return network


def unroll(network: MuZeroNetwork, played: Played, rows: NDArray[np.int64], moves: int) -> Unrolled:
    """Unrolls `moves` (H) of the moves that were really made from the positions `rows` [S]."""
    ahead = np.arange(moves + 1)[:, None]
    remaining = played.steps.remaining[rows]
    valid = ahead < remaining
    at = rows + np.minimum(ahead, remaining - 1)
    imagined = [_imagine(network, played, at[:, chunk]) for chunk in _chunks(len(rows))]
    return Unrolled(
        rows=at,
        valid=valid,
        moved=(ahead > 0) & (ahead <= remaining),
        imagined=_joined(imagined),
        fresh=look(network, played, at),
    )


def look(network: MuZeroNetwork, played: Played, at: NDArray[np.int64]) -> Predicted:
    """The representation's view of the positions `at` [H + 1, S], of which each is evaluated once."""
    rows, where = np.unique(at, return_inverse=True)
    seen = _joined([_look(network, played, rows[chunk]) for chunk in _chunks(len(rows))])
    return Predicted(*(array[0, where.reshape(at.shape)] for array in seen))


def _chunks(samples: int) -> list[slice]:
    return [slice(first, first + CHUNK) for first in range(0, samples, CHUNK)]


@torch.inference_mode()
def _imagine(network: MuZeroNetwork, played: Played, at: NDArray[np.int64]) -> Predicted:
    """The dynamics' view of the positions `at` [H + 1, s], each column from its first one."""
    outputs = [network.initial_inference(torch.from_numpy(played.stacked(at[0])))]
    for rows in at[:-1]:
        actions = torch.from_numpy(played.steps.actions[rows])
        outputs.append(network.recurrent_inference(outputs[-1].latent, actions))
    return _view(network, outputs)


@torch.inference_mode()
def _look(network: MuZeroNetwork, played: Played, rows: NDArray[np.int64]) -> Predicted:
    """The representation's view of the positions `rows` [s], as one of H = 0."""
    return _view(network, [network.initial_inference(torch.from_numpy(played.stacked(rows)))])


def _view(network: MuZeroNetwork, outputs: list[NetworkOutput]) -> Predicted:
    def stacked(tensors: list[Tensor]) -> NDArray[np.float32]:
        return np.asarray(torch.stack(tensors).numpy(), np.float32)

    return Predicted(
        values=stacked([network.decode(output.value_logits) for output in outputs]),
        rewards=stacked([network.decode(output.reward_logits) for output in outputs]),
        logits=stacked([output.policy_logits for output in outputs]),
        latents=stacked([output.latent.flatten(1) for output in outputs]),
    )


def _joined(views: list[Predicted]) -> Predicted:
    return Predicted(*(np.concatenate(arrays, axis=1) for arrays in zip(*views, strict=True)))

"""Symmetries of a board: a position seen in a mirror or turned round, with its actions and policies.

An action is either a column of the board (as many actions as columns) or a cell, numbered row by row; actions
behind the cells, such as a pass, stay what they are. `config.py` refuses any other combination.
Batches are turned as they are drawn, by `replay_buffer.py:ReplayBuffer.sample`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.kernels import cached_njit
from learning.targets import Targets


class Symmetries(NamedTuple):
    """X symmetries, of a board of H x W cells and A actions; or one of them for each of X samples."""

    cells: NDArray[np.intp]  # [X, H * W] the cell that comes to lie on each cell
    origins: NDArray[np.intp]  # [X, A] the action that becomes each action
    images: NDArray[np.int32]  # [X, A] what becomes of each action

    def draw(self, generator: np.random.Generator, samples: int) -> Symmetries:
        """A random one for each of `samples` samples."""
        which = generator.integers(len(self.cells), size=samples)
        return Symmetries(self.cells[which], self.origins[which], self.images[which])

    def boards(self, planes: NDArray[Any]) -> NDArray[Any]:
        """What the planes [X, ..., H, W] of X samples become."""
        flat = planes.reshape(len(planes), -1, self.cells.shape[1])
        return permuted(flat, self.cells).reshape(planes.shape)

    def actions(self, actions: NDArray[np.int32]) -> NDArray[np.int32]:
        """What the actions [X, n] of X samples become."""
        return np.take_along_axis(self.images, actions, axis=1)

    def policies(self, policies: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the policies [X, n, A] of X samples become."""
        return permuted(policies, self.origins)


def turned_targets(targets: Targets, symmetries: Symmetries) -> Targets:
    """What the targets of S samples become when each is turned by its one of `symmetries`."""
    return targets._replace(
        actions=symmetries.actions(targets.actions), policy=symmetries.policies(targets.policy)
    )


def make_symmetries(config: MuZeroConfig) -> Symmetries | None:
    """The symmetries that `config.symmetry` names, the one that changes nothing included; None for none."""
    if config.symmetry == "none":
        return None
    _, height, width = config.observation_shape
    board = np.arange(height * width).reshape(height, width)
    boards = [board, board[:, ::-1]]
    if config.symmetry == "dihedral":
        boards = [np.rot90(side, turns) for turns in range(4) for side in boards]
    cells = np.stack([turned.ravel() for turned in boards])
    origins = action_origins(cells, width, config.num_actions)
    return Symmetries(cells, origins, np.argsort(origins, axis=1).astype(np.int32))


def action_origins(cells: NDArray[np.intp], width: int, actions: int) -> NDArray[np.intp]:
    """The action [X, A] that becomes each action when the board's cells move as `cells` [X, H * W] says."""
    if actions < cells.shape[1]:
        return cells[:, :width]  # columns: where the cells of the top row, which stays the top row, come from
    rest = np.arange(cells.shape[1], actions)
    return np.concatenate([cells, np.tile(rest, (len(cells), 1))], axis=1)


def permuted(values: NDArray[Any], order: NDArray[np.intp]) -> NDArray[Any]:
    """`values` [X, n, I], the last axis of each sample reordered: entry i is the one at `order` [X, I]."""
    result = np.empty_like(values)
    _permute(values, order, result)
    return result


@cached_njit()
def _permute(values: NDArray[Any], order: NDArray[np.intp], result: NDArray[Any]) -> None:
    # Several times as fast as np.take_along_axis.
    for s in range(values.shape[0]):
        for k in range(values.shape[1]):
            for i in range(values.shape[2]):
                result[s, k, i] = values[s, k, order[s, i]]

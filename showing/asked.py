"""What a program asks an agent about: observations, players and legal actions, checked, with those before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from data import BoolArray, IntArray
from playing.observations import push


class PositionError(ConfigurationError):
    """What an agent was asked about is no position of its game; the message is one line that says why."""


class Rows:
    """The stacks of observations [n, C', H, W] of an agent's games, and the actions played since."""

    def __init__(self, config: MuZeroConfig) -> None:
        self._config = config
        self._stacks: list[NDArray[np.float32] | None] = []  # None: a game that has not begun
        self._actions: list[int] = []

    def reset(self, rows: Sequence[int] | None) -> None:
        """Forgets what was seen in `rows`, by default in all."""
        if rows is None:
            self._stacks, self._actions = [], []
            return
        for row in rows:
            if 0 <= row < len(self._stacks):
                self._stacks[row] = None

    def stacked(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The stacks [n, C', H, W] with `observations` [n, C, H, W] on top; nothing is kept."""
        if not self._config.stacked_observations:
            return observations
        channels = observations.shape[1]
        stacked = np.zeros(
            (len(observations), self._config.stacked_channels, *observations.shape[2:]), np.float32
        )
        for row, observation in enumerate(observations):
            before = self._stacks[row] if row < len(self._stacks) else None
            if before is None:
                stacked[row, :channels] = observation
            else:
                stacked[row] = before
                push(stacked[row], observation, self._actions[row], self._config.actions)
        return stacked

    def keep(self, stacked: NDArray[np.float32], actions: IntArray) -> None:
        """Remembers `stacked` as what was seen, and `actions` [n] as what was played then."""
        if self._config.stacked_observations:
            self._stacks[: len(stacked)] = list(stacked)
        else:
            self._actions = []
        self._actions[: len(actions)] = actions.tolist()

    def played(self, actions: NDArray[Any]) -> None:
        """Corrects the newest actions. Raises `PositionError` where there are none, or others cannot be."""
        known = len(self._actions)
        if len(actions) > known:
            raise PositionError(f"{len(actions)} action(s) were played, but `act` was asked for {known}")
        check_actions(actions, self._config)
        self._actions[: len(actions)] = actions.tolist()


# --- what may be asked ---


def observations_of(given: Any, config: MuZeroConfig) -> tuple[NDArray[np.float32], bool]:
    """The observations [n, C, H, W] float32, and whether it was a single one.

    Raises `PositionError` on others than the game's.
    """
    shape = config.observation_shape
    short = shape[next((axis for axis, length in enumerate(shape) if length != 1), len(shape) - 1) :]
    try:
        observation = np.asarray(given)
    except ValueError:
        raise PositionError("the observations have different shapes") from None
    if observation.dtype.kind not in "biuf":
        raise PositionError(f"an observation of numbers is needed, not of dtype {observation.dtype}")
    forms = (shape, short)
    single = observation.shape in forms
    if not single and (observation.shape[1:] not in forms or not len(observation)):
        raise PositionError(
            f"an observation of shape {observation.shape} is none of {shape}, nor n of them [n, ...]"
        )
    with np.errstate(over="ignore"):  # is found below
        stacked = observation.reshape(-1, *shape).astype(np.float32)
    if not np.isfinite(stacked).all():
        raise PositionError("an observation holds figures that are not finite (NaN, or too large)")
    return np.ascontiguousarray(stacked), single


def players_of(given: Any, number: int, config: MuZeroConfig) -> IntArray:
    """Who moves in each position [n] int32. Raises `PositionError` where that is none of the players."""
    players = np.asarray(given)
    fits = players.dtype.kind in "iu" and players.shape in ((), (number,))
    if not fits or not ((players >= 0) & (players < config.players)).all():
        which = "0" if config.players == 1 else f"from 0 to {config.players - 1}"
        raise PositionError(f"to_play={given}: must be {which}, one for all positions or one for each")
    return np.ascontiguousarray(np.broadcast_to(players, (number,)), np.int32)


def legal_of(given: Any, single: bool, number: int, config: MuZeroConfig) -> BoolArray:
    """A mask [n, A] of the legal actions. Raises `PositionError` where there are none or others."""
    if given is None:
        return config.actions.all_legal(number)
    rows = [given] if single else list(given)
    if len(rows) != number:
        raise PositionError(f"legal_actions of {len(rows)} position(s) for {number} observation(s)")
    return np.stack([_mask(row, config) for row in rows])


def _mask(given: Any, config: MuZeroConfig) -> BoolArray:
    listed = np.asarray(list(given) if not isinstance(given, np.ndarray) else given)
    if listed.dtype == bool:
        if listed.shape != (config.num_actions,):
            raise PositionError(f"a mask of {config.num_actions} actions is needed, not {listed.shape}")
        mask: BoolArray = listed
    else:
        check_actions(listed, config)
        mask = config.actions.mask(listed.astype(np.int64))
    if not mask.any():
        raise PositionError("no action is legal: the game is over, there is nothing to ask")
    return mask


def check_actions(actions: NDArray[Any], config: MuZeroConfig) -> None:
    """Raises `PositionError` unless all of `actions` are the game's."""
    if actions.ndim != 1 or config.actions.fault(actions):
        raise PositionError(
            f"actions {actions.tolist()}: must be whole numbers from 0 to {config.num_actions - 1}"
        )

"""A trained network with its search as a player: a checkpoint, or weights that are still being trained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.player_kind import SIMULATIONS, Amount, Order, PlayerKind, PlayerSpec
from config import MuZeroConfig
from core.errors import ConfigurationError
from data import IntArray, Weights
from games.api.spec import GameSpec, check_learnable
from playing.game_table import GameTable


class NetworkPlayer:
    """A network with a search (most visited actions, no noise); with 0 simulations its policy alone."""

    def __init__(
        self, config: MuZeroConfig, batch: int, simulations: int | None = None, device: str = "cpu"
    ) -> None:
        from search.planner import Planner  # brings numba

        self.config = config
        self.simulations = config.evaluation_simulations if simulations is None else simulations
        self.planner = Planner(config, batch, self.simulations, device)
        self.network_evaluations = 0  # of all searches so far

    def load(self, weights: Weights, version: int) -> None:
        """Plays with `weights` from now on."""
        self.planner.load(weights, version)

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`. The table may stack more observations than this network reads.

        Equal positions are searched once: without noise, the same move is chosen in all of them.
        """
        seen = self.planner.seen(table, rows)
        first, same = distinct_rows(*seen)
        self.network_evaluations += len(first) * (1 + self.simulations)
        return self.planner.plan(seen.at(first)).action[same]


def distinct_rows(*parts: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where, in order, each different row of `parts` [n, ...] taken together first occurs, and which each is.

    With `first, same` as result, `part[first][same]` equals `part`. Rows are compared by their bytes.
    """
    as_bytes = [np.ascontiguousarray(part).reshape(len(part), -1).view(np.uint8) for part in parts]
    together = np.concatenate(as_bytes, axis=1)
    keys = together.view(np.dtype((np.void, together.shape[1]))).ravel()
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[same]


def load_player(spec: PlayerSpec, game: GameSpec, batch: int, device: str) -> NetworkPlayer:
    """The player of a checkpoint. Raises `CheckpointError` if it cannot be read or is of another game."""
    from saving.checkpoint import load_agent

    assert spec.path is not None, "only checkpoints are loaded"
    found = load_agent(spec.path, expect_game=game.name)
    player = NetworkPlayer(found.config, batch, spec.amount, device)
    player.load(found.weights, found.training_step)
    return player


def check_form(network: MuZeroConfig, game: MuZeroConfig) -> None:
    """Raises `ConfigurationError` when a network was trained on other observations or actions."""
    if (network.observation_shape, network.num_actions) != (game.observation_shape, game.num_actions):
        raise ConfigurationError(
            f"a checkpoint was trained on observations {network.observation_shape} and "
            f"{network.num_actions} actions, the game has {game.observation_shape} and "
            f"{game.num_actions}: train it again"
        )


def _simulations(config: MuZeroConfig) -> int:
    return config.evaluation_simulations


def _check(spec: PlayerSpec, game: GameSpec) -> None:
    check_learnable(game.config)


def _make(order: Order) -> NetworkPlayer:
    return load_player(order.spec, order.game, order.batch, order.device)


CHECKPOINT = PlayerKind(
    "checkpoint", _make, _check, Amount(SIMULATIONS, _simulations, 0), varies_little=True, by_path=True
)

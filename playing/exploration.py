"""How self-play explores: moves sampled at a temperature, and moves drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.temperatures import Schedule
from data import FloatArray, IntArray, SearchResult, Snapshot
from playing.game_table import GameTable

NONE = -1
"""Instead of an action: none is drawn."""


class RandomMoves:
    """Draws moves of B games from all legal ones, whatever the searches found.

    These are the first moves of each game, between none and `random_opening_moves`, and every later one
    with `random_move_probability`. Agents who know the best moves would else play the same few games, and the
    model would not learn where the others lead. What the searches of these positions found is learned
    like any other; `learning/targets.py:n_step_returns` does not look behind such a move.
    """

    def __init__(self, config: MuZeroConfig, generator: np.random.Generator, batch: int) -> None:
        self.explores = config.explores
        self.most, self.later = config.random_opening_moves, config.random_move_probability
        self.generator = generator
        self.lengths = np.zeros(batch, np.int64)

    def begin(self, row: int) -> None:
        """A new game starts in `row`."""
        if self.most:
            self.lengths[row] = self.generator.integers(self.most + 1)

    def draw(self, table: GameTable) -> IntArray:
        """A random legal action for each game [B] that is to play one now, `NONE` for the others."""
        batch = len(self.lengths)
        if not self.explores:
            return np.full(batch, NONE, np.int32)
        now = moves_made(table) < self.lengths
        if self.later:
            now |= self.generator.random(batch) < self.later
        return np.where(now, table.actions.sample(self.generator, table.legal), NONE).astype(np.int32)

    def state(self) -> Snapshot:
        """How long the openings of the running games are."""
        return Snapshot({"lengths": self.lengths.copy()}, {})

    def load_state(self, state: Snapshot) -> None:
        """Goes on from `state`; it is empty in checkpoints from before there were random openings."""
        self.lengths[...] = state.arrays.get("lengths", 0)


def moves_made(table: GameTable) -> NDArray[np.int64]:
    """The moves made so far in each of the running games [B]."""
    return np.array([len(actions) for actions in table.played], np.int64)


def temperatures_at(schedule: Schedule, moves: NDArray[np.int64]) -> NDArray[np.float64]:
    """The temperatures [B] at the moves [B] (from 0) of games, by a schedule of (until move, value) pairs."""
    untils, values = np.array(schedule, np.float64).T
    return np.asarray(values[np.minimum(np.searchsorted(untils, moves, side="right"), len(values) - 1)])


def play_temperatures(config: MuZeroConfig, version: int, moves: NDArray[np.int64]) -> NDArray[np.float64]:
    """The temperatures [B] at which moves [B] (from 0) of games are sampled, with weights of `version`."""
    if config.move_temperature:
        temperatures = temperatures_at(config.move_temperature, moves)
    else:
        temperatures = np.full(len(moves), config.temperature(version))
    late = (config.temperature_threshold > 0) & (moves >= config.temperature_threshold)
    return np.where(late, 0.0, temperatures)


def explored_actions(
    config: MuZeroConfig,
    version: int,
    result: SearchResult,
    moves: NDArray[np.int64],
    uniform: FloatArray,
    explores: bool,
) -> IntArray:
    """The actions [B] int32 played in order to learn, `uniform` [B] in [0, 1) does the sampling.

    The searches were made at `moves` [B] (from 0) with weights of `version`. They are sampled by visits. A
    rule that `explores` does so by its noise, so that its own choice is played; but where the configuration
    has temperatures by move (`move_temperature`, `temperature_threshold`), its improved policy is sampled.
    """
    if not explores:
        weights: NDArray[Any] = result.visit_counts
    elif config.move_temperature or config.temperature_threshold:
        weights = result.policy
    else:
        return result.action
    temperatures = play_temperatures(config, version, moves)
    return sample_actions(weights, temperatures, uniform, result.action).astype(np.int32)


def sample_actions(
    weights: NDArray[Any], temperatures: NDArray[np.float64], uniform: FloatArray, coldest: IntArray
) -> NDArray[np.int64]:
    """Actions [B] sampled by weights [B, A] ** (1 / temperature), each row at its own temperature.

    `uniform` [B] in [0, 1) does the sampling. Where the temperature is 0, the action is `coldest` [B].
    """
    warm = temperatures > 0
    relative = weights / weights.max(axis=1, keepdims=True)
    shares = (relative ** (1.0 / np.where(warm, temperatures, 1.0))[:, None]).cumsum(axis=1)
    thresholds = uniform.astype(np.float64) * shares[:, -1]
    sampled = (shares <= thresholds[:, None]).sum(axis=1)
    return np.where(warm, sampled, coldest)

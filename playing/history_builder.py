"""The steps of running games that have not been sent to the replay buffer, and how they become histories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import BoolArray, FloatArray, GameHistory, IntArray, Snapshot
from games.api.spec import check_learnable
from playing.game_table import GameTable

ARRAYS = (
    *("observations", "actions", "rewards", "policies", "root_values", "to_play", "legal", "versions"),
    *("surprises", "exploratory"),
)
LOSS = -1.0
"""What a resigned game is worth to the player who gave it up."""


class HistoryBuilder:
    """Arrays [B, L, ...] with one cursor per game: the row of a game's current position.

    A game's rows begin with up to `stacked_observations` earlier positions (`past`) of the same game, and
    it is sent on as a segment once `segment_length` own steps and the look-ahead behind them are there.
    """

    def __init__(self, config: MuZeroConfig, batch: int, dtype: np.dtype[Any]) -> None:
        check_learnable(config)  # of each move only one reward is kept, that of the player who made it
        self.config = config
        self.look_ahead = config.td_steps + config.num_unroll_steps
        self.segment = min(config.segment_length, config.max_moves)
        length = config.stacked_observations + config.longest_history + 1
        actions = config.num_actions
        self.observations = np.zeros((batch, length, *config.observation_shape), dtype)
        self.actions = np.zeros((batch, length), np.int32)
        self.rewards = np.zeros((batch, length), np.float32)
        self.policies = np.zeros((batch, length, actions), np.float32)
        self.root_values = np.zeros((batch, length), np.float32)
        self.to_play = np.zeros((batch, length), np.int8)
        self.legal = np.zeros((batch, length, (actions + 7) // 8), np.uint8)
        self.versions = np.zeros((batch, length), np.int64)
        self.surprises = np.zeros((batch, length), np.float32)
        self.exploratory = np.zeros((batch, length), np.bool_)
        self.cursor = np.zeros(batch, np.int64)
        self.past = np.zeros(batch, np.int64)
        self.first_step = np.zeros(batch, np.int64)
        self._rows = np.arange(batch)

    def begin(self, row: int, observation: NDArray[Any], table: GameTable) -> None:
        """Starts the record of a new game in `row`."""
        self.cursor[row] = self.past[row] = self.first_step[row] = 0
        self._position(np.array([row]), observation[None], table)

    def searched(
        self, policies: FloatArray, root_values: FloatArray, surprises: FloatArray, version: int
    ) -> None:
        """Records what a search found for all rows' current positions; policies of 0 teach nothing."""
        at = self._rows, self.cursor
        self.policies[at], self.root_values[at], self.versions[at] = policies, root_values, version
        self.surprises[at] = surprises

    def moved(
        self,
        rows: NDArray[np.intp],
        actions: IntArray,
        exploratory: BoolArray,
        rewards: FloatArray,
        observations: NDArray[Any],
        table: GameTable,
    ) -> None:
        """Records the moves of `rows` [n] and the positions that they led to."""
        at = rows, self.cursor[rows]
        self.actions[at], self.exploratory[at], self.rewards[at] = actions, exploratory, rewards
        self.cursor[rows] += 1
        self._position(rows, observations, table)

    def _position(self, rows: NDArray[np.intp], observations: NDArray[Any], table: GameTable) -> None:
        at = rows, self.cursor[rows]
        self.observations[at], self.to_play[at] = observations, table.to_play[rows]
        self.legal[at] = table.actions.pack(table.legal[rows])

    def full_segments(self, table: GameTable) -> list[GameHistory]:
        """The segments that are complete, look-ahead included, now that the current position was searched."""
        full = np.flatnonzero(self.cursor - self.past >= self.segment + self.look_ahead)
        return [self._cut(int(row), table) for row in full]

    def _cut(self, row: int, table: GameTable) -> GameHistory:
        """Sends on the first `segment_length` own steps of `row` and keeps the rest."""
        history = self._history(row, table, self.segment, False, False)
        keep = min(self.config.stacked_observations, int(self.past[row]) + self.segment)
        start = int(self.past[row]) + self.segment - keep
        for name in ARRAYS:
            array = getattr(self, name)[row]
            array[: len(array) - start] = array[start:].copy()
        self.cursor[row] -= start
        self.past[row] = keep
        self.first_step[row] += self.segment
        return history

    def finish(
        self, row: int, bootstrap: float, version: int, truncated: bool, table: GameTable
    ) -> GameHistory:
        """The rest of a game that has ended; its last position is worth `bootstrap` (0 if terminated).

        That is what weights which `version` updates have made say.
        """
        self.root_values[row, self.cursor[row]] = bootstrap
        self.versions[row, self.cursor[row]] = version
        steps = int(self.cursor[row] - self.past[row])
        return self._history(row, table, steps, not truncated, truncated)

    def resign(self, row: int, table: GameTable) -> GameHistory:
        """The rest of a game that the player to move gives up, at least a move after its start.

        No move is made up for it: the game is truncated where it is, and that position is worth a loss.
        """
        loser = self.to_play[row, self.cursor[row]]
        version = int(self.versions[row, self.cursor[row]])
        history = self.finish(row, LOSS, version, True, table)
        outcome = LOSS if loser == 0 else -LOSS
        return replace(history, resigned=True, game_return=float(table.returns[row, 0]) + outcome)

    def _history(
        self, row: int, table: GameTable, steps: int, terminated: bool, truncated: bool
    ) -> GameHistory:
        past, end = int(self.past[row]), int(self.cursor[row])
        over = terminated or truncated
        return GameHistory(
            observations=self.observations[row, : end + 1].copy(),
            actions=self.actions[row, :end].copy(),
            rewards=self.rewards[row, past:end].copy(),
            policies=self.policies[row, past:end].copy(),
            root_values=self.root_values[row, past : end + 1].copy(),
            to_play=self.to_play[row, past : end + 1].copy(),
            legal_actions=self.legal[row, past : end + 1].copy(),
            steps=steps,
            past=past,
            terminated=terminated,
            truncated=truncated,
            seed=int(table.seeds[row]),
            versions=self.versions[row, past : end + 1].copy(),
            first_step=int(self.first_step[row]),
            game_return=float(table.returns[row, 0]) if over else None,
            game_length=len(table.played[row]) if over else None,
            surprises=self.surprises[row, past:end].copy() if self.config.policy_surprise else None,
            exploratory=self.exploratory[row, past:end].copy() if self.config.explores else None,
        )

    def state(self) -> Snapshot:
        """Everything recorded and not yet sent."""
        names = (*ARRAYS, "cursor", "past", "first_step")
        return Snapshot({name: getattr(self, name).copy() for name in names}, {})

    def load_state(self, state: Snapshot) -> None:
        """Goes on from `state`."""
        for name, array in state.arrays.items():
            own = getattr(self, name)
            # earlier versions had room for more than a game can fill
            own[...] = array[:, : own.shape[1]] if own.ndim > 1 else array


def ends_of(terminated: BoolArray, truncated: BoolArray) -> NDArray[np.intp]:
    """The rows whose games have ended."""
    return np.flatnonzero(terminated | truncated)

"""Board games side by side whose rules are compiled: one kernel moves in all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.kernels import cached_njit
from data import IntArray
from games.api.spec import GameSpec
from games.boards.game import BoardGame
from games.boards.rules import (
    LEGAL,
    OBSERVE,
    OUTCOME,
    PLAY,
    REWARDS,
    RUNNING,
    TO_PLAY,
    address_of,
    function_at,
)
from playing.game_note import NoNote
from playing.game_table import Attempt, Broken, GameTable, Moves

_legal_at, _play_at, _observe_at = function_at(LEGAL), function_at(PLAY), function_at(OBSERVE)

_arguments = [
    *(types.int64, types.int64, types.int64),  # addresses of the rules `legal`, `play` and `observe`
    types.Array(types.int64, 2, "C"),  # states [B, S]
    types.Array(types.int64, 1, "C"),  # rows [n]
    types.Array(types.int32, 1, "C"),  # actions [n]
    types.Array(types.boolean, 2, "C"),  # legal masks [B, A]
    types.Array(types.int32, 1, "C"),  # to_play [B]
    types.Array(types.int8, 4, "C"),  # observations [n, C, H, W]
    types.Array(types.float32, 1, "C"),  # rewards [n]
    types.Array(types.boolean, 1, "C"),  # over [n]
]


@cached_njit(types.int64(*_arguments), error_model="numpy")
def step_rows(
    legal_address: int, play_address: int, observe_address: int,
    states: Any, rows: Any, actions: Any,
    masks: Any, to_play: Any, observations: Any, rewards: Any, over: Any,
) -> int:  # fmt: skip
    """Makes one move in each of `rows`; all actions are legal in a finished game, for want of any.

    Returns the first index into `rows` of a running game that has no legal action; -1: there is none.
    """
    stuck = -1
    legal, play, observe = _legal_at(legal_address), _play_at(play_address), _observe_at(observe_address)
    for i in range(len(rows)):
        row = rows[i]
        state = states[row]
        player = state[TO_PLAY]
        play(state, actions[i])
        outcome = state[OUTCOME]
        rewards[i] = REWARDS[outcome, player]
        over[i] = outcome != RUNNING
        to_play[row] = state[TO_PLAY]
        if over[i]:
            masks[row] = True
        elif legal(state, masks[row]) == 0 and stuck < 0:
            stuck = i
        observe(state, observations[i])
    return stuck


class BoardTable(GameTable):
    """`GameTable` over `BoardGame`s, whose states are rows of one array: the same games, faster."""

    def __init__(self, spec: GameSpec, config: MuZeroConfig, batch: int, note: NoNote | None = None) -> None:
        super().__init__(spec, config, batch, note)
        self._states: NDArray[np.int64] = np.zeros((batch, 0), np.int64)

    def reset(self, row: int, seed: int) -> NDArray[Any]:
        """See `GameTable`."""
        observation = super().reset(row, seed)
        game: BoardGame = self.environments[row].game
        if self._states.shape[1] == 0:
            rules = game.rules
            self._states = np.zeros((len(self.environments), len(game.state)), np.int64)
            self._addresses = (
                address_of(rules.legal, LEGAL),
                address_of(rules.play, PLAY),
                address_of(rules.observe, OBSERVE),
            )
        self._states[row] = game.state
        game.state = self._states[row]
        return observation

    def attempt(self, rows: NDArray[np.intp], actions: NDArray[np.int32]) -> Attempt:
        """See `GameTable`. Raises `IllegalMoveError` on a move that is not legal, and makes none then.

        A game breaks that is not over and has no legal action.
        """
        self._check(rows, actions)
        observations = np.empty((len(rows), *self.config.observation_shape), np.int8)
        rewards, terminated = np.empty(len(rows), np.float32), np.empty(len(rows), np.bool_)
        movers = self.movers[rows] = self.to_play[rows]
        targets = (self.legal, self.to_play, observations, rewards, terminated)
        rows, actions = np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(actions, np.int32)
        stuck = step_rows(*self._addresses, self._states, rows, actions, *targets)
        self._earn(rows, movers, rewards)
        moves = self._count(rows, actions)
        self._stack(rows, actions, observations)
        truncated = ~terminated & (moves >= self.config.max_moves)
        done = Moves(observations, rewards, terminated, truncated)
        if stuck < 0:
            return Attempt(rows, done, [])
        went = terminated | self.legal[rows].any(axis=1)
        broken = [Broken(row, self._complaint(row)) for row in rows[~went].tolist()]
        return Attempt(rows[went], done.of(went), broken)

    def _complaint(self, row: int) -> ConfigurationError:
        """What there is to say of a running game without legal actions: after which move."""
        try:
            self.environments[row].legal_mask()
        except ConfigurationError as error:
            return error
        raise AssertionError(f"row {row} has legal actions")

    def _check(self, rows: NDArray[np.intp], actions: NDArray[np.int32]) -> None:
        for i in np.flatnonzero(~self.legal[rows, actions]):
            self.environments[rows[i]].game.step(int(actions[i]))  # which refuses, saying why

    def _count(self, rows: NDArray[np.int64], actions: IntArray) -> NDArray[np.int64]:
        """Books the moves; the number of moves [n] that each game has then had."""
        counts = np.empty(len(rows), np.int64)
        for i, (row, action) in enumerate(zip(rows.tolist(), actions.tolist(), strict=True)):
            self.played[row].append(action)
            counts[i] = self.environments[row].moves = len(self.played[row])
        return counts

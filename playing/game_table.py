"""Many games side by side: what a batched search is given, and what its actions lead to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import BoolArray, FloatArray, IntArray, Snapshot
from games.api.spec import GameSpec
from playing.environment import Environment, GameError, Step, require_finite
from playing.observations import push


class Moves(NamedTuple):
    """What one move of each of n games led to."""

    observations: NDArray[Any]  # [n, C, H, W] after the move
    rewards: NDArray[np.float32]  # [n] to the player who moved
    terminated: BoolArray  # [n]
    truncated: BoolArray  # [n]


NOBODY = -1
"""Instead of a player: no move has been made."""


class GameTable:
    """B games in lock-step. Rows are games; `rows` arguments select some of them by index."""

    def __init__(self, spec: GameSpec, config: MuZeroConfig, batch: int) -> None:
        self.config, self.actions = config, config.actions
        self.environments = [Environment(spec, config) for _ in range(batch)]
        self.seeds = np.zeros(batch, np.int64)
        self.played: list[list[int]] = [[] for _ in range(batch)]  # all actions of each running game
        self.returns = np.zeros((batch, config.players), np.float64)  # of the running games, to each player
        self.to_play = np.zeros(batch, np.int32)
        self.movers = np.full(batch, NOBODY, np.int32)  # who made the newest move
        self.legal = config.actions.all_legal(batch)
        self.stacks = np.zeros((batch, config.stacked_channels, *config.observation_shape[1:]), np.float32)

    def reset(self, row: int, seed: int) -> NDArray[Any]:
        """Starts the game that `seed` determines in `row`; returns its observation [C, H, W]."""
        environment = self.environments[row]
        observation = environment.reset(seed)
        self.seeds[row], self.played[row], self.returns[row] = seed, [], 0.0
        self.movers[row] = NOBODY
        self.stacks[row] = 0
        self.stacks[row, : self.config.observation_shape[0]] = observation
        if environment.answers:
            self._ask(row)
        require_finite(self.stacks[row : row + 1], self.environments, [row])
        return observation

    def step(self, rows: NDArray[np.intp], actions: NDArray[np.int32]) -> Moves:
        """Makes one move in each of `rows` [n]; legal masks and turns are those of the new positions."""
        movers, steps = self.to_play[rows], []
        self.movers[rows] = movers
        for row, action in zip(rows.tolist(), actions.tolist(), strict=True):
            environment = self.environments[row]
            step = environment.step(action)
            self.played[row].append(action)
            if environment.answers:
                self._ask(row, step)
            steps.append(step)
        observations, rewards, terminated, truncated, of_each = map(np.array, zip(*steps, strict=True))
        if self.config.players > 2:
            self.returns[rows] += of_each
        else:
            self._earn(rows, movers, rewards)
        require_finite(observations.astype(np.float32, copy=False), self.environments, rows)
        self._stack(rows, actions, observations)
        return Moves(observations, rewards.astype(np.float32), terminated, truncated)

    def _earn(self, rows: NDArray[Any], movers: IntArray, rewards: FloatArray) -> None:
        """Books the rewards [n] of those who moved in `rows` [n]: what one of two wins, the other loses."""
        self.returns[rows, 0] += np.where(movers == 0, rewards, -rewards)
        self.returns[rows, 1:] = -self.returns[rows, :1]

    def require_alternation(self, rows: NDArray[np.intp]) -> None:
        """Raises `GameError` where a player is to move in `rows` [n] who has just moved, in a game for two.

        Learned models do not learn whose turn it is, but take it that turns alternate: values of a game in
        which they do not would have the wrong sign, and the worst moves would be learned.
        """
        twice = rows[self.to_play[rows] == self.movers[rows]] if self.config.players == 2 else rows[:0]
        if twice.size:
            row = int(twice[0])
            raise GameError(
                f"game {self.environments[row].name!r}, move {len(self.played[row])}: player "
                f"{self.to_play[row]} moves twice in a row; expected turns that alternate, which is all that "
                "learned models know"
            )

    def move(self, row: int, action: int) -> Moves:
        """Makes one move in the game `row` alone."""
        return self.step(np.array([row]), np.array([action], np.int32))

    def replay(self, row: int, seed: int, actions: Iterable[int]) -> None:
        """Starts the game that `seed` determines in `row`, and makes the moves `actions` in it."""
        self.reset(row, seed)
        for action in actions:
            self.move(row, action)

    def _ask(self, row: int, step: Step | None = None) -> None:
        """Asks a game whose turn it is and what is legal; a finished one has no legal actions to ask for."""
        environment, over = self.environments[row], step is not None and step.terminated
        self.to_play[row] = environment.to_play()
        cut = step is not None and step.truncated
        self.legal[row] = True if over else environment.legal_mask(cut)

    def _stack(self, rows: NDArray[Any], actions: NDArray[Any], observations: NDArray[Any]) -> None:
        """Puts the observations [n, C, H, W] that moves in `rows` [n] led to on top of the stacks."""
        if not self.config.stacked_observations:
            self.stacks[rows] = observations
            return
        for row, action, observation in zip(rows.tolist(), actions.tolist(), observations, strict=True):
            push(self.stacks[row], observation, action, self.actions)

    def state(self) -> Snapshot:
        """Seeds and actions of the running games, from which they can be played again."""
        lengths = np.array([len(actions) for actions in self.played], np.int64)
        flat = np.array([action for actions in self.played for action in actions], np.int32)
        arrays: dict[str, NDArray[Any]] = {"seeds": self.seeds.copy(), "stacks": self.stacks.copy()}
        return Snapshot(arrays | {"lengths": lengths, "actions": flat}, {})

    def load_state(self, state: Snapshot) -> list[int]:
        """Plays the games of `state` again, up to where they were; returns the rows that came out otherwise.

        So do games that draw chance from elsewhere than the seed. Those rows are in no state to be played on.
        """
        ends, otherwise = np.cumsum(state.arrays["lengths"]), []
        stacks = state.arrays.get("stacks")  # not kept by earlier versions
        for row, actions in enumerate(np.split(state.arrays["actions"], ends[:-1])):
            try:
                self.replay(row, int(state.arrays["seeds"][row]), actions)
                same = stacks is None or np.array_equal(self.stacks[row], stacks[row])
            except GameError:  # for one, a move that was legal then and is not now
                same = False
            if not same:
                otherwise.append(row)
        return otherwise

"""Many games side by side: what a batched search is given, and what its actions lead to."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import BoolArray, State
from environment import Environment, require_finite
from games import GameSpec


class Moves(NamedTuple):
    """What one move of each of n games led to."""

    observations: NDArray[Any]  # [n, C, H, W] after the move
    rewards: NDArray[np.float32]  # [n] to the player who moved
    terminated: BoolArray  # [n]
    truncated: BoolArray  # [n]


class GameTable:
    """B games in lock-step. Rows are games; `rows` arguments select some of them by index."""

    def __init__(self, spec: GameSpec, config: MuZeroConfig, batch: int) -> None:
        self.config = config
        self.environments = [Environment(spec, config) for _ in range(batch)]
        self.seeds = np.zeros(batch, np.int64)
        self.played: list[list[int]] = [[] for _ in range(batch)]  # all actions of each running game
        self.returns = np.zeros(batch, np.float64)  # to player 0
        self.to_play = np.zeros(batch, np.int32)
        self.legal = np.ones((batch, config.num_actions), bool)
        self.stacks = np.zeros((batch, config.stacked_channels, *config.observation_shape[1:]), np.float32)

    def reset(self, row: int, seed: int) -> NDArray[Any]:
        """Starts the game that `seed` determines in `row`; returns its observation [C, H, W]."""
        observation = self.environments[row].reset(seed)
        self.seeds[row], self.played[row], self.returns[row] = seed, [], 0.0
        self.stacks[row] = 0
        self._arrive(row, observation)
        require_finite(self.stacks[row : row + 1], [self.environments[row]])
        return observation

    def step(self, rows: NDArray[np.intp], actions: NDArray[np.int32]) -> Moves:
        """Makes one move in each of `rows` [n]; legal masks and turns are those of the new positions."""
        observations = []
        rewards = np.zeros(len(rows), np.float32)
        ends = np.zeros((2, len(rows)), bool)
        for i, row in enumerate(rows.tolist()):
            step = self.environments[row].step(int(actions[i]))
            rewards[i], ends[0, i], ends[1, i] = step.reward, step.terminated, step.truncated
            observations.append(step.observation)
            self._leave(row, int(actions[i]), step.reward)
            self._arrive(row, step.observation, over=step.terminated)
        require_finite(self.stacks[rows], [self.environments[row] for row in rows])
        return Moves(np.stack(observations), rewards, ends[0], ends[1])

    def _leave(self, row: int, action: int, reward: float) -> None:
        """Books a move, and shifts the row's stack by one observation and the action that followed it."""
        self.played[row].append(action)
        self.returns[row] += reward if self.to_play[row] == 0 else -reward
        if self.config.stacked_observations:
            self._shift(row, action)

    def _shift(self, row: int, action: int) -> None:
        """Makes room in the row's stack for the observation that `action` leads to."""
        channels = self.config.observation_shape[0]
        stack = self.stacks[row]
        stack[2 * channels + 1 :] = stack[channels : -channels - 1].copy()
        stack[channels : 2 * channels] = stack[:channels]
        stack[2 * channels] = action / self.config.num_actions

    def _arrive(self, row: int, observation: NDArray[Any], over: bool = False) -> None:
        """Takes over the position that a game has reached; a finished one has no legal actions to ask for."""
        environment = self.environments[row]
        self.stacks[row, : self.config.observation_shape[0]] = observation
        self.to_play[row] = environment.to_play()
        self.legal[row] = True if over else environment.legal_mask()

    def state(self) -> State:
        """Seeds and actions of the running games, from which they can be played again."""
        lengths = np.array([len(actions) for actions in self.played], np.int64)
        flat = np.array([action for actions in self.played for action in actions], np.int32)
        return State({"seeds": self.seeds.copy(), "lengths": lengths, "actions": flat}, {})

    def load_state(self, state: State) -> None:
        """Plays the games of `state` again, up to where they were."""
        ends = np.cumsum(state.arrays["lengths"])
        for row, actions in enumerate(np.split(state.arrays["actions"], ends[:-1])):
            self.reset(row, int(state.arrays["seeds"][row]))
            for action in actions:
                self.step(np.array([row]), np.array([action], np.int32))

"""Many games side by side: what a batched search is given, and what its actions lead to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from data import BoolArray, FloatArray, IntArray, LostGame, Snapshot
from games.api.spec import RAISES, GameSpec
from playing.environment import Environment, GameError, Step, beyond, complaint_of
from playing.game_note import NoNote
from playing.observations import push


class Moves(NamedTuple):
    """What one move of each of n games led to."""

    observations: NDArray[Any]  # [n, C, H, W] after the move
    rewards: NDArray[np.float32]  # [n] to the player who moved
    terminated: BoolArray  # [n]
    truncated: BoolArray  # [n]

    def of(self, some: BoolArray) -> Moves:
        """Those of `some` [n] of the games."""
        return Moves(self.observations[some], self.rewards[some], self.terminated[some], self.truncated[some])


class Broken(NamedTuple):
    """A game that cannot be gone on with."""

    row: int
    error: ConfigurationError  # why, in a line


class Attempt(NamedTuple):
    """What became of one move of each of several games."""

    rows: NDArray[np.intp]  # [n] that moved
    moves: Moves  # theirs
    broken: list[Broken]  # the others


NOBODY = -1
"""Instead of a player: no move has been made."""


class GameTable:
    """B games in lock-step. Rows are games; `rows` arguments select some of them by index."""

    def __init__(self, spec: GameSpec, config: MuZeroConfig, batch: int, note: NoNote | None = None) -> None:
        self.note = note or NoNote()
        self.config, self.actions = config, config.actions
        self.environments = [Environment(spec, config) for _ in range(batch)]
        self.seeds = np.zeros(batch, np.int64)
        self.played: list[list[int]] = [[] for _ in range(batch)]  # all actions of each running game
        self.returns = np.zeros((batch, config.players), np.float64)  # of the running games, to each player
        # of what player 0 gains, in games for up to two
        self._shares = np.array([1.0, -1.0])[: config.players]
        self.to_play = np.zeros(batch, np.int32)
        self.movers = np.full(batch, NOBODY, np.int32)  # who made the newest move
        self.legal = config.actions.all_legal(batch)
        self.stacks = np.zeros((batch, config.stacked_channels, *config.observation_shape[1:]), np.float32)

    def reset(self, row: int, seed: int) -> NDArray[Any]:
        """Starts the game that `seed` determines in `row`; returns its observation [C, H, W]."""
        environment = self.environments[row]
        self.seeds[row], self.played[row], self.returns[row] = seed, [], 0.0
        self.note.moving(row, seed, 0)
        observation = environment.reset(seed)
        self.movers[row] = NOBODY
        self.stacks[row] = 0
        self.stacks[row, : self.config.observation_shape[0]] = observation
        if environment.answers:
            self._ask(row)
        self.note.rest()
        if beyond(self.stacks[row : row + 1]).size:
            raise complaint_of(self.stacks[row], environment)
        return observation

    def step(self, rows: NDArray[np.intp], actions: NDArray[np.int32]) -> Moves:
        """Makes one move in each of `rows` [n]; legal masks and turns are those of the new positions.

        Raises `GameError` where a game breaks; what has become of the others is not said then.
        """
        attempt = self.attempt(rows, actions)
        for broken in attempt.broken:
            raise broken.error
        return attempt.moves

    def attempt(self, rows: NDArray[np.intp], actions: NDArray[np.int32]) -> Attempt:
        """Like `step`, but a game that breaks is none of the others' concern: they move."""
        self.movers[rows] = self.to_play[rows]
        steps, broken = self._steps(rows, actions)
        observations = np.array([step.observation for step in steps]).reshape(
            -1, *self.config.observation_shape
        )
        unusable = beyond(observations.astype(np.float32, copy=False))
        if broken or unusable.size:
            gone = {lost.row for lost in broken}
            went = np.flatnonzero([row not in gone for row in rows.tolist()])
            fit = np.delete(np.arange(len(went)), unusable)
            for at in unusable.tolist():
                row = int(rows[went[at]])
                broken.append(Broken(row, complaint_of(observations[at], self.environments[row])))
            steps, observations = [steps[at] for at in fit], observations[fit]
            rows, actions = rows[went[fit]], actions[went[fit]]
        return Attempt(rows, self._moves(rows, actions, steps, observations), broken)

    def _steps(self, rows: NDArray[np.intp], actions: NDArray[np.int32]) -> tuple[list[Step], list[Broken]]:
        """Has each of the games `rows` make its move: what came of it, and the games that broke by it."""
        steps, broken = [], []
        seeds, moving = self.seeds[rows].tolist(), self.note.moving
        for row, action, seed in zip(rows.tolist(), actions.tolist(), seeds, strict=True):
            environment, played = self.environments[row], self.played[row]
            moving(row, seed, len(played))
            try:
                step = environment.step(action)
                played.append(action)
                if environment.answers:
                    self._ask(row, step)
                steps.append(step)
            except RAISES as error:
                broken.append(Broken(row, environment.complaint(error)))
        self.note.rest()
        return steps, broken

    def _moves(
        self,
        rows: NDArray[np.intp],
        actions: NDArray[np.int32],
        steps: list[Step],
        observations: NDArray[Any],
    ) -> Moves:
        """Books the `steps` of `rows` [n]."""
        rewards = np.array([step.reward for step in steps], np.float64)
        if self.config.players > 2:
            self.returns[rows] += np.array([step.rewards for step in steps]).reshape(len(rows), -1)
        else:
            self._earn(rows, self.movers[rows], rewards)
        self._stack(rows, actions, observations)
        terminated = np.array([step.terminated for step in steps], np.bool_)
        truncated = np.array([step.truncated for step in steps], np.bool_)
        return Moves(observations, rewards.astype(np.float32), terminated, truncated)

    def lose(self, row: int, error: ConfigurationError) -> LostGame:
        """Gives the game of `row` up, for which `error` is the reason; the row waits for a new one."""
        environment, actions = self.environments[row], self.played[row]
        environment.abandon()
        self.note.rest()
        return LostGame(environment.name, int(self.seeds[row]), len(actions), str(error), tuple(actions))

    def _earn(self, rows: NDArray[Any], movers: IntArray, rewards: FloatArray) -> None:
        """Books the rewards [n] of those who moved in `rows` [n]: what one of two wins, the other loses."""
        gained = rewards if self.config.players == 1 else np.where(movers == 0, rewards, -rewards)
        self.returns[rows] += gained[:, None] * self._shares

    def moved_twice(self, rows: NDArray[np.intp]) -> list[Broken]:
        """Those of the games `rows` [n], for two, in which a player is to move who has just moved.

        Learned models do not learn whose turn it is, but take it that turns alternate: values of a game in
        which they do not would have the wrong sign, and the worst moves would be learned.
        """
        if self.config.players != 2:
            return []
        return [
            Broken(
                row,
                GameError(
                    f"game {self.environments[row].name!r}, move {len(self.played[row])}: player "
                    f"{self.to_play[row]} moves twice in a row; expected turns that alternate, which is all "
                    "that learned models know"
                ),
            )
            for row in rows[self.to_play[rows] == self.movers[rows]].tolist()
        ]

    def require_alternation(self, rows: NDArray[np.intp]) -> None:
        """Raises `GameError` where one of the games `rows` [n] is among those that `moved_twice`."""
        for broken in self.moved_twice(rows):
            raise broken.error

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

    def load_state(self, state: Snapshot, avoid: Collection[int] = ()) -> list[int]:
        """Plays the games of `state` again, up to where they were; returns the rows that came out otherwise.

        So do games that draw chance from elsewhere than the seed. Those rows are in no state to be played on.
        Games whose seeds are among those to `avoid` are not played, and are no matter of this.
        """
        ends, otherwise = np.cumsum(state.arrays["lengths"]), []
        stacks = state.arrays.get("stacks")  # not kept by earlier versions
        for row, actions in enumerate(np.split(state.arrays["actions"], ends[:-1])):
            if int(state.arrays["seeds"][row]) in avoid:
                continue
            try:
                self.replay(row, int(state.arrays["seeds"][row]), actions)
                same = stacks is None or np.array_equal(self.stacks[row], stacks[row])
            except ConfigurationError:  # for one, a move that was legal then and is not now
                same = False
            if not same:
                otherwise.append(row)
        return otherwise

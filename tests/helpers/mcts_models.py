"""Models for the tests of the search: the states of a small random world, and what is known about each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data import Evaluation, IntArray


class World(NamedTuple):
    """A deterministic world of M states and A actions; a state is its number.

    With players P > 2 rewards and values have one number for each of them.
    """

    next_state: NDArray[np.int32]  # [M, A]
    reward: NDArray[np.floating]  # [M, A] or [M, A, P]
    discount: NDArray[np.floating]  # [M, A]
    value: NDArray[np.floating]  # [M] or [M, P]
    logits: NDArray[np.floating]  # [M, A]
    to_play: NDArray[np.int32]  # [M]


def random_world(generator: np.random.Generator, states: int, actions: int) -> World:
    """A world with one player, rewards in [-1, 1] and discounts in [-1, 1]."""
    return World(
        next_state=generator.integers(0, states, (states, actions)).astype(np.int32),
        reward=generator.uniform(-1, 1, (states, actions)),
        discount=generator.uniform(-1, 1, (states, actions)),
        value=generator.normal(size=states),
        logits=generator.normal(size=(states, actions)),
        to_play=np.zeros(states, np.int32),
    )


class WorldModel:
    """The model of a world, whose latents are states; an observation is a state as well."""

    def __init__(self, world: World, simulations: int, dtype: type = np.float64) -> None:
        self.world = world
        self.dtype = dtype
        self.simulations = simulations
        self.latents = np.zeros((0, 0), np.int32)

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        self.latents = np.zeros((self.simulations + 1, len(observations)), np.int32)
        self.latents[0] = observations
        nothing = np.zeros((len(observations), *self.world.reward.shape[2:]))
        return self._evaluation(observations, nothing, np.ones(len(observations)))

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        state = self.latents[parents, np.arange(len(parents))]
        self.latents[node] = self.world.next_state[state, actions]
        world = self.world
        return self._evaluation(
            self.latents[node], world.reward[state, actions], world.discount[state, actions]
        )

    def _evaluation(self, state: Any, reward: Any, discount: Any) -> Evaluation:
        return Evaluation(
            value=self.world.value[state].reshape(len(state), -1).astype(self.dtype),
            reward=reward.reshape(len(state), -1).astype(self.dtype),
            discount=discount.astype(self.dtype),
            to_play=self.world.to_play[state],
            policy_logits=self.world.logits[state].astype(self.dtype),
        )

"""CartPole-v1: keep a pole upright on a cart; a reward of 1 for each of at most 500 moves."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import config
from games.tools.gymnasium import rgb_frame

Observation = NDArray[np.float32]

SCALE = np.array([[[1 / 2.4, 1 / 2.0, 1 / 0.21, 1 / 2.0]]], np.float32)
"""Brings position (m), velocity (m/s), angle (rad) and angular velocity (rad/s) to about [-1, 1].

As they are, the angle at which the pole counts as fallen is a tenth of the position at which the cart is out.
"""


class MuZeroConfig(config.MuZeroConfig):
    """Solves CartPole-v1 in well under a minute on two cores."""

    observation_shape = (1, 1, 4)
    action_space = (0, 1)
    max_moves = 500

    # A horizon of a hundred moves: with a shorter one the cart drifts out of the picture unpunished.
    discount = 0.99
    td_steps = 30
    num_simulations = 32
    evaluation_simulations = 16
    segment_length = 50

    encoding_size = 32
    fc_representation_layers = (64,)
    fc_dynamics_layers = (64,)
    fc_reward_layers = (64,)
    fc_value_layers = (64,)
    fc_policy_layers = (64,)
    support_size = 10

    batch_size = 256

    # Little and fresh: values and policies of early, bad play mislead for long.
    replay_buffer_size = 20_000
    replay_window = 0.5
    # A policy that lets the cart drift out sees no other way of leaning, and so never learns of a better one.
    random_opening_moves = 20
    games_per_worker = 32
    ratio = 0.3
    value_loss_weight = 1.0
    num_reanalyse_workers = 1
    reanalyse_policy = True
    reanalyse_batch = 1024

    # Long enough to see that it stays solved. A good player sees no more bad play and would unlearn what that
    # has taught, so the learning rate is next to nothing by 100,000 updates.
    training_steps = 400_000
    lr_decay_rate = 0.94
    visit_softmax_temperature = ((1.0, 0.5),)
    evaluation_interval = 1.0
    evaluation_games = 10
    target_reward = 475.0


class Game:
    """Gymnasium's CartPole-v1 in this project's game API."""

    def __init__(self, seed: int | None = None) -> None:
        self.env: Any = gymnasium.make("CartPole-v1", disable_env_checker=True)
        self.seed = seed

    def reset(self, seed: int | None = None) -> Observation:
        """Starts a game; returns the scaled observation [1, 1, 4] float32."""
        observation, _ = self.env.reset(seed=self.seed if seed is None else seed)
        self.seed = None
        return _scaled(observation)

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Pushes the cart left (0) or right (1); gymnasium's five values."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return _scaled(observation), reward, terminated, truncated, info

    @staticmethod
    def from_gymnasium(observation: NDArray[np.float32]) -> Observation:
        """What Gymnasium's observation (4,) is here."""
        return _scaled(observation)

    def close(self) -> None:
        """Closes the environment."""
        self.env.close()

    def frame(self) -> NDArray[np.uint8]:
        """A picture of cart and pole, [400, 600, 3]. Raises `ConfigurationError` without pygame."""
        return rgb_frame(self.env)

    def render(self) -> None:
        """Prints the state in a line."""
        print(self.text())

    def text(self) -> str:
        """The state in a line: where the cart and the pole are, and how fast they move."""
        x, dx, angle, spin = self.env.unwrapped.state
        return (
            f"cart at {x:+.2f} m ({dx:+.2f} m/s)  pole at {math.degrees(angle):+.1f} degrees "
            f"({math.degrees(spin):+.0f} per second)"
        )

    def action_to_string(self, action: int) -> str:
        """The action in words."""
        return ("push left", "push right")[action]


def _scaled(observation: NDArray[np.float32]) -> Observation:
    return observation * SCALE

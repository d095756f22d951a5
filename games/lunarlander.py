"""Gymnasium's LunarLander-v3 with its four discrete actions: land between the flags, at rest, on little fuel.

Landing earns 100, crashing costs 100, and each move is rewarded for coming nearer, slower and more upright;
an average of 200 counts as solved. The physics need Box2D, which is an optional dependency: without it, only
making a game fails, with a line that says how to install it.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import config
from core.errors import ConfigurationError
from core.prompts import ask, listed
from games.tools.gymnasium import rgb_frame

WORDS = ("nothing", "left", "main", "right")

INSTALL = 'lunarlander needs Box2D, which is not installed; run: pip install "gymnasium[box2d]"'

Observation = NDArray[np.float32]
"""[1, 1, 8]: x, y, their velocities, angle, angular velocity, 1 for each leg on the ground (left, right)."""


class MuZeroConfig(config.MuZeroConfig):
    """For two cores, of which the physics take about 40 us per move."""

    observation_shape = (1, 1, 8)
    action_space = (0, 1, 2, 3)
    max_moves = 1000

    discount = 0.995
    td_steps = 30
    num_simulations = 32
    evaluation_simulations = 32
    segment_length = 100

    encoding_size = 32
    fc_representation_layers = (128,)
    fc_dynamics_layers = (128,)
    fc_residual_dynamics = True
    fc_reward_layers = (64,)
    fc_value_layers = (64,)
    fc_policy_layers = (64,)
    support_size = 25  # holds returns of up to 600 either way, which are 24 transformed

    games_per_worker = 32
    learning_starts = 5_000
    replay_buffer_size = 100_000
    ratio = 0.25
    num_reanalyse_workers = 1
    reanalyse_policy = True
    reanalyse_batch = 1024
    visit_softmax_temperature = ((0.5, 1.0), (0.75, 0.5), (1.0, 0.25))
    training_steps = 400_000
    training_minutes = 60
    lr_init = 1e-3
    evaluation_interval = 15.0
    evaluation_games = 16
    target_reward = 200.0


class Game:
    """Gymnasium's LunarLander-v3 in this project's game API. Raises `ConfigurationError` without Box2D."""

    def __init__(self, seed: int | None = None) -> None:
        try:
            self.env: Any = gymnasium.make("LunarLander-v3", disable_env_checker=True)
        except gymnasium.error.DependencyNotInstalled:
            raise ConfigurationError(INSTALL) from None
        self.seed = seed
        self.state = np.zeros(8, np.float32)

    def reset(self, seed: int | None = None) -> Observation:
        """Starts a game; returns the observation [1, 1, 8] float32."""
        state, _ = self.env.reset(seed=self.seed if seed is None else seed)
        self.seed = None
        return self._arrive(state)

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Fires an engine or none; gymnasium's five values."""
        state, reward, terminated, truncated, info = self.env.step(action)
        return self._arrive(state), reward, terminated, truncated, info

    def _arrive(self, state: Any) -> Observation:
        self.state = np.asarray(state, np.float32)
        return self.state.reshape(1, 1, 8)

    def close(self) -> None:
        """Closes the environment."""
        self.env.close()

    def frame(self) -> NDArray[np.uint8]:
        """A picture of the lander, [400, 600, 3]. Raises `ConfigurationError` without pygame."""
        return rgb_frame(self.env)

    def expert_agent(self) -> int:
        """What gymnasium's own controller does; it lands nearly always, but is not optimal."""
        from gymnasium.envs.box2d.lunar_lander import heuristic

        return int(heuristic(self.env, self.state))

    def action_to_string(self, action: int) -> str:
        """The engine that the action fires."""
        return WORDS[action]

    def human_to_action(self) -> int:
        """Asks at the terminal for an engine, until there is one."""
        return ask(f"Engine ({listed(WORDS)}): ", WORDS)

    def render(self) -> None:
        """Prints the lander's state in a line."""
        print(self.text())

    def text(self) -> str:
        """The lander's state in a line."""
        x, y, dx, dy, angle, spin, left, right = self.state.tolist()
        legs = ["no leg", "left leg", "right leg", "both legs"][int(left) + 2 * int(right)]
        return (
            f"x {x:+.2f} ({dx:+.2f})  y {y:+.2f} ({dy:+.2f})  angle {angle:+.2f} ({spin:+.2f})  {legs} down"
        )

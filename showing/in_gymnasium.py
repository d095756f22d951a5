"""An agent plays in somebody's Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from config import MuZeroConfig
from games.api.sources import OWN_GAMES
from games.tools.gymnasium import Seeing, first_action
from showing.asked import PositionError


class Acting(Protocol):
    """What is needed of an `Agent`."""

    config: MuZeroConfig
    name: str
    game: str  # that it was trained on

    def reset(self) -> None:
        """A new game begins."""

    def act(self, observation: Any, legal_actions: Any = None, *, simulations: int | None = None) -> Any:
        """The action that it prefers."""


def play_games(agent: Acting, env: Any, games: int, seed: int | None, simulations: int | None) -> list[float]:
    """The returns of `games` games of `agent` in `env`, an environment with discrete actions.

    The first game begins with `env.reset(seed=seed)`; none is longer than those the agent was trained on.
    Raises `PositionError` where the agent's game has other observations or actions than `env`.
    """
    first = first_action(env)
    own = agent.config.num_actions
    if int(env.action_space.n) != own:
        raise PositionError(f"{called(env)} has {env.action_space.n} actions, {agent.name} {own}")
    see = seeing(agent, env)
    returns = []
    for _ in range(games):
        agent.reset()
        observation, info = env.reset(seed=seed)
        seed, total = None, 0.0
        for _ in range(agent.config.max_moves):
            action = agent.act(see(observation), info.get("action_mask"), simulations=simulations)
            observation, reward, terminated, truncated, info = env.step(first + action)
            total += float(reward)
            if terminated or truncated:
                break
        returns.append(total)
    return returns


def seeing(agent: Acting, env: Any) -> Callable[[Any], Any]:
    """What turns the observations of `env` into those of the agent's game, which may say that itself."""
    space, see = env.observation_space, None
    if agent.game in OWN_GAMES.names():
        game = OWN_GAMES.load(agent.game)
        if game.can.see_gymnasium:
            see = game.game_class.from_gymnasium  # type: ignore[attr-defined]
    try:
        see = see or Seeing(space)
        shape = np.shape(see(space.sample()))
    except ValueError as error:  # `ConfigurationError` is one
        raise PositionError(f"{called(env)}: {error}") from None
    if shape != agent.config.observation_shape:
        raise PositionError(
            f"{called(env)} has observations of shape {shape}, {agent.name} {agent.config.observation_shape}"
        )
    return see


def called(env: Any) -> str:
    """The environment's name."""
    return str(env.spec.id) if getattr(env, "spec", None) is not None else type(env.unwrapped).__name__

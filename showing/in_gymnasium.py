"""An agent plays in somebody's Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from config import MuZeroConfig
from core.errors import ConfigurationError
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
    see = seeing(agent, env)
    first = first_action(env)
    if int(env.action_space.n) != agent.config.num_actions:
        own = agent.config.num_actions
        raise PositionError(f"{env} has {env.action_space.n} actions, {agent.name} {own}")
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
    if agent.game in OWN_GAMES.names():
        game = OWN_GAMES.load(agent.game)
        if game.can.see_gymnasium:
            own: Callable[[Any], Any] = game.game_class.from_gymnasium  # type: ignore[attr-defined]
            return own
    try:
        see = Seeing(env.observation_space)
    except ConfigurationError as error:
        raise PositionError(str(error)) from None
    if see.shape != agent.config.observation_shape:
        raise PositionError(
            f"{env} has observations of shape {see.shape}, {agent.name} {agent.config.observation_shape}"
        )
    return see

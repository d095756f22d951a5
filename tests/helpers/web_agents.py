"""Small untrained agents for the tests of the page."""

from __future__ import annotations

from games.api.sources import load_game
from showing.agent import Agent
from tests.helpers.toy_games import random_weights

SIMULATIONS = 8


def untrained(game: str, scale: float = 1.0) -> Agent:
    """An agent of `game` with a small network of random weights, multiplied by `scale`."""
    config = load_game(game).config.replace(network="fullyconnected", encoding_size=16)
    weights = {name: array * scale for name, array in random_weights(config).items()}
    return Agent(config, weights, version=7, simulations=SIMULATIONS, name="untrained")

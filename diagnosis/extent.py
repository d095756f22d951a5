"""How much is played for a diagnosis. Imports nothing heavy: the command line's help speaks of it."""

from __future__ import annotations

from config import MuZeroConfig

GAMES = 64
"""At least, and so many in games of `MOVES` / `GAMES` moves and more."""
MOVES = 4096
"""About as many at least, where games are shorter."""


def default_games(config: MuZeroConfig) -> int:
    """As many as it takes to see more than noise."""
    return max(GAMES, MOVES // config.max_moves)


def diagnosed(config: MuZeroConfig, seed: int, games: int | None, simulations: int | None) -> MuZeroConfig:
    """A checkpoint's configuration for a diagnosis; None: as many games as usual, as many simulations."""
    return config.replace(
        seed=seed,
        games_per_worker=default_games(config) if games is None else games,
        num_simulations=config.num_simulations if simulations is None else simulations,
    )

"""Games of an agent against itself, exactly as it plays them to learn from, as rows of positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import BoolArray, FloatArray, GameHistory, VersionedWeights, Weights
from games.api.spec import GameSpec
from learning.stored_positions import legal_at, stacked_at
from learning.targets import StepRows, history_rows, n_step_returns
from search.planner import self_play_planner
from self_play import SelfPlay

GamesCallback = Callable[[int, int], None]
"""Called with the number of games that have ended, and that of all games."""

WORKER = 4096
"""A self-play worker's number that no training has, so that its games are new."""
WHOLE_GAME = 65535
"""More moves than any game has."""


class Played(NamedTuple):
    """All positions of some games, one game's after another's."""

    config: MuZeroConfig
    steps: StepRows  # [N]
    starts: NDArray[np.int64]  # [games] the first row of each
    returns: NDArray[np.float64]  # [games] sum of the rewards to player 0
    seeds: NDArray[np.int64]  # [games]
    realised: NDArray[np.float32]  # [N] discounted return to the player to move, see `Played.guessed`
    guessed: NDArray[np.float32]  # [N] weight in `realised` of the value at which a game was cut short

    @property
    def moves(self) -> NDArray[np.int64]:
        """The rows in which a move was made: all but the last one of a game that was cut short."""
        return np.flatnonzero(self.steps.remaining > 0)

    def stacked(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the network reads at `rows` [n], [n, C, H, W]."""
        return stacked_at(self.steps, rows, self.config)

    def legal(self, rows: NDArray[np.int64]) -> BoolArray:
        """The legal actions at `rows` [n], [n, A]."""
        return legal_at(self.steps, rows)


def play_games(
    game: GameSpec,
    config: MuZeroConfig,
    weights: Weights,
    version: int,
    progress: GamesCallback | None = None,
) -> Played:
    """Plays `config.games_per_worker` whole games side by side with `weights`, which `version` updates made.

    Nobody resigns and every move is searched in full; all else is as in self-play, noise and temperature
    included, because this is what the network has learned to predict.
    """
    config = whole_games(config)
    player = SelfPlay(game, config, WORKER, FixedWeights(version, weights), self_play_planner(config, "cpu"))
    # only the first game of each row: more of them would favour the short ones
    awaited = dict.fromkeys(player.table.seeds.tolist())
    found: dict[int, GameHistory] = {}
    while len(found) < len(awaited):
        _, histories = player.play(config.games_per_worker)
        found |= {h.seed: h for h in histories if h.seed in awaited and h.seed not in found}
        if progress is not None:
            progress(len(found), len(awaited))
    return gather(config, [found[seed] for seed in awaited])


def whole_games(config: MuZeroConfig) -> MuZeroConfig:
    """`config` for games in one piece that are played to their end, each move searched in full."""
    return config.replace(
        segment_length=config.max_moves,
        resign_value=-1.0,
        full_search_probability=1.0,
        policy_surprise=0.0,
    )


class FixedWeights:
    """A `data.WeightsSource` whose weights never change."""

    def __init__(self, version: int, weights: Weights) -> None:
        self.newest = VersionedWeights(version, weights)

    def newer_than(self, version: int) -> VersionedWeights | None:
        """See `WeightsSource`."""
        return self.newest if version < self.newest.version else None


def gather(config: MuZeroConfig, histories: Sequence[GameHistory]) -> Played:
    """Whole games as rows of positions."""
    parts = [history_rows(history, config.stacked_observations) for history in histories]
    steps = StepRows(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    lengths = np.array([len(part.actions) for part in parts])
    rows = np.arange(len(steps.actions))
    unfinished = np.where(steps.terminated, 0.0, np.power(config.discount, steps.remaining))
    return Played(
        config=config,
        steps=steps,
        starts=np.cumsum(lengths) - lengths,
        returns=np.array([history.game_return for history in histories], np.float64),
        seeds=np.array([history.seed for history in histories], np.int64),
        realised=n_step_returns(steps, rows, WHOLE_GAME, config.discount),
        guessed=unfinished.astype(np.float32),
    )


def sample(rows: NDArray[np.int64], limit: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """At most `limit` of `rows`, rising."""
    if len(rows) <= limit:
        return rows
    return np.sort(generator.choice(rows, limit, replace=False))


def to_first_player(values: FloatArray, steps: StepRows, rows: NDArray[np.int64]) -> FloatArray:
    """Values [n] to the players to move at `rows` [n], as player 0 sees them."""
    return np.where(steps.to_play[rows] == 0, values, -values)

"""Games side by side between two players, each of them in both seats, or of one player alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from arena.players import DrawingPlayer, NetworkPlayer, Player, check_form, legal_action
from config import MuZeroConfig
from core.policies import best_legal
from core.randomness import Stream, make_generator
from data import EvaluationResult, IntArray
from games.api.spec import GameSpec
from playing.make_table import make_table

PlayCallback = Callable[[int, int], None]
"""Is told how many games have ended, and how many moves the longest of them has had."""


class Match:
    """A number of games of one player, in games for two against an opponent.

    The seats change from game to game; the two games of a pair begin from the same seed and opening.
    """

    def __init__(
        self, spec: GameSpec, config: MuZeroConfig, games: int, player: Player, opponent: Player | None = None
    ) -> None:
        self.player, self.opponent = player, opponent
        self.table = make_table(spec, config, games)
        self.seats = (np.arange(games) % config.players).astype(np.int32)
        self._pairs = np.arange(games) // config.players
        self._live = np.arange(0)
        self._evaluated_before = 0

    def start(self, seed: int, openings: int = 0) -> None:
        """Sets up fresh games; `seed` determines them, and what players draw at random in them.

        The first `openings` moves of each are random, fewer where that would end the game.
        """
        for side, player in enumerate((self.player, self.opponent), 1):
            if isinstance(player, DrawingPlayer):
                player.reseed(make_generator(seed, Stream.OPPONENT, side))
        pairs = int(self._pairs[-1]) + 1
        seeds = make_generator(seed, Stream.EVALUATION).integers(2**31, size=pairs)
        for row, pair in enumerate(self._pairs):
            self.table.reset(row, int(seeds[pair]))
        self._live = np.arange(len(self._pairs))
        self._evaluated_before = self._evaluated()
        self._open(openings, make_generator(seed, Stream.OPENINGS))

    def _open(self, openings: int, generator: np.random.Generator) -> None:
        """Makes random moves, the same in the games of a pair; none of the games is over afterwards."""
        pairs, everyone = int(self._pairs[-1]) + 1, self._live
        for _ in range(openings):
            if not self._live.size:
                break
            keys = generator.random((pairs, self.table.config.num_actions))[self._pairs[self._live]]
            self._step(best_legal(keys, self.table.legal[self._live]))
        for row in np.setdiff1d(everyone, self._live).tolist():  # the players make the last move themselves
            self.table.replay(row, int(self.table.seeds[row]), self.table.played[row][:-1])
        self._live = everyone

    def play(self, seconds: float = float("inf"), progress: PlayCallback | None = None) -> bool:
        """Plays on for about `seconds`; whether all games have ended. Raises `GameError` on illegal moves.

        `progress` is told after each move how many games have ended, and how many moves the longest has.
        """
        began = time.perf_counter()
        while self._live.size:
            if time.perf_counter() - began > seconds:
                return False
            self._step(self._chosen())
            if progress is not None:
                progress(len(self.seats) - len(self._live), max(map(len, self.table.played)))
        return True

    def _chosen(self) -> IntArray:
        actions = np.zeros(len(self._live), np.int32)
        own = self.table.to_play[self._live] == self.seats[self._live]
        for player, turn in ((self.player, own), (self.opponent, ~own)):
            if player is not None and turn.any():
                rows = self._live[turn]
                chosen = zip(rows.tolist(), player.choose(self.table, rows), strict=True)
                actions[turn] = [legal_action(self.table, row, action) for row, action in chosen]
        return actions

    def _step(self, actions: IntArray) -> None:
        moves = self.table.step(self._live, actions)
        self._live = self._live[~(moves.terminated | moves.truncated)]

    def result(self, version: int, opponent: str | None = None) -> EvaluationResult:
        """What came of the games; `version` is that of the player's weights."""
        lengths = np.array([len(actions) for actions in self.table.played], np.int32)
        returns = np.where(self.seats == 0, self.table.returns, -self.table.returns)
        return EvaluationResult(
            returns.astype(np.float32),
            lengths,
            version,
            self.seats.copy(),
            opponent,
            self._evaluated() - self._evaluated_before,
        )

    def _evaluated(self) -> int:
        """Network evaluations that the two sides have ever made."""
        sides = (self.player, self.opponent)
        return sum(side.network_evaluations for side in sides if isinstance(side, NetworkPlayer))


MOST_OPENINGS = 6
"""Random first moves of a game, where games between players who vary little are to differ."""


def openings_of(config: MuZeroConfig) -> int:
    """How many random first moves make games differ and leave most of a game to the players."""
    return min(MOST_OPENINGS, config.max_moves // 3)


def widest(config: MuZeroConfig, *players: Player | None) -> MuZeroConfig:
    """`config` with observations stacked as deep as any of the players reads them.

    Raises `ConfigurationError` when a network was trained on other observations or actions.
    """
    for player in players:
        if isinstance(player, NetworkPlayer):
            check_form(player.config, config)
            deepest = max(config.stacked_observations, player.config.stacked_observations)
            config = config.replace(stacked_observations=deepest)
    return config

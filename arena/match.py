"""Games side by side between players, one for each seat, each of them in every seat in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.network_player import NetworkPlayer, check_form
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.policies import best_legal
from core.randomness import Stream, make_generator
from core.wording import counted
from data import EvaluationResult, FloatArray, IntArray, LostGame
from games.api.spec import RAISES, GameSpec
from playing.environment import GamesBreakError
from playing.game_note import Caution, note_at
from playing.game_table import Broken
from playing.make_table import make_table
from playing.player import DrawingPlayer, Player, legal_action

PlayCallback = Callable[[int, int], None]
"""Is told how many games have ended, and how many moves the longest of them has had."""


class Match:
    """A number of games between `players`, one for each of the game's P seats.

    They move on by a seat from game to game: in game g player i has seat (i + g) mod P. P games in a row, in
    which each has had every seat, are a round: they begin from the same seed and opening. The results are
    those of player number `judged`. Raises `ConfigurationError` unless there are P players.

    A game that breaks is raised as `GameError`; with `caution` it is left out, and `GamesBreakError` is
    raised once more than half of a match's games are.
    """

    def __init__(
        self,
        spec: GameSpec,
        config: MuZeroConfig,
        games: int,
        players: Sequence[Player],
        judged: int = 0,
        caution: Caution | None = None,
    ) -> None:
        if len(players) != config.players:
            seats = counted(config.players, "player")
            raise ConfigurationError(
                f"a match of {spec.name} needs {seats}, one per seat, not {len(players)}"
            )
        self.players, self.judged = tuple(players), judged
        self._caution = caution
        self.lost: list[LostGame] = []
        self._left_out = np.zeros(games, np.bool_)
        self.table = make_table(spec, config, games, None if caution is None else note_at(caution.note))
        self._numbers = np.arange(games)
        self.seats = ((judged + self._numbers) % config.players).astype(np.int32)
        self._rounds = self._numbers // config.players
        self._live = np.arange(0)
        self._evaluated_before = 0

    def start(self, seed: int, openings: int = 0) -> None:
        """Sets up fresh games; `seed` determines them, and what players draw at random in them.

        The first `openings` moves of each are random, fewer where that would end the game.
        """
        for side, player in enumerate(self._different(), 1):
            if isinstance(player, DrawingPlayer):
                player.reseed(make_generator(seed, Stream.OPPONENT, side))
        rounds = int(self._rounds[-1]) + 1
        seeds = make_generator(seed, Stream.EVALUATION).integers(2**31, size=rounds)
        self.lost, self._left_out[:] = [], False
        for row, number in enumerate(self._rounds):
            self._begin(row, int(seeds[number]))
        self._live = np.flatnonzero(~self._left_out)
        self._evaluated_before = self._evaluated()
        self._open(openings, make_generator(seed, Stream.OPENINGS))

    def _begin(self, row: int, seed: int) -> None:
        """Starts the game of `seed` in `row`, or of the next one that is not to be avoided."""
        while self._caution is not None and seed in self._caution.avoid:
            seed += 1
        try:
            self.table.reset(row, seed)
        except RAISES as error:
            self._lose(Broken(row, self.table.environments[row].complaint(error)))

    def _lose(self, broken: Broken) -> None:
        """Leaves a game out. Raises what has broken it where none may be left out."""
        if self._caution is None:
            raise broken.error
        self.lost.append(self.table.lose(*broken))
        self._left_out[broken.row] = True
        if 2 * self._left_out.sum() > len(self._left_out):
            raise GamesBreakError(str(broken.error), self.lost) from broken.error

    def _open(self, openings: int, generator: np.random.Generator) -> None:
        """Makes random moves, the same in the games of a round; none of the games is over afterwards."""
        rounds, everyone = int(self._rounds[-1]) + 1, self._live
        for _ in range(openings):
            if not self._live.size:
                break
            keys = generator.random((rounds, self.table.config.num_actions))[self._rounds[self._live]]
            self._step(best_legal(keys, self.table.legal[self._live]))
        everyone = everyone[~self._left_out[everyone]]
        for row in np.setdiff1d(everyone, self._live).tolist():  # the players make the last move themselves
            self._replay(row, self.table.played[row][:-1])
        self._live = everyone[~self._left_out[everyone]]

    def _replay(self, row: int, actions: Sequence[int]) -> None:
        """Plays the game of `row` again, up to the end of `actions`."""
        try:
            self.table.replay(row, int(self.table.seeds[row]), actions)
        except RAISES as error:
            self._lose(Broken(row, self.table.environments[row].complaint(error)))

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
        movers = player_in(self.table.to_play[self._live], self._live, len(self.players))
        for number, player in enumerate(self.players):
            turn = movers == number
            if turn.any():
                rows = self._live[turn]
                chosen = zip(rows.tolist(), player.choose(self.table, rows), strict=True)
                actions[turn] = [legal_action(self.table, row, action) for row, action in chosen]
        return actions

    def _step(self, actions: IntArray) -> None:
        rows, moves, broken = self.table.attempt(self._live, actions)
        self._live = rows[~(moves.terminated | moves.truncated)]
        for game in broken:
            self._lose(game)
        if self._caution is not None:  # else the network that is to move says it
            self._leave_out_double_moves()

    def _leave_out_double_moves(self) -> None:
        for game in self.table.moved_twice(self._live):
            self._lose(game)
        self._live = self._live[~self._left_out[self._live]]

    def result(self, version: int, opponent: str | None = None) -> EvaluationResult:
        """What came of the games to who is judged; `version` is that of that player's weights."""
        kept = self._numbers[~self._left_out]
        seats = self.seats[kept]
        lengths = np.array([len(self.table.played[row]) for row in kept.tolist()], np.int32)
        returns = self.table.returns[kept, seats]
        shares = shares_of(self.table.returns)[kept, seats].astype(np.float32)
        return EvaluationResult(
            returns.astype(np.float32),
            lengths,
            version,
            seats,
            opponent,
            self._evaluated() - self._evaluated_before,
            shares if len(self.players) > 2 else None,
            tuple(self.lost),
        )

    def _different(self) -> list[Player]:
        """The players, each once who has several seats."""
        return list({id(player): player for player in self.players}.values())

    def _evaluated(self) -> int:
        """Network evaluations that the players have ever made."""
        networks = (player for player in self._different() if isinstance(player, NetworkPlayer))
        return sum(network.network_evaluations for network in networks)


def shares_of(returns: FloatArray) -> NDArray[np.float64]:
    """Each player's share of the win, [games, P], by their `returns` [games, P].

    Whoever has more than all others has won, 1; k who have the same and more than the others share it, 1/k.
    """
    leads = (returns == returns.max(axis=1, keepdims=True)).astype(np.float64)
    shares: NDArray[np.float64] = leads / leads.sum(axis=1, keepdims=True)
    return shares


def player_in(seat: Any, game: Any, players: int) -> Any:
    """The number of the player, of as many as `players`, who has `seat` in game number `game` of a match."""
    return (seat - game) % players


MOST_OPENINGS = 6
"""Random first moves of a game, where games between players who vary little are to differ."""


def openings_of(config: MuZeroConfig) -> int:
    """How many random first moves make games differ and leave most of a game to the players."""
    return min(MOST_OPENINGS, config.max_moves // 3)


def widest(config: MuZeroConfig, *players: Player) -> MuZeroConfig:
    """`config` with observations stacked as deep as any of the players reads them.

    Raises `ConfigurationError` when a network was trained on other observations or actions.
    """
    for player in players:
        if isinstance(player, NetworkPlayer):
            check_form(player.config, config)
            deepest = max(config.stacked_observations, player.config.stacked_observations)
            config = config.replace(stacked_observations=deepest)
    return config

"""Matches of any length between two players, and how they went."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.match import Match, PlayCallback, openings_of, widest
from arena.players import NetworkPlayer, Player, PlayerSpec, make_player
from arena.ratings import Sprt, Tally
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.randomness import Stream, child_seed
from data import EvaluationResult
from games.api.spec import GameSpec

Stronger = Literal["first", "second", "neither", "undecided"]

SIDE_BY_SIDE = 256
"""Games that are played at the same time."""


@dataclass(frozen=True)
class Duel:
    """Games of one player, in a game for two against an opponent; all that determines them."""

    game: GameSpec
    player: PlayerSpec
    opponent: PlayerSpec | None
    seed: int = 0
    openings: int | None = None  # random first moves of each game; None: so many that games differ

    def __post_init__(self) -> None:
        one = self.game.config.players == 1
        if one and self.opponent is not None:
            raise ConfigurationError(f"{self.game.name} is a game for one: leave out the opponent")
        if not one and self.opponent is None:
            raise ConfigurationError(f"{self.game.name} is a game for two: name an opponent")


class PlayedBatch(NamedTuple):
    """Games of a duel that were played side by side."""

    result: EvaluationResult
    actions: list[tuple[int, ...]]  # of each game, its opening included
    openings: int  # random moves with which pairs of them begin

    @property
    def digests(self) -> NDArray[np.uint32]:
        """A number for each game, which equal games share and different ones hardly ever.

        Equal are games of the same moves and outcome, whoever made them.
        """
        outcomes = np.where(self.result.seats == 0, self.result.returns, -self.result.returns) + 0.0
        played = zip(self.actions, outcomes.tolist(), strict=True)
        return np.array([zlib.crc32(repr(game).encode()) for game in played], np.uint32)


def play(duel: Duel, games: int, batch: int = SIDE_BY_SIDE, first: int = 0) -> Iterator[EvaluationResult]:
    """The results of what `play_batches` plays."""
    return (played.result for played in play_batches(duel, games, batch, first))


def play_batches(
    duel: Duel,
    games: int,
    batch: int = SIDE_BY_SIDE,
    first: int = 0,
    progress: PlayCallback | None = None,
) -> Iterator[PlayedBatch]:
    """Plays `games` games of `duel`, about `batch` at a time; yields each batch when it is over.

    A batch is determined by the duel, its number and its size, `first` being the number of the first one to
    play: an interrupted match goes on where it was. Raises `ConfigurationError` where a player cannot play.
    """
    batch = min(batch + batch % 2, games)
    player = make_player(duel.player, duel.game, batch, duel.seed)
    opponent = None
    if duel.opponent is not None:
        opponent = make_player(duel.opponent, duel.game, batch, child_seed(duel.seed, Stream.OPPONENT))
    config = widest(base_config(duel.game, player, opponent), player, opponent)
    openings = openings_needed(duel, config) if duel.openings is None else duel.openings
    version = player.planner.version if isinstance(player, NetworkPlayer) else 0
    named = str(duel.opponent) if duel.opponent is not None else None
    match: Match | None = None
    for number, start in enumerate(range(0, games, batch), first):
        size = min(batch, games - start)
        if match is None or len(match.seats) != size:
            match = Match(duel.game, config, size, player, opponent)
        match.start(batch_seed(duel.seed, number), openings)
        match.play(progress=_counting_on(progress, start))
        actions = [tuple(played) for played in match.table.played]
        yield PlayedBatch(match.result(version, named), actions, openings)


def _counting_on(progress: PlayCallback | None, before: int) -> PlayCallback | None:
    """`progress`, which counts the games of the batches `before` as well."""
    if progress is None:
        return None
    told = progress
    return lambda ended, moves: told(before + ended, moves)


def batch_seed(seed: int, number: int) -> int:
    """The seed of a match's batch `number`: that of the match itself for the first one."""
    return child_seed(seed, Stream.BATCH, number) if number else seed


def base_config(game: GameSpec, *players: Player | None) -> MuZeroConfig:
    """The configuration by which the games are played: that of the first network, or the game's own."""
    networks = (player.config for player in players if isinstance(player, NetworkPlayer))
    return next(networks, game.config)


def openings_needed(duel: Duel, config: MuZeroConfig) -> int:
    """Random first moves by which games, set up by `config`, differ although both players vary little.

    None where either is a yardstick, which draws among its moves: an opening may be lost already.
    """
    if duel.opponent is None or not (duel.player.varies_little and duel.opponent.varies_little):
        return 0
    return openings_of(config)


def total(results: list[EvaluationResult]) -> EvaluationResult:
    """Several batches as one result."""
    first = results[0]
    return first._replace(
        returns=np.concatenate([result.returns for result in results]),
        lengths=np.concatenate([result.lengths for result in results]),
        seats=np.concatenate([result.seats for result in results]),
        network_evaluations=sum(result.network_evaluations for result in results),
    )


def stronger_side(sprt: Sprt, tally: Tally) -> Stronger:
    """Who is stronger, by the same sequential test asked for either side; `tally` is the first one's."""
    own, other = sprt.decide(tally), sprt.decide(tally.reversed)
    if "h1" in (own, other):
        return "first" if own == "h1" else "second"
    return "neither" if own == other == "h0" else "undecided"

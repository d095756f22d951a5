"""Matches of any length of one player against those in the other seats, and how they went."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.match import Match, PlayCallback, openings_of, widest
from arena.network_player import NetworkPlayer
from arena.player_kind import PlayerSpec
from arena.players import make_others, make_player, names_of, seated
from arena.ratings import Sprt, Tally
from config import MuZeroConfig
from core.randomness import Stream, child_seed
from data import EvaluationResult
from games.api.spec import GameSpec
from playing.player import Player

Stronger = Literal["first", "second", "neither", "undecided"]

SIDE_BY_SIDE = 256
"""Games that are played at the same time."""


@dataclass(frozen=True)
class Duel:
    """Games of one player against those in the other seats; all that determines them.

    A single opponent takes all other seats. Raises `ConfigurationError` where they are more or fewer.
    """

    game: GameSpec
    player: PlayerSpec  # who is judged
    opponents: tuple[
        PlayerSpec, ...
    ] = ()  # one for each other seat, in the order in which they move after it
    seed: int = 0
    openings: int | None = None  # random first moves of each game; None: so many that games differ

    def __post_init__(self) -> None:
        object.__setattr__(self, "opponents", seated(self.game, self.opponents))


class PlayedBatch(NamedTuple):
    """Games of a duel that were played side by side."""

    result: EvaluationResult
    actions: list[tuple[int, ...]]  # of each game, its opening included
    openings: int  # random moves with which rounds of them begin
    first_returns: NDArray[np.float32]  # [games] to the game's player 0, whoever that was

    @property
    def digests(self) -> NDArray[np.uint32]:
        """A number for each game, which equal games share and different ones hardly ever.

        Equal are games of the same moves and outcome, whoever made them.
        """
        outcomes = self.first_returns + 0.0  # without the sign of a zero
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
    batch = min(whole_rounds(batch, duel.game.config.players), games)
    judged = make_player(duel.player, duel.game, batch, duel.seed)
    players = [judged, *make_others(duel.opponents, duel.game, batch, duel.seed)]
    config = widest(base_config(duel.game, *players), *players)
    openings = openings_needed(duel, config) if duel.openings is None else duel.openings
    version = judged.planner.version if isinstance(judged, NetworkPlayer) else 0
    named = names_of(duel.opponents)
    match: Match | None = None
    for number, start in enumerate(range(0, games, batch), first):
        size = min(batch, games - start)
        if match is None or len(match.seats) != size:
            match = Match(duel.game, config, size, players)
        match.start(batch_seed(duel.seed, number), openings)
        match.play(progress=_counting_on(progress, start))
        actions = [tuple(played) for played in match.table.played]
        first_returns = match.table.returns[:, 0].astype(np.float32)
        yield PlayedBatch(match.result(version, named), actions, openings, first_returns)


def whole_rounds(games: int, players: int) -> int:
    """At least `games`, in whole rounds, in each of which every one of `players` has every seat once.

    Games for one go in pairs, as they always have: batches of other sizes would be other games.
    """
    size = max(players, 2)
    return -(-games // size) * size


def _counting_on(progress: PlayCallback | None, before: int) -> PlayCallback | None:
    """`progress`, which counts the games of the batches `before` as well."""
    if progress is None:
        return None
    told = progress
    return lambda ended, moves: told(before + ended, moves)


def batch_seed(seed: int, number: int) -> int:
    """The seed of a match's batch `number`: that of the match itself for the first one."""
    return child_seed(seed, Stream.BATCH, number) if number else seed


def base_config(game: GameSpec, *players: Player) -> MuZeroConfig:
    """The configuration by which the games are played: that of the first network, or the game's own."""
    networks = (player.config for player in players if isinstance(player, NetworkPlayer))
    return next(networks, game.config)


def openings_needed(duel: Duel, config: MuZeroConfig) -> int:
    """Random first moves by which games, set up by `config`, differ although all players vary little.

    None where one of them is a yardstick, which draws among its moves: an opening may be lost already.
    """
    varied = any(not spec.kind.varies_little for spec in (duel.player, *duel.opponents))
    return 0 if varied or not duel.opponents else openings_of(config)


def total(results: list[EvaluationResult]) -> EvaluationResult:
    """Several batches as one result."""
    first = results[0]
    return first._replace(
        returns=np.concatenate([result.returns for result in results]),
        lengths=np.concatenate([result.lengths for result in results]),
        seats=np.concatenate([result.seats for result in results]),
        network_evaluations=sum(result.network_evaluations for result in results),
        shares=_together([result.shares for result in results]),
    )


def _together(parts: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    """All of them in a row; None where there are none."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def stronger_side(sprt: Sprt, tally: Tally) -> Stronger:
    """Who is stronger, by the same sequential test asked for either side; `tally` is the first one's."""
    own, other = sprt.decide(tally), sprt.decide(tally.reversed)
    if "h1" in (own, other):
        return "first" if own == "h1" else "second"
    return "neither" if own == other == "h0" else "undecided"

"""Who stands where: matches between a game's versions, gone on with, and the ratings that follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena.duel import Duel, PlayedBatch, play_batches, stronger_side
from arena.match import PlayCallback
from arena.player_kind import PlayerSpec
from arena.players import checkpoint_player, named_kind, parse_player
from arena.ratings import Rating, Result, Sprt, Tally, bradley_terry, json_number
from arena.registry import MatchRecord, Registry, Version, digests_of, digests_text
from config import MuZeroConfig
from core.errors import require
from core.wording import counted
from games.api.spec import GameSpec
from saving.checkpoint import load_checkpoint

MatchCallback = Callable[[MatchRecord], None]
BATCH = 100
"""Games after which a match is recorded and the sequential test is asked."""


class Entrant(NamedTuple):
    """Who is rated. A version that searches with another number of simulations is another player."""

    name: str
    simulations: int | None  # per move; None for a built-in player, which the matches' number does not touch

    def __str__(self) -> str:
        if self.simulations is None:
            return self.name
        return f"{self.name} ({counted(self.simulations, 'simulation')})"


def entrants(match: MatchRecord) -> tuple[Entrant, Entrant]:
    """The first and the second player of a match."""
    first, second = (
        Entrant(name, None if _built_in(name) else match.simulations) for name in (match.first, match.second)
    )
    return first, second


def rate(matches: Sequence[MatchRecord]) -> dict[Entrant, Rating]:
    """Bradley-Terry ratings from all recorded matches, unfinished ones included.

    A version has one rating for each number of simulations that it played with. Built-in players have one.
    In the group of `random`, that player is rated 0 and errors are relative to it; in the other groups the
    mean is 0.
    """
    told = [match for match in matches if match.tally.games and match.first != match.second]
    pairs = [entrants(match) for match in told]
    results = [
        Result(str(first), str(second), match.told)
        for (first, second), match in zip(pairs, told, strict=True)
    ]
    players = sorted({player for pair in pairs for player in pair})
    anchor = "random" if Entrant("random", None) in players else None
    return dict(zip(players, bradley_terry(list(map(str, players)), results, anchor=anchor), strict=True))


class Standing(NamedTuple):
    """Where a player stands."""

    name: str
    simulations: int | None  # that the version was rated with; None without matches and for a built-in player
    promoted: bool
    elo: float | None  # None without matches
    error: float | None
    group: int | None  # from 0; ratings of two groups cannot be compared; None without matches
    games: int
    training_steps: int | None  # None for a built-in player
    evaluation: float | None
    date: str
    note: str


def standings(registry: Registry) -> list[Standing]:
    """Versions and built-in players by group and rating, those without matches last."""
    ratings = rate(registry.matches())
    promoted = registry.promoted
    versions = {version.name: version for version in registry.versions()}
    rated = {player.name for player in ratings}
    players = [*ratings, *(Entrant(name, None) for name in versions if name not in rated)]
    rows = [_standing(player, versions.get(player.name), ratings.get(player), promoted) for player in players]
    return sorted(rows, key=lambda row: (row.group is None, row.group or 0, -(row.elo or 0.0)))


def _standing(
    player: Entrant, version: Version | None, rating: Rating | None, promoted: Version | None
) -> Standing:
    return Standing(
        name=player.name,
        simulations=player.simulations,
        promoted=promoted is not None and promoted.name == player.name,
        elo=json_number(rating.elo) if rating else None,
        error=json_number(rating.error) if rating else None,
        group=rating.group if rating else None,
        games=rating.games if rating else 0,
        training_steps=version.training_steps if version else None,
        evaluation=version.evaluation if version else None,
        date=version.date if version else "",
        note=version.note if version else "",
    )


class KnownVersion(NamedTuple):
    """What is known of a version."""

    version: Version
    file: Path
    config: MuZeroConfig
    ratings: dict[Entrant, Rating]  # its own, one for each number of simulations
    groups: int  # of all players of the game who are rated
    matches: list[MatchRecord]  # its own


def known_of(registry: Registry, version: Version) -> KnownVersion:
    """What the registry and the version's file tell of it."""
    file, matches = registry.path(version), registry.matches()
    ratings = rate(matches)
    return KnownVersion(
        version,
        file,
        load_checkpoint(file, expect_game=registry.game).config,
        {player: rating for player, rating in ratings.items() if player.name == version.name},
        len({rating.group for rating in ratings.values()}),
        [match for match in matches if version.name in (match.first, match.second)],
    )


def match_between(
    registry: Registry,
    game: GameSpec,
    players: tuple[str, str],
    games: int,
    seed: int,
    simulations: int,
    sprt: Sprt | None,
) -> MatchRecord:
    """A match that has not begun between two players, named as a person may name them.

    Raises `ConfigurationError` in a game for more than two, of whom pairs cannot be rated.
    """
    require(
        game.config.players <= 2, game.name, "is a game for more than two: compare its players by evaluate"
    )
    first, second = (player_name(registry, game, name) for name in players)
    return MatchRecord(first, second, (Tally(), Tally()), games, seed, simulations, False, sprt)


def compare(
    registry: Registry,
    game: GameSpec,
    wanted: MatchRecord,
    progress: MatchCallback | None = None,
    played_on: PlayCallback | None = None,
) -> MatchRecord:
    """Plays a match, or goes on with it, and records it batch by batch; returns it as it ended.

    It ends when all games are played or, with a sequential test, when that has decided. `progress` is told of
    every batch, `played_on` of every move.
    """
    match = next((m for m in registry.matches() if m.key == wanted.key), wanted)
    left = match.games - int(match.tally.games)
    if match.finished or not left:
        return match
    first, second = (_spec(registry, name, match.simulations) for name in (match.first, match.second))
    duel = Duel(game, first, (second,), match.seed)
    for played in play_batches(duel, left, BATCH, int(match.tally.games) // BATCH, played_on):
        match = _continued(match, played)
        registry.record(match)
        if progress is not None:
            progress(match)
        if match.finished:
            break
    return match


def _continued(match: MatchRecord, played: PlayedBatch) -> MatchRecord:
    """`match` after the further games of `played`."""
    first, second = played.result.in_seat(0), played.result.in_seat(1)
    seats = (
        match.seats[0] + Tally(first.wins, first.draws, first.losses),
        match.seats[1] + Tally(second.wins, second.draws, second.losses),
    )
    digests = digests_text(np.append(digests_of(match.digests), played.digests))
    later = dataclasses.replace(match, seats=seats, digests=digests, openings=played.openings)
    decided = match.sprt is not None and stronger_side(match.sprt, later.told) != "undecided"
    return dataclasses.replace(later, finished=decided or later.tally.games >= match.games)


def player_name(registry: Registry, game: GameSpec, name: str) -> str:
    """The name under which a player is recorded: that of a version, or of a built-in player.

    A built-in player's amount is left out where it is the default: `mcts:1000` is `mcts`.
    """
    if not _built_in(name):
        return registry.version(name).name
    spec = parse_player(name)
    if spec.amount == spec.kind.usual(game.config):
        spec = dataclasses.replace(spec, amount=None)
    return str(spec)


def _built_in(name: str) -> bool:
    return named_kind(name) is not None


def _spec(registry: Registry, name: str, simulations: int) -> PlayerSpec:
    if _built_in(name):
        return parse_player(name)
    return checkpoint_player(registry.path(registry.version(name)), simulations)

"""Who stands where: matches between a game's versions, gone on with, and the ratings that follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

from arena.duel import Duel, play, stronger_side
from arena.players import BUILT_IN, PlayerSpec, default_amount, parse_player
from arena.ratings import Rating, Result, Tally, bradley_terry
from arena.registry import MatchRecord, Registry
from data import EvaluationResult
from games.api.spec import GameSpec

MatchCallback = Callable[[MatchRecord], None]
BATCH = 100
"""Games after which a match is recorded and the sequential test is asked."""


class Entrant(NamedTuple):
    """Who is rated. A version that searches with another number of simulations is another player."""

    name: str
    simulations: int | None  # per move; None for a built-in player, which the matches' number does not touch

    def __str__(self) -> str:
        return self.name if self.simulations is None else f"{self.name} ({self.simulations} simulations)"


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
        Result(str(first), str(second), match.tally)
        for (first, second), match in zip(pairs, told, strict=True)
    ]
    players = sorted({player for pair in pairs for player in pair})
    anchor = "random" if Entrant("random", None) in players else None
    return dict(zip(players, bradley_terry(list(map(str, players)), results, anchor=anchor), strict=True))


def compare(
    registry: Registry, game: GameSpec, wanted: MatchRecord, progress: MatchCallback | None = None
) -> MatchRecord:
    """Plays a match, or goes on with it, and records it batch by batch; returns it as it ended.

    It ends when all games are played or, with a sequential test, when that has decided.
    """
    match = next((m for m in registry.matches() if m.key == wanted.key), wanted)
    left = match.games - match.tally.games
    if match.finished or not left:
        return match
    first, second = (_spec(registry, name, match.simulations) for name in (match.first, match.second))
    duel = Duel(game, first, second, match.seed)
    for result in play(duel, left, BATCH, first=match.tally.games // BATCH):
        match = _continued(match, result)
        registry.record(match)
        if progress is not None:
            progress(match)
        if match.finished:
            break
    return match


def _continued(match: MatchRecord, result: EvaluationResult) -> MatchRecord:
    """`match` after the further games of `result`."""
    first, second = result.in_seat(0), result.in_seat(1)
    seats = (
        match.seats[0] + Tally(first.wins, first.draws, first.losses),
        match.seats[1] + Tally(second.wins, second.draws, second.losses),
    )
    tally = seats[0] + seats[1]
    decided = match.sprt is not None and stronger_side(match.sprt, tally) != "undecided"
    return dataclasses.replace(match, seats=seats, finished=decided or tally.games >= match.games)


def player_name(registry: Registry, game: GameSpec, name: str) -> str:
    """The name under which a player is recorded: that of a version, or of a built-in player.

    A built-in player's amount is left out where it is the default: `mcts:1000` is `mcts`.
    """
    if not _built_in(name):
        return registry.version(name).name
    spec = parse_player(name)
    if spec.amount == default_amount(spec.kind, game.config):
        spec = dataclasses.replace(spec, amount=None)
    return str(spec)


def _built_in(name: str) -> bool:
    return name.partition(":")[0] in BUILT_IN


def _spec(registry: Registry, name: str, simulations: int) -> PlayerSpec:
    if _built_in(name):
        return parse_player(name)
    return PlayerSpec("checkpoint", simulations, registry.path(registry.version(name)))

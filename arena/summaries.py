"""What games of a duel come to: the returns of a game for one, the wins and losses of a game for more."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import numpy as np

from arena.duel import Duel, play_batches, total
from arena.match import PlayCallback
from arena.ratings import wilson_interval
from core.wording import counted, in_words, record
from data import EvaluationResult


class ReturnSummary(NamedTuple):
    """Returns of a game for one."""

    games: int
    mean: float
    standard_error: float | None  # of the mean; None for one game
    min: float
    max: float

    def __str__(self) -> str:
        error = "-" if self.standard_error is None else f"{self.standard_error:.2f}"
        return (
            f"{counted(self.games, 'game')}, mean {self.mean:.2f}, standard error {error}, "
            f"min {self.min:g}, max {self.max:g}"
        )

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self._asdict())


class SeatSummary(NamedTuple):
    """Games in one seat."""

    games: int
    wins: int
    draws: int
    losses: int

    def __str__(self) -> str:
        return f"{counted(self.games, 'game')}: {record(self.wins, self.draws, self.losses)}"


class MatchSummary(NamedTuple):
    """Games for two or more, seen by the player that is judged; `EvaluationResult` says what a win is."""

    games: int
    wins: int
    draws: int
    losses: int
    distinct_games: int  # by their moves and results
    openings: int  # random first moves, the same in all games of a round
    score: float  # share of the wins, that of draws included
    score_low: float  # 95 % Wilson interval, by the number of different games
    score_high: float
    mean_length: float  # moves
    by_seat: tuple[SeatSummary, ...]

    def __str__(self) -> str:
        seats = "\n".join(f"  as player {seat + 1}: {summary}" for seat, summary in enumerate(self.by_seat))
        return (
            f"score {self.score:.1%} (95 % interval {self.score_low:.1%} to {self.score_high:.1%}) in "
            f"{counted(self.games, 'game')}{self._distinct()}: {record(self.wins, self.draws, self.losses)}, "
            f"{self.mean_length:.1f} moves on average{self._begun()}\n{seats}"
        )

    def _begun(self) -> str:
        return f"; {openings_text(self.openings, len(self.by_seat))}"

    def _distinct(self) -> str:
        """A remark on games that were played more than once."""
        if self.distinct_games == self.games:
            return ""
        return ", all the same" if self.distinct_games == 1 else f", {self.distinct_games} different ones"

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self._asdict() | {"by_seat": [seat._asdict() for seat in self.by_seat]})


def openings_text(openings: int, seats: int = 2) -> str:
    """How games began that were played in rounds, once in each seat."""
    if not openings:
        return "no random openings"
    rounds = "pairs of games" if seats == 2 else f"rounds of {in_words(seats)} games"
    return f"{rounds} begin with {openings} random moves"


def summarised(duel: Duel, games: int, progress: PlayCallback | None = None) -> ReturnSummary | MatchSummary:
    """What `games` games of `duel` come to. Raises `ConfigurationError` where a player cannot play."""
    batches = list(play_batches(duel, games, progress=progress))
    result = total([batch.result for batch in batches])
    if not duel.opponents:
        return return_summary(result)
    different = len(np.unique(np.concatenate([batch.digests for batch in batches])))
    return match_summary(result, different, batches[0].openings, duel.game.config.players)


def return_summary(result: EvaluationResult) -> ReturnSummary:
    """Mean, standard error of the mean, min and max of the returns."""
    returns = result.returns.astype(float)
    games = len(returns)
    error = float(returns.std(ddof=1)) / math.sqrt(games) if games > 1 else None
    return ReturnSummary(games, float(returns.mean()), error, float(returns.min()), float(returns.max()))


def match_summary(
    result: EvaluationResult, distinct_games: int, openings: int, seats: int = 2
) -> MatchSummary:
    """Wins, draws and losses, in all and by seat, and the score with its interval."""
    interval = wilson_interval(result.score, distinct_games)
    return MatchSummary(
        *_counts(result),
        distinct_games,
        openings,
        result.score,
        interval.low,
        interval.high,
        float(result.lengths.mean()),
        tuple(_counts(result.in_seat(seat)) for seat in range(seats)),
    )


def _counts(result: EvaluationResult) -> SeatSummary:
    return SeatSummary(len(result.returns), result.wins, result.draws, result.losses)

"""How strong players are, from the games they played: scores, Elo differences, a sequential test, ratings.

Elo is the logistic scale: a player that is `d` Elo stronger scores 1 / (1 + 10^(-d / 400)) on average, draws
counting half. Sources:

- E. B. Wilson (1927), Probable inference: the interval of a score.
- A. B. Owen (1988), Empirical likelihood: the likelihood of a mean score, maximised over all frequencies of
  wins, draws and losses with that mean. The interval of an Elo difference and the sequential test use it.
- M. Van den Bergh, The GSPRT as used by Fishtest (https://www.cantate.be/Fishtest/GSPRT_approximation.pdf);
  X. Li, J. Liu, Z. Ying (2014), Generalized sequential probability ratio test.
- R. A. Bradley, M. E. Terry (1952), Rank analysis of incomplete block designs; the virtual draws are those of
  R. Coulom's Bayeselo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError, did_you_mean, require

ELO_PER_NAT = 400 / math.log(10)
"""Elo per unit of the logit of the expected score."""

Decision = Literal["continue", "h0", "h1"]


class Tally(NamedTuple):
    """Results of one player against another; whole numbers, unless `scaled`."""

    wins: float = 0
    draws: float = 0
    losses: float = 0

    @property
    def games(self) -> float:
        """Games played."""
        return self.wins + self.draws + self.losses

    @property
    def score(self) -> float:
        """Wins and half the draws per game, in [0, 1]; 0.5 without games."""
        return (self.wins + self.draws / 2) / self.games if self.games else 0.5

    @property
    def reversed(self) -> Tally:
        """The same games as the other player sees them."""
        return Tally(self.losses, self.draws, self.wins)

    def scaled(self, games: float) -> Tally:
        """The same shares of wins, draws and losses in so many games.

        For intervals and tests: a game that was played again tells nothing new, so that `games` is the number
        of different ones.
        """
        share = games / self.games if self.games else 0.0
        return Tally(self.wins * share, self.draws * share, self.losses * share)

    def __add__(self, other: Tally) -> Tally:  # type: ignore[override]
        """Both sets of games together."""
        return Tally(self.wins + other.wins, self.draws + other.draws, self.losses + other.losses)


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Elo(NamedTuple):
    """An Elo difference and its confidence interval. `-inf` and `inf` mean: no bound on that side."""

    difference: float
    low: float
    high: float


def json_number(value: float) -> float | None:
    """`value` for JSON, which has no infinities: None stands for no bound."""
    return value if math.isfinite(value) else None


def expected_score(difference: float) -> float:
    """The mean score of a player that is `difference` Elo stronger; 0 and 1 at the infinities."""
    return 0.5 * (1 + math.tanh(difference / (2 * ELO_PER_NAT)))


def elo_of_score(score: float) -> float:
    """The Elo difference at which `score` is expected; infinite at 0 and 1."""
    if score in (0, 1):
        return math.copysign(math.inf, score - 0.5)
    return ELO_PER_NAT * math.log(score / (1 - score))


def wilson_interval(score: float, games: float, confidence: float = 0.95) -> Interval:
    """Wilson's interval of the true mean score, within [0, 1]; all of it without games.

    It takes the variance of a game to be score * (1 - score), that of a game without draws. Draws make it
    smaller, never larger: with draws the interval is wider than it need be.
    """
    if games == 0:
        return Interval(0.0, 1.0)
    z2 = _deviations(confidence) ** 2 / games
    centre = (score + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * score * (1 - score) + z2 * z2 / 4) / (1 + z2)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def elo_difference(tally: Tally, confidence: float = 0.95) -> Elo:
    """How much stronger the tally's player is, with the interval of the profile likelihood, draws included.

    Against a clean sweep no finite difference can be ruled out on its far side: `Elo(inf, low, inf)` with a
    finite `low` when all games were won, `Elo(-inf, -inf, high)` when all were lost. Without games it is
    `Elo(0, -inf, inf)`. For JSON, see `json_number`.
    """
    if tally.games == 0:
        return Elo(0.0, -math.inf, math.inf)
    allowed = _deviations(confidence) ** 2 / 2  # Wilks: twice the drop of log likelihood is chi squared

    def inside(score: float) -> bool:
        return -_log_likelihood(tally, score) <= allowed

    mean = tally.score
    low = _edge(inside, mean, 0.0) if tally.wins or tally.draws else 0.0
    high = _edge(inside, mean, 1.0) if tally.losses or tally.draws else 1.0
    return Elo(elo_of_score(mean), elo_of_score(low), elo_of_score(high))


def _deviations(confidence: float) -> float:
    """Standard deviations to either side of the mean that hold `confidence` of a normal distribution."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _edge(inside: Callable[[float], bool], inner: float, outer: float) -> float:
    """By bisection, how far one can go from `inner`, which is inside, towards `outer`, which is not."""
    for _ in range(60):
        middle = (inner + outer) / 2
        inner, outer = (middle, outer) if inside(middle) else (inner, middle)
    return inner


# --- the sequential test ---

_UNSEEN = 1e-3
"""Games that an outcome counts for which has not happened yet, as in Fishtest: it may still happen."""


def _log_likelihood(tally: Tally, score: float) -> float:
    """Log likelihood of mean score `score` in (0, 1), relative to that of the mean seen: at most about 0.

    Among all frequencies with mean `score`, those that make the tally likeliest are p / (1 + x (a - score)),
    with p the frequencies seen and a the outcomes 0, 1/2 and 1. That their sum be 1 is a quadratic equation
    of x, of which this is the one root that leaves all frequencies positive.
    """
    counts = [max(count, _UNSEEN) for count in (tally.losses, tally.draws, tally.wins)]
    gaps = lost, drawn, won = -score, 0.5 - score, 1 - score  # a - score
    loss, draw, win = (count / sum(counts) for count in counts)
    constant = loss * lost + draw * drawn + win * won
    linear = loss * lost * (drawn + won) + draw * drawn * (lost + won) + win * won * (lost + drawn)
    root = math.sqrt(linear * linear - 4 * constant * lost * drawn * won)
    x = 2 * constant / (root - linear)
    return -sum(count * math.log1p(x * gap) for count, gap in zip(counts, gaps, strict=True))


@dataclass(frozen=True)
class Sprt:
    """A test that may be asked after every game whether a difference is `elo1` (h1) rather than `elo0` (h0).

    It is the generalised sequential probability ratio test (GSPRT) of Fishtest: Wald's bounds on the ratio of
    the likelihoods of the two mean scores, the share of draws being unknown. At a true difference of `elo0`
    it accepts h1 with probability `alpha`, at `elo1` it accepts h0 with `beta`, about; in between it needs
    the most games. The default `elo1` is a score of 55 %. Raises `ConfigurationError`.
    """

    elo0: float = 0.0
    elo1: float = 35.0
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        require(-1000 <= self.elo0 < self.elo1 <= 1000, "elo0 and elo1", "must rise, within [-1000, 1000]")
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            require(0 < value < 0.5, f"{name}={value}", "must lie between 0 and 0.5")

    @property
    def lower(self) -> float:
        """h0 is accepted when the log likelihood ratio is at or below this."""
        return math.log(self.beta / (1 - self.alpha))

    @property
    def upper(self) -> float:
        """h1 is accepted when the log likelihood ratio is at or above this."""
        return math.log((1 - self.beta) / self.alpha)

    def log_likelihood_ratio(self, tally: Tally) -> float:
        """How much likelier `tally` is under h1 than under h0, in nats; 0 without games."""
        if tally.games == 0:
            return 0.0
        scores = expected_score(self.elo1), expected_score(self.elo0)
        return _log_likelihood(tally, scores[0]) - _log_likelihood(tally, scores[1])

    def decide(self, tally: Tally) -> Decision:
        """What the games so far allow to accept, if anything."""
        ratio = self.log_likelihood_ratio(tally)
        if ratio >= self.upper:
            return "h1"
        return "h0" if ratio <= self.lower else "continue"


# --- ratings of many players ---


class Result(NamedTuple):
    """Games between two players, as `first` sees them."""

    first: str
    second: str
    tally: Tally


class Rating(NamedTuple):
    """A player's strength, relative to the players of the same group only."""

    name: str
    elo: float
    error: float  # standard error in Elo; 0 for the anchor, inf for a player without games
    games: int
    group: int  # from 0; players of two groups have not met, not even through others: do not compare them


def bradley_terry(
    names: Sequence[str], results: Sequence[Result], prior: float = 1.0, anchor: str | None = None
) -> list[Rating]:
    """The ratings of `names`, in that order, that make `results` likeliest; a draw is half a win.

    Each player carries about `prior` virtual draws, spread over its opponents in proportion to the games, so
    that a player who won all games is rated finitely. In each group the ratings have mean 0, and `error` is
    relative to that mean; in the group of `anchor`, it is rated 0 and the errors are relative to it. Errors
    come from the Fisher information (virtual draws included), which takes a game's variance to be that
    without draws: they are a little too large with many draws.

    Raises `ConfigurationError` on a result of a player that is not in `names`, or against itself.
    """
    places = _places(names, results, anchor)
    size = len(names)
    games, points = np.zeros((size, size)), np.zeros((size, size))
    for first, second, tally in results:
        i, j = places[first], places[second]
        games[i, j] += tally.games
        games[j, i] += tally.games
        points[i, j] += tally.wins + tally.draws / 2
        points[j, i] += tally.losses + tally.draws / 2
    ratings: list[Rating | None] = [None] * size
    for number, group in enumerate(_groups(games)):
        elo, error = _rate(*_with_virtual_draws(games, points, group, prior), _place(places, anchor, group))
        for k, i in enumerate(group):
            ratings[i] = Rating(names[i], float(elo[k]), float(error[k]), int(games[i].sum()), number)
    return [rating for rating in ratings if rating is not None]


def _places(names: Sequence[str], results: Sequence[Result], anchor: str | None) -> dict[str, int]:
    """Each player's index; checks the input of `bradley_terry`."""
    places = {name: i for i, name in enumerate(names)}
    require(len(places) == len(names), "names", "must differ from each other")
    mentioned = [name for result in results for name in (result.first, result.second)]
    for name in mentioned if anchor is None else [*mentioned, anchor]:
        if name not in places:
            raise ConfigurationError(f"unknown player {name!r}{did_you_mean(name, list(names))}")
    for result in results:
        require(result.first != result.second, f"player {result.first!r}", "cannot be rated against itself")
    return places


def _place(places: dict[str, int], anchor: str | None, group: list[int]) -> int | None:
    """The anchor's index within `group`, if it is there."""
    place = None if anchor is None else places[anchor]
    return group.index(place) if place is not None and place in group else None


def _groups(games: NDArray[np.float64]) -> list[list[int]]:
    """Players [n] grouped by who can be reached through games [n, n]; the group of the first one first."""
    groups: list[list[int]] = []
    left = list(range(len(games)))
    while left:
        group = {left[0]}
        frontier = [left[0]]
        while frontier:
            reached = set(np.flatnonzero(games[frontier.pop()]).tolist()) - group
            group |= reached
            frontier += reached
        groups.append(sorted(group))
        left = [i for i in left if i not in group]
    return groups


def _with_virtual_draws(
    games: NDArray[np.float64], points: NDArray[np.float64], group: list[int], prior: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The group's games [n, n] and points [n, n], with those of the prior."""
    require(0 < prior < math.inf, f"prior={prior}", "must be positive")
    games, points = games[np.ix_(group, group)], points[np.ix_(group, group)]
    shares = games / np.maximum(games.sum(axis=1, keepdims=True), 1)
    virtual = prior * (shares + shares.T) / 2
    return games + virtual, points + virtual / 2


def _rate(
    games: NDArray[np.float64], points: NDArray[np.float64], anchor: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Elo [n] and standard error [n] of players who are connected, by Newton's method from zero."""
    size = len(games)
    if size == 1:
        return np.zeros(1), np.array([math.inf if anchor is None else 0.0])
    strength = np.zeros(size)  # in nats, mean 0
    for _ in range(200):
        inverse = _covariance(games, strength)
        gradient = (points - games * _expected(strength)).sum(axis=1)
        step = inverse @ gradient
        if np.abs(step).max() < 1e-10:
            break
        before = _log_posterior(points, strength)
        while np.abs(step).max() > 0.01 and _log_posterior(points, strength + step) < before:
            step = step / 2  # a smaller step is safe, and what it gains may be lost in rounding
        strength = strength + step
    covariance = _covariance(games, strength)
    variance = np.diag(covariance)
    if anchor is not None:
        strength = strength - strength[anchor]
        variance = variance + covariance[anchor, anchor] - 2 * covariance[anchor]
    return ELO_PER_NAT * strength, ELO_PER_NAT * np.sqrt(np.maximum(variance, 0))


def _expected(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, n] the mean score of the row's player against the column's; precise next to 0 as well."""
    expected: NDArray[np.float64] = np.exp(-np.logaddexp(0, strength[None] - strength[:, None]))
    return expected


def _log_posterior(points: NDArray[np.float64], strength: NDArray[np.float64]) -> float:
    return -float((points * np.logaddexp(0, strength[None] - strength[:, None])).sum())


def _covariance(games: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, n] the inverse of the Fisher information among strengths of mean 0."""
    expected = _expected(strength)
    weight = games * expected * expected.T
    information = np.diag(weight.sum(axis=1)) - weight
    mean = np.full_like(weight, 1 / len(weight))
    inverse: NDArray[np.float64] = np.linalg.inv(information + mean) - mean
    return inverse

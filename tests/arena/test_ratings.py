"""Ratings: intervals cover, the sequential test errs as rarely as it says, ratings recover the truth."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.stats import binomtest

from arena import ratings
from arena.ratings import (
    Elo,
    Interval,
    Rating,
    Result,
    Sprt,
    Tally,
    bradley_terry,
    elo_difference,
    elo_of_score,
    expected_score,
    json_number,
    wilson_interval,
)
from core.errors import ConfigurationError


def frequencies(difference: float, draws: float) -> list[float]:
    """The chances of a win, a draw and a loss at an Elo difference."""
    score = expected_score(difference)
    return [score - draws / 2, draws, 1 - score - draws / 2]


def test_tally() -> None:
    tally = Tally(3, 2, 1)
    assert (tally.games, tally.score) == (6, 4 / 6)
    assert tally + Tally(1, 1, 1) == Tally(4, 3, 2)
    assert isinstance(tally + tally, Tally)
    assert tally.reversed == Tally(1, 2, 3)
    assert Tally().score == 0.5


def test_elo_scale() -> None:
    for difference in (-700.0, -35.0, 0.0, 120.0):
        assert expected_score(difference) == pytest.approx(1 / (1 + 10 ** (-difference / 400)))
        assert elo_of_score(expected_score(difference)) == pytest.approx(difference, abs=1e-9)
    assert (elo_of_score(0), elo_of_score(1)) == (-math.inf, math.inf)


# --- intervals ---


@pytest.mark.parametrize(("wins", "games"), [(0, 1), (0, 20), (7, 20), (10, 20), (20, 20), (530, 1000)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_wilson_is_that_of_scipy(wins: int, games: int, confidence: float) -> None:
    expected = binomtest(wins, games).proportion_ci(confidence, method="wilson")
    got = wilson_interval(wins / games, games, confidence)
    assert got == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_without_games() -> None:
    assert wilson_interval(0.5, 0) == Interval(0, 1)


@pytest.mark.parametrize("draws", [0.0, 0.4])
def test_intervals_cover_the_truth(draws: float) -> None:
    generator = np.random.default_rng(1)
    difference, repeats = 60.0, 1500
    wilson = profile = 0
    for sample in generator.multinomial(120, frequencies(difference, draws), size=repeats):
        tally = Tally(*sample.tolist())
        low, high = wilson_interval(tally.score, tally.games)
        wilson += low <= expected_score(difference) <= high
        estimate = elo_difference(tally)
        profile += estimate.low <= difference <= estimate.high
    assert 0.935 < profile / repeats < 0.965
    assert (wilson / repeats > 0.98) if draws else (0.935 < wilson / repeats < 0.965)


def test_elo_interval_of_many_games_is_that_of_the_trinomial_variance() -> None:
    tally = Tally(4200, 3000, 2800)
    score = tally.score
    variance = (0.42 + 0.3 / 4 - score**2) / tally.games
    half = 1.959964 * math.sqrt(variance) * 400 / math.log(10) / (score * (1 - score))
    estimate = elo_difference(tally)
    assert estimate.difference == pytest.approx(400 * math.log10(score / (1 - score)))
    assert estimate.high - estimate.difference == pytest.approx(half, rel=0.02)
    assert estimate.difference - estimate.low == pytest.approx(half, rel=0.02)


def test_elo_of_a_clean_sweep_is_bounded_on_one_side() -> None:
    won = elo_difference(Tally(wins=10))
    score = math.exp(-(1.959964**2) / 2 / 10)  # to the 10th power: the likelihood of ten wins
    assert (won.difference, won.high) == (math.inf, math.inf)
    assert won.low == pytest.approx(elo_of_score(score), abs=1.5)
    lost = elo_difference(Tally(losses=10))
    expected: tuple[Any, ...] = (-math.inf, -math.inf, pytest.approx(-won.low, abs=1e-6))
    assert lost == expected
    assert elo_difference(Tally(wins=11)).low > won.low


def test_elo_of_draws_only_and_of_nothing() -> None:
    drawn = elo_difference(Tally(draws=10))
    assert drawn.difference == 0
    assert 0 < drawn.high < 200
    assert drawn.low == pytest.approx(-drawn.high)
    assert elo_difference(Tally()) == Elo(0, -math.inf, math.inf)


def test_a_higher_confidence_is_a_wider_interval() -> None:
    narrow, wide = (elo_difference(Tally(30, 20, 10), confidence) for confidence in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.difference < narrow.high < wide.high


def test_json_number() -> None:
    estimate = elo_difference(Tally(wins=3))
    text = json.dumps([json_number(value) for value in estimate], allow_nan=False)
    assert json.loads(text) == [None, estimate.low, None]


# --- the sequential test ---


def numeric_log_likelihood(counts: tuple[int, int, int], score: float) -> float:
    """The likelihood of a mean score by root search, for losses, draws and wins that all happened."""
    seen = np.array(counts) / sum(counts)
    gaps = np.array([0, 0.5, 1]) - score
    x = brentq(lambda x: (seen * gaps / (1 + x * gaps)).sum(), -1 / (1 - score) + 1e-9, 1 / score - 1e-9)
    constrained = seen / (1 + x * gaps)
    assert constrained.sum() == pytest.approx(1)
    assert constrained @ [0, 0.5, 1] == pytest.approx(score)
    return float(np.array(counts) @ np.log(constrained / seen))


@pytest.mark.parametrize("counts", [(5, 3, 9), (1, 90, 1), (40, 1, 2), (300, 500, 400)])
@pytest.mark.parametrize("score", [0.02, 0.3, 0.5, 0.57, 0.98])
def test_log_likelihood_is_the_constrained_maximum(counts: tuple[int, int, int], score: float) -> None:
    losses, draws, wins = counts
    expected = numeric_log_likelihood(counts, score)
    assert ratings._log_likelihood(Tally(wins, draws, losses), score) == pytest.approx(expected, abs=1e-7)


def test_ratio_without_draws_is_that_of_the_binomial() -> None:
    test = Sprt(0, 50)
    s0, s1 = 0.5, expected_score(50)
    expected = 60 * math.log(s1 / s0) + 40 * math.log((1 - s1) / (1 - s0))
    assert test.log_likelihood_ratio(Tally(60, 0, 40)) == pytest.approx(expected, abs=0.02)
    assert test.log_likelihood_ratio(Tally()) == 0


def test_bounds_are_walds() -> None:
    test = Sprt(alpha=0.01, beta=0.1)
    assert (test.lower, test.upper) == pytest.approx((math.log(0.1 / 0.99), math.log(0.9 / 0.01)))


def test_decisions() -> None:
    test = Sprt(0, 50)
    assert test.decide(Tally()) == "continue"
    assert test.decide(Tally(20, 10, 15)) == "continue"
    assert test.decide(Tally(wins=30)) == "h1"
    assert test.decide(Tally(losses=30)) == "h0"
    assert test.decide(Tally(draws=100)) == "h0"
    mirrored = Sprt(-50, 0)
    for tally in (Tally(33, 4, 12), Tally(8, 20, 30), Tally(50, 10, 20)):
        ratio = test.log_likelihood_ratio(tally)
        assert mirrored.log_likelihood_ratio(tally.reversed) == pytest.approx(-ratio)


def accepts_h1(test: Sprt, difference: float, draws: float, repeats: int) -> float:
    """The share of simulated matches, decided after every game, that end with h1."""
    generator = np.random.default_rng([7, int(difference), int(draws * 10)])
    chances, accepted = frequencies(difference, draws), 0
    for _ in range(repeats):
        counts = [0, 0, 0]
        decision = "continue"
        while decision == "continue":
            for outcome in generator.choice(3, size=32, p=chances):
                counts[outcome] += 1
                decision = test.decide(Tally(*counts))
                if decision != "continue":
                    break
        accepted += decision == "h1"
    return accepted / repeats


@pytest.mark.parametrize("draws", [0.0, 0.4])
def test_errors_are_as_rare_as_stated(draws: float) -> None:
    """The stated rates are asymptotic, and 1500 matches tell them to about 0.011 (two deviations)."""
    test = Sprt(0, 100, alpha=0.05, beta=0.1)
    assert 0.02 < accepts_h1(test, 0, draws, 1500) < 0.065
    assert 0.05 < 1 - accepts_h1(test, 100, draws, 1500) < 0.115


@pytest.mark.parametrize(
    "options", [{"elo0": 5, "elo1": 5}, {"elo1": 2000}, {"elo1": math.nan}, {"alpha": 0}, {"beta": 0.5}]
)
def test_a_test_that_cannot_work_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(reversed(options))):
        Sprt(**options)


# --- ratings of many players ---


def round_robin(elos: dict[str, float], games: int, draws: float = 0.0, seed: int = 0) -> list[Result]:
    generator = np.random.default_rng(seed)
    return [
        Result(a, b, Tally(*generator.multinomial(games, frequencies(elos[a] - elos[b], draws)).tolist()))
        for a, b in itertools.combinations(elos, 2)
    ]


def elos(rated: list[Rating]) -> dict[str, float]:
    return {rating.name: rating.elo for rating in rated}


TRUTH = {"a": -250.0, "b": -50.0, "c": 40.0, "d": 260.0}


def test_recovers_the_truth() -> None:
    for rating in bradley_terry(list(TRUTH), round_robin(TRUTH, 4000)):
        assert rating.elo == pytest.approx(TRUTH[rating.name], abs=3.5 * rating.error)
        assert 0 < rating.error < 7
        assert (rating.games, rating.group) == (12_000, 0)


def test_errors_are_the_spread_of_the_estimates() -> None:
    rated = [bradley_terry(list(TRUTH), round_robin(TRUTH, 200, seed=seed)) for seed in range(200)]
    spread = np.array([[rating.elo for rating in ratings] for ratings in rated]).std(axis=0)
    errors = np.array([[rating.error for rating in ratings] for ratings in rated]).mean(axis=0)
    np.testing.assert_allclose(errors, spread, rtol=0.2)
    anchored = [
        bradley_terry(list(TRUTH), round_robin(TRUTH, 200, seed=seed), anchor="b") for seed in range(200)
    ]
    spread = np.array([[rating.elo for rating in ratings] for ratings in anchored]).std(axis=0)
    errors = np.array([[rating.error for rating in ratings] for ratings in anchored]).mean(axis=0)
    np.testing.assert_allclose(errors, spread, rtol=0.2, atol=1e-9)


def test_is_the_maximum() -> None:
    results = round_robin(TRUTH, 30, draws=0.08)
    got = np.array([r.elo for r in bradley_terry(list(TRUTH), results, prior=1e-9)])

    def loss(strength: np.ndarray) -> float:
        place = dict(zip(TRUTH, strength, strict=True))
        total = 0.0
        for first, second, tally in results:
            score = expected_score(place[first] - place[second])
            points = tally.wins + tally.draws / 2
            total -= points * math.log(score) + (tally.games - points) * math.log(1 - score)
        return total

    best = minimize(loss, np.zeros(len(TRUTH)), method="BFGS", options={"gtol": 1e-8}).x
    np.testing.assert_allclose(got, best - best.mean(), atol=0.05)


@pytest.mark.parametrize("tally", [Tally(7, 2, 3), Tally(wins=10), Tally(draws=4), Tally(wins=100_000)])
def test_two_players_differ_by_the_logistic_formula_with_one_virtual_draw(tally: Tally) -> None:
    first, second = bradley_terry(["x", "y"], [Result("x", "y", tally)])
    virtual = tally + Tally(draws=1)
    assert first.elo - second.elo == pytest.approx(elo_of_score(virtual.score))
    assert first.elo == pytest.approx(-second.elo)
    information = virtual.games * virtual.score * (1 - virtual.score)
    anchored = bradley_terry(["x", "y"], [Result("x", "y", tally)], anchor="y")
    assert anchored[0].elo == pytest.approx(elo_of_score(virtual.score))
    assert anchored[0].error == pytest.approx(ratings.ELO_PER_NAT / math.sqrt(information))
    assert first.error == pytest.approx(anchored[0].error / 2)
    assert anchored[1][1:3] == (0, 0)


def test_equal_results_give_equal_ratings() -> None:
    names = ["a", "b", "c"]
    cycle = [Result(a, b, Tally(5, 1, 2)) for a, b in (("a", "b"), ("b", "c"), ("c", "a"))]
    assert [rating.elo for rating in bradley_terry(names, cycle)] == pytest.approx([0, 0, 0], abs=1e-9)
    same = [Result("a", "c", Tally(5, 1, 2)), Result("b", "c", Tally(5, 1, 2))]
    rated = elos(bradley_terry(names, same))
    assert rated["a"] == pytest.approx(rated["b"]) != rated["c"]


def test_the_order_of_names_results_and_sides_does_not_matter() -> None:
    results = round_robin(TRUTH, 20, draws=0.08)
    halves = [Result(a, b, Tally(*(n // 2 for n in t))) for a, b, t in results]
    rests = [Result(b, a, Tally(*(n - n // 2 for n in t)).reversed) for a, b, t in results]
    rated = elos(bradley_terry(list(TRUTH), results))
    shuffled = elos(bradley_terry(list(reversed(TRUTH)), [*rests, *reversed(halves)]))
    assert shuffled == pytest.approx(rated)
    assert list(shuffled) == list(reversed(TRUTH))


def test_virtual_draws_are_spread_by_the_games_played() -> None:
    chain = [Result("a", "b", Tally(8, 0, 2)), Result("b", "c", Tally(7, 0, 3))]
    with_prior = bradley_terry(["a", "b", "c"], chain, prior=4)  # of a and c 4, of b 2 per pair: on average 3
    played = [Result(first, second, tally + Tally(draws=3)) for first, second, tally in chain]
    assert elos(with_prior) == pytest.approx(elos(bradley_terry(["a", "b", "c"], played, prior=1e-9)))
    assert {rating.group for rating in with_prior} == {0}, "a and c have met through b"


def test_sweeps_are_rated_finitely_and_in_order() -> None:
    names = list("abcde")
    sweeps = [Result(a, b, Tally(wins=500)) for a, b in itertools.combinations(names, 2)]
    rated = bradley_terry(names, sweeps)
    strengths = [rating.elo for rating in rated]
    assert strengths == sorted(strengths, reverse=True)
    assert all(math.isfinite(value) for rating in rated for value in (rating.elo, rating.error))
    weak, strong = (bradley_terry(names, sweeps, prior=prior)[0].elo for prior in (5.0, 0.1))
    assert weak < rated[0].elo < strong


def test_does_not_diverge_where_a_full_newton_step_leads_astray() -> None:
    weak_link = Result("c", "b", Tally(wins=2))
    strong_links = [Result("a", "b", Tally(70_000_000, 232_118, 0)), Result("d", "c", Tally(draws=10_000))]
    rated = elos(bradley_terry([*"abcd"], [weak_link, *strong_links], prior=1e-4))
    assert rated["a"] - rated["b"] == pytest.approx(elo_of_score(strong_links[0].tally.score), rel=0.01)
    assert 1000 < rated["c"] - rated["b"] < 6000


def test_a_far_from_even_field_is_rated_precisely() -> None:
    chain = [
        *(Result("a", "b", Tally(1_000_000, 10_000, 0)), Result("c", "a", Tally(wins=2))),
        Result("d", "c", Tally(wins=1000)),
    ]
    rated = elos(bradley_terry([*"abcd"], chain, prior=0.1))
    for first, second, tally in chain:  # without circles, each pair is rated by its own games alone
        played = {name: sum(r.tally.games for r in chain if name in r[:2]) for name in (first, second)}
        virtual = 0.1 * sum(tally.games / games for games in played.values()) / 2
        score = (tally.wins + tally.draws / 2 + virtual / 2) / (tally.games + virtual)
        assert rated[first] - rated[second] == pytest.approx(elo_of_score(score), abs=1e-3)


def test_players_who_have_not_met_are_in_groups_of_their_own() -> None:
    results = [Result("a", "c", Tally(6, 0, 2)), Result("b", "d", Tally(2, 0, 6))]
    a, b, c, d, lonely = bradley_terry([*"abcd", "lonely"], results, anchor="d")
    assert [player.group for player in (a, b, c, d, lonely)] == [0, 1, 0, 1, 2]
    assert a.elo == pytest.approx(-c.elo)
    assert d[1:3] == (0, 0)
    assert b.elo == pytest.approx(-2 * a.elo)
    assert lonely == Rating("lonely", 0, math.inf, 0, 2)
    assert bradley_terry([], []) == []


def test_bad_input_is_refused() -> None:
    met = [Result("alpha", "beta", Tally(wins=1))]
    with pytest.raises(ConfigurationError, match="unknown player 'alpha', did you mean 'alpah'"):
        bradley_terry(["alpah", "beta"], met)
    with pytest.raises(ConfigurationError, match="unknown player 'bet'"):
        bradley_terry(["alpha", "beta"], met, anchor="bet")
    with pytest.raises(ConfigurationError, match="names must differ"):
        bradley_terry(["alpha", "alpha", "beta"], met)
    with pytest.raises(ConfigurationError, match="prior=0 must be positive"):
        bradley_terry(["alpha", "beta"], met, prior=0)
    with pytest.raises(ConfigurationError, match="'alpha' cannot be rated against itself"):
        bradley_terry(["alpha"], [Result("alpha", "alpha", Tally(wins=1))])

"""What evaluations mean: the best weights, the target, and fresh games every time."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from arena.match import Match
from arena.simple_players import RandomPlayer
from config import MuZeroConfig
from data import EvaluationResult, Snapshot
from games.api.sources import load_game
from runs.judge import LONG, Judge
from tests.helpers.results import evaluation_result


def make_judge(**changes: Any) -> Judge:
    return Judge(MuZeroConfig(evaluation_games=4, target_games=6, target_reward=10.0).replace(**changes))


def result(*returns: float, version: int = 0) -> EvaluationResult:
    return evaluation_result(*returns, version=version)


def test_a_regular_evaluation_at_the_target_calls_for_fresh_games_that_decide() -> None:
    judge = make_judge()
    job = judge.job()
    assert (job.games, job.decides, job.fresh_weights) == (4, False, True)
    verdict = judge.read(job, result(10, 10))
    assert not verdict.solved
    assert verdict.again is not None
    assert (verdict.again.games, verdict.again.decides, verdict.again.fresh_weights) == (6, True, False)
    assert verdict.again.seed != job.seed
    decision = judge.read(verdict.again, result(9, 11))
    assert decision.solved
    assert decision.again is None


def test_below_the_target_training_goes_on() -> None:
    judge = make_judge()
    assert judge.read(judge.job(), result(9, 10.9))[1:] == (False, None)
    again = judge.read(judge.job(), result(10)).again
    assert again is not None
    assert judge.read(again, result(9.9))[1:] == (False, None)


def test_without_a_target_nothing_decides() -> None:
    judge = make_judge(target_reward=None)
    assert judge.read(judge.job(), result(1e6))[1:] == (False, None)


def test_a_target_may_be_0_or_negative() -> None:
    judge = make_judge(target_reward=0.0)
    assert judge.read(judge.job(), result(0)).again is not None
    assert judge.read(judge.job(), result(-0.1)).again is None


def test_the_best_is_kept_and_an_equal_one_of_as_many_games_replaces_it() -> None:
    judge = make_judge()
    assert judge.read(judge.job(), result(-5, version=1)).best
    assert not judge.read(judge.job(), result(-6, version=2)).best
    assert judge.read(judge.job(), result(-4, version=3)).best
    job = judge.job()
    assert judge.read(job, result(-4, -4, -4, -4, version=4)).best
    assert not judge.read(job._replace(games=3), result(-4, -4, -4, version=5)).best
    assert judge.read(job, result(-4, -4, -4, -4, version=6)).best
    assert judge.best is not None
    assert judge.evaluations
    assert (judge.best.version, judge.evaluations[0].version) == (6, 6)


def test_weights_that_reach_the_target_are_kept_whatever_luck_others_had() -> None:
    judge = make_judge()
    lucky = judge.read(judge.job(), result(50, 50, version=1)).again
    assert lucky is not None
    assert not judge.read(lucky, result(*[9] * 6, version=1)).solved
    steady = judge.read(judge.job(), result(12, 12, version=2)).again
    assert steady is not None
    verdict = judge.read(steady, result(*[11] * 6, version=2))
    assert (verdict.best, verdict.solved) == (True, True)
    assert judge.best is not None
    assert (judge.best.version, judge.best.mean) == (2, 11)


def test_more_games_correct_the_mean_of_the_best_weights() -> None:
    judge = make_judge()
    again = judge.read(judge.job(), result(50, 50, version=1)).again
    assert again is not None
    assert judge.read(again, result(*[9] * 6, version=1)).best
    assert judge.read(judge.job(), result(9.5, 9.5, version=2)).best
    assert judge.read(judge.job(), result(9.4, 9.4, 9.4, version=2)).best
    assert not judge.read(judge.job(), result(9.3, version=2)).best


def test_the_weights_that_reach_the_target_are_the_best() -> None:
    judge = make_judge()
    judge.read(judge.job(), result(99, version=1))
    again = judge.read(judge.job(), result(12, 12, version=2)).again
    assert again is not None
    assert judge.read(again, result(10, 11, version=2))[:2] == (True, True)
    assert judge.best is not None
    assert judge.best.version == 2


def test_more_games_of_the_best_weights_are_their_truer_mean() -> None:
    judge = make_judge()
    again = judge.read(judge.job(), result(12, version=2)).again
    assert again is not None
    assert judge.read(again, result(8, 8, version=2))[:2] == (True, False)
    assert not judge.read(judge.job(), result(8, version=2)).best
    assert not judge.read(judge.job(), result(7, 7, 7, version=3)).best


def test_no_two_evaluations_start_from_the_same_seed() -> None:
    seeds = []
    for seed in (0, 1):
        judge = make_judge(seed=seed)
        for _ in range(20):
            job = judge.job()
            again = judge.read(job, result(20)).again
            assert again is not None
            seeds += [job.seed, again.seed]
    assert len(set(seeds)) == 80


def test_no_evaluation_plays_the_games_of_a_small_seed() -> None:
    """`evaluate --seed k` is to be on other games than those that the best weights were chosen by."""
    game, judge = load_game("twentyone"), make_judge(seed=0)
    jobs = [judge.job().seed for _ in range(20)]
    assert not set(jobs) & set(range(10_000))
    match = Match(game, game.config, 4, [RandomPlayer(np.random.default_rng(0))])
    played = set()
    for seed in jobs:
        match.start(seed)
        played |= set(match.table.seeds.tolist())
    for seed in range(200):
        match.start(seed)
        assert not played & set(match.table.seeds.tolist())


def test_judging_goes_on_from_a_state() -> None:
    one, other = make_judge(), make_judge()
    one.read(one.job(), result(3, 5, version=7))
    state = one.state()
    other.load_state(Snapshot(state.arrays, json.loads(json.dumps(state.facts))))
    assert other.best is not None
    assert (other.best.mean, other.best.version) == (4, 7)
    assert other.job() == one.job()
    assert not other.read(other.job(), result(3.9)).best

    fresh = make_judge()
    fresh.load_state(make_judge().state())
    assert fresh.best is None
    assert fresh.read(fresh.job(), result(-100)).best


# --- falls ---


def falls(*means: float) -> list[str]:
    """What is said of evaluations with these means, whose games differ by one from it."""
    judge = make_judge(target_reward=None)
    said = []
    for version, mean in enumerate(means):
        judge.read(judge.job(), result(mean - 1, mean + 1, version=version))
        said += [judge.fall] if judge.fall is not None else []
    return said


def test_a_long_fall_is_said_once() -> None:
    assert falls(0, 50, 100, *[10] * (LONG - 1)) == []
    (line,) = falls(0, 50, 100, *[10] * 3 * LONG, 110, *[0] * LONG)
    assert line.startswith(
        "warning: the last 10 evaluations are far below the best (10.0 now, 100.0 after 2 updates)"
    )


def test_a_short_fall_a_shallow_one_and_noise_are_not_said() -> None:
    assert falls(0, 100, *[10] * (LONG - 1), 90, *[10] * (LONG - 1)) == []
    assert falls(0, 100, *[60] * 2 * LONG) == []
    assert falls(100, *[98.5] * 2 * LONG) == [], "within the games' own spread"


def test_only_who_judges_can_fall() -> None:
    judge = make_judge(target_reward=None, players=2, opponents=("random", "expert"))
    for _ in range(2 * LONG):
        job = judge.job()
        again = judge.read(job, result(100, 100)).again
        assert again is not None
        judge.read(again, result(-100, -100))
        assert judge.fall is None

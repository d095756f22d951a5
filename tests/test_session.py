"""A sitting of a run: what it keeps on the disk, and what it goes on from."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import session
from checkpoint import BEST_NAME, load_checkpoint
from config import MuZeroConfig
from data import Counters, EvaluationResult, State, Weights
from session import Session
from tests.toy_games import Watcher

TRAINER = State({"a": np.arange(3)}, {"training_step": 4})


def make_session(folder: Path, resumed: Any = None, **changes: Any) -> Session:
    config = MuZeroConfig(target_reward=50.0, target_games=2, **changes)
    return Session("cartpole", config, folder, Watcher(), resumed)


def weights(number: float) -> Weights:
    return {"w": np.full(2, number, np.float32)}


def evaluate(one: Session, mean: float, number: float) -> bool:
    """Has `weights(number)` evaluate to `mean`; whether the target is reached for good."""
    result = EvaluationResult(np.float32([mean]), np.int32([3]), int(number))
    verdict = one.evaluated(one.judge.job(), result, weights(number))
    return verdict.again is not None and one.evaluated(verdict.again, result, weights(number)).solved


def best(folder: Path) -> tuple[float, float | None]:
    checkpoint = load_checkpoint(folder / BEST_NAME)
    return float(checkpoint.weights["w"][0]), checkpoint.evaluation


def test_the_best_weights_are_kept_in_a_file(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    evaluate(one, 10, 1)
    assert best(tmp_path) == (1, 10)
    evaluate(one, 9, 2)
    assert best(tmp_path) == (1, 10)
    evaluate(one, 11, 3)
    assert best(tmp_path) == (3, 11)
    assert load_checkpoint(tmp_path / BEST_NAME).game == "cartpole"


def test_reaching_the_target_is_said_in_a_line(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    assert not evaluate(one, 49, 1)
    assert evaluate(one, 51.25, 2)
    (event,) = one.observer.events  # type: ignore[attr-defined]
    assert event.startswith("solved: mean of 1 greedy games 51.2 (target 50) after 0 updates, 0 played steps")


def test_a_later_sitting_goes_on(tmp_path: Path) -> None:
    one = make_session(tmp_path, keep_checkpoints=1)
    one.log.counters = Counters(training_step=4, played_steps=77, seconds=100.0)
    evaluate(one, 20, 1)
    one.save(weights(2), {"trainer": TRAINER})
    path = one.save(weights(3), {"trainer": TRAINER})
    assert [p.name for p in path.parent.iterdir()] == [path.name]

    other = make_session(tmp_path, load_checkpoint(tmp_path))
    part = other.part("trainer")
    assert part is not None
    np.testing.assert_array_equal(part.arrays["a"], [0, 1, 2])
    assert part.facts == {"training_step": 4}
    assert other.part("buffer") is None
    assert other.log.counters == Counters(training_step=4, played_steps=77, seconds=100.0)
    assert other.log.seconds >= 100
    assert load_checkpoint(path).weights["w"][0] == 3
    evaluate(other, 19, 4)
    assert best(tmp_path) == (1, 20)
    assert other.judge.job() != one.judge.job()


def test_a_new_sitting_starts_from_nothing(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    assert one.part("trainer") is None
    assert one.log.counters == Counters()
    outcome = one.outcome("interrupted")
    assert (outcome.reason, outcome.counters, outcome.evaluation) == ("interrupted", Counters(), None)


def test_a_sitting_has_progressed_once_something_is_played_or_learned(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    assert not one.progressed
    one.log.reanalysed(0)
    assert not one.progressed
    one.log.counters = Counters(played_steps=1)
    assert one.progressed
    one.save(weights(1), {})
    other = make_session(tmp_path, load_checkpoint(tmp_path))
    assert not other.progressed
    other.log.counters = Counters(training_step=1, played_steps=1)
    assert other.progressed


def test_the_outcome_has_the_newest_evaluation(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    evaluate(one, 20, 1)
    evaluate(one, 10, 2)
    evaluation = one.outcome("training_steps").evaluation
    assert evaluation is not None
    assert evaluation.mean == 10


def test_checkpoints_are_due_an_interval_after_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = types.SimpleNamespace(now=5.0)
    monkeypatch.setattr(session, "time", types.SimpleNamespace(perf_counter=lambda: clock.now))
    one = make_session(tmp_path, checkpoint_interval=10.0)
    assert not one.checkpoint_due
    clock.now = 14.9
    assert not one.checkpoint_due
    clock.now = 15.0
    assert one.checkpoint_due
    one.save(weights(1), {})
    assert not one.checkpoint_due
    clock.now = 25.0
    assert one.checkpoint_due

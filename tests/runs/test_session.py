"""A sitting of a run: what it keeps on the disk, and what it goes on from."""

from __future__ import annotations

import os
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.registry import Registry
from config import MuZeroConfig
from core.cost import Cost, NetworkEvaluations
from data import Counters, Guarded, Snapshot, TrainingMetrics, Weights
from games.api.sources import load_game
from runs import session
from runs.session import Session
from saving.checkpoint import Checkpoint, load_checkpoint
from saving.run_folder import BEST_NAME
from tests.helpers.results import evaluation_result
from tests.helpers.statuses import make_status
from tests.helpers.toy_games import Watcher

TRAINER = Snapshot({"a": np.arange(3)}, {"training_step": 4})


REGISTERED = "registered as v0001; to use it: python muzero.py play cartpole --checkpoint v0001"


def make_session(folder: Path, resumed: Any = None, **changes: Any) -> Session:
    config = MuZeroConfig(target_reward=50.0, target_games=2, **changes)
    return Session(load_game("cartpole"), config, folder, Watcher(), resumed)


def progressed(one: Session) -> bool:
    """A function, since a type checker takes it that a property stays what an assertion found."""
    return one.progressed


def checkpoint_due(one: Session) -> bool:
    """Likewise."""
    return one.checkpoint_due


def weights(number: float) -> Weights:
    return {"w": np.full(2, number, np.float32)}


def evaluate(one: Session, mean: float, number: float) -> bool:
    """Has `weights(number)` evaluate to `mean`; whether the target is reached for good."""
    result = evaluation_result(mean, version=int(number))
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


def test_games_that_begin_anew_are_told(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    report = make_status().play
    assert report is not None
    one.played(report)
    assert one.observer.events == []  # type: ignore[attr-defined]
    one.played(report._replace(anew=3))
    (event,) = one.observer.events  # type: ignore[attr-defined]
    assert event.startswith("3 running games came out otherwise when they were played again, and begin anew")


def test_values_that_do_not_fit_the_support_are_said_once(tmp_path: Path) -> None:
    one = make_session(tmp_path, support_size=10)
    fitting = make_status().metrics
    assert fitting is not None
    one.trained(fitting._replace(largest_target=117.0))
    assert one.observer.events == []  # type: ignore[attr-defined]
    for largest in (259.0, 400.0):
        one.trained(fitting._replace(largest_target=largest))
    (event,) = one.observer.events  # type: ignore[attr-defined]
    assert event == (
        "warning: values or rewards of 259 do not fit on the support, which ends at 117.4, and are cut: "
        "--support-size 16 would hold them"
    )


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
    assert not progressed(one)
    one.log.reanalysed(0)
    assert not progressed(one)
    one.log.counters = Counters(played_steps=1)
    assert progressed(one)
    one.save(weights(1), {})
    other = make_session(tmp_path, load_checkpoint(tmp_path))
    assert not progressed(other)
    other.log.counters = Counters(training_step=1, played_steps=1)
    assert progressed(other)


def test_training_ends_when_its_minutes_are_over(tmp_path: Path) -> None:
    def reason(seconds: float, minutes: float) -> str | None:
        one = make_session(tmp_path, training_minutes=minutes)
        one.log = types.SimpleNamespace(seconds=seconds, counters=Counters())  # type: ignore[assignment]
        return one.reason_to_stop(lambda: False)

    assert reason(119.9, 2.0) is None
    assert reason(120.1, 2.0) == "training_minutes"
    assert reason(1e9, 0.0) is None


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
    assert not checkpoint_due(one)
    clock.now = 14.9
    assert not checkpoint_due(one)
    clock.now = 15.0
    assert checkpoint_due(one)
    one.save(weights(1), {})
    assert not checkpoint_due(one)
    clock.now = 25.0
    assert checkpoint_due(one)


def busy(seconds: float) -> None:
    """Takes processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_costs_are_kept_with_checkpoints_and_go_on(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    busy(0.2)
    job = one.judge.job()
    result = evaluation_result(10, 20, lengths=7)._replace(network_evaluations=99)
    one.evaluated(job, result, weights(1))
    kept = load_checkpoint(tmp_path / BEST_NAME).measured_cost
    assert kept is not None
    assert (kept.evaluation_steps, kept.network_evaluations) == (14, NetworkEvaluations(evaluation=99))
    assert kept.cpu_seconds is not None
    assert 0.15 < kept.cpu_seconds.driver < 5
    assert kept.peak_memory is not None
    assert kept.peak_memory > 2**20

    busy(0.2)
    one.save(weights(2), {})
    saved = load_checkpoint(tmp_path).cost
    assert saved.cpu_seconds is not None
    assert saved.cpu_seconds.driver > kept.cpu_seconds.driver + 0.15, "measured afresh for the checkpoint"

    other = make_session(tmp_path, load_checkpoint(tmp_path))
    busy(0.2)
    other.report()
    cost = other.observer.statuses[-1].cost  # type: ignore[attr-defined]
    assert cost.cpu_seconds.driver > saved.cpu_seconds.driver + 0.15
    assert cost.seconds >= saved.seconds
    assert (cost.evaluation_steps, cost.network_evaluations.evaluation) == (14, 99)


def test_a_run_from_before_costs_were_kept_goes_on(tmp_path: Path) -> None:
    counters = Counters(training_step=4, played_steps=77, seconds=100.0)
    old = Checkpoint("cartpole", MuZeroConfig().to_json(), weights(1), counters)
    cost = make_session(tmp_path, old).log.cost
    assert cost == Cost(cost.seconds, played_steps=77, updates=4)
    assert cost.seconds >= 100


def test_processes_elsewhere_are_not_measured(tmp_path: Path) -> None:
    one = Session(load_game("cartpole"), MuZeroConfig(), tmp_path, Watcher(), None, this_machine=False)
    one.report()
    status = one.observer.statuses[-1]  # type: ignore[attr-defined]
    assert status.memory == {}
    assert (status.cost.cpu_seconds, status.cost.peak_memory) == (None, None)


def test_the_best_checkpoint_is_registered(tmp_path: Path) -> None:
    folder = tmp_path / "cartpole" / "run"
    one = make_session(folder, results_path="elsewhere")
    one.register()
    assert one.observer.events == []  # type: ignore[attr-defined]
    evaluate(one, 10, 1)
    one.register()
    one.register()
    line = f"{REGISTERED} --results-path {tmp_path}"
    assert one.observer.events == [line, line]  # type: ignore[attr-defined]
    (version,) = Registry(tmp_path, "cartpole").versions()
    assert version.source == str(folder / BEST_NAME)
    assert version.cost == load_checkpoint(folder / BEST_NAME).cost
    assert version.cost.cpu_seconds is not None


def test_another_run_with_the_same_weights_is_registered(tmp_path: Path) -> None:
    for name in ("one", "two"):
        one = make_session(tmp_path / "cartpole" / name)
        evaluate(one, 10, 1)
        one.register()
        (event,) = one.observer.events  # type: ignore[attr-defined]
        assert event.startswith("registered as v000")


def test_a_run_in_a_folder_of_its_own_is_registered_where_results_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = make_session(tmp_path / "copied")
    evaluate(one, 10, 1)
    one.register()
    assert one.observer.events == [REGISTERED]  # type: ignore[attr-defined]
    assert Registry(tmp_path / "results", "cartpole").versions()


def test_a_failure_to_register_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make_session(tmp_path / "cartpole" / "run")
    evaluate(one, 10, 1)
    models = tmp_path / "models" / "cartpole"
    models.mkdir(parents=True)
    (models / "registry.json").write_text("{")
    one.register()
    (models / "registry.json").unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        one.register()
    (tmp_path / "cartpole" / "run" / BEST_NAME).write_bytes(b"PK")
    one.register()
    events = one.observer.events  # type: ignore[attr-defined]
    assert len(events) == 3
    for event, reason in zip(events, ("corrupt", "No space left", "cut short"), strict=True):
        assert event.startswith("warning: the best checkpoint was not registered: ")
        assert reason in event
        assert "\n" not in event


@pytest.mark.parametrize(
    ("asked", "device", "said"),
    [
        (None, "cpu", None),
        (None, "cuda", "self-play uses the GPU too"),
        (True, "cuda", None),
        (True, "cpu", "training has no GPU"),
        (False, "cpu", None),
    ],
)
def test_where_self_play_computes_is_said_unless_it_was_asked_for(
    tmp_path: Path, asked: bool | None, device: str, said: str | None
) -> None:
    one = make_session(tmp_path, selfplay_on_gpu=asked)
    one.plays_on(device)
    assert one.log.players_on_gpu == (device != "cpu")
    events = one.observer.events  # type: ignore[attr-defined]
    assert len(events) == (said is not None)
    assert said is None or said in events[0]


def test_updates_that_are_left_out_are_said_once_and_every_return(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    for guarded in (
        Guarded(),
        Guarded(1, reason="training diverged at step 7"),
        Guarded(5, 1, 500, 0.5, "x"),
        Guarded(9, 2, 700, 0.25, "x"),
    ):
        one.trained(trained_metrics(guarded))
    first, *returns = one.observer.events  # type: ignore[attr-defined]
    assert first.startswith("warning: an update is left out: training diverged at step 7; more of them")
    assert len(returns) == 2
    assert "to the weights of update 700, and goes on with 0.25 of the learning rate" in returns[1]
    resumed = Checkpoint(
        "cartpole", "{}", {}, Counters(), {"trainer": Snapshot({}, {"skipped": 9, "returns": 2})}
    )
    again = make_session(tmp_path, resumed)
    again.trained(trained_metrics(Guarded(9, 2)))
    assert again.observer.events == []  # type: ignore[attr-defined]


def trained_metrics(guarded: Guarded) -> TrainingMetrics:
    metrics = make_status().metrics
    assert metrics is not None
    return metrics._replace(largest_target=0.0, guarded=guarded)


def test_without_memory_the_run_saves_and_ends(tmp_path: Path) -> None:
    one = make_session(tmp_path)
    assert one.reason_to_stop(lambda: False) is None
    one.memory.save_now = True
    assert checkpoint_due(one)
    one.save(weights(1), {})
    assert not checkpoint_due(one)
    one.memory.ended = "99% of it"
    assert one.reason_to_stop(lambda: False) == "memory"

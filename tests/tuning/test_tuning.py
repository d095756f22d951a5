"""The search: spaces, the ledger, nevergrad by ask and tell, early stopping, resuming at any event, files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from rich.console import Console

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.project import PROJECT
from core.randomness import Stream, child_seed
from games.api.sources import load_game
from saving.run_folder import METRICS_NAME
from tests.helpers.bad_parameters import BAD_PARAMETERS
from tests.helpers.fake_trials import (
    FakeRunner,
    FakeTrial,
    Killed,
    Noted,
    folder_of,
    no_sleep,
    opened,
    score_of,
)
from tuning import trial as trial_module
from tuning.display import SearchLines, SearchTable, event_line, render, shown_trials
from tuning.halving import Halving, conservative_score, rung_shares
from tuning.ledger import (
    Asked,
    Event,
    Failed,
    Finished,
    Ledger,
    Opened,
    RungReached,
    Started,
    Stopped,
)
from tuning.picture import PICTURE_NAME, axis_of, draw_search, place, search_figure
from tuning.report import StudyFiles, best_options, results_table, write_hparams
from tuning.sitting import Limits, next_sitting
from tuning.space import Parameter, own_values, parse_parameter, parse_space
from tuning.study import Study
from tuning.suggester import Suggester
from tuning.trial import (
    Died,
    Plan,
    ProcessIdentity,
    Scored,
    TrialProcess,
    TrialProgress,
    end_orphan,
    trial_config,
)
from tuning.tuner import Tuner

CARTPOLE = load_game("cartpole").config


# --- spaces ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr_init=log:1e-4:1e-1", Parameter("lr_init", "log", 1e-4, 1e-1)),
        ("discount=uniform:0.95:0.9999", Parameter("discount", "uniform", 0.95, 0.9999)),
        ("num_simulations=int:8:64", Parameter("num_simulations", "int", 8, 64)),
        ("batch_size=logint:32:1024", Parameter("batch_size", "logint", 32, 1024)),
        ("optimizer=choice:AdamW,SGD", Parameter("optimizer", "choice", choices=("AdamW", "SGD"))),
        ("PER=choice:true,false", Parameter("PER", "choice", choices=(True, False))),
        ("td_steps=choice:5, 10", Parameter("td_steps", "choice", choices=(5, 10))),
        (
            "fc_value_layers=choice:[16],[32,32],[]",
            Parameter("fc_value_layers", "choice", choices=((16,), (32, 32), ())),
        ),
    ],
)
def test_parameters(text: str, expected: Parameter) -> None:
    [found] = parse_space([text], CARTPOLE)
    numbers = (found.low, found.high)
    assert dataclasses.replace(found, low=0, high=0) == dataclasses.replace(expected, low=0, high=0)
    assert expected.scale == "choice" or numbers == (expected.low, expected.high)


@pytest.mark.parametrize(("text", "expected"), BAD_PARAMETERS)
def test_bad_parameters_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^[^\n]*$") as caught:
        parse_space([text], CARTPOLE)
    assert expected in str(caught.value)


def test_a_space_needs_parameters_and_each_once() -> None:
    with pytest.raises(ConfigurationError, match="nothing to search"):
        parse_space([], CARTPOLE)
    with pytest.raises(ConfigurationError, match="lr_init: given twice"):
        parse_space(["lr_init=log:1e-4:1", "lr_init=uniform:0:1"], CARTPOLE)


# --- the optimiser ---

SPACE = parse_space(
    [
        "lr_init=log:1e-4:1e-1",
        "discount=uniform:0.95:0.9999",
        "num_simulations=int:8:64",
        "batch_size=logint:32:1024",
        "fc_value_layers=choice:[16],[32,32],[64]",
    ],
    CARTPOLE,
)
OWN = own_values(SPACE, CARTPOLE)


def suggester(seed: int = 1) -> Suggester:
    return Suggester(SPACE, 20, 2, seed, OWN)


def test_own_values_come_first_if_they_are_inside() -> None:
    first = suggester().propose()
    assert first == {
        "lr_init": 3e-3,
        "discount": 0.99,
        "num_simulations": 32,
        "batch_size": 256,
        "fc_value_layers": [64],
    }
    assert CARTPOLE.replace(**first) == CARTPOLE
    assert own_values(SPACE, CARTPOLE.replace(lr_init=0.5)) is None


def test_proposals_are_valid_json_inside_the_space_and_differ() -> None:
    optimiser, seen = suggester(), set()
    for number in range(1, 60):
        values = optimiser.propose()
        assert optimiser.propose() == values
        assert json.loads(json.dumps(values)) == values
        CARTPOLE.replace(**values)
        for parameter in SPACE[:-1]:
            assert parameter.low <= values[parameter.name] <= parameter.high
            assert isinstance(values[parameter.name], int) == parameter.whole
        optimiser.asked(number, values)
        optimiser.tell(number, values["num_simulations"])
        seen.add(json.dumps(values))
    assert len(seen) > 50


def test_repeating_questions_and_answers_leads_to_the_same_question() -> None:
    first, again, different = suggester(), suggester(), suggester()
    log = []
    for number in range(1, 50):
        values = first.propose()
        first.asked(number, values)
        log.append(values)
        if number % 10:
            first.tell(number, -abs(values["num_simulations"] - 40) - abs(values["discount"] - 0.97))
    for number, values in enumerate(log, 1):
        again.asked(number, values)
        different.asked(number, values)
        if number % 10:
            again.tell(number, -abs(values["num_simulations"] - 40) - abs(values["discount"] - 0.97))
            different.tell(number, abs(values["num_simulations"] - 40) + abs(values["discount"] - 0.97))
    assert [again.propose() for _ in range(3)] == [first.propose() for _ in range(3)]
    assert different.propose() != first.propose(), "what it was told makes no difference"


def test_values_that_it_would_not_have_asked_for_can_be_told() -> None:
    optimiser = suggester()
    strange = OWN | {"num_simulations": 9, "fc_value_layers": [16]} if OWN else {}
    optimiser.asked(1, strange)
    optimiser.tell(1, 3.0)
    assert optimiser.propose() != strange


def test_schedules_can_be_searched_and_read_from_json_again() -> None:
    text = "visit_softmax_temperature=choice:[[0.5,1.0],[1.0,0.5]],[[1.0,0.5]]"
    space = parse_space([text], CARTPOLE)
    assert space[0].choices == (((0.5, 1.0), (1.0, 0.5)), ((1.0, 0.5),))
    optimiser, again = (Suggester(space, 4, 1, 1, None) for _ in range(2))
    for number in range(4):
        values = optimiser.propose()
        assert values == json.loads(json.dumps(values))
        optimiser.asked(number, values)
        again.asked(number, values)
        assert place(space[0], values["visit_softmax_temperature"]) in (0.0, 1.0)
    assert again.propose() == optimiser.propose()


# --- early stopping ---


def test_rungs() -> None:
    expected: tuple[Any, ...] = (pytest.approx(1 / 9), pytest.approx(1 / 3))
    assert rung_shares(2, 3) == expected
    assert rung_shares(0, 3) == ()
    with pytest.raises(ConfigurationError, match="--rungs 5"):
        rung_shares(5, 3)


def test_a_trial_goes_on_if_it_is_among_the_best_third() -> None:
    halving = Halving([1 / 3], reduction=3)
    scores = {1: 10.0, 2: 5.0, 3: 9.0, 4: 10.0, 5: 9.5, 6: 11.0, 7: 9.9, 8: float("nan"), 9: 12.0, 10: 10.5}
    #                          third of 3    tie   2 are better     one of 7   worst           two of 10
    goes_on = [trial for trial, score in scores.items() if halving.record(trial, 0, score)]
    assert goes_on == [1, 2, 4, 6, 9, 10]


def test_a_trial_that_is_run_again_does_not_compete_with_itself() -> None:
    halving = Halving([1 / 3], reduction=2)
    assert halving.record(1, 0, 5.0)
    assert halving.record(1, 0, 4.0)
    assert not halving.record(2, 0, 3.0)
    assert halving.record(3, 0, 4.5)


def test_a_trial_that_is_forgotten_competes_with_nobody() -> None:
    halving = Halving([1 / 9, 1 / 3], reduction=2)
    assert halving.record(1, 1, 5.0)
    assert not halving.record(2, 1, 3.0)
    halving.forget(1)
    assert halving.record(3, 1, 3.5)


def test_a_stopped_trial_counts_as_worse_than_any_in_full_the_shorter_the_worse() -> None:
    assert conservative_score([], 0.3) is None
    assert conservative_score([10.0, 20.0], 1 / 9) == pytest.approx(10 - 8 / 9 * 10)
    assert conservative_score([10.0, 20.0], 1 / 9) < conservative_score([10.0, 20.0], 1 / 3) < 10  # type: ignore[operator]
    assert conservative_score([10.0], 0.5) < 10  # type: ignore[operator]
    assert conservative_score([0.0], 0.5) < 0  # type: ignore[operator]


# --- the ledger ---

EVENTS: list[Event] = [
    opened(),
    Asked(1, {"lr_init": 0.25, "fc_value_layers": [16, 16]}, 7),
    Started(1, 123, 4.5),
    RungReached(1, 0, 1 / 9, 9.5, True),
    Finished(1, 1.0, None, 2.0, 3, 4, "trials/001/best.checkpoint"),
    Stopped(2, 1 / 9, 3.0, None),
    Failed(3, "über"),
]


def test_the_ledger_gives_back_what_it_was_given(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for event in EVENTS:
        ledger.append(event)
        assert ledger.path.read_text().count("\n") == EVENTS.index(event) + 1, "not written at once"
    ledger.close()
    again = Ledger(tmp_path)
    assert again.events() == EVENTS
    again.close()


def test_a_line_that_was_cut_short_is_dropped_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for event in EVENTS:
        ledger.append(event)
    ledger.close()
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:-10])
    again = Ledger(tmp_path)
    assert again.events() == EVENTS[:-1]
    again.append(EVENTS[-1])
    assert again.events() == EVENTS
    again.close()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nonsense", "line 2, is no event"),
        ("[1]", "line 2, is no event"),
        ('{"event": "sneezed", "time": ""}', "line 2, is no event"),
        ('{"event": "failed", "time": "", "trial": 1}', "line 2, is no event"),
        ('{"event": "failed", "time": "", "trial": "one", "reason": ""}', "trial='one' must be int"),
        (
            json.dumps({"event": "opened", "time": ""} | dataclasses.asdict(opened(format_version=9))),
            "format 9",
        ),
    ],
)
def test_a_damaged_ledger_is_refused_in_one_line(tmp_path: Path, line: str, expected: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(EVENTS[0])
    with ledger.path.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(ConfigurationError, match=r"^[^\n]*$") as caught:
        ledger.events()
    assert expected in str(caught.value)
    ledger.close()


def test_one_search_at_a_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(ConfigurationError, match="another search is running"):
        Ledger(tmp_path)
    ledger.close()
    Ledger(tmp_path).close()
    with pytest.raises(ConfigurationError, match="cannot write"):
        Ledger(tmp_path / "missing")


# --- the search ---


def searched(
    tmp_path: Path, runner: FakeRunner, start: Opened | None = None, limit: int = 1 << 30
) -> tuple[Study, Noted]:
    """A search in full, or until it is killed after `limit` events; goes on with one that is there."""
    folder = folder_of(tmp_path)
    ledger = Ledger(folder)
    try:
        events = ledger.events()
        if not events:
            ledger.append(start or opened())
            events = ledger.events()
        assert isinstance(events[0], Opened)
        state = Study(events[0])
        state.apply_all(events)
        noted = Noted(limit=limit)
        Tuner(state, ledger, folder, runner, [noted], no_sleep).run()
        return state, noted
    finally:
        ledger.close()


def test_a_search_uses_its_budget_and_no_more_processes_than_it_may(tmp_path: Path) -> None:
    runner = FakeRunner()
    state, _ = searched(tmp_path, runner)
    assert len(state.trials) == len(runner.started) == 8
    assert state.done
    assert max(runner.most) == 2
    assert not runner.alive
    assert {trial.phase for trial in state.trials.values()} == {"finished", "stopped"}
    best = state.best
    assert best is not None
    assert best.score == max(state.full_scores)
    plans = [trial.plan for trial in runner.started]
    seeds = [child_seed(5, Stream.TRIAL, number) for number in range(1, 9)]
    assert [plan.config.seed for plan in plans] == seeds
    assert {plan.config.games_per_worker for plan in plans} == {8}
    assert {(plan.config.training_steps, plan.config.target_reward) for plan in plans} == {(300, None)}
    assert len({plan.folder for plan in plans}) == 8


def test_a_stopped_trial_is_never_told_its_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[int, float] = {}
    original = Suggester.tell
    monkeypatch.setattr(
        Suggester,
        "tell",
        lambda self, trial, score: (told.update({trial: score}), original(self, trial, score)),
    )
    state, noted = searched(tmp_path, FakeRunner(), opened(budget=20))
    stopped = [event for event in noted.events if isinstance(event, Stopped)]
    finished = [event for event in noted.events if isinstance(event, Finished)]
    assert len(stopped) > 5
    assert len(finished) > 3
    for end in finished:
        assert told[end.trial] == end.score == score_of(state.base.replace(**state.trials[end.trial].values))
    full: list[float] = []
    for event in noted.events:
        if isinstance(event, Finished):
            full.append(event.score)
        if isinstance(event, Stopped):
            assert event.told == conservative_score(full, event.share)
            assert told.get(event.trial) == event.told != event.score
            assert event.told is None or event.told < min(full)
    ended: list[Finished | Stopped] = [*finished, *stopped]
    assert set(told) <= {end.trial for end in ended}


def test_without_rungs_all_run_in_full(tmp_path: Path) -> None:
    state, _ = searched(tmp_path, FakeRunner(), opened(rungs=0))
    assert {trial.phase for trial in state.trials.values()} == {"finished"}


def test_a_training_that_is_over_is_not_stopped_any_more(tmp_path: Path) -> None:
    state, _ = searched(tmp_path, FakeRunner(quarters=4))
    assert {trial.phase for trial in state.trials.values()} == {"finished"}
    assert all(len(trial.rungs) == 2 for trial in state.trials.values())


def test_a_trial_that_dies_is_recorded_and_the_search_goes_on(tmp_path: Path) -> None:
    runner = FakeRunner(lambda config: None if config.optimizer == "SGD" else score_of(config))
    state, _ = searched(tmp_path, runner)
    failed = [trial for trial in state.trials.values() if trial.failed is not None]
    assert failed
    assert len(state.ended) == 8
    assert {trial.failed.reason for trial in failed if trial.failed} == {"RuntimeError: too hot"}
    assert {trial.values["optimizer"] for trial in failed} == {"SGD"}
    assert not runner.alive


def test_values_that_do_not_go_together_fail_without_a_process(tmp_path: Path) -> None:
    parameters = ("learning_starts=int:100:20000", "replay_buffer_size=int:1000:20000")
    runner = FakeRunner()
    state, _ = searched(tmp_path, runner, opened(parameters=parameters, budget=20))
    failed = [trial for trial in state.trials.values() if trial.failed is not None]
    assert failed
    assert len(runner.started) == 20 - len(failed)
    assert "learning_starts must not exceed" in failed[0].failed.reason  # type: ignore[union-attr]


def test_what_has_ended_is_recorded_before_its_process_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = FakeRunner()
    ledger = Ledger(folder_of(tmp_path))
    close, closed_after = FakeTrial.close, []

    def noted(trial: FakeTrial) -> None:
        number = int(trial.plan.folder.name)
        closed_after.append([event.trial for event in ends(ledger.events())].count(number))
        close(trial)

    monkeypatch.setattr(FakeTrial, "close", noted)
    Tuner(Study(opened()), ledger, tmp_path, runner, [], no_sleep).run()
    ledger.close()
    assert closed_after == [1] * 8


def ends(events: list[Event]) -> list[Finished | Stopped | Failed]:
    return [event for event in events if isinstance(event, Finished | Stopped | Failed)]


def test_killed_after_any_event_it_goes_on_and_keeps_what_had_ended(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    _, whole = searched(tmp_path / "whole", FakeRunner(), opened(budget=4))
    assert len(whole.events) > 15
    for limit in range(1, len(whole.events)):
        folder = tmp_path / str(limit)
        folder.mkdir()
        before = FakeRunner()
        with pytest.raises(Killed):
            searched(folder, before, opened(budget=4), limit)
        assert not before.alive
        ledger = Ledger(folder_of(folder))
        kept = ends(ledger.events())
        ledger.close()
        after = FakeRunner()
        state, noted = searched(folder, after)
        assert state.done
        assert len(state.trials) == 4
        again = {trial.plan.folder.name for trial in after.started}
        assert not again & {f"{event.trial:03d}" for event in kept}, "a trial that had ended was run again"
        everything = ends([*kept, *noted.events])
        assert sorted(event.trial for event in everything) == [1, 2, 3, 4]


def test_resumed_the_optimiser_asks_what_it_would_have_asked(tmp_path: Path) -> None:
    """With one trial at a time nothing but the interruption differs."""
    (tmp_path / "whole").mkdir()
    whole, _ = searched(tmp_path / "whole", FakeRunner(), opened(budget=36, parallel=1))
    (tmp_path / "cut").mkdir()
    for limit in (40, 90):
        with pytest.raises(Killed):
            searched(tmp_path / "cut", FakeRunner(), opened(budget=36, parallel=1), limit)
    cut, _ = searched(tmp_path / "cut", FakeRunner())
    assert [trial.values for trial in cut.trials.values()] == [
        trial.values for trial in whole.trials.values()
    ]
    assert cut.full_scores == whole.full_scores


def test_interrupted_all_trials_are_told_before_any_is_waited_for(tmp_path: Path) -> None:
    runner = FakeRunner()

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    ledger = Ledger(folder_of(tmp_path))
    state = Study(opened())
    with pytest.raises(KeyboardInterrupt):
        Tuner(state, ledger, tmp_path, runner, [], interrupt).run()
    ledger.close()
    assert [trial.interrupted for trial in runner.started] == [True, True]
    assert not runner.alive
    assert [trial.phase for trial in state.trials.values()] == ["running", "running"]


# --- what people see, and the files ---


@pytest.fixture(scope="module")
def finished_search(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, list[Event], Path]:
    """A search with finished, stopped and failed trials, and its folder with the reports."""
    folder = tmp_path_factory.mktemp("search")
    ledger, noted = Ledger(folder), Noted()
    parameters = (*opened().parameters, "fc_value_layers=choice:[16],[32,32],[64]", "discount=uniform:0.9:1")
    state = Study(opened(parameters=parameters, budget=12))

    def score(config: MuZeroConfig) -> float | None:
        return None if config.num_simulations % 10 == 7 else score_of(config)

    Tuner(state, ledger, folder, FakeRunner(score), [noted, StudyFiles(folder)], no_sleep).run()
    ledger.close()
    return state, noted.events, folder


def test_every_kind_of_end_has_a_line(finished_search: tuple[Study, list[Event], Path]) -> None:
    state, events, _ = finished_search
    stream, clock = io.StringIO(), iter(range(0, 10_000, 20))
    lines = SearchLines(stream, clock=lambda: float(next(clock)))
    for event in events:
        lines.happened(event, state)
    for _ in range(4):
        lines.progress(
            state, {3: TrialProgress(0.5, 12.0, 900.0), 4: TrialProgress(1.0, None, None, scoring=True)}
        )
    printed = stream.getvalue()
    assert "trial 1 of 12: lr_init=0.003 num_simulations=32 optimizer=AdamW fc_value_layers=[64]" in printed
    assert "of its budget: evaluation" in printed
    assert "is not among the best 1/3 there" in printed
    assert "failed: RuntimeError: too hot" in printed
    assert "trial 1 finished: score 32 ± 0.5" in printed
    assert printed.count("trial 3 at 50%, evaluation 12, 900 MiB; trial 4 is scored") == 2


def test_the_table_shows_running_then_best_trials_in_the_rows_that_there_are(
    finished_search: tuple[Study, list[Event], Path],
) -> None:
    state, events, _ = finished_search
    shown = shown_trials(state, 5)
    assert len(shown) == 5
    assert shown[0] is state.best
    console = Console(file=io.StringIO(), width=140, height=30, force_terminal=True)
    table = SearchTable(console)
    asked = next(event for event in events if isinstance(event, Asked))
    table.happened(asked, state)
    table.progress(state, {})
    table.close()
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "12 of 12 trials ended, best " in printed
    for word in ("lr_init", "stopped 1/9", "failed", "finished", "AdamW"):
        assert word in printed
    early = Study(opened())
    early.apply(early.proposal())
    early.apply(Started(1, 1, 1.0))
    plain = Console(file=io.StringIO(), width=140)
    plain.print(render(early, {1: TrialProgress(0.42, 33.3, None)}, 5))
    assert "━━╌╌╌  42%" in plain.file.getvalue()  # type: ignore[attr-defined]
    assert "33.3" in plain.file.getvalue()  # type: ignore[attr-defined]


def test_results_and_best_configuration(finished_search: tuple[Study, list[Event], Path]) -> None:
    state, _, folder = finished_search
    rows = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))
    assert (folder / "results.csv").read_text() == results_table(state)
    assert [row["trial"] for row in rows] == [str(number) for number in range(1, 13)]
    for row, trial in zip(rows, state.trials.values(), strict=True):
        assert row["state"] == trial.phase
        assert float(row["lr_init"]) == trial.values["lr_init"]
        assert row["score"] == ("" if trial.score is None else str(trial.score))
        assert (row["told"] == "") == (trial.failed is not None)
    best = state.best
    assert best is not None
    options = json.loads((folder / "best.json").read_text())
    assert options == best_options(state, best) == {"games_per_worker": 8} | best.values
    wanted = load_game("cartpole").config.replace(games_per_worker=8, **best.values)
    assert load_game("cartpole").config.replace(**options) == wanted


def test_tensorboard_reads_the_hyperparameters(finished_search: tuple[Study, list[Event], Path]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    state, _, folder = finished_search
    for trial in state.trials.values():
        [path] = (folder / "hparams" / f"{trial.number:03d}").iterdir()
        events = EventAccumulator(str(path))
        events.Reload()
        content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        values = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        assert values["lr_init"].number_value == trial.values["lr_init"]
        assert values["optimizer"].string_value == trial.values["optimizer"]
        assert json.loads(values["fc_value_layers"].string_value) == trial.values["fc_value_layers"]
        content = events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
        status = plugin_data_pb2.HParamsPluginData.FromString(content).session_end_info.status
        assert status == (2 if trial.failed else 1)
        scores = [point.value for point in events.Scalars("tune/score")] if trial.score else []
        assert scores == ([pytest.approx(trial.score)] if trial.score else [])


def test_half_a_file_for_tensorboard_is_written_again(
    finished_search: tuple[Study, list[Event], Path], tmp_path: Path
) -> None:
    state, _, folder = finished_search
    part = tmp_path / "hparams" / ".001"
    part.mkdir(parents=True)
    (part / "events.out.half").write_text("")
    write_hparams(state.trials[1], tmp_path)
    written = next((tmp_path / "hparams" / "001").iterdir())
    assert not part.exists()
    assert written.stat().st_size == next((folder / "hparams" / "001").iterdir()).stat().st_size
    before = written.read_bytes()
    write_hparams(state.trials[1], tmp_path)
    assert written.read_bytes() == before


def test_the_picture_shows_every_trial_and_names_its_axes(
    finished_search: tuple[Study, list[Event], Path],
) -> None:
    state, _, folder = finished_search
    trials = [trial for trial in state.ended if trial.failed is None]
    figure = search_figure(state, trials)
    upper, lower = figure.axes
    names = [label.get_text() for label in upper.get_xticklabels()]
    assert names[:5] == ["lr_init", "num_simulations", "optimizer", "fc_value_layers", "discount"]
    assert "mean return of 10 games" in names[5]
    many = [line for line in upper.lines if len(np.asarray(line.get_xdata())) > 2]
    assert len(many) == len(trials)
    assert sum(len(np.asarray(line.get_xdata())) == 6 for line in many) == len(state.full_scores)
    assert lower.get_xlabel()
    assert "mean return" in lower.get_ylabel()
    records: Any = next(line for line in lower.lines if line.get_label() == "best so far").get_ydata()
    assert list(records) == sorted(records)
    assert max(records) == max(state.full_scores)
    assert draw_search(state, folder / PICTURE_NAME)
    assert (folder / PICTURE_NAME).read_bytes().startswith(b"\x89PNG")
    assert not draw_search(Study(opened()), folder / "none.png")


def test_places_on_an_axis() -> None:
    rate = parse_parameter("lr_init=log:1e-4:1e-1")
    assert place(rate, 1e-2) == pytest.approx(2 / 3)
    assert axis_of(rate).labels == ("0.0001", "0.001", "0.01", "0.1")
    assert axis_of(parse_parameter("lr_init=log:0.02:0.05")).labels == ("0.02", "0.03162", "0.05")
    assert axis_of(parse_parameter("num_simulations=int:8:10")).labels == ("8", "9", "10")
    assert place(parse_parameter("optimizer=choice:AdamW,SGD"), "SGD") == 1.0


# --- processes ---


STUB = """
import json, pathlib, sys, time
name, game = sys.argv[1:3]
if name == "evaluate":
    print(json.dumps({"games": 4, "mean": 7.5, "standard_error": 0.25, "arguments": sys.argv[3:]}))
    sys.exit()
options = json.loads(pathlib.Path(sys.argv[4]).read_text())
run = pathlib.Path(options["results_path"]) / game / "now"
(run / "checkpoints").mkdir(parents=True)
(run / "config.json").write_text("{}")
(run / "best.checkpoint").write_text("")
with (run / "metrics.jsonl").open("w") as metrics:
    for updates, best in ((10, None), (40, 3.0), (60, None), (90, 5.0), (100, 5.0)):
        scalars = {} if best is None else {"reward/evaluation_best": best}
        moment = {"updates": updates, "played_steps": 2 * updates, "seconds": updates / 10}
        metrics.write(json.dumps(moment | {"memory/total_mib": 9} | scalars) + "\\n")
print("a line")
if options["seed"] == 1:
    print("error: the last line", file=sys.stderr)
    sys.exit(2)
if options["seed"] == 2:
    time.sleep(60)
if options["seed"] == 3:
    (run / "best.checkpoint").unlink()
if options["seed"] == 4:
    import signal
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    (run / "ready").write_text("")
    while not told:
        time.sleep(0.05)
    time.sleep(0.5)  # it saves
    (run / "told").write_text(str(len(told)))
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program that behaves like muzero.py."""
    (tmp_path / "muzero.py").write_text(STUB)
    (tmp_path / "tuning").mkdir()
    (tmp_path / "tuning" / "tether.py").write_text((PROJECT / "tuning" / "tether.py").read_text())
    monkeypatch.setattr(trial_module, "PROJECT", tmp_path)
    monkeypatch.setattr(trial_module, "command_line", lambda: [sys.executable, str(tmp_path / "muzero.py")])
    return tmp_path


def plan(folder: Path, seed: int) -> Plan:
    config = trial_config(CARTPOLE, {}, seed=seed, minutes=0.0, steps=100, folder=folder)
    return Plan("cartpole", config, folder, 4, 9)


def outcome_of(trial: TrialProcess) -> Scored | Died:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ended = trial.outcome()
        if ended is not None:
            return ended
        time.sleep(0.02)
    raise TimeoutError


def test_a_trial_is_trained_read_and_scored(stub: Path) -> None:
    folder = stub / "trials" / "001"
    folder.mkdir(parents=True)
    (folder / "left.over").write_text("")
    trial = TrialProcess(plan(folder, 0))
    assert not (folder / "left.over").exists()
    training = trial.identity
    scored = outcome_of(trial)
    trial.close()
    run = folder / "cartpole" / "now"
    assert scored == Scored(7.5, 0.25, 10.0, 100, 200, run / "best.checkpoint")
    assert training.number != trial.identity.number
    assert trial.progress() == TrialProgress(1.0, 5.0, 9.0, scoring=True)
    assert [trial.evaluation_at(share) for share in (0.1, 0.4, 0.5, 0.95)] == [3.0, 3.0, 3.0, 5.0]
    arguments = json.loads((folder / "score.json").read_text())["arguments"]
    assert arguments[:2] == ["--checkpoint", str(run / "best.checkpoint")]
    assert arguments[2:] == ["--json", "--games", "4", "--seed", "9"]
    assert not (run / "checkpoints").exists()


def test_a_trial_that_is_not_yet_at_a_share_has_no_evaluation_there(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 0))
    outcome_of(trial)
    trial.close()
    metrics = next((stub / "001").glob(f"cartpole/*/{METRICS_NAME}"))
    metrics.write_text("\n".join(metrics.read_text().splitlines()[:1]) + "\n")
    trial._read(now=True)
    assert trial.evaluation_at(0.05) is None, "there has been no evaluation"
    assert trial.progress().share == 0.1


def written(trial: TrialProcess, *points: tuple[int, float, float | None]) -> None:
    """Replaces the training's metrics by (updates, seconds, best evaluation)."""
    lines = []
    for updates, seconds, best in points:
        scalars = {} if best is None else {"reward/evaluation_best": best}
        lines.append(json.dumps({"updates": updates, "played_steps": 7, "seconds": seconds} | scalars))
    metrics = next(trial.plan.folder.glob(f"cartpole/*/{METRICS_NAME}"))
    metrics.write_text("".join(line + "\n" for line in lines))
    trial._read(now=True)


def test_rungs_begin_with_the_first_update(stub: Path) -> None:
    """Of a minute, 20 s pass before learning begins; a third of the rest is over after 33.4 s."""
    config = trial_config(CARTPOLE, {}, seed=0, minutes=1.0, steps=100_000, folder=stub / "001")
    trial = TrialProcess(Plan("cartpole", config, stub / "001", 4, 9))
    outcome_of(trial)
    trial.close()
    before = ((0, 5.0, None), (0, 20.0, 9.32))
    written(trial, *before)
    assert trial.progress()[:2] == (0.0, None)
    assert trial.evaluation_at(0.001) is None, "those weights have learned nothing"
    written(trial, *before, (10, 30.0, None))
    assert trial.progress()[:2] == (0.25, None)
    assert trial.evaluation_at(0.2) is None
    written(trial, *before, (10, 30.0, 11.0), (20, 33.0, 12.0), (30, 34.0, 13.0))
    assert trial.evaluation_at(1 / 3) == 13.0
    assert trial.progress().share == pytest.approx(0.35)
    assert trial.progress().evaluation == 13.0


def test_a_trial_that_never_learned_is_no_result(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 2))
    assert _eventually(lambda: any((stub / "001").glob(f"cartpole/*/{METRICS_NAME}")))
    written(trial, (0, 5.0, None), (0, 20.0, 9.32))
    trial.interrupt()
    trial._process.wait(30)
    trial._process.returncode = 0  # as a training ends whose minutes are over
    ended = trial.outcome()
    trial.close()
    assert isinstance(ended, Died)
    assert ended.reason.startswith("its budget ended before the first update: 7 of learning_starts=")
    state = Study(opened())
    state.apply(state.proposal())
    state.apply(Finished(1, 9.32, None, 12.0, 0, 7, "best.checkpoint"))
    assert (state.best, state.trials[1].phase) == (None, "failed"), "as searches of earlier versions recorded"


def test_the_last_words_of_a_trial(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 1))
    assert outcome_of(trial) == Died("error: the last line")
    trial.close()


def test_a_trial_that_is_killed(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 2))
    os.killpg(trial.identity.number, signal.SIGKILL)
    assert outcome_of(trial) == Died("killed by SIGKILL (out of memory?)")
    trial.close()


def test_a_running_trial_is_closed_with_its_group(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 2))
    number = trial.identity.number
    assert os.getpgid(number) == number != os.getpgid(0)
    trial.interrupt()
    trial.close()
    with pytest.raises(ProcessLookupError):
        os.killpg(number, 0)


def test_a_trial_is_told_once_to_end(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 4))
    run = stub / "001" / "cartpole" / "now"
    assert _eventually((run / "ready").exists)
    trial.interrupt()
    trial.close()
    assert (run / "told").read_text() == "1"


def test_weights_that_were_scored_are_kept_where_there_are_no_better_ones(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 3))
    outcome = outcome_of(trial)
    trial.close()
    run = stub / "001" / "cartpole" / "now"
    assert isinstance(outcome, Scored)
    assert outcome.checkpoint == run
    assert (run / "checkpoints").exists()


def test_orphans_are_ended_and_nobody_else(stub: Path) -> None:
    trial = TrialProcess(plan(stub / "001", 2))
    identity = trial.identity
    assert not end_orphan(identity._replace(created=identity.created + 1), stub / "001")
    assert trial.outcome() is None
    assert end_orphan(identity, stub / "001")
    assert not _alive(identity.number)
    assert not end_orphan(identity, stub / "001")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere trials are ended when the search is resumed")
def test_a_trial_does_not_outlive_a_search_that_is_killed(tmp_path: Path) -> None:
    tether, note = PROJECT / "tuning" / "tether.py", tmp_path / "number"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    program = (
        "import os, subprocess, sys, time; "
        f"command = [sys.executable, {str(tether)!r}, str(os.getpid()), sys.executable, '-c', {child!r}]; "
        "subprocess.Popen(command, start_new_session=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    number = int(_eventually(lambda: note.exists() and note.read_text()))
    parent.kill()
    parent.wait()
    assert _eventually(lambda: not _alive(number))


def _eventually(condition: object) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = condition()  # type: ignore[operator]
        if found:
            return str(found)
        time.sleep(0.02)
    raise TimeoutError


def _alive(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_event_lines_are_for_events_worth_one() -> None:
    state = Study(opened())
    assert event_line(Started(1, 2, 3.0), state) is None
    assert event_line(RungReached(1, 0, 1 / 9, 2.0, False), state) is None


# --- ledgers from elsewhere ---


def ledger_with(folder: Path, number: int, **changes: object) -> Path:
    """A copy of an earlier search, of whose event `number` some entries are changed."""
    [earlier] = (PROJECT / "tests/data/earlier_results/tune/cartpole").iterdir()
    lines = (earlier / "ledger.jsonl").read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | changes)
    (folder / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (0, {"rungs": 10**9}),
        (0, {"rungs": 10**9, "reduction": 1}),
        (0, {"rungs": 60, "reduction": 1}),
        (0, {"rungs": 2, "reduction": 0}),
        (0, {"rungs": -1}),
        (0, {"reduction": 10**30}),
        (0, {"budget": 10**30}),
        (0, {"parallel": 10**9}),
        (0, {"minutes": -1.0}),
        (0, {"minutes": math.inf}),
        (0, {"game": "a" * 1_000_000}),
        (0, {"optimizer": "a" * 1_000_000}),
        (1, {"trial": -1}),
        (1, {"trial": 10**30}),
        (1, {"values": {"lr_init": "a" * 1_000_000}}),
        (1, {"event": {}}),
        (2, {"process": -1}),
        (2, {"process": 10**30}),
        (2, {"created": -math.inf}),
        (2, {"trial": 999}),
    ],
)
def test_a_ledger_of_impossible_numbers_is_refused(
    tmp_path: Path, number: int, changes: dict[str, object]
) -> None:
    folder = ledger_with(tmp_path, number, **changes)
    with pytest.raises(ConfigurationError) as caught, next_sitting(folder, None, Limits(None, None)):
        pass
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2100, "a megabyte is not repeated"


@pytest.mark.parametrize("number", [0, 1, -1, 2**31 - 1])
def test_no_process_is_ended_because_a_ledger_names_it(tmp_path: Path, number: int) -> None:
    assert not end_orphan(ProcessIdentity(number, 0.0), tmp_path)


def test_a_stranger_is_not_ended_although_its_start_is_known(tmp_path: Path) -> None:
    """One that names no folder of the search, one that leads no group, one of another program."""
    sleep, folder = "import time; time.sleep(60)", str(tmp_path / "001" / "x")
    script, other = tmp_path / "muzero.py", tmp_path / "editor.py"
    for file in (script, other):
        file.write_text(sleep)
    for arguments, alone in (
        ([str(script)], True),
        ([str(script), folder], False),
        (["-c", sleep, folder], True),
        ([str(other), folder], True),
    ):
        program = [sys.executable, *arguments]
        with subprocess.Popen(program, start_new_session=alone) as stranger:
            identity = ProcessIdentity(stranger.pid, psutil.Process(stranger.pid).create_time())
            assert not end_orphan(identity, tmp_path / "001")
            assert stranger.poll() is None
            stranger.kill()

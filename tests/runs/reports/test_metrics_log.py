"""What a run logs is read back from metrics.jsonl, also after crashes and resumed runs; so does wandb."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from config import MuZeroConfig
from core.errors import ConfigurationError
from data import Counters
from runs.reports import metrics_log
from runs.reports.metrics_log import MetricPoint, MetricsLog, read_metrics
from runs.reports.scalars import finite, status_scalars
from runs.reports.wandb_log import WandbLog
from runs.status import RunStatus
from saving.run_folder import METRICS_NAME
from tests.helpers.results import evaluation_result
from tests.helpers.statuses import EARLY, make_status


def at(step: int, seconds: float, **changes: object) -> RunStatus:
    return make_status(step, counters=Counters(step, 10 * step, 3, 0, 99, seconds), **changes)


def write(
    folder: Path, statuses: list[RunStatus], pause: float = 3.0, resumed: Counters | None = None
) -> list[MetricPoint]:
    now = 0.0
    log = MetricsLog(folder, 3.0, resumed, clock=lambda: now)
    for status in statuses:
        log.status(status)
        now += pause
    log.close()
    return read_metrics(folder / METRICS_NAME)


def test_every_scalar_is_read_back(tmp_path: Path) -> None:
    status = at(100, 7.5, evaluations=())
    (point,) = write(tmp_path, [status])
    assert point[:3] == (100, 1000, 7.5)
    expected = finite(status_scalars(status))
    assert point.scalars == pytest.approx(expected, rel=1e-6)
    assert len(expected) > 20


def test_every_line_is_a_json_object_of_numbers(tmp_path: Path) -> None:
    write(tmp_path, [EARLY, make_status(10, weights_age=float("nan")), make_status(20)])
    for line in (tmp_path / METRICS_NAME).read_text().splitlines():
        assert all(isinstance(value, int | float) for value in json.loads(line).values())
        assert "NaN" not in line


def test_what_was_written_after_the_checkpoint_is_forgotten_on_resumption(tmp_path: Path) -> None:
    """A killed run had come to 1,440 updates; its newest checkpoint is of 1,320."""
    write(tmp_path, [at(step, step / 100, evaluations=()) for step in (1200, 1320, 1400, 1440)])
    with (tmp_path / METRICS_NAME).open("a") as stream:
        stream.write('{"updates": 1460, "played_st')
    checkpoint = Counters(1320, 13_200, 3, 0, 99, 13.2)
    later = [at(step, step / 100, evaluations=()) for step in (1328, 1500)]
    assert [point.updates for point in write(tmp_path, later, resumed=checkpoint)] == [1200, 1320, 1328, 1500]
    raw = [json.loads(line)["updates"] for line in (tmp_path / METRICS_NAME).read_text().splitlines()]
    assert raw == [1200, 1320, 1328, 1500], "also for programs that take the file as it is"


def test_an_evaluation_has_the_updates_of_its_weights(tmp_path: Path) -> None:
    first = evaluation_result(1, -1, version=90, opponent="minimax")
    second = evaluation_result(1, 1, version=90, opponent="random")
    points = write(tmp_path, [at(100, 5.0, evaluations=(first, second))])
    scores = [
        (p.updates, p.played_steps, tag, value)
        for p in points
        for tag, value in p.scalars.items()
        if tag.endswith("/score")
    ]
    assert scores == [(90, 1000, "evaluate/minimax/score", 0.5), (90, 1000, "evaluate/random/score", 1.0)]


def test_lines_come_at_the_interval_and_at_the_end(tmp_path: Path) -> None:
    points = write(tmp_path, [at(step, float(step), evaluations=()) for step in range(8)], pause=1.0)
    assert [point.updates for point in points] == [0, 3, 6, 7]


def test_what_a_resumed_run_had_lost_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, [at(step, step / 10, evaluations=()) for step in (100, 200, 300)])
    points = write(tmp_path, [at(step, step / 10, evaluations=()) for step in (210, 310)])
    assert [point.updates for point in points] == [100, 200, 210, 310]


def test_a_line_cut_short_costs_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, [at(100, 1.0, evaluations=()), at(200, 2.0, evaluations=())])
    path = tmp_path / METRICS_NAME
    path.write_bytes(path.read_bytes()[:-40])
    points = write(tmp_path, [at(300, 3.0, evaluations=())])
    assert [point.updates for point in points] == [100, 300]


def test_of_very_many_points_fewer_are_kept_and_the_newest_one_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_log, "MOST_NUMBERS", 100)
    lines = [
        json.dumps({"updates": n, "played_steps": n, "seconds": float(n), "a": 1.0, "b": 2.0})
        for n in range(1000)
    ]
    (tmp_path / METRICS_NAME).write_text("\n".join(lines) + "\n")
    found = [point.updates for point in read_metrics(tmp_path / METRICS_NAME)]
    assert 25 <= len(found) <= 50
    assert found[-1] == 999
    assert found == sorted(found)
    assert found[0] < 100


def test_a_file_of_lines_that_say_nothing_is_refused_before_all_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / METRICS_NAME
    write(tmp_path, [at(1, 1.0, evaluations=())])
    with path.open("ab") as stream:
        stream.write(b"{}\n" * 50 + b"\n" * 50)
    monkeypatch.setattr(metrics_log, "MOST_DAMAGED", 100)
    assert [point.updates for point in read_metrics(path)] == [1]
    with path.open("ab") as stream:
        stream.write(b"\n")
    with pytest.raises(OSError, match="hardly a line"):
        read_metrics(path)


class FakeWandb:
    """The part of the package `wandb` that is used."""

    class Error(Exception):
        """wandb's own."""

    def __init__(self, failure: str | None = None) -> None:
        self.failure = failure
        self.started: dict[str, Any] = {}
        self.logged: list[dict[str, float]] = []
        self.finished = False
        self.axes: list[Any] = []
        self.errors = types.SimpleNamespace(Error=FakeWandb.Error)
        self.Settings = dict

    def init(self, **settings: Any) -> FakeWandb:
        if self.failure:
            raise FakeWandb.Error(self.failure)
        self.started = settings
        return self

    def define_metric(self, *names: str, **axis: str) -> None:
        self.axes.append((names, axis))

    def log(self, values: dict[str, float]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.finished = True


def test_wandb_gets_what_tensorboard_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    log = WandbLog(tmp_path, MuZeroConfig(lr_init=0.5))
    status = make_status(100)
    log.status(status)
    log.close()
    evaluation, state = fake.logged
    assert evaluation["updates"] == 90
    assert evaluation["reward/evaluation_mean"] == 412.5
    assert state == {"updates": 100, **status_scalars(status)}
    assert fake.started["config"]["lr_init"] == 0.5
    assert fake.axes[-1] == (("*",), {"step_metric": "updates"})
    assert fake.finished


def test_wandb_that_is_missing_or_cannot_start_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigurationError, match="pip install wandb"):
        WandbLog(tmp_path, MuZeroConfig())
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb("No API key\nconfigured"))
    with pytest.raises(ConfigurationError, match=r"No API key configured.*WANDB_MODE=offline"):
        WandbLog(tmp_path, MuZeroConfig())


def test_wandb_itself_writes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    log = WandbLog(tmp_path, MuZeroConfig())
    log.status(dataclasses.replace(make_status(100)))
    log.close()
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))

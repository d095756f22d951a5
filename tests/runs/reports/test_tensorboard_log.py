"""TensorBoard's own reader finds what the observer wrote."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from config import MuZeroConfig, field_docs
from core.cost import NOTHING, Cost, CpuSeconds, NetworkEvaluations
from core.project import PROJECT
from data import Counters
from runs.reports.scalars import cost_scalars, play_scalars, status_scalars
from runs.reports.tensorboard_log import TensorBoardLog, hyperparameter_table
from runs.status import RunStatus
from tests.helpers.results import evaluation_result
from tests.helpers.statuses import EARLY, make_status

NO_LIMIT = {"scalars": 0, "tensors": 0}
COST = Cost(
    seconds=10.0,
    cpu_seconds=CpuSeconds(driver=2.0, self_play=14.0),
    gpu_seconds=4.0,
    played_steps=200,
    evaluation_steps=50,
    network_evaluations=NetworkEvaluations(10_000, 0, 2000),
    updates=40,
    peak_memory=3 << 20,
)


def write(
    folder: Path, statuses: list[RunStatus], seconds: float = 1.0, resumed: Counters | None = None
) -> EventAccumulator:
    now = 0.0
    log = TensorBoardLog(folder, MuZeroConfig(lr_init=0.0125), resumed=resumed, clock=lambda: now)
    for status in statuses:
        log.status(status)
        now += seconds
    log.event("solved")
    log.close()
    accumulator = EventAccumulator(str(folder), size_guidance=NO_LIMIT)
    accumulator.Reload()
    return accumulator


def points(accumulator: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, round(event.value, 5)) for event in accumulator.Scalars(tag)]


def test_scalars_are_read_back(tmp_path: Path) -> None:
    read = write(tmp_path, [EARLY, make_status(100), make_status(200, gpu_memory=2**20, ratio=0.25)])
    assert points(read, "loss/value") == [(100, 1.25), (200, 1.25)]
    assert points(read, "throughput/ratio") == [(0, 0.4987), (100, 0.4987), (200, 0.25)]
    assert points(read, "reward/evaluation_mean") == [(90, 412.5), (190, 412.5)]
    assert points(read, "reward/self_play_mean") == [(100, 40.0), (200, 40.0)]
    assert points(read, "self_play/environment_share") == [(100, 0.2), (200, 0.2)]
    assert points(read, "memory/gpu_mib") == [(200, 1.0)]
    assert points(read, "memory/total_mib") == [(0, 500.0), (100, 500.0), (200, 500.0)]


def test_every_chart_has_its_scalars(tmp_path: Path) -> None:
    read = write(tmp_path, [make_status(100, cost=COST)])
    tags = read.Tags()["scalars"]
    layout = layout_pb2.Layout.FromString(
        read.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    )
    assert len(layout.category) > 5
    patterns = [tag for c in layout.category for chart in c.chart for tag in chart.multiline.tag]
    assert len(patterns) > 20
    for pattern in patterns:
        assert any(re.search(pattern, tag) for tag in tags), pattern


def test_layout_and_text_reach_their_plugins(tmp_path: Path) -> None:
    read = write(tmp_path, [])
    assert list(read.PluginTagToContent("custom_scalars")) == ["custom_scalars__config__"]
    assert set(read.PluginTagToContent("text")) == {"hyperparameters", "events"}
    text = read.Tensors("hyperparameters")[0].tensor_proto.string_val[0].decode()
    assert "| training | lr_init | `0.0125` |" in text
    assert read.Tensors("events")[0].tensor_proto.string_val == [b"solved"]


def test_table_has_every_option_and_intact_columns() -> None:
    rows = hyperparameter_table(MuZeroConfig()).splitlines()[2:]
    assert len(rows) == len(field_docs())
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_written_at_most_once_per_interval_and_at_the_end(tmp_path: Path) -> None:
    read = write(tmp_path, [make_status(step) for step in range(8)], seconds=0.25)
    assert [step for step, _ in points(read, "loss/total")] == [0, 4, 7]


def test_what_was_written_after_the_checkpoint_is_forgotten_on_resumption(tmp_path: Path) -> None:
    write(tmp_path, [make_status(step) for step in (1200, 1320, 1400, 1440)])
    read = write(tmp_path, [make_status(step) for step in (1328, 1500)], resumed=Counters(1320))
    assert [step for step, _ in points(read, "loss/total")] == [1200, 1320, 1328, 1500]
    assert [step for step, _ in points(read, "memory/total_mib")] == [1200, 1320, 1328, 1500]


def test_one_evaluation_is_written_once(tmp_path: Path) -> None:
    old = evaluation_result(1, 3, version=10, lengths=5)
    new = evaluation_result(5, version=20, lengths=5)
    read = write(
        tmp_path, [make_status(s, evaluations=(e,)) for s, e in ((11, old), (15, old), (21, new))], 0.1
    )
    assert points(read, "reward/evaluation_mean") == [(10, 2.0), (20, 5.0)]


def test_unknown_figures_leave_no_point() -> None:
    assert EARLY.play is None
    scalars = status_scalars(EARLY)
    assert not any(tag.startswith(("loss/", "search/", "reward/")) for tag in scalars)


def test_not_a_number_leaves_no_point(tmp_path: Path) -> None:
    status = make_status(5)
    assert status.play is not None
    status = dataclasses.replace(status, play=status.play._replace(mean_depth=float("nan")))
    read = write(tmp_path, [status])
    assert "search/depth" not in read.Tags()["scalars"]
    assert "search/root_value" in read.Tags()["scalars"]


@pytest.mark.parametrize("module", ["torch", "tensorflow", "ray", "numba"])
def test_heavy_modules_are_not_imported(tmp_path: Path, module: str) -> None:
    code = (
        "import sys; from pathlib import Path; from config import MuZeroConfig\n"
        "from runs.reports.tensorboard_log import TensorBoardLog\n"
        f"TensorBoardLog(Path({str(tmp_path)!r}), MuZeroConfig()).close()\n"
        f"assert {module!r} not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)


def test_the_cost_by_kind_and_per_step() -> None:
    assert cost_scalars(COST) == {
        "cost/wall_seconds": 10.0,
        "cost/wall_seconds_per_played_step": 0.05,
        "cost/wall_seconds_per_update": 0.25,
        "cost/cpu_seconds": 16.0,
        "cost/cpu_seconds/driver": 2.0,
        "cost/cpu_seconds/self_play": 14.0,
        "cost/cpu_seconds_per_played_step": 0.08,
        "cost/cpu_seconds_per_update": 0.4,
        "cost/gpu_seconds": 4.0,
        "cost/gpu_seconds_per_played_step": 0.02,
        "cost/gpu_seconds_per_update": 0.1,
        "cost/environment_steps": 250,
        "cost/environment_steps_per_played_step": 1.25,
        "cost/environment_steps_per_update": 6.25,
        "cost/environment_steps/self_play": 200,
        "cost/environment_steps/evaluation": 50,
        "cost/network_evaluations": 12_000,
        "cost/network_evaluations/self_play": 10_000,
        "cost/network_evaluations/evaluation": 2000,
        "cost/network_evaluations_per_played_step": 60.0,
        "cost/network_evaluations_per_update": 300.0,
        "cost/peak_memory_mib": 3.0,
    }
    assert status_scalars(make_status(100, cost=COST)).items() >= cost_scalars(COST).items()


def test_a_cost_that_is_not_known_or_of_no_step_leaves_no_point() -> None:
    assert cost_scalars(Cost(5.0, played_steps=10)) == {
        "cost/wall_seconds": 5.0,
        "cost/wall_seconds_per_played_step": 0.5,
        "cost/environment_steps/self_play": 10,
    }
    assert not any("_per_" in tag for tag in cost_scalars(NOTHING))


def test_every_opponent_has_its_curves(tmp_path: Path) -> None:
    first = evaluation_result(1, 0, -1, 1, version=10, opponent="minimax", lengths=6)
    second = evaluation_result(1, 1, 1, 0, version=10, opponent="random", lengths=8)
    read = write(tmp_path, [make_status(11, evaluations=(first, second))])
    assert points(read, "evaluate/minimax/score") == [(10, 0.625)]
    assert points(read, "evaluate/minimax/draw_rate") == [(10, 0.25)]
    assert points(read, "evaluate/random/score") == [(10, 0.875)]
    assert points(read, "evaluate/random/length") == [(10, 8.0)]
    assert points(read, "reward/evaluation_mean") == [(10, 0.25)], "the first opponent judges"


def test_resignations_are_shares() -> None:
    play = make_status().play
    assert play is not None
    given_up = play._replace(games=8, resigned=2, resign_checked=4, wrong_resignations=1)
    scalars = play_scalars(given_up)
    assert scalars["self_play/resigned_share"] == 0.25
    assert scalars["self_play/wrong_resignations"] == 0.25
    assert "self_play/resigned_share" not in play_scalars(play)

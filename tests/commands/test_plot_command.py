"""Learning curves: runs are read, grouped by configuration and averaged over seeds; axes have labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread

import muzero
from commands.plot import axis_label, figure, plot_command
from config import MuZeroConfig
from core.errors import ConfigurationError
from data import Counters
from games.api.sources import load_game
from runs.reports.curves import Curve, band, curve, grouped, load_run
from runs.reports.metrics_log import MetricsLog
from saving.run_folder import METRICS_NAME
from tests.helpers.results import evaluation_result
from tests.helpers.statuses import make_status


def make_run(folder: Path, scores: list[float], config: MuZeroConfig | None = None) -> Path:
    """A run whose evaluations found `scores`, 100 updates, 1000 steps and half a minute apart."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text((config or MuZeroConfig()).to_json())
    log = MetricsLog(folder, interval=0.0)
    for number, score in enumerate(scores, 1):
        counters = Counters(100 * number, 1000 * number, 0, 0, 0, 30.0 * number)
        evaluations = (evaluation_result(score, version=100 * number),)
        log.status(make_status(100 * number, counters=counters, evaluations=evaluations))
    log.close()
    return folder


@pytest.mark.parametrize(
    ("axis", "expected"),
    [("updates", [100, 200, 300]), ("steps", [1000, 2000, 3000]), ("minutes", [0.5, 1.0, 1.5])],
)
def test_a_curve_over_each_axis(tmp_path: Path, axis: str, expected: list[float]) -> None:
    run = load_run(make_run(tmp_path / "cartpole" / "a", [5, 6, 8]))
    found = curve(run, run.default_metric, axis)  # type: ignore[arg-type]
    assert found.x.tolist() == expected
    assert found.y.tolist() == [5, 6, 8]


def test_runs_that_differ_only_in_the_seed_are_one_group(tmp_path: Path) -> None:
    options: list[dict[str, Any]] = [{"seed": 1}, {"seed": 2, "results_path": "x"}]
    options += [{"lr_init": 0.5}, {"lr_init": 0.5, "seed": 1}]
    runs = [
        load_run(make_run(tmp_path / "cartpole" / str(number), [1], MuZeroConfig().replace(**own)))
        for number, own in enumerate(options)
    ]
    groups = grouped(runs)
    assert [group.label for group in groups] == ["lr_init=0.003 (2 seeds)", "lr_init=0.5 (2 seeds)"]
    assert [[run.folder.name for run in group.runs] for group in groups] == [["0", "1"], ["2", "3"]]
    assert grouped(runs[:2])[0].label == "cartpole (2 seeds)"


def test_runs_of_other_games_and_of_older_versions(tmp_path: Path) -> None:
    new = load_run(make_run(tmp_path / "cartpole" / "new", [1]))
    folder = make_run(tmp_path / "cartpole" / "old", [1])
    options = json.loads((folder / "config.json").read_text())
    del options["fused_update"]  # an option that did not exist yet has its default
    (folder / "config.json").write_text(json.dumps(options | {"forgotten": 1}))
    other = load_run(make_run(tmp_path / "lunarlander" / "b", [1]))
    names = [(group.label, len(group.runs)) for group in grouped([new, load_run(folder), other])]
    assert names == [("cartpole (2 seeds)", 2), ("lunarlander", 1)]


def test_the_band_covers_what_all_curves_cover() -> None:
    first = Curve(np.array([0.0, 10.0]), np.array([0.0, 10.0]))
    second = Curve(np.array([2.0, 6.0, 20.0]), np.array([4.0, 8.0, 8.0]))
    found = band([first, second])
    assert found is not None
    assert (found.x[0], found.x[-1]) == (2, 10)
    assert (found.low[0], found.mean[0], found.high[0]) == (2, 3, 4)
    assert (found.low[-1], found.mean[-1], found.high[-1]) == (8, 9, 10)
    assert band([first, Curve(np.array([10.0, 12.0]), np.array([1.0, 1.0]))]) is None


def test_two_player_runs_are_judged_by_their_score(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path / "tictactoe" / "a", [1], load_game("tictactoe").config))
    assert run.default_metric == "evaluate/minimax/score"


def test_axes_are_labelled_with_units(tmp_path: Path) -> None:
    groups = grouped([load_run(make_run(tmp_path / "cartpole" / str(n), [1 + n, 2])) for n in range(2)])
    panels = figure(groups, ["reward/evaluation_mean", "loss/value"], "minutes").axes
    assert [panel.get_ylabel() for panel in panels] == [
        "mean return of greedy games (reward)",
        "loss/value (nats)",
    ]
    assert panels[-1].get_xlabel() == "wall time of training (minutes)"
    assert "shaded from smallest to largest" in panels[0].get_title()
    assert [len(panel.collections) for panel in panels] == [1, 1], "the spread over seeds"


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("memory/total_mib", "memory/total_mib (MiB)"),
        ("evaluate/minimax/score", "evaluate/minimax/score (wins and half the draws, share of games)"),
        ("throughput/ratio", "throughput/ratio"),
    ],
)
def test_units(metric: str, label: str) -> None:
    assert axis_label(metric) == label


def test_long_labels_are_not_cut_off(tmp_path: Path) -> None:
    config = load_game("connect4").config
    changed: dict[str, Any] = {"channels": 32, "blocks": 3, "ratio": 0.5, "lr_init": 0.25}
    changed |= {"replay_buffer_size": 900_000, "consistency_loss_weight": 2.0}
    changed |= {"random_opening_moves": 16, "opponents": ("minimax:12",)}
    others = {"PER": True, "td_steps": 7, "batch_size": 64, "weight_decay": 0.5, "num_unroll_steps": 9}
    runs = [
        load_run(make_run(tmp_path / str(number), [1, 2], config.replace(**options)))
        for number, options in enumerate((changed, others))
    ]
    drawn = figure(grouped(runs), ["reward/evaluation_mean"], "updates")
    canvas: Any = FigureCanvasAgg(drawn)
    canvas.draw()
    (panel,), (legend,) = drawn.axes, drawn.legends
    assert len(legend.get_texts()) == 2
    for part in (legend, panel.yaxis.label, panel.xaxis.label, panel.title):
        box = part.get_window_extent()
        assert min(box.x0, box.y0) >= 0
        assert (box.x1 <= drawn.bbox.x1, box.y1 <= drawn.bbox.y1) == (True, True)
    assert legend.get_window_extent().y1 <= panel.get_tightbbox().y0, "it does not cover the curves"


def test_the_command_writes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [make_run(tmp_path / "cartpole" / str(n), [1 + n, 2]) for n in range(2)]
    assert plot_command([*map(str, folders), "--x", "steps"]) == 0
    out = Path(capsys.readouterr().out.strip())
    assert out == tmp_path / "cartpole" / "reward-evaluation-mean-by-steps.png"
    height, width, _ = imread(out).shape
    assert (width, height) == (960, 540)


def test_a_metric_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "cartpole" / "a", [1])
    with pytest.raises(ConfigurationError, match="did you mean 'loss/value'"):
        plot_command([str(folder), "--metric", "los/value"])


def test_what_cannot_be_plotted_is_one_line(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "cartpole" / "a", [1])
    with pytest.raises(ConfigurationError, match=r"must end in one of \.png"):
        plot_command([str(folder), "--out", str(tmp_path / "x.doc")])
    with pytest.raises(ConfigurationError, match="cannot write"):
        plot_command([str(folder), "--out", str(tmp_path / "nowhere" / "x.png")])
    (folder / METRICS_NAME).write_text("")
    with pytest.raises(ConfigurationError, match="is empty"):
        plot_command([str(folder)])
    (folder / METRICS_NAME).unlink()
    with pytest.raises(ConfigurationError, match=r"metrics\.jsonl: No such file"):
        plot_command([str(folder)])
    assert muzero._reported(lambda: plot_command([str(tmp_path / "none")])) == 2

"""`python muzero.py plot RUN...`: learning curves of several runs as a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from commands._finding import find_run
from commands._options import Parser, add_results_path_option, command_parser
from core.errors import ConfigurationError
from games.api.sources import OWN_GAMES, GameFolder
from saving.files import writing

if TYPE_CHECKING:
    from runs.reports.curves import Axis, Curve, Group

AXES: dict[Axis, str] = {
    "updates": "optimiser updates",
    "steps": "environment steps of self-play",
    "minutes": "wall time of training (minutes)",
}
NAMES = {
    "reward/evaluation_mean": "mean return of greedy games (reward)",
    "reward/evaluation_best": "best mean return of greedy games (reward)",
    "reward/self_play_mean": "mean return of self-play games (reward)",
}
UNITS = {
    r"evaluate/.*/score": "wins and half the draws, share of games",
    r".*_(rate|share|resignations)": "share",
    r".*length": "moves",
    r"search/depth": "moves",
    r"(loss|entropy)/.*": "nats",
    r".*_mib|.*/mib": "MiB",
    r".*_per_second": "1/s",
    r".*seconds(/.*)?": "s",
    r"self_play/weights_age": "updates",
}
"""Units by the pattern of the metric's tag."""

KINDS = (".png", ".svg", ".pdf")
"""Of files that can be written."""
INCHES = (8.0, 4.5)
LEGEND_WIDTH, AXIS_WIDTH = 105, 45
"""Characters of a line of the legend, and along a panel's upright axis."""
LINE_INCHES = 0.2
"""Of the legend."""
DPI = 120


def plot_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    from runs.reports.curves import grouped, load_run

    folders = [find_run(name, parsed.results_path, games) for name in parsed.runs]
    runs = [load_run(folder) for folder in {folder.resolve(): folder for folder in folders}.values()]
    metrics = parsed.metric or [runs[0].default_metric]
    out = parsed.out or default_file([run.folder for run in runs], metrics[0], parsed.x)
    save(figure(grouped(runs), metrics, parsed.x), out)
    print(out)
    return 0


def default_file(folders: Sequence[Path], metric: str, axis: Axis) -> Path:
    """A name that tells what is drawn: in the folder of the only run, or beside the first one."""
    folder = folders[0] if len(folders) == 1 else folders[0].parent
    return folder / f"{re.sub(r'[^a-z0-9]+', '-', metric.lower())}-by-{axis}.png"


def figure(groups: Sequence[Group], metrics: Sequence[str], axis: Axis) -> Any:
    """The curves, one panel a metric. Raises `ConfigurationError` when a run lacks a metric."""
    from matplotlib.figure import Figure

    labels = [fill(group.label, LEGEND_WIDTH) for group in groups] if len(groups) > 1 else []
    legend_inches = LINE_INCHES * sum(1 + label.count("\n") for label in labels)
    height = INCHES[1] * len(metrics) + legend_inches
    drawn = Figure(figsize=(INCHES[0], height), dpi=DPI, layout="constrained")
    panels = drawn.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    for panel, metric in zip(panels, metrics, strict=True):
        _draw(panel, groups, metric, axis)
    panels[-1].set_xlabel(AXES[axis])
    panels[0].set_title(_title(groups))
    if labels:
        handles, _ = panels[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower left", fontsize="small")
    return drawn


def _title(groups: Sequence[Group]) -> str:
    games = " and ".join(dict.fromkeys(run.game for group in groups for run in group.runs))
    seeds = len(groups[0].runs)
    if all(len(group.runs) == 1 for group in groups):
        return games
    what = f"{seeds} seeds" if len(groups) == 1 else "seeds"
    return f"{games}: mean over {what}, shaded from smallest to largest"


def _draw(panel: Any, groups: Sequence[Group], metric: str, axis: Axis) -> None:
    from runs.reports.curves import curve

    for number, group in enumerate(groups):
        curves = [curve(run, metric, axis) for run in group.runs]
        _draw_group(panel, group.label, curves, f"C{number % 10}")
    panel.set_ylabel(fill(axis_label(metric), AXIS_WIDTH))
    panel.set_xlim(left=0)
    panel.grid(alpha=0.3)


def _draw_group(panel: Any, label: str, curves: Sequence[Curve], colour: str) -> None:
    """One run as a line; several as their mean with a band, and each one thin behind it."""
    from runs.reports.curves import band

    common = band(curves) if len(curves) > 1 else None
    if common is None:
        for number, single in enumerate(curves):
            panel.plot(
                single.x, single.y, color=colour, marker=_marker(single), label=None if number else label
            )
        return
    for single in curves:
        panel.plot(single.x, single.y, color=colour, linewidth=0.7, alpha=0.4)
    panel.fill_between(common.x, common.low, common.high, color=colour, alpha=0.18, linewidth=0)
    panel.plot(common.x, common.mean, color=colour, linewidth=2, label=label)


def _marker(single: Curve) -> str | None:
    """Few points are shown as such: a single one has no line."""
    return "o" if len(single.x) < 3 else None


def axis_label(metric: str) -> str:
    """What a metric is, with its unit."""
    if metric in NAMES:
        return NAMES[metric]
    unit = next((unit for pattern, unit in UNITS.items() if re.fullmatch(pattern, metric)), None)
    return metric if unit is None else f"{metric} ({unit})"


def save(drawn: Any, out: Path) -> None:
    """Writes the picture. Raises `ConfigurationError` on an unknown kind of file or a refusing disk."""
    if out.suffix.lower() not in KINDS:
        raise ConfigurationError(f"--out {out}: its name must end in one of {', '.join(KINDS)}")
    with writing(out):
        drawn.savefig(out)


def _parser() -> Parser:
    parser = command_parser(
        "plot RUN [RUN...]",
        "Draw learning curves. Runs that differ in nothing but the seed are drawn as one: mean and spread.",
        "plot cartpole",
        "plot results/cartpole/* --x minutes --out curves.png",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folder, or a game: its newest run")
    parser.add_argument("--x", choices=tuple(AXES), default="updates", help="default: updates")
    parser.add_argument(
        "--metric",
        metavar="TAG",
        action="append",
        help="as in TensorBoard, such as loss/value; several: one panel each; default: what judges the run",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="picture (.png, .svg, .pdf); default: beside the run"
    )
    add_results_path_option(parser)
    return parser

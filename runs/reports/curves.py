"""Learning curves of runs: read from their folders, grouped by configuration, averaged over seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean
from core.options import parse_json_object
from runs.reports.metrics_log import MetricPoint, read_metrics
from saving.reading import CONFIGURATION, read_text
from saving.run_folder import METRICS_NAME, RUN_CONFIG

Axis = Literal["updates", "steps", "minutes"]

UNIMPORTANT = (
    *("seed", "results_path", "log_interval", "checkpoint_interval", "keep_checkpoints", "wandb"),
    "object_store_mb",
)
"""Options in which runs of one group may differ: the seed, and what nothing learned depends on."""

GRID = 200
"""Points at which several curves are averaged."""


@dataclass(frozen=True)
class LoggedRun:
    """What is known of one run."""

    folder: Path
    game: str
    options: dict[str, Any]  # the configuration, as JSON has it
    points: list[MetricPoint]

    @property
    def default_metric(self) -> str:
        """The metric by which the run is judged."""
        if self.options["players"] == 1:
            return "reward/evaluation_mean"
        opponents = self.options["opponents"]
        if not (isinstance(opponents, list) and opponents):
            raise ConfigurationError(f"{self.folder / RUN_CONFIG}: a game for two needs opponents")
        return f"evaluate/{opponents[0]}/score"


class Curve(NamedTuple):
    """One metric of one run."""

    x: NDArray[np.float64]  # [n] rising
    y: NDArray[np.float64]  # [n]


class Group(NamedTuple):
    """Runs that differ in nothing but the seed."""

    name: str  # what distinguishes it
    runs: tuple[LoggedRun, ...]

    @property
    def label(self) -> str:
        """The name, and how many runs there are if there are several."""
        return self.name if len(self.runs) == 1 else f"{self.name} ({len(self.runs)} seeds)"


class Band(NamedTuple):
    """Mean and spread of several curves where all of them have values."""

    x: NDArray[np.float64]  # [GRID]
    mean: NDArray[np.float64]  # [GRID]
    low: NDArray[np.float64]  # [GRID] the smallest
    high: NDArray[np.float64]  # [GRID] the largest


def load_run(folder: Path) -> LoggedRun:
    """The run in `folder`. Raises `ConfigurationError` when it is none, or has no metrics."""
    try:
        text = read_text(folder / RUN_CONFIG, CONFIGURATION)
        points = read_metrics(folder / METRICS_NAME)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be plotted: {Path(error.filename).name}: {error.strerror}; name a run's folder"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{folder} cannot be plotted: its {RUN_CONFIG} is no text") from None
    if not points:
        raise ConfigurationError(f"{folder / METRICS_NAME} is empty: train on before plotting")
    defaults = json.loads(MuZeroConfig().to_json())
    options = defaults | parse_json_object(text, str(folder / RUN_CONFIG))
    return LoggedRun(folder, folder.absolute().parent.name, options, points)


def grouped(runs: Sequence[LoggedRun]) -> list[Group]:
    """`runs` by configuration, labelled by what distinguishes them."""
    members: dict[str, list[LoggedRun]] = {}
    for run in runs:
        members.setdefault(json.dumps(_identity(run), sort_keys=True), []).append(run)
    identities = [_identity(group[0]) for group in members.values()]
    differing = [name for name in identities[0] if any(i[name] != identities[0][name] for i in identities)]
    return [
        Group(_label(identity, differing), tuple(group))
        for identity, group in zip(identities, members.values(), strict=True)
    ]


def _identity(run: LoggedRun) -> dict[str, Any]:
    """What is the same in all runs of a group."""
    known = {name: run.options.get(name) for name in json.loads(MuZeroConfig().to_json())}
    return {"game": run.game} | {name: known[name] for name in known if name not in UNIMPORTANT}


def _label(identity: dict[str, Any], differing: Sequence[str]) -> str:
    """`cartpole`, or `lr_init=0.01, ratio=0.5` among runs of one game."""
    if "game" in differing or not differing:
        return str(identity["game"])
    return ", ".join(f"{name}={json.dumps(identity[name])}" for name in differing)


def curve(run: LoggedRun, metric: str, axis: Axis) -> Curve:
    """The points of `metric` over `axis`: where several are at one place, the last.

    Raises `ConfigurationError` when the run has no such metric.
    """
    pairs = {_position(point, axis): point.scalars[metric] for point in run.points if metric in point.scalars}
    if not pairs:
        names = sorted({name for point in run.points for name in point.scalars})
        suggestion = did_you_mean(metric, names)
        raise ConfigurationError(
            f"{run.folder} has no metric {metric!r}{suggestion} (metrics: {', '.join(names)})"
        )
    x, y = np.array(sorted(pairs.items()), np.float64).T
    return Curve(x, y)


def _position(point: MetricPoint, axis: Axis) -> float:
    positions: dict[Axis, float] = {
        "updates": point.updates,
        "steps": point.played_steps,
        "minutes": point.seconds / 60,
    }
    return positions[axis]


def band(curves: Sequence[Curve]) -> Band | None:
    """Mean and spread over the part of the axis that all curves cover; None if there is none."""
    low, high = max(c.x[0] for c in curves), min(c.x[-1] for c in curves)
    if not low < high:
        return None
    x = np.linspace(low, high, GRID)
    values = np.stack([np.interp(x, c.x, c.y) for c in curves])
    return Band(x, values.mean(axis=0), values.min(axis=0), values.max(axis=0))

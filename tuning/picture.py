"""The search as a picture: parallel coordinates of all trials, and the best score so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.wording import counted, grouped
from tuning.space import Parameter, short
from tuning.study import Study, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

PICTURE_NAME = "search.png"
INCHES_PER_AXIS = 1.6
COLOURS = "viridis_r"
"""The best are dark."""
GREY = "0.75"
TICKS = 5


class Axis(NamedTuple):
    """An upright axis of the parallel coordinates."""

    name: str
    places: tuple[float, ...]  # of the ticks, from 0 (bottom) to 1
    labels: tuple[str, ...]


def draw_search(state: Study, path: Path) -> bool:
    """Draws the trials that have ended into the PNG `path`; whether there was anything to draw."""
    trials = [trial for trial in state.ended if trial.failed is None]
    if not any(trial.score is not None for trial in trials):
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = search_figure(state, trials)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=130)
    return True


def search_figure(state: Study, trials: Sequence[Trial]) -> Figure:
    """Both panels."""
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    width = max(9.0, INCHES_PER_AXIS * (len(state.space) + 1) + 1.5)
    figure = Figure(figsize=(width, 8.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(1.25, 1))
    scores = [trial.score for trial in trials if trial.score is not None]
    low, high = min(scores), max(scores)
    norm = Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)
    draw_coordinates(upper, state, trials, norm)
    draw_progress(lower, state, trials, norm)
    figure.suptitle(title(state, trials))
    return figure


def title(state: Study, trials: Sequence[Trial]) -> str:
    """What was searched, and how."""
    stopped = sum(trial.stopped is not None for trial in trials)
    failed = sum(trial.failed is not None for trial in state.ended)
    lost = f", {failed} more failed" if failed else ""
    opened = state.opened
    budget = (
        f"{opened.minutes:g} min"
        if opened.minutes
        else grouped(opened.steps or state.base.training_steps, "update")
    )
    return (
        f"Search of {opened.game}: {counted(len(trials), 'trial')} of {budget} each, "
        f"{stopped} stopped early{lost} ({opened.optimizer}, seed {opened.seed})"
    )


# --- parallel coordinates ---


def draw_coordinates(axes: Axes, state: Study, trials: Sequence[Trial], norm: Normalize) -> None:
    """One line a trial through its values, coloured by score; grey where the trial was stopped early."""
    from matplotlib import colormaps

    assert norm.vmin is not None
    assert norm.vmax is not None
    score_axis = number_axis(score_name(state), norm.vmin, norm.vmax)
    uprights = [axis_of(parameter) for parameter in state.space] + [score_axis]
    for trial in sorted(trials, key=lambda trial: (trial.score is not None, trial.score)):
        heights = [place(parameter, trial.values[parameter.name]) for parameter in state.space]
        if trial.score is None:
            axes.plot(range(len(heights)), heights, color=GREY, linewidth=1, linestyle="--", zorder=1)
            continue
        heights.append(float(norm(trial.score)))
        best = trial is state.best
        colour = colormaps[COLOURS](norm(trial.score))
        axes.plot(
            range(len(heights)),
            heights,
            color=colour,
            linewidth=3.5 if best else 1.5,
            zorder=3 if best else 2,
        )
    for position, upright in enumerate(uprights):
        draw_upright(axes, position, upright, len(uprights))
    axes.set(xlim=(-0.15, len(uprights) - 0.55), ylim=(-0.06, 1.04), xticks=range(len(uprights)), yticks=[])
    axes.set_xticklabels([upright.name for upright in uprights])
    axes.tick_params(axis="x", length=0, pad=6)
    axes.spines[:].set_visible(False)
    axes.set_title("values of each trial (thick: the best; dashed grey: stopped early)", fontsize=10)


def draw_upright(axes: Axes, position: int, upright: Axis, count: int) -> None:
    """An axis with its ticks to the right of it."""
    axes.plot([position, position], [0, 1], color="black", linewidth=1, zorder=4)
    for height, label in zip(upright.places, upright.labels, strict=True):
        axes.plot([position, position + 0.03], [height, height], color="black", linewidth=1, zorder=4)
        axes.text(
            position + 0.05,
            height,
            label,
            va="center",
            fontsize=8,
            zorder=5,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8},
        )


def axis_of(parameter: Parameter) -> Axis:
    """A parameter's axis with ticks."""
    if parameter.choices:
        places = tuple(place(parameter, choice) for choice in parameter.choices)
        return Axis(parameter.name, places, tuple(short(choice) for choice in parameter.choices))
    if not parameter.logarithmic:
        return number_axis(parameter.name, parameter.low, parameter.high, parameter.whole)
    values = logarithmic_ticks(parameter.low, parameter.high)
    places = tuple(place(parameter, value) for value in values)
    return Axis(parameter.name, places, tuple(short(value) for value in values))


def number_axis(name: str, low: float, high: float, whole: bool = False) -> Axis:
    """An axis with evenly spaced ticks, its ends included."""
    fractions = [step / (TICKS - 1) for step in range(TICKS)]
    values = [low + (high - low) * fraction for fraction in fractions]
    if whole:
        values = sorted({round(value) for value in values})
        fractions = [(value - low) / (high - low) for value in values]
    return Axis(name, tuple(fractions), tuple(short(value) for value in values))


def logarithmic_ticks(low: float, high: float) -> list[float]:
    """The ends, and the powers of ten between that are not too near to them."""
    powers = range(math.ceil(math.log10(low) + 0.15), math.floor(math.log10(high) - 0.15) + 1)
    inner = [10.0**power for power in powers]
    if len(inner) < 1:
        inner = [math.sqrt(low * high)]
    return [low, *inner, high]


def place(parameter: Parameter, value: Any) -> float:
    """Where a value is on its axis, from 0 to 1."""
    if parameter.choices:
        return parameter.place_of(value) / (len(parameter.choices) - 1)
    low, high = parameter.low, parameter.high
    if parameter.logarithmic:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))


# --- best so far ---


def draw_progress(axes: Axes, state: Study, trials: Sequence[Trial], norm: Normalize) -> None:
    """Scores in the order in which the trials ended, and the best so far."""
    from matplotlib.ticker import MaxNLocator

    full = [(order, trial.score) for order, trial in enumerate(trials, 1) if trial.score is not None]
    orders, scores = [order for order, _ in full], [score for _, score in full]
    records = [max(scores[: number + 1]) for number in range(len(scores))]
    axes.step(
        [*orders, len(trials)], [*records, records[-1]], where="post", color="black", label="best so far"
    )
    errors = [trial.finished.error or 0.0 for trial in trials if trial.finished is not None]
    axes.errorbar(orders, scores, errors, fmt="none", ecolor="0.5", elinewidth=1, capsize=2, zorder=2)
    axes.scatter(
        orders, scores, c=scores, cmap=COLOURS, norm=norm, zorder=3, label="ran in full ± standard error"
    )
    stopped = [order for order, trial in enumerate(trials, 1) if trial.score is None]
    if stopped:
        bottom = [0.0] * len(stopped)
        transform = axes.get_xaxis_transform()
        axes.scatter(
            stopped,
            bottom,
            marker="x",
            color="0.5",
            transform=transform,
            clip_on=False,
            label="stopped early",
        )
    axes.set(xlabel="trials ended", ylabel=score_name(state), xlim=(0.5, len(trials) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.12)
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize=8)


def score_name(state: Study) -> str:
    """What the score is, with its unit."""
    games = state.opened.games
    if state.base.players == 2:
        return f"score against {state.base.opponents[0]}\n(share of points, {counted(games, 'game')})"
    return f"score\n(mean return of {counted(games, 'game')})"

"""The pictures of a diagnosis, by matplotlib. Every axis says what it shows and in which unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from data import FloatArray
from diagnosis.diagnose import Diagnosis
from diagnosis.measures import Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 9.0
"""Inches."""
SCATTERED = 2000
"""Points in a cloud."""
FEW_MOVES = 60
"""Moves of a game of which every one is marked."""
LEAST_SPAN = 0.4
"""Of an axis, by the size of what it shows."""


def panels(rows: int, columns: int, height: float) -> tuple[Figure, list[Any]]:
    """A figure and its axes, row by row; `height` in inches."""
    from matplotlib.figure import Figure as NewFigure

    drawn = NewFigure(figsize=(WIDTH, height), dpi=110, layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axis in axes:
        axis.grid(alpha=0.3)
    return drawn, axes


def horizon(diagnosis: Diagnosis) -> Figure:
    """Rewards, values and policies by the number of moves that the model looks ahead."""
    found = diagnosis.horizon
    drawn, (rewards, values, policy, agreement) = panels(2, 2, 6.4)
    by_k(rewards, "imagined", found.reward_error)
    by_k(rewards, "always 0", found.reward_size, "grey", "--")
    rewards.set_ylabel("error of the k-th reward (reward)")
    by_k(values, "imagined, from the return", found.value_error)
    by_k(values, "seen, from the return", found.fresh_value_error, "C1")
    by_k(values, "imagined, from seen", found.value_drift, "C2")
    by_k(values, "always 0", found.value_size, "grey", "--")
    values.set_ylabel("error of the value (return)")
    by_k(policy, "imagined", found.policy_divergence)
    by_k(policy, "seen", found.fresh_policy_divergence, "C1")
    by_k(policy, "uniform", found.uniform_divergence, "grey", "--")
    policy.set_ylabel("KL(search || policy) (nats)")
    by_k(agreement, "imagined", found.agreement)
    by_k(agreement, "seen", found.fresh_agreement, "C1")
    agreement.set_ylabel("first choice of the search (share)")
    for axis in (rewards, values, policy, agreement):
        finish_by_k(axis, diagnosis)
    agreement.set_ylim(0, 1.05)
    return drawn


def latents(diagnosis: Diagnosis) -> Figure:
    """The drift of imagined latent states by the number of moves that the model looks ahead."""
    found = diagnosis.horizon
    drawn, (distance, cosine) = panels(1, 2, 3.3)
    by_k(distance, "imagined from seen", found.latent_drift)
    apart = np.full(len(found.latent_drift), found.latent_apart)
    by_k(distance, "two random positions", apart, "grey", "--")
    distance.set_ylabel("distance of latent states\n(relative L2, no unit)")
    by_k(cosine, "imagined and seen", found.latent_cosine)
    cosine.set_ylabel("cosine of latent states (no unit)")
    for axis in (distance, cosine):
        finish_by_k(axis, diagnosis)
    cosine.set_ylim(top=1.05)
    return drawn


def by_k(axis: Any, label: str, values: FloatArray, colour: str = "C0", style: str = "-") -> None:
    """A line over k; unknown values leave a gap."""
    k = np.arange(len(values))
    axis.plot(k, values, style, color=colour, marker=".", label=label)


def finish_by_k(axis: Any, diagnosis: Diagnosis) -> None:
    """Marks K and labels the axis."""
    unroll_steps = diagnosis.config.num_unroll_steps
    axis.axvline(
        unroll_steps, color="black", linewidth=0.8, linestyle=":", label=f"trained up to {unroll_steps}"
    )
    axis.set_xlim(-0.2, 2 * unroll_steps + 0.2)
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel("k (moves ahead)")
    legend(axis)


def rewards(diagnosis: Diagnosis) -> Figure:
    """Predicted against real rewards, one move and K moves ahead."""
    unrolled, steps = diagnosis.unrolled, diagnosis.played.steps
    drawn, axes = panels(1, 2, 4.0)
    for axis, k in zip(axes, (1, diagnosis.config.num_unroll_steps), strict=True):
        moved = unrolled.moved[k]
        real = steps.rewards[unrolled.rows[k - 1]][moved]
        cloud(axis, real, unrolled.imagined.rewards[k][moved])
        axis.set_xlabel(f"real, of {moved.sum()} moves (reward)")
        axis.set_ylabel(f"predicted {k} move{'s' * (k > 1)} ahead (reward)")
    return drawn


def calibration(diagnosis: Diagnosis) -> Figure:
    """Values against the returns that followed, before and after the search."""
    drawn, axes = panels(1, 2, 4.6)
    pairs = (
        (axes[0], diagnosis.calibration, "value of the network"),
        (axes[1], diagnosis.search_calibration, "value of the search"),
    )
    for axis, found, name in pairs:
        bins(axis, found)
        axis.set_xlabel(f"{name} (return)\noff by {found.error:.3g} on average")
        axis.set_ylabel("what followed (return)")
    return drawn


def bins(axis: Any, found: Calibration) -> None:
    """The means of each bin with two standard errors, and the diagonal."""
    error = 2 * found.spread
    axis.errorbar(
        found.predicted,
        found.realised,
        yerr=error,
        fmt="o",
        capsize=3,
        label=f"means of about {int(np.median(found.counts))} positions, ± 2 standard errors",
    )
    values = (found.predicted, found.realised - error, found.realised + error)
    diagonal(axis, values, LEAST_SPAN * found.size)
    legend(axis, columns=1)


def cloud(axis: Any, x: FloatArray, y: FloatArray) -> None:
    """Points around the diagonal."""
    if len(x):
        axis.scatter(x[:SCATTERED], y[:SCATTERED], s=12, alpha=0.35, linewidths=0)
        diagonal(axis, (x, y), LEAST_SPAN * float(np.abs(x).max()))
        legend(axis)


def diagonal(axis: Any, values: Sequence[FloatArray], least: float) -> None:
    """Both axes alike, wide enough for `values`, with a line where they agree."""
    limits = span(values, least)
    axis.plot(limits, limits, color="grey", linestyle="--", linewidth=1, label="the same", zorder=0)
    axis.set_xlim(limits)
    axis.set_ylim(limits)


def span(values: Sequence[FloatArray], least: float) -> tuple[float, float]:
    """Limits around `values`, at least `least` apart, so that next to nothing does not fill the picture."""
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    missing = max((least or 1.0) - (high - low), 0.0) / 2
    margin = 0.05 * (high - low + 2 * missing)
    return low - missing - margin, high + missing + margin


def legend(axis: Any, columns: int = 2) -> None:
    """Names above the panel, where they hide nothing."""
    axis.legend(fontsize="x-small", loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False)


def search(diagnosis: Diagnosis) -> Figure:
    """Policies and values before and after a search without noise."""
    found = diagnosis.search
    drawn, (policy, values) = panels(1, 2, 3.8)
    policy.hist(
        [found.divergence, found.uniform_divergence],
        bins=20,
        label=["from the network's policy", "from a uniform policy"],
        color=["C0", "lightgrey"],
    )
    policy.set_xlabel(f"KL of the search's policy (nats); first choice kept in {found.agrees.mean():.0%}")
    policy.set_ylabel("positions (number)")
    legend(policy)
    cloud(values, found.value_before, found.value_after)
    values.set_xlabel("value before the search (return)")
    values.set_ylabel("value after the search (return)")
    return drawn


def trajectory(diagnosis: Diagnosis) -> Figure:
    """One game, move by move."""
    found = diagnosis.trajectory
    drawn, (values, rewards_axis, policy) = panels(3, 1, 8.0)
    moves = np.arange(1, len(found.rewards) + 1)
    few = len(moves) <= FEW_MOVES
    dots, line = (".-", ".-") if few else (".", "-")
    values.plot(moves, found.realised, line, color="black", label="return that followed")
    values.plot(moves, found.network_values, line, label="value of the network")
    values.plot(moves, found.search_values, line, label="value of the search")
    shown = (found.realised, found.network_values, found.search_values)
    values.set_ylim(span(shown, LEAST_SPAN * diagnosis.calibration.size))
    values.set_ylabel("value to player 1 (return)" if diagnosis.config.players == 2 else "value (return)")
    rewards_axis.plot(moves, found.rewards, line, color="black", label="real")
    rewards_axis.plot(moves, found.predicted_rewards, dots, label="predicted one move ahead")
    least = LEAST_SPAN * float(np.abs(diagnosis.played.steps.rewards).max())
    rewards_axis.set_ylim(span((found.rewards, found.predicted_rewards), least))
    rewards_axis.set_ylabel("reward of the move (reward)")
    policy.plot(moves, found.prior, dots, label="by the network's policy")
    policy.plot(moves, found.policy, dots, label="by the search")
    policy.set_ylabel("move played (probability)")
    policy.set_ylim(-0.05, 1.05)
    for axis in (values, rewards_axis, policy):
        axis.set_xlabel("move of the game (number)")
        axis.set_xlim(0, len(moves) + 1)
        axis.xaxis.get_major_locator().set_params(integer=True)
        legend(axis)
    return drawn

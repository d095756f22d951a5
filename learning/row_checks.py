"""Whether stored steps from a file can be learned from: what the buffer's kernels take for granted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.array_checks import LARGEST_FINITE, Wanted, check_array, check_arrays, check_generator
from core.json_text import LARGEST, whole
from data import Snapshot
from learning.targets import FINAL, OWN, StepRows, row_layout

LATER = ("exploratory",)
"""Columns that buffers of earlier versions do not have."""
WEIGHTS = "weights"
"""Beside the columns: the sum tree's leaves."""


def check_buffer(state: Snapshot, config: MuZeroConfig) -> None:
    """Raises `ValueError` unless `state` is one of a replay buffer by `config`, and fits together."""
    arrays = state.arrays
    size = len(arrays["actions"]) if "actions" in arrays and arrays["actions"].ndim else 0
    check_arrays(arrays, _wanted(config, size), LATER)
    observations = arrays["observations"].dtype
    check_array(arrays["observations"], Wanted((size, *config.observation_shape), None), "observations")
    if observations.itemsize > 4:
        raise ValueError(f"observations are {observations}, of more than four bytes")
    _check_runs(StepRows(**{"exploratory": arrays["actions"], **_columns(state)}), arrays[WEIGHTS])
    first = whole(state.facts.get("first"), "first")
    whole(state.facts.get("cursor"), "cursor", 0, first + size)
    whole(state.facts.get("ever", 0), "ever")
    whole(first + size, "its rows")
    check_generator(state.facts.get("generator"))


def _columns(state: Snapshot) -> dict[str, NDArray[np.generic]]:
    return {name: state.arrays[name] for name in StepRows._fields if name in state.arrays}


def _wanted(config: MuZeroConfig, size: int) -> dict[str, Wanted]:
    """Of `size` rows, by column."""
    bounds = {
        "actions": (0, config.num_actions - 1),
        "to_play": (0, config.players - 1),
        "remaining": (0, LARGEST),
        "kind": (0, 2),
        "past": (0, config.stacked_observations),
        "versions": (-1, FINAL),
        "frequency": (0, LARGEST_FINITE),
    }
    layout = zip(StepRows._fields, row_layout(config, np.dtype(np.float32)), strict=True)
    wanted = {
        name: Wanted((size, *shape), dtype, *bounds.get(name, (-LARGEST_FINITE, LARGEST_FINITE)))
        for name, (shape, dtype) in layout
    }
    anything = wanted["observations"]._replace(dtype=None)
    return wanted | {"observations": anything, WEIGHTS: Wanted((size,), np.float64, 0, LARGEST_FINITE)}


def _check_runs(rows: StepRows, weights: NDArray[np.float64]) -> None:
    """Raises `ValueError` unless histories follow one another whole: targets look ahead, and stacks back."""
    size = len(rows.actions)
    if not size:
        return
    last = rows.remaining == rows.terminated
    inside = ~last[:-1]
    counts_down = rows.remaining[1:] == rows.remaining[:-1] - 1
    alike = (rows.terminated[1:] == rows.terminated[:-1]) & (rows.ends_game[1:] == rows.ends_game[:-1])
    in_order = rows.kind[1:] >= rows.kind[:-1]
    if not last[-1] or not (counts_down & alike & in_order)[inside].all():
        raise ValueError("its games are not whole: their steps do not follow one another")
    places = np.arange(size)
    begins = np.maximum.accumulate(np.where(np.append(True, last[:-1]), places, 0))
    if (rows.past > places - begins).any():
        raise ValueError("its games are not whole: a step looks back beyond the first one")
    own = rows.kind == OWN
    if weights[~own].any() or (own.any() and not 0 < weights.sum() < np.inf):
        raise ValueError("its steps cannot be drawn: their weights are none")

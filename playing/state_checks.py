"""Whether a self-play worker's state that comes from a file can be played on from."""

from __future__ import annotations

import numpy as np

from config import MuZeroConfig
from core.array_checks import LARGEST_FINITE, Wanted, check_arrays, check_generator
from core.json_text import LARGEST
from data import Snapshot

LATER = ("table.stacks", "openings.lengths", "recorder.exploratory", "recorder.surprises")
"""What workers of earlier versions have not kept."""


def check_worker(state: Snapshot, config: MuZeroConfig) -> None:
    """Raises `ValueError` unless `state` is one of a `self_play.SelfPlay` by `config`, and fits together."""
    arrays, batch = state.arrays, config.games_per_worker
    cursors = arrays.get("recorder.actions")
    length = cursors.shape[1] if cursors is not None and cursors.ndim == 2 else 0
    moves = arrays["table.actions"].size if "table.actions" in arrays else 0
    needed = config.stacked_observations + config.longest_history + 1
    if length < needed:
        raise ValueError(f"what is recorded has room for {length} moves, where {needed} are needed")
    check_arrays(arrays, _table(config, batch, moves) | _recorder(config, batch, length, needed), LATER)
    lengths = arrays["table.lengths"]
    if lengths.sum() != moves:
        raise ValueError("the moves of its running games are not all there")
    if (arrays["recorder.past"] > arrays["recorder.cursor"]).any():
        raise ValueError("what is recorded of its running games begins behind its end")
    check_generator(state.facts.get("generator"))


def _table(config: MuZeroConfig, batch: int, moves: int) -> dict[str, Wanted]:
    stacks = (batch, config.stacked_channels, *config.observation_shape[1:])
    return {
        "table.seeds": Wanted((batch,), np.int64, 0, LARGEST),
        "table.lengths": Wanted((batch,), np.int64, 0, config.max_moves),
        "table.actions": Wanted((moves,), np.int32, 0, config.num_actions - 1),
        "table.stacks": Wanted(stacks, np.float32),
        "resignation.played_out": Wanted((batch,), np.bool_),
        "resignation.hopeless": Wanted((batch,), np.int8, -1, config.players - 1),
        "openings.lengths": Wanted((batch,), np.int64, 0, LARGEST),
    }


def _recorder(config: MuZeroConfig, batch: int, length: int, used: int) -> dict[str, Wanted]:
    """Of so many games and moves, of which as many as `used` may be."""
    rows, actions = (batch, length), config.num_actions
    wanted = {
        "observations": Wanted((*rows, *config.observation_shape), None),
        "actions": Wanted(rows, np.int32, 0, actions - 1),
        "rewards": Wanted(rows, np.float32),
        "policies": Wanted((*rows, actions), np.float32, 0, LARGEST_FINITE),
        "root_values": Wanted(rows, np.float32),
        "to_play": Wanted(rows, np.int8, 0, config.players - 1),
        "legal": Wanted((*rows, (actions + 7) // 8), np.uint8),
        "versions": Wanted(rows, np.int64, -1, LARGEST),
        "surprises": Wanted(rows, np.float32),
        "exploratory": Wanted(rows, np.bool_),
        "cursor": Wanted((batch,), np.int64, 0, used - 1),
        "past": Wanted((batch,), np.int64, 0, config.stacked_observations),
        "first_step": Wanted((batch,), np.int64, 0, LARGEST),
    }
    return {f"recorder.{name}": one for name, one in wanted.items()}

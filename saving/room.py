"""How large the parts of a checkpoint can be, by its configuration: known before they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping

from config import MuZeroConfig
from core.memory import usable_memory
from saving.files import CheckpointError

FREE = 64 << 20
"""Bytes that any part may have: below it nobody asks for the configuration."""
WEIGHTS_OF_PARAMETERS = 16
"""Bytes of weights for each parameter that the kind of network has by its own, rough count: float32, four
times as many numbers."""
COPIES = 8
"""Of the weights, that a trainer may keep: its own, the target network's, the optimiser's, a term's."""
SHARE = 0.5
"""Of the memory that this process may use, for all parts together."""


def check_room(sizes: Mapping[str, int], config_json: str, usable: int | None = None) -> None:
    """Raises `CheckpointError` unless parts of these `sizes` [bytes] can be those of a configuration.

    `weights` are the network's, all others are called as in `Checkpoint.parts`. Nothing is made of it.
    """
    room = int(SHARE * (usable_memory() if usable is None else usable))
    large = {name: size for name, size in sizes.items() if size > FREE}
    config = MuZeroConfig.from_json(config_json) if large else None
    for name, size in large.items():
        assert config is not None
        most = FREE + min(_most(name, config, room), room)
        if size > most:
            raise CheckpointError(
                f"{name} takes {size / 2**20:,.0f} MiB, where this configuration has at most "
                f"{most / 2**20:,.0f}"
            )
    total = sum(sizes.values())
    if total > room + FREE:
        raise CheckpointError(f"it takes {total / 2**30:.1f} GiB, of which there is no room in memory")


def _most(name: str, config: MuZeroConfig, room: int) -> int:
    """Bytes of a part. What nothing is known of may take a quarter of the room."""
    parameters = config.network_kind.parameters(config)
    weights = room // 4 if parameters is None else WEIGHTS_OF_PARAMETERS * parameters
    if name == "weights":
        return weights
    if name == "trainer":
        return COPIES * weights
    if name == "buffer":
        return config.replay_buffer_mb << 20
    if name.startswith("self_play"):
        return _running_games(config)
    return room // 4


def _running_games(config: MuZeroConfig) -> int:
    """Bytes of the games that one worker is playing: about what is recorded of them, with room to spare."""
    cells, actions = math.prod(config.observation_shape), config.num_actions
    rows = config.stacked_observations + config.segment_length + config.td_steps + config.num_unroll_steps + 2
    recorded = rows * (8 * cells + 5 * actions + 64)
    stacked = 4 * config.stacked_channels * math.prod(config.observation_shape[1:])
    return 2 * config.games_per_worker * (recorded + stacked + 4 * config.max_moves)

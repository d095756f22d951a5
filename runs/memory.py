"""Whether a run has room: what its arrays will take, compared with what this process may use."""

from __future__ import annotations

import os
from pathlib import Path

from config import MuZeroConfig
from core.errors import ConfigurationError

LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),  # of the container, cgroups of version 2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # and 1
)


def usable_memory(limits: tuple[Path, ...] = LIMITS) -> int:
    """Bytes that this process may use: the machine's, or what the container is allowed."""
    usable = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limits:
        try:
            usable = min(usable, int(path.read_text()))
        except (OSError, ValueError):  # no such file, or "max": no limit
            continue
    return usable


def needed_memory(config: MuZeroConfig) -> dict[str, int]:
    """Bytes of the largest arrays of a run, by what they hold, when observations take four bytes a number."""
    channels, height, width = config.observation_shape
    observation = 4 * channels * height * width
    row = observation + 4 * config.num_actions + 64
    games = config.games_per_worker * config.num_workers
    history = config.stacked_observations + config.longest_history + 1
    buffer = min(config.replay_buffer_mb << 20, (config.replay_buffer_size + config.longest_history) * row)
    batch = config.batch_size * 4 * config.stacked_channels * height * width
    batch *= 1 + (config.num_unroll_steps if config.consistency_loss_weight else 0)
    return {
        "running games (games_per_worker, segment_length, td_steps)": games * history * row,
        "replay buffer (replay_buffer_size, replay_buffer_mb)": buffer,
        "batches (batch_size)": 4 * batch,
    }


def check_memory(config: MuZeroConfig, usable: int) -> None:
    """Raises `ConfigurationError`, naming the largest, when a run's arrays do not fit into `usable` bytes."""
    needed = needed_memory(config)
    if sum(needed.values()) <= usable:
        return
    largest = max(needed, key=lambda what: needed[what])
    raise ConfigurationError(
        f"the run's arrays would take {sum(needed.values()) / 2**30:.1f} GiB, and this process may use "
        f"{usable / 2**30:.1f} GiB: most is for {largest}, {needed[largest] / 2**30:.1f} GiB"
    )

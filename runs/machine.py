"""What of a run follows the machine that it is started on: how many players, and whether its arrays fit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from config import MuZeroConfig
from core.actor_kinds import ACTOR_KINDS, ActorKind, GpuUse, members
from core.errors import ConfigurationError
from core.memory import require_room, usable_memory
from core.processes import free_processes
from runs.memory_watch import SCARCE
from search.tree import tree_bytes

NETWORK_COPIES = 8
"""Of the parameters: the trainer's with its gradient and two moments, the target's, players', evaluator's."""


def needed_memory(config: MuZeroConfig) -> dict[str, int]:
    """Bytes of the largest arrays of a run, by what they hold, when observations take four bytes a number."""
    channels, height, width = config.observation_shape
    observation = 4 * channels * height * width
    row = observation + 4 * config.num_actions + 64
    games = config.games_per_worker * max(config.num_workers, 1)
    history = config.stacked_observations + config.longest_history + 1
    buffer = min(config.replay_buffer_mb << 20, (config.replay_buffer_size + config.longest_history) * row)
    batch = config.batch_size * 4 * config.stacked_channels * height * width
    batch *= 1 + (config.num_unroll_steps if config.consistency_loss_weight else 0)
    return {
        "running games (games_per_worker, segment_length, td_steps)": games * history * row,
        "replay buffer (replay_buffer_size, replay_buffer_mb)": buffer,
        "batches (batch_size)": 4 * batch,
        "search trees (num_simulations, games_per_worker)": tree_bytes(
            games, config.num_simulations + 1, config.num_actions
        ),
        "network (layers, encoding_size, channels, blocks)": NETWORK_COPIES * 4 * parameters_of(config),
    }


def parameters_of(config: MuZeroConfig) -> int:
    """About as many numbers as the network has; made only where its kind does not know."""
    known = config.network_kind.parameters(config)
    if known is not None:
        return known
    from models import make_network

    return sum(parameter.numel() for parameter in make_network(config).parameters())


def check_memory(config: MuZeroConfig, usable: int) -> None:
    """Raises `ConfigurationError`, naming the largest, when a run's arrays do not fit into `usable` bytes."""
    needed = needed_memory(config)
    largest = max(needed, key=lambda what: needed[what])
    most = f": most is for {largest}, {needed[largest] / 2**30:.1f} GiB"
    require_room(sum(needed.values()), "the run's arrays", most, usable)


RAY_BYTES = 900 << 20
"""Memory of Ray's own processes and of the driver, measured on two cores."""
ACTOR_BYTES = 300 << 20
"""Of a process that does not play: Python, NumPy, and where it learns or evaluates torch, roughly."""


def memory_budget(config: MuZeroConfig, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> dict[str, int]:
    """Bytes that a run on Ray will have grown to when its buffer is full, by what takes them, about."""
    actors = members(config, kinds)
    playing = sum(1 for member in actors if member.kind.gpu is GpuUse.PLAYING)
    arrays = needed_memory(config)
    buffer = next(name for name in arrays if name.startswith("replay buffer"))
    return {
        "replay buffer": arrays.pop(buffer),
        "object store": config.object_store_mb << 20,
        f"{len(actors)} actors": playing * WORKER_BYTES + (len(actors) - playing) * ACTOR_BYTES,
        "games, batches, trees": sum(arrays.values()),
        "Ray": RAY_BYTES,
    }


def budget_note(config: MuZeroConfig, usable: int, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> str:
    """One line that says what a run on Ray will take of `usable` bytes; a warning if that is too much."""
    budget = memory_budget(config, kinds)
    total = sum(budget.values())
    parts = ", ".join(f"{name} {size / 2**30:.1f}" for name, size in budget.items())
    line = f"memory: up to about {total / 2**30:.1f} of {usable / 2**30:.1f} GiB ({parts})"
    if total <= SCARCE * usable:
        return line
    return f"warning: {line}: give fewer --num-workers, or a smaller replay_buffer_mb or --object-store-mb"


RAY_THREADS = 250
"""Processes and threads of Ray itself, measured on two cores."""
ACTOR_THREADS = 40


def processes_needed(config: MuZeroConfig, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> int:
    """Processes and threads of a run on Ray, about; where it does not say how many players, with one."""
    return RAY_THREADS + ACTOR_THREADS * len(members(config, kinds))


def check_processes(config: MuZeroConfig, free: int | None, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> None:
    """Raises `ConfigurationError` where a run on Ray needs more processes and threads than may be started.

    Ray says nothing useful then: it hangs, or takes it for want of memory.
    """
    needed = processes_needed(config, kinds)
    if free is not None and needed > free:
        raise ConfigurationError(
            f"a run on Ray needs about {needed} processes and threads, and only {free} more may be started "
            "here: raise the limit (ulimit -u, or the container's), give fewer --num-workers, "
            "or train in one process with --local"
        )


RAY_FILES = 100
"""Files that a process of Ray opens, measured: with 64 it dies on the way, with 128 a small run ends well."""
ACTOR_FILES = 4


def descriptors_needed(config: MuZeroConfig, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> int:
    """Files that a process of a run on Ray must be able to open, about."""
    return RAY_FILES + ACTOR_FILES * len(members(config, kinds))


def check_descriptors(config: MuZeroConfig, limit: int, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> None:
    """Raises `ConfigurationError` where a process may open fewer files than a run on Ray needs.

    `limit` is that of the process; negative: none.
    """
    needed = descriptors_needed(config, kinds)
    if 0 <= limit < needed:
        raise ConfigurationError(
            f"a run on Ray needs about {needed} open files a process, and {limit} are allowed here: raise "
            "the limit (ulimit -n), or train in one process with --local"
        )


# --- players ---

BUSY = 2
"""Cores that the trainer and all others than self-play keep busy, where there are as many to spare."""
WORKER_BYTES = 400 << 20
"""Memory of a process that plays, its network and games included, roughly."""
MOST_WORKERS = 32
"""More of them than this is for who asks for it."""


class Fitted(NamedTuple):
    """A configuration for this machine, and what to say of it."""

    config: MuZeroConfig
    notes: tuple[str, ...]


def fitted(config: MuZeroConfig, cores: int, memory: int, free: int | None = None) -> Fitted:
    """`config` with as many self-play actors as there are cores, memory and processes (of which `free` may
    still be started; None: any number) for, unless it says how many.
    """
    if config.num_workers:
        many = config.num_workers > cores
        note = f"num_workers={config.num_workers} on {cores} cores: they will take turns"
        return Fitted(config, (note,) if many else ())
    by_memory = int(memory // 2 // WORKER_BYTES)
    most = min(cores - BUSY, by_memory, MOST_WORKERS)
    by_processes = most if free is None else 1 + (free - processes_needed(config)) // ACTOR_THREADS
    workers = max(1, min(most, by_processes))
    limit = f", of which {free} processes may still be started" * (by_processes < most)
    note = f"num_workers={workers}, by this machine's {cores} cores and {memory / 2**30:.1f} GiB{limit}"
    return Fitted(config.replace(num_workers=workers), (note,))


def fitted_here(config: MuZeroConfig, *, local: bool, address: str | None) -> Fitted:
    """`config` for a run in one process, on this machine, or on a cluster, of which nothing is known here."""
    if local or address is not None:
        return Fitted(config.replace(num_workers=config.num_workers or 1), ())
    return fitted(config, len(os.sched_getaffinity(0)), usable_memory(), free_processes())

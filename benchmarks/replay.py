"""How long the replay buffer takes to assemble a batch, and what a stored step costs in memory.

`python -m benchmarks.replay --json` prints one JSON object per line.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.common import report, run_on_one_core
from config import MuZeroConfig
from data import GameHistory
from replay_buffer import ReplayBuffer

GAME_LENGTH = 200
SIZES = (10**4, 10**5, 10**6)
TD_STEPS = (10, 50)


def main() -> None:
    """Prints one line per number of stored steps and of TD steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--repeats", type=int, default=300, help="batches that are timed")
    arguments = parser.parse_args()
    for steps in SIZES:
        for td_steps in TD_STEPS:
            report(measure(steps, td_steps, arguments.repeats), arguments.json)


def measure(steps: int, td_steps: int, repeats: int) -> dict[str, Any]:
    """Fills a buffer with CartPole-like games and times batches of 256 with 5 unrolled steps."""
    config = MuZeroConfig(
        replay_buffer_size=steps,
        learning_starts=min(steps, 1000),
        td_steps=td_steps,
        batch_size=256,
        num_unroll_steps=5,
        segment_length=GAME_LENGTH,
        max_moves=GAME_LENGTH,
    )
    generator = np.random.default_rng(0)
    buffer = ReplayBuffer(config, generator)
    while buffer.status().steps < steps:
        buffer.add([random_game(generator)])
    buffer.sample(10)
    sampling, updating = [], []
    for _ in range(repeats):
        started = time.perf_counter()
        (batch,) = buffer.sample(1)
        sampled = time.perf_counter()
        buffer.update_priorities(batch.positions, np.abs(batch.target_value[:, 0]))
        sampling.append(sampled - started)
        updating.append(time.perf_counter() - sampled)
    status = buffer.status()
    return {
        "name": "replay",
        "steps": status.steps,
        "td_steps": td_steps,
        "batch": config.batch_size,
        "unroll": config.num_unroll_steps,
        "sample_ms": round(float(np.median(sampling)) * 1e3, 3),
        "sample_p99_ms": round(float(np.percentile(sampling, 99)) * 1e3, 3),
        "update_priorities_ms": round(float(np.median(updating)) * 1e3, 3),
        "bytes_per_step": round(status.bytes / status.steps, 1),
    }


def random_game(generator: np.random.Generator) -> GameHistory:
    """A truncated game of `GAME_LENGTH` steps with CartPole's shapes."""
    length = GAME_LENGTH
    return GameHistory(
        observations=generator.random((length + 1, 1, 1, 4), np.float32),
        actions=generator.integers(2, size=length, dtype=np.int32),
        rewards=np.ones(length, np.float32),
        policies=np.full((length, 2), 0.5, np.float32),
        root_values=100 * generator.random(length + 1, np.float32),
        to_play=np.zeros(length + 1, np.int8),
        legal_actions=np.full((length + 1, 1), 0b11000000, np.uint8),
        steps=length,
        past=0,
        terminated=False,
        truncated=True,
        seed=0,
        versions=np.zeros(length + 1, np.int64),
        first_step=0,
        game_return=float(length),
        game_length=length,
    )


if __name__ == "__main__":
    run_on_one_core("benchmarks.replay")
    main()

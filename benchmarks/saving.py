"""How long checkpoints hold a training on Ray up: `python -m benchmarks.saving [--steps N] [--seconds N]`.

A run begins with a buffer of `--steps` steps of made-up games, and trains for `--seconds`, once without
checkpoints and once with one every few seconds. Printed are the longest pauses between two results of the
trainer, in milliseconds: what they are longer with checkpoints, the checkpoints have caused.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import ray

from config import MuZeroConfig
from core.randomness import Stream, make_generator
from data import Counters, GameHistory, TrainingMetrics
from games.api.sources import load_game
from replay_buffer import ReplayBuffer
from runs.cluster import Launcher, start_ray
from runs.handles import RemoteHandle
from runs.ray_run import RayRun
from runs.reports.panel import Observers
from runs.session import Session
from saving.checkpoint import Checkpoint

NEVER = 1e6
"""Seconds until a checkpoint that is not to be made."""
SHOWN = 5
"""The longest pauses that are printed."""
BOARD: dict[str, Any] = {"replay_buffer_size": 2_000_000, "replay_buffer_mb": 4096, "replay_window": 1.0}


class Pauses(NamedTuple):
    """Between two results of the trainer."""

    interval: float  # seconds between checkpoints
    checkpoints: int  # generations that were written, about
    longest: tuple[float, ...]  # seconds
    updates: int  # made


def made_up(config: MuZeroConfig, steps: int) -> GameHistory:
    """A game of random numbers."""
    generator, actions = np.random.default_rng(0), config.num_actions
    return GameHistory(
        observations=generator.random((steps + 1, *config.observation_shape), np.float32),
        actions=generator.integers(0, actions, steps).astype(np.int32),
        rewards=np.zeros(steps, np.float32),
        policies=np.full((steps, actions), 1 / actions, np.float32),
        root_values=np.zeros(steps + 1, np.float32),
        to_play=np.zeros(steps + 1, np.int8),
        legal_actions=np.packbits(np.ones((steps + 1, actions), np.bool_), axis=1),
        steps=steps,
        past=0,
        terminated=True,
        truncated=False,
        seed=0,
        versions=np.zeros(steps + 1, np.int64),
        first_step=0,
        game_return=0.0,
        game_length=steps,
    )


def filled(config: MuZeroConfig, steps: int, game: str) -> Checkpoint:
    """A run that has nothing but so many steps in its buffer."""
    buffer = ReplayBuffer(config, make_generator(config.seed, Stream.BUFFER))
    history = made_up(config, min(config.max_moves, 100))
    while buffer.steps < steps:
        buffer.add([history] * 100)
    counters = Counters(played_steps=buffer.added, added_steps=buffer.added)
    return Checkpoint(game, config.to_json(), {}, counters, {"buffer": buffer.state()})


def measured(config: MuZeroConfig, game: str, start: Checkpoint, seconds: float) -> Pauses:
    """Trains for so many seconds from the first update on."""
    with tempfile.TemporaryDirectory() as folder:
        session = Session(load_game(game), config, Path(folder), Observers([]), start, this_machine=False)
        run, clock = RayRun(session, Launcher(load_game(game), config)), Clock(session)
        try:
            run.run(lambda: clock.seconds > seconds)
        finally:
            for handle in run.actors.values():
                ray.kill(cast(RemoteHandle[Any], handle).actor)
        names = sorted(path.name for path in Path(folder, "checkpoints").iterdir())
        return clock.pauses(config.checkpoint_interval, int(names[-1].split("-")[0]) - 1)


class Clock:
    """Notes when the results of the trainer come."""

    def __init__(self, session: Session) -> None:
        self.times: list[float] = []
        self.updates = 0
        self._taken = session.trained
        session.trained = self.trained  # type: ignore[method-assign]

    @property
    def seconds(self) -> float:
        """Since the first one."""
        return time.perf_counter() - self.times[0] if self.times else 0.0

    def trained(self, metrics: TrainingMetrics, again: int = 0) -> None:
        """A result has come."""
        self.times.append(time.perf_counter())
        self.updates += metrics.updates
        self._taken(metrics, again)

    def pauses(self, interval: float, checkpoints: int) -> Pauses:
        """What was noted, but the first results, while the others still start."""
        gaps = np.sort(np.diff(self.times[10:]))[::-1]
        return Pauses(interval, checkpoints, tuple(gaps[:SHOWN].tolist()), self.updates)


def main() -> None:
    """Prints a line without checkpoints, and one with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--game", default="connect4")
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--interval", type=float, default=8.0)
    parsed = parser.parse_args()
    few = {
        "num_workers": 1,
        "num_reanalyse_workers": 0,
        "evaluation_interval": 0.0,
        "target_reward": None,
    }
    config = load_game(parsed.game).config.replace(
        **BOARD | few, ratio=0.0, network="fullyconnected", batch_size=64, training_steps=10**9
    )
    start = filled(config, parsed.steps, parsed.game)
    size = sum(array.nbytes for array in start.parts["buffer"].arrays.values())
    print(f"{parsed.steps} steps of {parsed.game}, {size / 2**20:.0f} MiB")
    start_ray(config, None)
    for interval in (NEVER, parsed.interval):
        found = measured(config.replace(checkpoint_interval=interval), parsed.game, start, parsed.seconds)
        longest = " ".join(f"{1000 * pause:.0f}" for pause in found.longest)
        print(f"{found.checkpoints} checkpoints, {found.updates} updates, longest pauses in ms: {longest}")


if __name__ == "__main__":
    main()

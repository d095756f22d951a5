"""The actors: thin Ray shells over plain classes, launched on resources that are stated one by one."""

from __future__ import annotations

import os
import time
from typing import Any

import ray

from arena.evaluator import Evaluator
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.project import PROJECT
from core.randomness import Stream, make_generator
from core.threads import THREADS, use_one_thread
from data import (
    Batch,
    ReanalyseRequest,
    ReanalyseResult,
    Snapshot,
    TrainingResult,
    VersionedWeights,
    Video,
    Weights,
)
from games.api.sources import game_of
from games.api.spec import GameSpec
from replay_buffer import Reanalyse, ReplayBuffer
from self_play import SelfPlay
from shared_storage import SharedStorage

POLL_SECONDS = 0.05


class RemoteSource:
    """A `WeightsSource` that asks the storage actor now and then, without waiting for its answer."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._question: Any = None
        self._next = 0.0

    def newer_than(self, version: int) -> VersionedWeights | None:
        """The newest weights known to be newer than `version`; waits only for the very first ones."""
        while True:
            newer = self._ask(version)
            if newer is not None or version >= 0:
                return newer
            time.sleep(POLL_SECONDS)

    def _ask(self, version: int) -> VersionedWeights | None:
        now = time.perf_counter()
        if self._question is None and now >= self._next:
            self._question = self._storage.latest.remote(version)
            self._next = now + POLL_SECONDS
        if self._question is None or not ray.wait([self._question], timeout=0)[0]:
            return None
        published, self._question = ray.get(self._question), None
        return VersionedWeights(published.version, ray.get(published.handle[0])) if published else None


class SelfPlayActor(SelfPlay):
    """`SelfPlay` with the weights of the storage actor."""

    def __init__(
        self,
        game: str | GameSpec,
        config: MuZeroConfig,
        worker: int,
        storage: Any,
        device: str,
        attempt: int,
    ) -> None:
        super().__init__(game_of(game), config, worker, RemoteSource(storage), device, attempt)


class ReanalyseActor(Reanalyse):
    """`Reanalyse` that passes on that there is nothing to do yet."""

    def refresh_any(self, request: ReanalyseRequest | None) -> ReanalyseResult | None:
        """The refreshed request, or None for none."""
        return self.refresh(request) if request is not None else None


class BufferActor(ReplayBuffer):
    """`ReplayBuffer` that takes what `ReanalyseActor` gives."""

    def reanalyse_update_any(self, result: ReanalyseResult | None) -> int:
        """Writes a result back, if there is one; the number of its steps."""
        if result is None:
            return 0
        self.reanalyse_update(result)
        return len(result.positions)


class EvaluatorActor(Evaluator):
    """`Evaluator` that films games between evaluations, in slices as well."""

    def __init__(self, game: str | GameSpec, config: MuZeroConfig, device: str) -> None:
        super().__init__(game_of(game), config, device)

    def start_film(self, version: int, weights: Weights) -> None:
        """Sets up the film of a game of `weights`, which `version` updates have made."""
        from showing.background_film import BackgroundFilm

        self._filming = BackgroundFilm(self.spec, self.config, version, weights, self.device)

    def film(self, seconds: float = 0.5) -> Video | None:
        """Goes on for about `seconds`; the film once it is complete, None before."""
        return self._filming.go_on(seconds)


class TrainerActor:
    """`Trainer`, imported where it runs: no other process has to load torch."""

    def __init__(self, config: MuZeroConfig, device: str, state: Snapshot | None) -> None:
        from trainer import Trainer

        self._trainer = Trainer(config, device)
        if state is not None:
            self._trainer.load_state(state)

    def train(self, batches: list[Batch]) -> TrainingResult:
        """One update per batch."""
        return self._trainer.train(batches)

    def published(self) -> tuple[int, Weights]:
        """The number of updates made, and the weights that they made."""
        return self._trainer.training_step, self._trainer.weights()

    def target(self) -> tuple[int, Weights]:
        """The number of updates that made the target network's weights, and those weights."""
        return self._trainer.target_step, self._trainer.target_weights()

    def state(self) -> Snapshot:
        """What it takes to go on training."""
        return self._trainer.state()


def start_ray(config: MuZeroConfig, address: str | None) -> None:
    """Starts a quiet Ray of our own size on this machine, or joins the cluster at `address`.

    Raises `ConfigurationError` if Ray does not start, or the cluster cannot be joined.
    """
    use_one_thread()
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0", RAY_enable_metrics_collection="0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray would run our actors at the lowest priority
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    paths = [str(PROJECT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path for path in paths if path))
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        _start_here(config, quiet)
        return
    environment = {"working_dir": str(PROJECT), "excludes": ["results", ".git", ".venv"], "env_vars": THREADS}
    try:
        ray.init(address=address, runtime_env=environment, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"cannot join the Ray cluster at {address}: {reason}") from None


def _start_here(config: MuZeroConfig, quiet: dict[str, Any]) -> None:
    processes = config.num_workers + config.num_reanalyse_workers + 4
    try:
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, processes),
            object_store_memory=config.object_store_mb << 20,
            include_dashboard=False,
            **quiet,
        )
    except Exception as error:  # Ray raises plain ones
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"Ray did not start on this machine, which may be overloaded or short of memory: {reason}"
        ) from None


class Launcher:
    """Starts the actors of one run; also again, when one has been lost."""

    def __init__(self, game: str | GameSpec, config: MuZeroConfig) -> None:
        """`game` is sent to the actors: by name if its rules are compiled."""
        self.game, self.config = game, config
        found = ray.cluster_resources().get("GPU", 0) > 0
        on_gpu = config.training_device(found, "Ray").startswith("cuda")
        players = config.num_workers + config.num_reanalyse_workers + 1 if config.selfplay_on_gpu else 0
        self._share = 1.0 / (players + 1) if on_gpu else 0.0
        self.player_device = "cuda" if on_gpu and config.selfplay_on_gpu else "cpu"
        self._player_share = self._share if self.player_device == "cuda" else 0.0

    def storage(self) -> Any:
        """The shared storage."""
        return ray.remote(SharedStorage).options(num_cpus=0).remote()

    def buffer(self) -> Any:
        """The replay buffer."""
        generator = make_generator(self.config.seed, Stream.BUFFER)
        return ray.remote(BufferActor).options(num_cpus=1).remote(self.config, generator)

    def trainer(self, state: Snapshot | None) -> Any:
        """The trainer, going on from `state`."""
        launch = ray.remote(TrainerActor).options(num_cpus=1, num_gpus=self._share)
        return launch.remote(self.config, "cuda" if self._share else "cpu", state)

    def worker(self, number: int, storage: Any, attempt: int = 0) -> Any:
        """Self-play worker `number`, after `attempt` workers have been lost."""
        launch = ray.remote(SelfPlayActor).options(num_cpus=1, num_gpus=self._player_share)
        return launch.remote(self.game, self.config, number, storage, self.player_device, attempt)

    def evaluator(self) -> Any:
        """The worker that plays greedy games."""
        launch = ray.remote(EvaluatorActor).options(num_cpus=1, num_gpus=self._player_share)
        return launch.remote(self.game, self.config, self.player_device)

    def reanalyse(self) -> Any:
        """A reanalysis worker."""
        launch = ray.remote(ReanalyseActor).options(num_cpus=1, num_gpus=self._player_share)
        return launch.remote(self.config, self.player_device)

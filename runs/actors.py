"""The actors: thin Ray shells over plain classes, launched on resources that are stated one by one.

What happens when one dies: `runs/failures.py`. Who calls them: `runs/ray_run.py`. Their kinds:
`core/actor_kinds.py`.
"""

from __future__ import annotations

import os
import secrets
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
import ray
from numpy.typing import NDArray

from arena.evaluator import Evaluator
from config import MuZeroConfig
from core.actor_kinds import ActorKind, GpuUse, Member, members
from core.errors import ConfigurationError
from core.project import INSTALLED, PROJECT, python_path
from core.randomness import Stream, make_generator
from core.threads import THREADS, use_one_thread
from data import (
    Batch,
    BufferStatus,
    EvaluationResult,
    FloatArray,
    GameHistory,
    PlayReport,
    ReanalyseRequest,
    ReanalyseResult,
    Snapshot,
    TrainingResult,
    VersionedWeights,
    Video,
    Weights,
)
from games.api.objects import recipe_of
from games.api.spec import GameSpec, Recipe
from replay_buffer import Reanalyse, ReplayBuffer
from runs.failures import NotStartedError
from runs.judge import Job
from search.planner import self_play_planner
from self_play import SelfPlay
from shared_storage import SharedStorage

if TYPE_CHECKING:
    from trainer import Trainer

POLL_SECONDS = 0.05
Part = TypeVar("Part")


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


class Setup(NamedTuple):
    """All that an actor builds its part of the run from."""

    game: Recipe
    config: MuZeroConfig
    device: str
    number: int = 0  # of this actor among those of its kind
    attempt: int = 0  # actors that have been lost before it
    storage: Any = None  # the storage actor's handle, for those who play
    state: Snapshot | None = None  # to go on from


class Shell(ABC, Generic[Part]):
    """An actor around one part of the run.

    Its constructor does nothing, not even take arguments, which cannot be read where a game's file is
    broken: whatever fails, fails in a call, and its error comes back as it was raised.
    """

    def __init__(self) -> None:
        self._part: Part | None = None

    def start(self, setup: Setup) -> None:
        """Builds the part; the first call of every actor."""
        self._part = self._build(setup)

    @abstractmethod
    def _build(self, setup: Setup) -> Part:
        """The part, in the state that it goes on from."""

    @property
    def part(self) -> Part:
        """What does the work. Raises `NotStartedError` if it could not be built."""
        if self._part is None:
            raise NotStartedError(f"{type(self).__name__} has not been started")
        return self._part


class SelfPlayActor(Shell[SelfPlay]):
    """`SelfPlay` with the weights of the storage actor."""

    def _build(self, setup: Setup) -> SelfPlay:
        source = RemoteSource(setup.storage)
        game, planner = setup.game.make(), self_play_planner(setup.config, setup.device)
        player = SelfPlay(game, setup.config, setup.number, source, planner, setup.attempt)
        if setup.state is not None:
            player.load_state(setup.state)
        return player

    def play(self, steps: int) -> tuple[PlayReport, list[GameHistory]]:
        """See `SelfPlay`."""
        return self.part.play(steps)

    def state(self) -> Snapshot:
        """See `SelfPlay`."""
        return self.part.state()


class ReanalyseActor(Shell[Reanalyse]):
    """`Reanalyse` that passes on that there is nothing to do yet."""

    def _build(self, setup: Setup) -> Reanalyse:
        return Reanalyse(setup.config, setup.device)

    def load(self, weights: Weights, version: int) -> None:
        """See `Reanalyse`."""
        self.part.load(weights, version)

    def refresh_any(self, request: ReanalyseRequest | None) -> ReanalyseResult | None:
        """The refreshed request, or None for none."""
        return self.part.refresh(request) if request is not None else None


class BufferActor(Shell[ReplayBuffer]):
    """`ReplayBuffer` that takes what `ReanalyseActor` gives."""

    def _build(self, setup: Setup) -> ReplayBuffer:
        buffer = ReplayBuffer(setup.config, make_generator(setup.config.seed, Stream.BUFFER))
        if setup.state is not None:
            buffer.load_state(setup.state)
        return buffer

    def add(self, histories: list[GameHistory]) -> BufferStatus:
        """See `ReplayBuffer`."""
        return self.part.add(histories)

    def status(self) -> BufferStatus:
        """See `ReplayBuffer`."""
        return self.part.status()

    def sample(self, num_batches: int) -> list[Batch]:
        """See `ReplayBuffer`."""
        return self.part.sample(num_batches)

    def update_priorities(self, positions: NDArray[np.int64], priorities: FloatArray) -> None:
        """See `ReplayBuffer`."""
        self.part.update_priorities(positions, priorities)

    def reanalyse_request(self, steps: int) -> ReanalyseRequest | None:
        """See `ReplayBuffer`."""
        return self.part.reanalyse_request(steps)

    def reanalyse_update_any(self, result: ReanalyseResult | None) -> int:
        """Writes a result back, if there is one; the number of its steps."""
        if result is None:
            return 0
        self.part.reanalyse_update(result)
        return len(result.positions)

    def state(self) -> Snapshot:
        """See `ReplayBuffer`."""
        return self.part.state()


class EvaluatorActor(Shell[Evaluator]):
    """`Evaluator` that films games between evaluations, in slices as well."""

    def _build(self, setup: Setup) -> Evaluator:
        return Evaluator(setup.game.make(), setup.config, setup.device)

    def start_evaluation(self, job: Job, version: int, weights: Weights) -> None:
        """Sets up `job`'s games with `weights`, which `version` updates have made."""
        self.part.start(job.games, job.seed, version, weights, job.opponent)

    def play(self) -> EvaluationResult | None:
        """See `Evaluator`."""
        return self.part.play()

    def start_film(self, version: int, weights: Weights) -> None:
        """Sets up the film of a game of `weights`, which `version` updates have made."""
        from showing.background_film import BackgroundFilm

        judge = self.part
        self._filming = BackgroundFilm(judge.spec, judge.config, version, weights, judge.device)

    def film(self, seconds: float = 0.5) -> Video | None:
        """Goes on for about `seconds`; the film once it is complete, None before."""
        return self._filming.go_on(seconds)


class TrainerActor(Shell["Trainer"]):
    """`Trainer`, imported where it runs: no other process has to load torch."""

    def _build(self, setup: Setup) -> Trainer:
        from trainer import Trainer

        trainer = Trainer(setup.config, setup.device)
        if setup.state is not None:
            trainer.load_state(setup.state)
        return trainer

    def train(self, batches: list[Batch]) -> TrainingResult:
        """One update per batch."""
        return self.part.train(batches)

    def published(self) -> tuple[int, Weights]:
        """The number of updates made, and the weights that they made."""
        return self.part.training_step, self.part.weights()

    def target(self) -> tuple[int, Weights]:
        """The number of updates that made the target network's weights, and those weights."""
        return self.part.target_step, self.part.target_weights()

    def state(self) -> Snapshot:
        """What it takes to go on training."""
        return self.part.state()


_CLASSES = (SelfPlayActor, TrainerActor, ReanalyseActor, EvaluatorActor, BufferActor, SharedStorage)
ACTORS: dict[str, type] = {actor.__name__: actor for actor in _CLASSES}
"""By the name that the table of kinds gives them."""


def start_ray(config: MuZeroConfig, address: str | None) -> None:
    """Starts a quiet Ray of our own size on this machine, or joins the cluster at `address`.

    Raises `ConfigurationError` if Ray does not start, or the cluster cannot be joined.
    """
    use_one_thread()
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0", RAY_enable_metrics_collection="0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray would run our actors at the lowest priority
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    own = [] if INSTALLED else [str(PROJECT)]
    os.environ["PYTHONPATH"] = python_path(own, config.folders)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        _start_here(config, quiet)
        return
    environment: dict[str, Any] = {"env_vars": THREADS}
    if not INSTALLED:  # else the cluster's machines have the package, as they have Ray
        environment |= {"working_dir": str(PROJECT), "excludes": ["results", ".git", ".venv"]}
    try:
        ray.init(address=address, runtime_env=environment, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"cannot join the Ray cluster at {address}: {reason}") from None


def _start_here(config: MuZeroConfig, quiet: dict[str, Any]) -> None:
    if not os.access(os.path.expanduser("~"), os.W_OK):
        # Ray keeps its clusters' token in the home; without one this cluster has a token of its own
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, len(members(config))),
            object_store_memory=config.object_store_mb << 20,
            include_dashboard=False,
            **quiet,
        )
    except Exception as error:  # Ray raises plain ones
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"Ray did not start on this machine, which may be overloaded or short of memory: {reason}"
        ) from None


class Launched(NamedTuple):
    """An actor that is starting."""

    actor: Any  # its handle
    started: Any  # reference to the end of its first call; None where there is nothing to build


class Launcher:
    """Starts the actors of one run; also again, when one has been lost."""

    def __init__(self, game: GameSpec, config: MuZeroConfig) -> None:
        """The game's recipe is sent to the actors, and a configuration of no class of the game's file.

        Raises `GameClassError` if the game cannot be sent.
        """
        self._game = recipe_of(game)
        self.config = MuZeroConfig.from_json(config.to_json())
        found = ray.cluster_resources().get("GPU", 0) > 0
        device = config.training_device(found, "Ray")
        self.player_device = config.playing_device(device)
        playing = [member for member in members(config) if member.kind.gpu is GpuUse.PLAYING]
        sharing = 1 + (len(playing) if self.player_device != "cpu" else 0)
        self._share = 0.0 if device == "cpu" else 1.0 / sharing

    def launch(
        self, member: Member, storage: Any = None, state: Snapshot | None = None, attempt: int = 0
    ) -> Launched:
        """Starts `member` from `state`, after `attempt` actors have been lost; does not wait for it."""
        kind, device = member.kind, self._device(member.kind)
        shell = ACTORS[kind.actor]
        share = self._share if device == "cuda" else 0.0
        actor = ray.remote(shell).options(num_cpus=kind.cpus, num_gpus=share).remote()
        if not issubclass(shell, Shell):
            return Launched(actor, None)
        setup = Setup(self._game, self.config, device, member.number, attempt, storage, state)
        return Launched(actor, actor.start.remote(setup))

    def _device(self, kind: ActorKind) -> str:
        """Where actors of this kind compute."""
        if kind.gpu is GpuUse.TRAINING:
            return "cuda" if self._share else "cpu"
        return self.player_device if kind.gpu is GpuUse.PLAYING else "cpu"

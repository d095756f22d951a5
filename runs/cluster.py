"""Ray: started on this machine or joined elsewhere, and actors launched on it.

What happens when an actor dies: `runs/supervision/failures.py`. Who calls them: `runs/ray_run.py`.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import ray

from config import MuZeroConfig
from core.actor_kinds import ACTOR_KINDS, ActorKind, GpuUse, Member, members
from core.errors import ConfigurationError
from core.project import INSTALLED, PROJECT, python_path
from core.threads import THREADS, use_one_thread
from data import Snapshot, WeightsSource
from games.api.objects import recipe_of
from games.api.spec import GameSpec
from playing.game_note import NO_CAUTION, Caution
from runs.actors.shell import Setup, Shell
from runs.actors.table import ROLES
from runs.cluster_access import on_loopback, open_cluster, use_private_token
from runs.driver import Role, kinds_of
from runs.handles import Pending, RemoteHandle
from runs.supervision.places import Family, Place, end, in_session_of_its_own, settle

STEADY = {
    "RAY_task_events_report_interval_ms": "0",  # Ray's head would keep a record of every call
    # Larger results go into the object store: smaller ones, and references in them, stay in their owner's
    # memory, which grows by 12 MiB a minute at the 100 kB that are usual (docs/reliability.md).
    "RAY_max_direct_call_object_size": "2000",
}
"""What keeps the memory of Ray's processes, and of the driver, from growing with the number of calls."""


def start_ray(config: MuZeroConfig, address: str | None, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> None:
    """Starts a quiet Ray of our own size, for actors of `kinds`, on this machine, or joins the cluster at
    `address`.

    Raises `ConfigurationError` if Ray does not start, or the cluster cannot be joined.
    """
    use_one_thread()
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0", RAY_enable_metrics_collection="0")
    for name, value in STEADY.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(RECONNECT_SECONDS))
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of calls that are dropped with a lost actor
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray would run our actors at the lowest priority
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    own = [] if INSTALLED else [str(PROJECT)]
    os.environ["PYTHONPATH"] = python_path(own, config.folders)
    logging.getLogger("ray.widgets").setLevel(logging.ERROR)  # in a notebook it advertises a package
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        _start_here(config, len(members(config, kinds)), quiet)
        return
    open_cluster(address)
    environment: dict[str, Any] = {"env_vars": THREADS | STEADY}
    if not INSTALLED:  # else the cluster's machines have the package, as they have Ray
        environment |= {"working_dir": str(PROJECT), "excludes": ["results", ".git", ".venv"]}
    try:
        ray.init(address=address, runtime_env=environment, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"cannot join the Ray cluster at {address}: {reason}") from None
    try:
        check_room(config, kinds)
    except ConfigurationError:
        ray.shutdown()
        raise


RECONNECT_SECONDS = 600
"""So long a process tries to reach Ray's head before it ends itself: the driver has to save before."""
END_SECONDS = 10.0
"""In which Ray has to end by itself."""


def cpus_asked(config: MuZeroConfig, kinds: Sequence[ActorKind]) -> int:
    """Of a cluster, for all actors of `kinds`."""
    return sum(member.kind.cpus for member in members(config, kinds))


def check_room(config: MuZeroConfig, kinds: Sequence[ActorKind]) -> None:
    """Raises `ConfigurationError` where actors of `kinds` would wait for ever for a CPU of the cluster."""
    asked = cpus_asked(config, kinds)
    free = int(ray.available_resources().get("CPU", 0))
    if asked > free:
        there = int(ray.cluster_resources().get("CPU", 0))
        busy = f", of which {there - free} are taken" if there > free else ""
        raise ConfigurationError(
            f"the run asks for {asked} CPUs, and the cluster has {there}{busy}: add machines, or lower "
            "num_workers or num_reanalyse_workers"
        )


def end_ray(family: Family, daemon_answers: bool = True) -> None:
    """Ends Ray, or its processes if it does not end by itself in time; nothing is left of a local one.

    Without its daemon it is not asked to end: it would end this process, with a status of its own.
    """
    if not daemon_answers:
        atexit.unregister(ray.shutdown)
        family.end()
        return
    with suppress(RuntimeError):  # no thread may be started any more
        ending = threading.Thread(target=ray.shutdown, name="end of Ray", daemon=True)
        ending.start()
        ending.join(END_SECONDS)
    family.end()


@contextmanager
def daemons_quiet() -> Iterator[None]:
    """Keeps off our stdout what Ray says of lost workers meanwhile: our own lines say it better."""
    from ray._private import worker  # there is no public way

    usual = worker._worker_logs_enabled
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = usual


def _start_here(config: MuZeroConfig, actors: int, quiet: dict[str, Any]) -> None:
    use_private_token()
    try:
        with on_loopback(), in_session_of_its_own():
            ray.init(
                address="local",
                num_cpus=max(os.cpu_count() or 1, actors),
                object_store_memory=config.object_store_mb << 20,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
    except Exception as error:  # Ray raises plain ones
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"Ray did not start on this machine, which may be overloaded or short of memory: {reason}"
        ) from None


def session_folder() -> Path:
    """Where the Ray that was started here keeps its files, and what does not fit into its store."""
    from ray._private.worker import global_worker

    return Path(global_worker.node.get_session_dir_path())


def daemon_socket() -> str:
    """Where Ray's daemon on this machine answers."""
    from ray._private.worker import global_worker

    return str(global_worker.node.raylet_socket_name)


class Launched(NamedTuple):
    """An actor that is starting."""

    actor: RemoteHandle[Any]
    started: Pending[None] | None  # the end of its first call; None where there is nothing to build
    place: Pending[Place] | None = None  # where it runs
    identity: str = ""  # Ray's number, which errors name


class Launcher:
    """Starts the actors of one run; also again, when one has been lost."""

    def __init__(self, game: GameSpec, config: MuZeroConfig, roles: Sequence[Role[Any]] = ROLES) -> None:
        """The game's recipe is sent to the actors, and a configuration of no class of the game's file.

        Raises `GameClassError` if the game cannot be sent.
        """
        self._game = recipe_of(game)
        self.config = MuZeroConfig.from_json(config.to_json())
        self.roles = roles
        self._shells = {role.kind.name: role.shell for role in roles}
        found = ray.cluster_resources().get("GPU", 0) > 0
        device = config.training_device(found, "Ray")
        self.player_device = config.playing_device(device)
        all_members = members(config, kinds_of(roles))
        playing = [member for member in all_members if member.kind.gpu is GpuUse.PLAYING]
        sharing = 1 + (len(playing) if self.player_device != "cpu" else 0)
        self._share = 0.0 if device == "cpu" else 1.0 / sharing

    def launch(
        self,
        member: Member,
        source: WeightsSource | None = None,
        state: Snapshot | Pending[Snapshot | None] | None = None,
        attempt: int = 0,
        caution: Caution = NO_CAUTION,
    ) -> Launched:
        """Starts `member` from `state`, after `attempt` actors have been lost; does not wait for it."""
        kind = member.kind
        device = kind.device("cuda" if self._share else "cpu", self.player_device)
        shell = self._shells[kind.name]
        share = self._share if device == "cuda" else 0.0
        actor = ray.remote(shell).options(num_cpus=kind.cpus, num_gpus=share).remote()
        handle: RemoteHandle[Any] = RemoteHandle(actor)
        place: Pending[Place] = Pending(actor.__ray_call__.remote(settle))
        identity = actor._actor_id.hex()
        if not issubclass(shell, Shell):
            return Launched(handle, None, place, identity)
        setup = Setup(self._game, self.config, device, member.number, attempt, source, caution=caution)
        return Launched(handle, handle.call(Shell.start, setup, state), place, identity)

    def lack(self) -> str:
        """What there is to say where a cluster has become too small for the run; nothing where it is not."""
        asked, there = (
            cpus_asked(self.config, kinds_of(self.roles)),
            int(ray.cluster_resources().get("CPU", 0)),
        )
        if there >= asked:
            return ""
        return (
            f"warning: the run asks for {asked} CPUs, and the cluster has {there} now: what has no place "
            "waits until a machine is added"
        )

    def end(self, launched: Launched, by_ray: bool = True) -> None:
        """Kills an actor, also one that does not answer; through Ray as well, if its head is there."""
        place = launched.place
        if place is not None and ray.wait([place.where], timeout=0)[0]:
            with suppress(ray.exceptions.RayError):
                end(ray.get(place.where))
        if by_ray:
            with suppress(ray.exceptions.RayError):
                ray.kill(launched.actor.actor)

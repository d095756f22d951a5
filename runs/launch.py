"""Trains: chooses how the parts run, on Ray or in one process, and ends the run in order."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config import MuZeroConfig
from core.actor_kinds import ACTOR_KINDS
from core.errors import ConfigurationError
from core.memory import usable_memory
from core.processes import free_processes
from games.api.spec import GameSpec
from runs.driver import Role, kinds_of
from runs.interrupts import interruptible, killable, quits, sigterm_kept
from runs.machine import budget_note, check_descriptors, check_memory, check_processes
from runs.resumable import check_resumable
from runs.session import Session, TrainingOutcome
from runs.status import Observer
from saving.checkpoint import Checkpoint

if TYPE_CHECKING:
    from runs.supervision.head_watch import HeadWatch
    from runs.supervision.places import Family


def train(
    game: GameSpec,
    config: MuZeroConfig,
    run_folder: Path,
    *,
    local: bool,
    address: str | None,
    resume_from: Checkpoint | None,
    observer: Observer,
    stopped: Callable[[], bool] = lambda: False,
    roles: Sequence[Role[Any]] | None = None,
) -> TrainingOutcome:
    """Trains `game` in `run_folder` until the target, the training steps, Ctrl-C or `stopped`, then saves.

    A run that is finished when it is resumed stays as it is; a line says what would prolong it.
    `roles` are the kinds of actors, if others than the usual ones (`runs/actors/table.py:ROLES`).
    Raises `ConfigurationError` on whatever cannot be run, and when an actor is lost for good.
    """
    check_launch(config, local, address, roles)
    if resume_from is not None:
        check_resumable(run_folder, resume_from)
    session = Session(game, config, run_folder, observer, resume_from, this_machine=address is None)
    if (end := session.finished) is not None:
        observer.event(f"the run is finished: {end.line}")
        return session.outcome(end.reason)
    with interruptible() as interrupted:

        def ends() -> bool:
            return interrupted.is_set() or stopped()

        with _told_of(observer):
            outcome = (
                _train_local(session, ends, roles) if local else _train_on_ray(session, ends, address, roles)
            )
            session.register()
            if session.memory.ended is not None:
                raise ConfigurationError(
                    f"training ends for want of memory: {session.memory.ended}; {session.kept}"
                )
        by_callback = outcome.reason == "interrupted" and not interrupted.is_set()
        return outcome._replace(reason="callback") if by_callback else outcome


@contextmanager
def _told_of(observer: Observer) -> Iterator[None]:
    """Has the run's log, too, keep the line with which a training fails."""
    try:
        yield
    except ConfigurationError as error:
        observer.evidence(f"training ended: {error}")
        raise


def check_launch(
    config: MuZeroConfig, local: bool, address: str | None, roles: Sequence[Role[Any]] | None = None
) -> None:
    """Raises `ConfigurationError` when a training cannot run in this way; writes and starts nothing."""
    kinds = ACTOR_KINDS if roles is None else kinds_of(roles)
    if local and address is not None:
        raise ConfigurationError("--local runs without Ray: leave out --address")
    if address is None:
        check_memory(config, usable_memory())
        if not local:
            check_processes(config, free_processes(), kinds)
            check_descriptors(config, resource.getrlimit(resource.RLIMIT_NOFILE)[0], kinds)
    else:
        check_address(address)


PROBE_SECONDS = 5.0


def check_address(address: str) -> None:
    """Raises `ConfigurationError` unless somebody answers at a cluster's `address`: Ray tries for minutes."""
    if address in ("auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    whole = port.isdecimal() and 0 < int(port) < 1 << 16
    if not (colon and host and whole):
        raise ConfigurationError(f"--address {address}: must be HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except OSError as error:
        why = error.strerror or "nobody answers" if not isinstance(error, TimeoutError) else "nobody answers"
        raise ConfigurationError(f"--address {address}: no Ray cluster can be reached there: {why}") from None


def _train_local(
    session: Session, ends: Callable[[], bool], roles: Sequence[Role[Any]] | None
) -> TrainingOutcome:
    import torch

    from runs.actors.table import ROLES
    from runs.local_run import LocalRun

    device = session.config.training_device(torch.cuda.is_available(), "PyTorch")
    run = LocalRun(session, device, ROLES if roles is None else roles)
    return session.outcome(run.run(ends))


def _train_on_ray(
    session: Session, ends: Callable[[], bool], address: str | None, roles: Sequence[Role[Any]] | None
) -> TrainingOutcome:
    from runs.precompile import warm_kernels

    with warm_kernels(session.config, session.observer):
        from runs.actors.table import ROLES
        from runs.cluster import Launcher, session_folder, start_ray
        from runs.ray_run import RayRun
        from runs.supervision.leftovers import SessionFolder, remove_left_over
        from runs.supervision.places import Family

        roles = ROLES if roles is None else roles
        family = Family()
        with sigterm_kept(), killable(address is not None), family.begins():
            start_ray(session.config, address, kinds_of(roles))
    if address is None:
        session.memory.spills = session_folder()
        family.folder = SessionFolder(session_folder())
        remove_left_over(session_folder().parent)
        session.observer.event(budget_note(session.config, usable_memory(), kinds_of(roles)))
    with _supervised(family, address, session.folder) as head:
        run = RayRun(session, Launcher(session.spec, session.config, roles), head)
        return session.outcome(run.run(ends))


@contextmanager
def _supervised(family: Family, address: str | None, folder: Path) -> Iterator[HeadWatch | None]:
    """Watches Ray's head, has SIGQUIT end the `family`, and has it said if this process is killed.

    Afterwards ends Ray, and what is left of it.
    """
    import ray

    from runs.cluster import daemon_socket, daemons_quiet, end_ray
    from runs.supervision.head_watch import HeadWatch
    from runs.supervision.last_words import last_words

    through_proxy = (address or "").startswith("ray://")
    head = None
    if not through_proxy:
        head = HeadWatch(ray.get_runtime_context().gcs_address, daemon_socket())
    try:
        with quits(family), daemons_quiet(), last_words(folder):
            yield head
    finally:
        family.look()
        end_ray(family, head is None or head.daemon_answers())
        if head is not None:
            head.stop()

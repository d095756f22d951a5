"""Which processes a run has started, and how to end them: Ray alone cannot end one that is stopped."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import NamedTuple

import psutil

from runs.supervision.leftovers import SessionFolder

DAEMONS = ("gcs_server", "raylet")
END_SECONDS = 5.0
"""In which the kernel has ended a process that was killed."""


class Place(NamedTuple):
    """A process on a machine."""

    host: str
    number: int
    started: float  # as numbers are given again


def settle(_: object) -> Place:
    """Runs first in every actor: it outlives what a terminal sends to all processes, until it is ended.

    The driver asks it for its state before, and then Ray ends it with SIGKILL.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        with suppress(ValueError):  # not the main thread
            signal.signal(number, _unmoved)
    return here()


def _unmoved(*_: object) -> None:
    """Takes a signal: one that is ignored would be ignored by the programs that a game may start as well."""


def here() -> Place:
    """This process."""
    return Place(socket.gethostname(), os.getpid(), psutil.Process().create_time())


def end(place: Place) -> None:
    """Kills the process at `place` if it is on this machine and still the same."""
    if place.host != socket.gethostname():
        return
    with suppress(psutil.Error):
        process = psutil.Process(place.number)
        if process.create_time() == place.started:
            process.kill()


@contextmanager
def in_session_of_its_own() -> Iterator[None]:
    """What Ray starts meanwhile, no terminal and no signal to our process group reaches.

    Else its daemons would end, and the actors with them, before these are asked for their states. They end
    with this process in any case, as Ray has told the kernel.
    """
    from ray._private import services  # there is no public way

    usual = services.ConsolePopen
    services.ConsolePopen = partial(usual, start_new_session=True)
    try:
        yield
    finally:
        services.ConsolePopen = usual


class Family:
    """The processes that are started while it is entered, Ray's daemons, and all that these start: actors."""

    def __init__(self) -> None:
        self._known: set[psutil.Process] = set()
        self.folder: SessionFolder | None = None  # theirs alone

    @contextmanager
    def begins(self) -> Iterator[None]:
        """Takes note of what is started meanwhile; what a program starts beside Ray later on is its own."""
        before = set(psutil.Process().children())
        try:
            yield
        finally:
            self._known |= set(psutil.Process().children()) - before

    def look(self) -> None:
        """Takes note of those that there are now: their parents may die before them."""
        for process in list(self._known):
            with suppress(psutil.Error):
                self._known |= set(process.children(recursive=True))

    def end(self) -> None:
        """Kills those that are left, and removes their folder."""
        self.kill()
        psutil.wait_procs(self._known, timeout=END_SECONDS)
        if self.folder is not None:
            self.folder.remove()

    def kill(self) -> None:
        """Kills those that are left, Ray's daemons last: without them Ray ends this process as well."""
        self.look()
        for process in sorted(self._known, key=_is_daemon):
            with suppress(psutil.Error):  # which sees whether it is the same still
                process.kill()


def _is_daemon(process: psutil.Process) -> bool:
    """Whether it is one without which Ray ends; one that is gone is none."""
    with suppress(psutil.Error):
        return process.name() in DAEMONS
    return False

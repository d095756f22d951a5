"""Ctrl-C, SIGTERM and SIGHUP during a training: the first saves and ends it, a second ends it at once.

SIGHUP is what a closed terminal sends. SIGQUIT saves nothing, and leaves nothing behind. What the first one
sets, `runs/session.py:Session.reason_to_stop` reads after each round.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from runs.supervision.places import Family

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Has these take their signals meanwhile; in another thread than the main one, nobody can be had to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _ending() -> list[signal.Signals]:
    """The signals that end a training here."""
    return [n for n in ENDING if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]


def quits(family: Family) -> AbstractContextManager[None]:
    """Has SIGQUIT end the processes in `family` before this one."""

    def quit_at_once(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if family.folder is not None:
            family.folder.remove()
        family.kill()  # without waiting: without its daemons, Ray ends this process with another status
        os.kill(os.getpid(), number)

    return _handled({signal.SIGQUIT: quit_at_once})


def sigterm_kept() -> AbstractContextManager[None]:
    """Keeps what a SIGTERM does: Ray takes it for itself when it starts, and ends the process at once."""
    return _handled({signal.SIGTERM: signal.getsignal(signal.SIGTERM)})


def killable(wanted: bool) -> AbstractContextManager[None]:
    """Lets Ctrl-C and SIGTERM end the process at once, where `wanted`: there is nothing to save yet.

    While Ray looks for a cluster, for minutes, Python's own handlers are not asked.
    """
    return _handled(dict.fromkeys(_ending() if wanted else (), signal.SIG_DFL))


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (a SIGTERM, or a SIGHUP) sets; a second one interrupts at once.

    A SIGHUP that is ignored, as `nohup` has it, stays so. A SIGINT that is ignored, as where a script puts a
    command into the background, is heard: nobody sends one there by chance.
    """
    event = threading.Event()

    def remember(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    with _handled(dict.fromkeys(_ending(), remember)):
        yield event

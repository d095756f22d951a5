"""Ctrl-C, SIGTERM and SIGHUP during a training: the first saves and ends it, a second ends it at once.

SIGHUP is what a closed terminal sends. SIGQUIT saves nothing, and leaves nothing behind. What the first one
sets, `runs/session.py:Session.reason_to_stop` reads after each round.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.supervision.places import Family

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def quits(family: Family) -> Iterator[None]:
    """Has SIGQUIT end the processes in `family` before this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def quit_at_once(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if family.folder is not None:
            family.folder.remove()
        family.kill()  # without waiting: without its daemons, Ray ends this process with another status
        os.kill(os.getpid(), number)

    earlier = signal.signal(signal.SIGQUIT, quit_at_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGQUIT, earlier)


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Keeps what a SIGTERM does: Ray takes it for itself when it starts, and ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def killable(wanted: bool) -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM end the process at once, where `wanted`: there is nothing to save yet.

    While Ray looks for a cluster, for minutes, Python's own handlers are not asked.
    """
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.signal(number, signal.SIG_DFL) for number in _heard()}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _heard() -> list[signal.Signals]:
    """The signals that end a training here."""
    return [n for n in ENDING if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (a SIGTERM, or a SIGHUP) sets; a second one interrupts at once.

    A SIGHUP that is ignored, as `nohup` has it, stays so. A SIGINT that is ignored, as where a script puts a
    command into the background, is heard: nobody sends one there by chance.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def remember(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    earlier = {number: signal.signal(number, remember) for number in _heard()}
    try:
        yield event
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)

"""Ctrl-C and SIGTERM during a training: the first one saves and ends it, a second one ends it at once.

What the first one sets, `runs/session.py:Session.reason_to_stop` reads after each round.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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
    earlier = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or a SIGTERM) sets; a second one interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def remember(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    earlier = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)

"""Notices that Ray's head process (GCS) is gone: Ray itself waits for a minute and then ends the driver.

And tells whether Ray's daemon on this machine (raylet) is there, without which nobody can be asked anything.
"""

from __future__ import annotations

import socket
import sys
import threading

PROBE_SECONDS = 1.0
"""Between two probes, and for the answer to one."""
PROBES = 3
"""So many must fail, one after another."""


class HeadWatch:
    """Connects to the head over and over, in a thread of its own, until it cannot or is told to stop.

    A head that cannot be reached from here at all, as it may be behind a proxy, is not lost.
    """

    def __init__(self, address: str, daemon: str = "") -> None:
        """`address`: HOST:PORT; `daemon`: the socket at which this machine's one answers, if it is known."""
        host, _, port = address.rpartition(":")
        self._address, self._daemon = (host.strip("[]"), int(port)), daemon
        self._lost, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._probe, name="head watch", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether nobody has answered several times."""
        return self._lost.is_set()

    def daemon_answers(self) -> bool:
        """Whether the daemon of this machine does."""
        if not self._daemon:
            return True
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self._daemon) == 0

    def stop(self) -> None:
        """Ends the probing."""
        self._stopped.set()
        self._thread.join()

    def _probe(self) -> None:
        failed = -sys.maxsize
        while failed < PROBES and not self._stopped.wait(PROBE_SECONDS):
            failed = 0 if self._answers() else failed + 1
        if failed == PROBES:
            self._lost.set()

    def _answers(self) -> bool:
        try:
            socket.create_connection(self._address, PROBE_SECONDS).close()
        except OSError:
            return False
        return True

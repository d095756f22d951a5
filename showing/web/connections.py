"""How many connections the server keeps, and for how long it waits for a request that was begun.

Without this, whoever opens connections and sends half a request on each takes all of the process's
descriptors, and nobody else is answered.
"""

from __future__ import annotations

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0
"""Seconds in which a request must have come whole, from its connection's start or the answer before."""
MOST_CONNECTIONS = 64
BACKLOG = 8
"""Connections that are taken at a time; the others wait in the system."""


def most_connections() -> int:
    """As many as this process's descriptors allow, of which each takes one, and its answer's file another."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(4, min(MOST_CONNECTIONS, descriptors // 4)) if descriptors > 0 else MOST_CONNECTIONS


class PatientProtocol(H11Protocol):
    """HTTP/1.1 for at most `most` connections: the next one takes the place of the one that has waited
    longest for its request, or is refused where all are being answered.
    """

    patience = PATIENCE
    most = MOST_CONNECTIONS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self.since = self.loop.time()  # when it began to wait for the present request
        self._timer = self.loop.call_later(self.patience, self._look)
        open_ones = [c for c in self.connections if not c.transport.is_closing()]
        if len(open_ones) > self.most:
            waiting = [c for c in open_ones if isinstance(c, PatientProtocol) and c.waiting]
            min(waiting, key=lambda connection: connection.since).transport.abort()  # perhaps this one

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """The next request may come."""
        self.since = self.loop.time()
        super().on_response_complete()

    @property
    def waiting(self) -> bool:
        """Whether it has no whole request to be answered."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def _look(self) -> None:
        """Ends the connection if its request is late; else looks again later."""
        left = self.since + self.patience - self.loop.time() if self.waiting else self.patience
        if left <= 0:
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(left, self._look)


def limited(most: int, patience: float = PATIENCE) -> type[PatientProtocol]:
    """The protocol with these limits."""
    return type("LimitedProtocol", (PatientProtocol,), {"most": most, "patience": patience})

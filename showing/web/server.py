"""Serving the page on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence

import uvicorn

from core.errors import ConfigurationError
from games.api.spec import GameSpec
from showing.agent import Agent
from showing.web import PORT
from showing.web.app import make_app
from showing.web.connections import BACKLOG, limited, most_connections
from showing.web.lobby import Lobby
from showing.web.rooms import Rooms, Seat

HOST = "127.0.0.1"
GRACE = 1
"""Seconds that answers under way are given when the server ends; a search under way is waited for."""


def serve(
    spec: GameSpec,
    agent: Agent | None,
    *,
    port: int = PORT,
    open_browser: bool = True,
    seed: int = 0,
    seat: Seat | None = None,
    opponent: str | None = None,
    others: Sequence[str] = (),
    open_game: Callable[[str], Rooms] | None = None,
) -> None:
    """Serves the page for a game until Ctrl-C; prints its address. Port 0: any that is free.

    Without an agent people play each other, or the game's expert, or MCTS. The page offers the `others`, by
    name, as well, and `open_game` makes their rooms. Raises `ConfigurationError` if the game cannot be
    played, or nothing can listen on the port.
    """
    rooms = Rooms(spec, agent, seed, seat=seat, opponent=opponent)
    with listen(port) as listener:
        rooms.warm()
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        print(f"{spec.name}: {address} (Ctrl-C ends the server)", flush=True)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            make_server(Lobby(rooms, others, open_game)).run(sockets=[listener])


def make_server(lobby: Lobby) -> uvicorn.Server:
    """The server for the games of `lobby`; what goes wrong in it is written to stderr."""
    config = uvicorn.Config(
        make_app(lobby),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=GRACE,
        loop="asyncio",
        http=limited(most_connections()),
        backlog=BACKLOG,
    )
    logging.getLogger("uvicorn.error").addFilter(is_news)
    return uvicorn.Server(config)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a person wants to read it; not that an answer under way at the end was given up."""
    given_up = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not given_up and "graceful shutdown exceeded" not in record.getMessage()


def listen(port: int) -> socket.socket:
    """A socket on the loopback address. Raises `ConfigurationError` if the port cannot be had."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"cannot listen on port {port}: {why}; choose another with --port") from None
    return listener

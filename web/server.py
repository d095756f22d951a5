"""Serving the page on this machine."""

from __future__ import annotations

import contextlib
import socket
import threading
import webbrowser

import uvicorn

from analysis import Agent
from config import ConfigurationError
from games import GameSpec
from web import PORT
from web.app import make_app
from web.rooms import Rooms

HOST = "127.0.0.1"
GRACE = 1
"""Seconds that answers under way are given when the server ends."""


def serve(
    spec: GameSpec,
    agent: Agent | None,
    *,
    simulations: int | None = None,
    port: int = PORT,
    open_browser: bool = True,
    seed: int = 0,
) -> None:
    """Serves the page for a game until Ctrl-C; prints its address. Port 0: any that is free.

    `simulations` per move of the agent, by default its own number; without an agent people play each other.
    Raises `ConfigurationError` if the game cannot be played, or nothing can listen on the port.
    """
    rooms = Rooms(spec, agent, simulations, seed)
    with listen(port) as listener:
        warm(rooms)
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        print(f"{spec.name}: {address} (Ctrl-C ends the server)", flush=True)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            make_server(rooms).run(sockets=[listener])


def make_server(rooms: Rooms) -> uvicorn.Server:
    """The server for the games of `rooms`; what goes wrong in it is written to stderr."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(rooms),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=GRACE,
        )
    )


def warm(rooms: Rooms) -> None:
    """Plays and searches once, so that nothing is compiled when the first person moves."""
    room = rooms.open(rooms.defaults)
    if rooms.agent is not None:
        room.analyse()
    room.play(room.game.legal_actions[0])


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

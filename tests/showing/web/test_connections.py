"""The server's connections: half-sent requests, too many of them, and clients that have gone."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from games.api.sources import load_game
from search.planner import SearchStopped
from showing.web.connections import most_connections
from showing.web.lobby import Lobby
from showing.web.rooms import Room, Rooms
from showing.web.server import listen, make_server
from tests.helpers.web_agents import untrained

SERVE = """
import resource, sys
import showing.web.server as server
from games.api.sources import load_game
from showing.web.connections import limited
server.limited = lambda most: limited(most, patience=float(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
server.serve(load_game("tictactoe"), None, port=0, open_browser=False)
"""


@contextlib.contextmanager
def served(patience: float) -> Iterator[int]:
    """The port of a server with 64 descriptors."""
    command = [sys.executable, "-u", "-c", SERVE, str(patience)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        yield int(address.rstrip("/").rpartition(":")[2])
        process.kill()


def begun(port: int, text: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(text)
    return connection


def ended_by_the_server(connection: socket.socket) -> bool:
    """Whether the connection ends within a minute; an answer may come before."""
    try:
        while connection.recv(1000):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = (
    b"POST /api/games HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 50\r\n\r\n{"
)


def test_a_hundred_half_sent_requests_keep_nobody_from_being_answered() -> None:
    with served(patience=1000) as port, contextlib.ExitStack() as half:
        for number in range(100):
            half.enter_context(begun(port, HEAD if number % 2 else BODY))
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                assert b"<title>MuZero</title>" in answer.read()


@pytest.mark.parametrize("text", [b"", HEAD, BODY])
def test_what_is_sent_by_half_is_waited_for_only_so_long(text: bytes) -> None:
    with served(0.2) as port, begun(port, text) as connection:
        assert ended_by_the_server(connection)


def test_fewer_descriptors_are_fewer_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for descriptors, most in ((64, 16), (1 << 20, 64), (8, 4), (resource.RLIM_INFINITY, 64)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, d=descriptors: (d, d))
        assert most_connections() == most


# --- clients that have gone ---


@contextlib.contextmanager
def in_a_thread(rooms: Rooms) -> Iterator[int]:
    with listen(0) as listener:
        server = make_server(Lobby(rooms))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(60)


def opened(port: int) -> str:
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"seat": "second", "simulations": 5000}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/games", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["id"])


def asked(port: int, path: str) -> socket.socket:
    return begun(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())


def soon(true: Any) -> None:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


def test_a_search_ends_when_its_client_has_gone_and_one_that_waits_never_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms = Rooms(load_game("connect4"), untrained("connect4"))
    begun_searches, ended, may_go_on = [], [], threading.Event()
    analyse = Room.analyse

    def watched(room: Room, stopped: Any = None) -> Any:
        begun_searches.append(room.name)
        may_go_on.wait(60)
        try:
            return analyse(room, stopped)
        except SearchStopped:
            ended.append(room.name)
            raise

    monkeypatch.setattr(Room, "analyse", watched)
    with in_a_thread(rooms) as port:
        first, second = opened(port), opened(port)
        one = asked(port, f"/api/games/{first}/analysis?revision=0")
        soon(lambda: begun_searches == [first])
        with asked(port, f"/api/games/{second}/analysis?revision=0"):
            time.sleep(0.3)  # until it waits for the other search
        one.close()
        time.sleep(0.3)  # until the server has seen both go: else the test shows less, and does not fail
        may_go_on.set()
        soon(lambda: ended == [first])
        position = f"http://127.0.0.1:{port}/api/games/{second}"
        with urllib.request.urlopen(position, timeout=60) as answer:
            assert json.load(answer)["ply"] == 0
        assert begun_searches == [first]
        with asked(port, f"/api/games/{second}/analysis?revision=0") as stays:
            assert stays.recv(100).startswith(b"HTTP/1.1 200")
        assert ended == [first]

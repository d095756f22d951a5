"""The page's server: what it answers, what it refuses, and what the page is told of games and searches."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from core.errors import ConfigurationError
from games.api.sources import load_game
from showing.agent import Agent
from showing.analysis import TreeNode
from showing.web import MOST_SIMULATIONS
from showing.web.app import ASSETS, LARGEST_BODY, make_app
from showing.web.guard import HEADERS
from showing.web.lobby import Lobby
from showing.web.rooms import Room, Rooms
from showing.web.server import listen, make_server
from showing.web.view import TREE_DEPTH, TREE_NODES, cells, drawn, grown, layout, milestones
from tests.helpers.web_agents import untrained

HOST = "http://127.0.0.1:8000"
FIRST = {"seat": "first", "simulations": 8}


CONNECT4_AGENT = untrained("connect4")


def rooms_of(game: str = "connect4", agent: Agent | None = CONNECT4_AGENT, **settings: Any) -> Rooms:
    return Rooms(load_game(game), agent, **settings)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(make_app(Lobby(rooms_of())), base_url=HOST) as client:
        yield client


def begun(client: TestClient, settings: dict[str, Any] = FIRST) -> str:
    """The path of a new game."""
    answer = client.post("/api/games", json=settings)
    assert answer.status_code == 201
    return f"/api/games/{answer.json()['id']}"


def played(client: TestClient, path: str, *actions: int) -> dict[str, Any]:
    """The position after some moves from the start."""
    answer: Any = None
    for ply, action in enumerate(actions):
        answer = client.post(f"{path}/moves", json={"revision": ply, "action": action})
        assert answer.status_code == 200, answer.text
    return dict(answer.json())


# --- playing ---


def test_a_game_begins_where_it_was_asked_to(client: TestClient) -> None:
    position = client.get(begun(client, {"seat": "second", "simulations": 3})).json()
    assert (position["seat"], position["simulations"], position["ply"]) == ("second", 3, 0)
    assert position["legal"] == list(range(7))
    assert position["cells"] == [0] * 42
    assert not position["over"]


def test_a_move_changes_the_board(client: TestClient) -> None:
    position = played(client, begun(client), 3, 3, 6)
    assert (position["ply"], position["to_play"], position["moves"]) == (3, 1, [3, 3, 6])
    stones = {cell: stone for cell, stone in enumerate(position["cells"]) if stone}
    assert stones == {5 * 7 + 3: 1, 4 * 7 + 3: 2, 5 * 7 + 6: 1}  # whoever is to move


@pytest.mark.parametrize("action", [3, 7, -1])
def test_an_illegal_move_changes_nothing(client: TestClient, action: int) -> None:
    path = begun(client)
    before = played(client, path, 3, 3, 3, 3, 3, 3)
    answer = client.post(f"{path}/moves", json={"revision": 6, "action": action})
    assert answer.status_code == 422
    assert "not legal" in answer.json()["error"]
    assert client.get(path).json() == before


def test_the_end_and_its_winner(client: TestClient) -> None:
    path = begun(client)
    position = played(client, path, 0, 1, 0, 1, 0, 1, 0)
    assert (position["over"], position["returns"], position["legal"]) == (True, [1, -1], [])
    assert position["cells"][14::7] == [1, 1, 1, 1]
    assert client.get(f"{path}/analysis?revision=7").status_code == 422


def test_moves_are_taken_back_and_others_tried(client: TestClient) -> None:
    path = begun(client)
    played(client, path, 3, 4, 5)
    back = client.post(f"{path}/undo", json={"revision": 3, "moves": 2}).json()
    assert (back["moves"], back["to_play"]) == ([3], 1)
    other = client.post(f"{path}/moves", json={"revision": 4, "action": 0}).json()
    assert other["moves"] == [3, 0]
    assert client.post(f"{path}/undo", json={"revision": 5, "moves": 3}).status_code == 422


def test_another_position_after_as_many_moves_is_not_the_one_that_was_asked_about(client: TestClient) -> None:
    path = begun(client)
    played(client, path, 3)
    client.post(f"{path}/undo", json={"revision": 1, "moves": 1})
    now = client.post(f"{path}/moves", json={"revision": 2, "action": 0}).json()
    assert (now["ply"], now["revision"]) == (1, 3)
    stale = client.post(f"{path}/moves", json={"revision": 1, "action": 4})
    assert (stale.status_code, client.get(path).json()["moves"]) == (409, [0])
    assert client.get(f"{path}/analysis?revision=1").status_code == 409


def test_a_move_for_another_position_is_refused(client: TestClient) -> None:
    path = begun(client)
    before = played(client, path, 3)
    for request in ({"revision": 0, "action": 1}, {"revision": 2, "action": 1}):
        answer = client.post(f"{path}/moves", json=request)
        assert answer.status_code == 409
        assert "at move 1" in answer.json()["error"]
    assert client.get(f"{path}/analysis?revision=0").status_code == 409
    assert client.get(path).json() == before


def test_games_are_independent(client: TestClient) -> None:
    one, other = begun(client), begun(client)
    played(client, one, 3, 4)
    assert client.get(other).json()["moves"] == []


def test_settings_are_changed_during_a_game(client: TestClient) -> None:
    path = begun(client)
    played(client, path, 3)
    changed = client.put(f"{path}/settings", json={"seat": "none", "simulations": 2}).json()
    assert (changed["seat"], changed["simulations"], changed["moves"]) == ("none", 2, [3])
    assert client.get(f"{path}/analysis?revision=1").json()["simulations"] == 2


def test_the_oldest_game_makes_room() -> None:
    with TestClient(make_app(Lobby(rooms_of(most=2))), base_url=HOST) as client:
        first, second = begun(client), begun(client)
        client.get(first)  # used more recently than the second
        third = begun(client)
        assert [client.get(path).status_code for path in (first, second, third)] == [200, 404, 200]
        assert "only the last 2 are kept" in client.get(second).json()["error"]


# --- what the agent thinks ---


def test_an_analysis(client: TestClient) -> None:
    path = begun(client)
    played(client, path, 3)
    found = client.get(f"{path}/analysis?revision=1").json()
    assert (found["ply"], found["to_play"], found["simulations"]) == (1, 1, 8)
    visits = {move["action"]: move["visits"] for move in found["moves"]}
    assert sum(visits.values()) == 8
    assert visits[found["action"]] == max(visits.values())
    assert found["line"][0] == found["action"]
    assert sum(move["prior"] for move in found["moves"]) == pytest.approx(1, abs=1e-3)
    assert all((move["value"] is None) == (move["visits"] == 0) for move in found["moves"])
    assert found["tree"][0]["growth"][-1] == 9  # the position's own evaluation, and the simulations
    grown_visits = {move["action"]: (move["growth"] or [0])[-1] for move in found["moves"]}
    assert grown_visits == visits


def test_values_are_kept_for_the_curve_and_forgotten_with_the_moves(client: TestClient) -> None:
    path = begun(client)
    first = client.get(f"{path}/analysis?revision=0").json()["value"]
    played(client, path, 3)
    second = client.get(f"{path}/analysis?revision=1").json()["value"]
    assert client.get(path).json()["values"] == [first, -second]  # both to the first player
    back = client.post(f"{path}/undo", json={"revision": 1, "moves": 1}).json()
    assert back["values"] == [first]
    assert client.post(f"{path}/moves", json={"revision": 2, "action": 5}).json()["values"] == [first, None]


def test_the_network_alone(client: TestClient) -> None:
    path = begun(client, {"seat": "first", "simulations": 0})
    found = client.get(f"{path}/analysis?revision=0").json()
    assert (found["value"], len(found["tree"])) == (found["network_value"], 1)


def test_figures_that_are_not_finite_are_refused() -> None:
    broken = untrained("connect4", float("nan"))
    with TestClient(make_app(Lobby(rooms_of(agent=broken))), base_url=HOST) as client:
        answer = client.get(f"{begun(client)}/analysis?revision=0")
        assert (answer.status_code, "not finite" in answer.json()["error"]) == (422, True)
        assert client.get(answer.url.path.removesuffix("/analysis")).json()["values"] == [None]


def test_a_long_search_does_not_hold_up_other_games(monkeypatch: pytest.MonkeyPatch) -> None:
    searching, go_on = threading.Event(), threading.Event()
    rooms = rooms_of()
    assert rooms.agent is not None
    analyse = rooms.agent.analyse

    def slow(*arguments: Any) -> Any:
        searching.set()
        assert go_on.wait(30)
        return analyse(*arguments)

    monkeypatch.setattr(rooms.agent, "analyse", slow)
    with TestClient(make_app(Lobby(rooms)), base_url=HOST) as client:
        one, other = begun(client), begun(client)
        thread = threading.Thread(target=client.get, args=(f"{one}/analysis?revision=0",))
        thread.start()
        assert searching.wait(30)
        assert played(client, other, 3)["ply"] == 1  # would wait for ever
        go_on.set()
        thread.join(30)
        assert client.get(one).json()["values"] != [None]


def test_one_search_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = rooms_of()
    running, most = 0, 0
    assert rooms.agent is not None
    analyse = rooms.agent.analyse

    def counted(*arguments: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        found = analyse(*arguments)
        running -= 1
        return found

    monkeypatch.setattr(rooms.agent, "analyse", counted)
    with TestClient(make_app(Lobby(rooms)), base_url=HOST) as client:
        paths = [begun(client, {"seat": "first", "simulations": 200}) for _ in range(4)]
        threads = [
            threading.Thread(target=client.get, args=(f"{path}/analysis?revision=0",)) for path in paths
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert most == 1


def test_without_an_agent_people_play_each_other() -> None:
    with TestClient(make_app(Lobby(rooms_of(agent=None))), base_url=HOST) as client:
        about = client.get("/api/game").json()
        assert (about["agent"], about["defaults"]["seat"]) == (None, "first")
        assert about["defaults"]["opponent"] == "expert"
        path = begun(client, {"seat": "both", "simulations": 0})
        assert played(client, path, 3, 4)["ply"] == 2
        answer = client.get(f"{path}/analysis?revision=2")
        assert (answer.status_code, "no agent" in answer.json()["error"]) == (422, True)
        assert client.post("/api/games", json=FIRST).status_code == 422


# --- games that are no boards ---


def test_a_game_for_one_is_shown_as_text() -> None:
    rooms = rooms_of("gridworld", untrained("gridworld"), seed=5)
    assert rooms.defaults.seat == "first"
    with TestClient(make_app(Lobby(rooms)), base_url=HOST) as client:
        assert client.get("/api/game").json()["actions"] == ["up", "down", "left", "right"]
        path = begun(client, {"seat": "none", "simulations": 8})
        position = played(client, path, 0, 1)
        assert (position["cells"], position["picture"]) == (None, False)
        assert "A" in position["text"]
        assert position["rewards"] == pytest.approx([-0.05, -0.05])
        assert client.post("/api/games", json={"seat": "second", "simulations": 1}).status_code == 422


def test_a_game_that_draws_itself_is_shown_as_a_picture() -> None:
    pytest.importorskip("pygame")
    rooms = rooms_of("cartpole", untrained("cartpole"))
    with TestClient(make_app(Lobby(rooms)), base_url=HOST) as client:
        path = begun(client, {"seat": "none", "simulations": 2})
        assert client.get(path).json()["picture"]
        answer = client.get(f"{path}/frame?revision=0")
        assert answer.headers["content-type"] == "image/png"
        assert answer.content.startswith(b"\x89PNG")
        assert client.get(f"{path}/frame?revision=1").status_code == 409


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        ("tictactoe", ("cells", 3, 3, None)),
        ("connect4", ("columns", 6, 7, None)),
        ("othello", ("cells", 6, 6, 36)),
        ("gomoku", ("cells", 7, 7, None)),
        ("cartpole", ("none", 0, 0, None)),
        ("gridworld", ("none", 0, 0, None)),
    ],
)
def test_boards_are_recognised_by_their_shapes(game: str, expected: tuple) -> None:
    assert layout(load_game(game).config) == expected


def test_the_discs_of_othello() -> None:
    rooms = rooms_of("othello", None)
    room = rooms.make(rooms.defaults)
    room.play(8)  # c2
    stones = {cell: stone for cell, stone in enumerate(cells(room.game)) if stone}
    assert stones == {8: 1, 14: 1, 15: 1, 20: 1, 21: 2}


# --- choosing the game ---


def test_another_game_is_opened_when_it_is_chosen() -> None:
    asked: list[str] = []

    def open_game(name: str) -> Rooms:
        asked.append(name)
        if name == "lunarlander":
            raise ConfigurationError("lunarlander needs Box2D: pip install swig")
        return rooms_of(name, None)

    lobby = Lobby(rooms_of(), ["connect4", "lunarlander", "tictactoe"], open_game)
    with TestClient(make_app(lobby), base_url=HOST) as client:
        assert client.get("/api/offered").json() == {"games": ["connect4", "lunarlander", "tictactoe"]}
        assert client.get("/api/game").json()["game"] == "connect4"
        assert asked == []
        for _ in range(2):
            found = client.get("/api/game?game=tictactoe").json()
            assert (found["game"], found["agent"], len(found["actions"])) == ("tictactoe", None, 9)
        assert asked == ["tictactoe"]
        settings = {"seat": "both", "simulations": 0, "opponent": "random"}
        begun = client.post("/api/games?game=tictactoe", json=settings).json()
        assert (begun["game"], len(begun["legal"])) == ("tictactoe", 9)
        path = f"/api/games/{begun['id']}"
        assert client.get(path).json() == begun
        # its own rules for settings hold, not those of the game that was open first
        assert client.put(path + "/settings", json={**settings, "opponent": "expert"}).status_code == 200
        assert (
            client.put(path + "/settings", json={**settings, "opponent": "agent", "seat": "none"}).status_code
            == 422
        )
        first = client.post("/api/games", json=FIRST).json()
        assert (first["game"], client.get(path).json()["game"]) == ("connect4", "tictactoe")
        for name, reason in (
            ("lunarlander", "lunarlander needs Box2D: pip install swig"),
            ("tictactoes", "no game 'tictactoes' here, did you mean 'tictactoe'?"),
            ("../secret", "no game '../secret' here"),
        ):
            answer = client.get("/api/game", params={"game": name})
            assert (answer.status_code, answer.json()["error"]) == (422, reason)


def test_nobody_waits_for_a_game_that_is_open() -> None:
    opening, goes_on = threading.Event(), threading.Event()

    def open_game(name: str) -> Rooms:
        opening.set()
        assert goes_on.wait(60)
        return rooms_of(name, None)

    lobby = Lobby(rooms_of(), ["tictactoe"], open_game)
    slow = threading.Thread(target=lobby.rooms, args=("tictactoe",))
    slow.start()
    asked: list[Rooms] = []
    try:
        assert opening.wait(60)
        quick = threading.Thread(target=lambda: asked.append(lobby.rooms("connect4")), daemon=True)
        quick.start()
        quick.join(60)
        assert asked == [lobby.first]
    finally:
        goes_on.set()
        slow.join(60)
    assert lobby.rooms("tictactoe").spec.name == "tictactoe"


# --- the tree ---


def node(simulation: int, *children: TreeNode, visits: int = 1) -> TreeNode:
    return TreeNode(simulation, simulation, visits, 0.0, 0.5, 0.0, 0, children)


def test_milestones_rise_to_all_simulations() -> None:
    assert milestones(0) == milestones(1) == [1]
    assert milestones(3) == [1, 2, 3]
    assert milestones(1000)[0] == 1
    assert milestones(1000)[-1] == 1000


def test_the_growth_of_a_tree() -> None:
    tree = node(0, node(1, node(3), node(4)), node(2))
    seen = grown(tree, [1, 2, 3, 4])
    assert [(found.node.simulation, found.parent) for found in seen] == [
        (0, None),
        (1, 0),
        (3, 1),
        (4, 1),
        (2, 0),
    ]
    assert [found.growth for found in seen] == [
        [2, 3, 4, 5],
        [1, 1, 2, 3],
        [0, 0, 1, 1],
        [0, 0, 0, 1],
        [0, 1, 1, 1],
    ]


def test_the_most_visited_nodes_are_drawn() -> None:
    chain = node(100, visits=50)
    for depth in range(TREE_DEPTH + 3):
        chain = node(99 - depth, chain, visits=51 + depth)
    leaves = [node(200 + index) for index in range(2 * TREE_NODES)]
    shown = drawn(grown(node(0, *leaves, chain, visits=500), [1]))
    assert len(shown) == TREE_NODES
    simulations = [found.node.simulation for found in shown]
    assert simulations[-TREE_DEPTH:] == [99 - TREE_DEPTH - 2 + depth for depth in range(TREE_DEPTH)]
    assert [found.parent for found in shown[-TREE_DEPTH + 1 :]] == list(
        range(TREE_NODES - TREE_DEPTH, TREE_NODES - 1)
    )


# --- what is refused ---


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another port of this machine
    ],
)
def test_requests_from_other_origins_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    path = begun(client)
    answer = client.post(f"{path}/moves", json={"revision": 0, "action": 3}, headers=headers)
    assert (answer.status_code, "other origins" in answer.json()["error"]) == (403, True)
    assert client.get(path, headers=headers).status_code == 403
    assert client.get(path).json()["ply"] == 0


def test_requests_of_the_page_itself_are_answered(client: TestClient) -> None:
    headers = {"origin": HOST, "sec-fetch-site": "same-origin"}
    assert client.post("/api/games", json=FIRST, headers=headers).status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", ""])
def test_other_host_names_are_refused(client: TestClient, host: str) -> None:
    headers = {"host": host, "origin": f"http://{host}"}
    assert client.post("/api/games", json=FIRST, headers=headers).status_code == 400
    assert client.get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * (LARGEST_BODY - 1), 400, "not JSON"),
        (b"[]", 422, "object with revision, action"),
        (b'{"revision": 0}', 422, "object with revision, action"),
        (b'{"revision": 0, "action": 3, "more": 1}', 422, "object with revision, action"),
        (b'{"revision": 0, "action": "3"}', 422, "action='3' must be int"),
        (b'{"revision": 0, "action": 3.0}', 422, "action=3.0 must be int"),
        (b'{"revision": 0, "action": true}', 422, "action=True must be int"),
        (b'{"revision": 0, "action": null}', 422, "action=None must be int"),
        (b'{"revision": 0, "action": NaN}', 422, "action=nan must be int"),
        (b'{"revision": 0, "action": 1' + b"0" * 3000 + b"}", 422, "not legal"),
        (b" " * (LARGEST_BODY + 1), 413, "Too Large"),
    ],
)
def test_malformed_messages_are_refused(
    client: TestClient, content: bytes, status: int, message: str
) -> None:
    path = begun(client)
    answer = client.post(f"{path}/moves", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert message in answer.text
    assert played(client, path, 3)["ply"] == 1  # and goes on


def test_a_body_of_unknown_length_is_limited_as_well(client: TestClient) -> None:
    chunks = (b" " * 1000 for _ in range(100))
    answer = client.post("/api/games", content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_other_kinds_of_bodies_are_refused(client: TestClient) -> None:
    assert client.post("/api/games", data=FIRST).status_code == 415  # what a form of another page could send


@pytest.mark.parametrize(
    "settings",
    [
        {"seat": "third", "simulations": 8},
        {"seat": ["first"], "simulations": 8},
        {"seat": "first", "simulations": -1},
        {"seat": "first", "simulations": MOST_SIMULATIONS + 1},
    ],
)
def test_bad_settings_are_refused(client: TestClient, settings: dict[str, Any]) -> None:
    path = begun(client)
    for answer in (client.post("/api/games", json=settings), client.put(f"{path}/settings", json=settings)):
        assert answer.status_code == 422
        assert re.search("seat|simulations", answer.json()["error"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/games/unknown", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/assets/../app.py", 404),
        ("GET", "/assets/%2e%2e/app.py", 404),
        ("DELETE", "/api/games", 405),
    ],
)
def test_unknown_paths(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_a_fault_is_answered_and_the_server_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = rooms_of()

    def faulty(*arguments: Any) -> Any:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(rooms.agent, "analyse", faulty)
    app = make_app(Lobby(rooms))
    with TestClient(app, base_url=HOST, raise_server_exceptions=False) as client:
        path = begun(client)
        answer = client.get(f"{path}/analysis?revision=0")
        assert (answer.status_code, answer.json()) == (500, {"error": "ZeroDivisionError: see the terminal"})
        assert played(client, path, 3)["ply"] == 1


def test_the_page_trusts_nobody_else(client: TestClient) -> None:
    for path in ("/", "/assets/main.js", "/api/game", "/nowhere"):
        headers = client.get(path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    sources = "".join(path.read_text() for path in ASSETS.iterdir())
    assert set(re.findall(r"https?://[^\"'\s]+", sources)) == {"http://www.w3.org/2000/svg"}  # no address


# --- the server ---


def test_the_server_listens_on_loopback_only() -> None:
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on port {port}: Address already in use"):
            listen(port)
    with pytest.raises(ConfigurationError, match="cannot listen on port 70000"):
        listen(70000)


def test_the_server_outlives_what_is_not_http() -> None:
    rooms = rooms_of()
    rooms.warm()
    with listen(0) as listener:
        port = listener.getsockname()[1]
        server = make_server(Lobby(rooms))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"\x00\x01\x02 no request\r\n\r\n")
            assert b"400 Bad Request" in connection.recv(1000)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert b"<title>MuZero</title>" in answer.read()
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def ask_for_a_move(address: str) -> None:
    """Begins a game and moves; the answers may never come."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        name = posted(f"{address}api/games", {"seat": "both", "simulations": 0})["id"]
        posted(f"{address}api/games/{name}/moves", {"revision": 0, "action": 0})


def posted(address: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


SERVE = """
import sys
from games.api.sources import load_game
from showing.web.server import serve
serve(load_game("tictactoe"), None, port=0, open_browser=False)
print("ended")
"""
WITH_A_SLOW_ANSWER = """
import time
import showing.web.rooms as rooms
rooms.Room.play = lambda room, action: time.sleep(4)
import showing.web.server as server
server.Rooms.warm = lambda rooms: None
"""


@pytest.mark.parametrize("busy", [False, True])
def test_ctrl_c_ends_the_server(busy: bool) -> None:
    command = [sys.executable, "-u", "-c", (WITH_A_SLOW_ANSWER if busy else "") + SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"tictactoe: (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends the server\)\n", line)
        assert found, line
        with urllib.request.urlopen(f"{found[1]}api/game", timeout=30) as answer:
            assert answer.status == 200
        if busy:
            waiting = threading.Thread(target=ask_for_a_move, args=(found[1],), daemon=True)
            waiting.start()
            time.sleep(1)  # until it plays
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("ended\n", "", 0)


def test_warming_up_searches_and_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("analyse", "play"):
        monkeypatch.setattr(Room, name, lambda room, *_, name=name: done.append(name))
    rooms = rooms_of(seed=3)
    rooms.warm()
    assert done == ["analyse", "play"]
    assert rooms.make(rooms.defaults).game.seed == 3  # the first person's game is the first


def test_a_position_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = rooms_of()
    searches: list[int] = []
    assert rooms.agent is not None
    analyse = rooms.agent.analyse

    def counted(table: Any, row: int, simulations: int, limit: Any) -> Any:
        searches.append(simulations)
        return analyse(table, row, simulations, limit)

    monkeypatch.setattr(rooms.agent, "analyse", counted)
    with TestClient(make_app(Lobby(rooms)), base_url=HOST) as client:
        path = begun(client)
        answers = [client.get(f"{path}/analysis?revision=0").json() for _ in range(2)]
        assert answers[0] == answers[1]
        assert searches == [8]
        client.put(f"{path}/settings", json={"seat": "first", "simulations": 4})
        client.get(f"{path}/analysis?revision=0")
        played(client, path, 3)
        client.get(f"{path}/analysis?revision=1")
        client.post(f"{path}/undo", json={"revision": 1, "moves": 1})
        client.get(f"{path}/analysis?revision=2")
    assert searches == [8, 4, 4, 4]

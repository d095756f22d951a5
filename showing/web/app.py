"""The page and its API.

    GET  /                              the page
    GET  /api/offered                   the games there are to choose from
    GET  /api/game?game=NAME            which game, which agent
    POST /api/games?game=NAME           {seat, simulations}: a new game
    GET  /api/games/ID                  its position
    POST /api/games/ID/moves            {revision, action}: makes a move
    POST /api/games/ID/undo             {revision, moves}: steps back; the moves stay ahead
    POST /api/games/ID/place            {revision, ply}: steps back or forth among the moves made
    POST /api/games/ID/reply            {revision}: the opponent moves
    PUT  /api/games/ID/settings         {seat, simulations, opponent}
    GET  /api/games/ID/analysis?revision=N  what the agent thinks of the position
    GET  /api/games/ID/frame?revision=N     its picture, where the game draws itself

A request that changes a position, or asks about it, names it by how often the game was changed before. Errors
are {"error": one line}: 400 unreadable, 403 from elsewhere, 404 no such game, 409 another position, 413 too
large, 415 not JSON, 422 not possible.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from core.errors import ConfigurationError
from core.options import coerce
from search.planner import SearchStopped, Stopped
from showing.web import view
from showing.web.guard import HEADERS, Guard
from showing.web.lobby import Lobby
from showing.web.rooms import Room, Rooms, RoomSettings

ASSETS = Path(__file__).parent / "assets"
HOSTS = ("127.0.0.1", "localhost")
LARGEST_BODY = 4096
"""Bytes of a request."""
NOBODY_THERE = 499
"""Status of an answer for which nobody waits any more."""

Body = TypeVar("Body", bound=tuple)


class Move(NamedTuple):
    """A move to make."""

    revision: int
    action: int


class Place(NamedTuple):
    """A position among the moves that were made."""

    revision: int
    ply: int


class Reply(NamedTuple):
    """The opponent is to move."""

    revision: int


class Undo(NamedTuple):
    """Moves to take back."""

    revision: int
    moves: int


def make_app(lobby: Lobby) -> Starlette:
    """The page for the games of `lobby`."""
    api = Api(lobby)
    return Starlette(
        routes=[
            Route("/", lambda request: FileResponse(ASSETS / "index.html")),
            Mount("/assets", StaticFiles(directory=ASSETS)),
            Route("/api/offered", api.offered),
            Route("/api/game", api.about),
            Route("/api/games", api.open, methods=["POST"]),
            Route("/api/games/{name}", api.position),
            Route("/api/games/{name}/moves", api.move, methods=["POST"]),
            Route("/api/games/{name}/undo", api.undo, methods=["POST"]),
            Route("/api/games/{name}/place", api.place, methods=["POST"]),
            Route("/api/games/{name}/reply", api.reply, methods=["POST"]),
            Route("/api/games/{name}/settings", api.settings, methods=["PUT"]),
            Route("/api/games/{name}/analysis", api.analysis),
            Route("/api/games/{name}/frame", api.frame),
        ],
        middleware=[
            Middleware(Guard, protected="/api"),
            # A host name of somebody else's that leads here (DNS rebinding) has another name.
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
        ],
        exception_handlers={HTTPException: refused, ConfigurationError: impossible, Exception: broken},
        max_body_size=LARGEST_BODY,
    )


class Api:
    """The answers to what the page asks. Games and searches run in threads; the loop never waits for them."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        self._one_search = anyio.CapacityLimiter(1)  # an agent has one set of trees

    async def offered(self, request: Request) -> Response:
        """The games to choose from, the one that is open first."""
        return JSONResponse({"games": self.lobby.names})

    async def about(self, request: Request) -> Response:
        """Which game, which agent."""
        return JSONResponse(view.about(await self._rooms(request)))

    async def open(self, request: Request) -> Response:
        """A new game."""
        chosen = await body(request, RoomSettings)
        rooms = await self._rooms(request)
        room = await run_sync(rooms.make, rooms.checked(chosen))
        return JSONResponse(view.position(rooms.add(room)), 201)

    async def position(self, request: Request) -> Response:
        """A game as it stands."""
        room = self._room(request)
        async with room.lock:
            return JSONResponse(view.position(room))

    async def move(self, request: Request) -> Response:
        """Makes a move."""
        move = await body(request, Move)
        return await self._change(request, move.revision, lambda room: room.play(move.action))

    async def undo(self, request: Request) -> Response:
        """Takes moves back."""
        undo = await body(request, Undo)
        return await self._change(request, undo.revision, lambda room: room.undo(undo.moves))

    async def place(self, request: Request) -> Response:
        """Steps back or forth."""
        place = await body(request, Place)
        return await self._change(request, place.revision, lambda room: room.go(place.ply))

    async def reply(self, request: Request) -> Response:
        """The opponent makes a move."""
        reply = await body(request, Reply)

        def change(stopped: Stopped) -> Awaitable[Response]:
            return self._change(
                request, reply.revision, lambda room: room.reply(stopped), limiter=self._one_search
            )

        return await while_there(request, change)

    async def settings(self, request: Request) -> Response:
        """Changes who plays, and how strong the agent is."""
        chosen = await body(request, RoomSettings)
        room = self._room(request)
        rooms = self.lobby.rooms(room.game.spec.name)
        async with room.lock:
            room.settings = rooms.checked(chosen)
            return JSONResponse(view.position(room))

    async def analysis(self, request: Request) -> Response:
        """What the agent thinks of a position."""
        room = self._room(request)

        async def searched(stopped: Stopped) -> Response:
            async with room.lock:
                require_newest(room, request.query_params.get("revision"))
                found = await run_sync(room.analyse, stopped, limiter=self._one_search)
                return JSONResponse(await run_sync(view.analysis, room, found))

        return await while_there(request, searched)

    async def frame(self, request: Request) -> Response:
        """A picture of a position."""
        room = self._room(request)
        async with room.lock:
            require_newest(room, request.query_params.get("revision"))
            return Response(await run_sync(view.picture, room), media_type="image/png")

    async def _change(
        self,
        request: Request,
        revision: int,
        change: Callable[[Room], None],
        limiter: anyio.CapacityLimiter | None = None,
    ) -> Response:
        room = self._room(request)
        async with room.lock:
            require_newest(room, revision)
            await run_sync(change, room, limiter=limiter)
            return JSONResponse(view.position(room))

    def _room(self, request: Request) -> Room:
        room = self.lobby.find(request.path_params["name"])
        if room is None:
            kept = f"only the last {self.lobby.first.most} are kept, until the server ends"
            raise HTTPException(404, f"this game is no longer open: {kept}")
        return room

    async def _rooms(self, request: Request) -> Rooms:
        return await run_sync(self.lobby.rooms, request.query_params.get("game"))


async def while_there(request: Request, work: Callable[[Stopped], Awaitable[Response]]) -> Response:
    """The answer that `work` gives; once nobody waits for it any more, it is stopped as soon as may be.

    What has not begun, since another search is running, is not begun then. `work` is given a function that
    says whether it is to stop, and may raise `SearchStopped`.
    """
    gone = threading.Event()
    outcome: Response | Exception = Response(status_code=NOBODY_THERE)

    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            gone.set()
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            outcome = await work(gone.is_set)
        except SearchStopped:
            pass
        except Exception as error:  # raised below: a group of tasks would wrap it
            outcome = error
        group.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def require_newest(room: Room, revision: int | str | None) -> None:
    """Raises a 409 unless the room's game has been changed as often as the page believes."""
    if str(revision) != str(room.revision):
        raise HTTPException(409, f"the game was changed elsewhere: it is at move {room.ply} now")


async def body(request: Request, kind: type[Body]) -> Body:
    """The request's JSON object as `kind`, whose fields it must have, no more and no fewer but those with a
    default.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "the body must be application/json")
    try:
        values = json.loads(await request.body())
    except ClientDisconnect:
        raise HTTPException(400, "the body has not come") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    types = get_type_hints(kind)
    optional = getattr(kind, "_field_defaults", {}).keys()
    if not isinstance(values, dict) or values.keys() | optional != types.keys():
        raise HTTPException(422, f"the body must be an object with {', '.join(types)}")
    return kind(**{name: coerce(types[name], value, name) for name, value in values.items()})


# --- errors ---


async def refused(request: Request, error: Any) -> Response:
    """An answer with the status that the server chose."""
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def impossible(request: Request, error: Exception) -> Response:
    """What the game or its settings do not allow."""
    return JSONResponse({"error": " ".join(str(error).split())}, 422)


async def broken(request: Request, error: Exception) -> Response:
    """A fault of ours, or of the game's; it is printed where the server runs."""
    return JSONResponse({"error": f"{type(error).__name__}: see the terminal"}, 500, HEADERS)

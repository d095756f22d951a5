"""The games that are open in the browser's tabs, each with its settings; old ones make room for new ones."""

from __future__ import annotations

import itertools
import secrets
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import anyio

from arena.players import check_player, make_player, parse_player
from core.errors import require
from core.randomness import game_seed
from games.api.spec import GameSpec
from playing.player import Player
from search.planner import Stopped
from showing.agent import Agent
from showing.analysis import Analysis, TreeLimit
from showing.interactive import InteractiveGame
from showing.web import MOST_SIMULATIONS

Seat = Literal["first", "second", "both", "none"]
"""Which players are people."""
AGENT = "agent"
OPPONENTS = ("mcts:100", "mcts:1000", "random")
"""Whom one can play against in any game for two, beside the agent and the game's own expert."""
MOST_ROOMS = 64
WHOLE_TREE_DEPTH = 200


class RoomSettings(NamedTuple):
    """What a person chooses for one game."""

    seat: Seat
    simulations: int  # per move of the agent; 0: its network alone
    opponent: str = (
        AGENT  # who moves where no person does: the agent, or a player such as `expert`, `mcts:1000`
    )


@dataclass
class Room:
    """One game in one tab, or in several that show the same. Its lock is held while the game is used."""

    name: str
    game: InteractiveGame
    settings: RoomSettings
    values: dict[int, float] = field(default_factory=dict)  # to player 0, by the number of moves before
    newest: Analysis | None = None  # of the position as it is
    revision: int = 0  # moves made and steps back and forth
    ahead: tuple[int, ...] = ()  # moves that were made, and gone back behind; the same ones go on along them
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    _players: dict[str, Player] = field(default_factory=dict)

    @property
    def ply(self) -> int:
        """How many moves have been made."""
        return len(self.game.moves)

    def play(self, action: int) -> None:
        """Makes a move. Raises `ConfigurationError` on an illegal one, and changes nothing."""
        self.game.play(action)
        if self.ahead[:1] == (action,):
            self.ahead = self.ahead[1:]
        else:
            self.ahead = ()
            self.values = {number: value for number, value in self.values.items() if number < self.ply}
        self._changed()

    def undo(self, moves: int) -> None:
        """Steps back by so many moves, which stay ahead. Raises `ConfigurationError` if there are fewer."""
        self.go(self.ply - moves)

    def go(self, ply: int) -> None:
        """Steps back or forth to the position after `ply` of the moves that are known.

        Raises `ConfigurationError` where there are fewer, and changes nothing.
        """
        known = (*self.game.moves, *self.ahead)
        require(0 <= ply <= len(known), f"move {ply}", f"is none of the {len(known)} that were made")
        try:
            if ply < self.ply:
                self.game.undo(self.ply - ply)
            else:
                for action in known[self.ply : ply]:
                    self.game.play(action)
        finally:  # a game that does not come out the same may refuse on the way
            self.ahead = known[self.ply :]
            self._changed()

    def reply(self, stopped: Stopped | None = None) -> None:
        """Whoever is chosen as the opponent makes a move. Raises `ConfigurationError` where it cannot, and
        `SearchStopped` once the agent is told that it has `stopped`.
        """
        name = self.settings.opponent
        if name == AGENT:
            self.play(self.analyse(stopped).action)
            return
        if name not in self._players:
            spec = replace(self.game.spec, config=self.game.config)
            self._players[name] = make_player(parse_player(name), spec, 1, self.game.seed)
        self.play(self.game.choice_of(self._players[name]))

    def _changed(self) -> None:
        self.revision += 1
        self.newest = None

    def analyse(self, stopped: Stopped | None = None) -> Analysis:
        """What the agent thinks of the position, searched once however often it is asked.

        Raises `ConfigurationError` without an agent, or at the end, and `SearchStopped` once `stopped` says
        so, which changes nothing.
        """
        if self.newest is None or self.newest.simulations != self.settings.simulations:
            whole = TreeLimit(WHOLE_TREE_DEPTH, self.game.config.num_actions)
            agent = self.game.agent
            with nullcontext() if agent is None else agent.stoppable(stopped):
                self.newest = self.game.analyse(self.settings.simulations, whole)
        found = self.newest
        self.values[self.ply] = found.value if found.to_play == 0 else -found.value
        return found


class Rooms:
    """At most `most` games of one kind; `seed` determines the first game, and with their numbers the others.

    Raises `ConfigurationError` where the game cannot be made or played.
    """

    def __init__(
        self,
        spec: GameSpec,
        agent: Agent | None,
        seed: int = 0,
        most: int = MOST_ROOMS,
        seat: Seat | None = None,
        opponent: str | None = None,
    ) -> None:
        """`seat` and `opponent` are what a new game begins with, where they are given."""
        self.spec, self.agent, self.most = spec, agent, most
        self.config = spec.config if agent is None else agent.config
        most_seats = "is for the terminal: the page shows games of one and two players"
        require(self.config.players <= 2, f"players={self.config.players}", most_seats)
        self._seed, self._numbers = seed, itertools.count()
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        simulations = 0 if agent is None else agent.simulations
        game = InteractiveGame(spec, agent, seed)
        self.actions = [game.action_name(action) for action in range(self.config.num_actions)]
        self.opponents = self._opponents()
        wanted = opponent or self.opponents[0]
        if wanted not in self.opponents:
            self.opponents.append(wanted)
        self.defaults = self.checked(RoomSettings(seat or self._usual_seat(), simulations, wanted))

    def _opponents(self) -> list[str]:
        """Whom one can choose, the usual one first."""
        own = [AGENT] if self.agent is not None else []
        if self.config.players == 1:
            return own or [AGENT]
        return [*own, *(["expert"] if self.spec.can.advise else []), *OPPONENTS]

    def _usual_seat(self) -> Seat:
        return "both" if self.agent is None and self.config.players == 1 else "first"

    def checked(self, settings: RoomSettings) -> RoomSettings:
        """`settings` themselves. Raises `ConfigurationError` where this game cannot be played so."""
        asks_agent = settings.seat in ("second", "none") or (
            settings.seat == "first" and self.config.players == 2
        )
        require(
            self.agent is not None or not asks_agent or settings.opponent != AGENT,
            f"seat={settings.seat}",
            "needs an agent, or another opponent: start with a --checkpoint, or choose one",
        )
        if settings.opponent != AGENT:
            require(self.config.players == 2, f"opponent={settings.opponent}", "is not in a game for one")
            named = parse_player(settings.opponent)
            require(named.path is None, f"opponent={settings.opponent}", "is none that can be chosen")
            check_player(named, self.spec)
        require(
            self.config.players == 2 or settings.seat != "second", "seat=second", "is not in a game for one"
        )
        require(
            0 <= settings.simulations <= MOST_SIMULATIONS,
            f"simulations={settings.simulations}",
            f"must be from 0 to {MOST_SIMULATIONS}",
        )
        return settings

    def warm(self) -> None:
        """Plays and searches once, so that nothing is compiled when the first person moves."""
        room = Room("", InteractiveGame(self.spec, self.agent), self.defaults)
        if self.agent is not None:
            room.analyse()
        room.play(room.game.legal_actions[0])

    def make(self, settings: RoomSettings) -> Room:
        """A room with the next game, which nobody can find yet; may be called from any thread."""
        seed = game_seed(self._seed, next(self._numbers))
        game = InteractiveGame(self.spec, self.agent, seed)
        return Room(secrets.token_urlsafe(9), game, settings)

    def add(self, room: Room) -> Room:
        """Opens `room`; the one that has not been used for longest is closed if there are too many."""
        self._rooms[room.name] = room
        if len(self._rooms) > self.most:
            self._rooms.popitem(last=False)  # not closed: a search may be reading it
        return room

    def find(self, name: str) -> Room | None:
        """The game called `name`, if it is still open."""
        if name in self._rooms:
            self._rooms.move_to_end(name)
        return self._rooms.get(name)

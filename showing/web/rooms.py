"""The games that are open in the browser's tabs, each with its settings; old ones make room for new ones."""

from __future__ import annotations

import itertools
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import anyio

from core.errors import require
from core.randomness import game_seed
from games.api.spec import GameSpec
from showing.analysis import Agent, Analysis, TreeLimit
from showing.interactive import InteractiveGame
from showing.web import MOST_SIMULATIONS

Seat = Literal["first", "second", "both", "none"]
"""Which players are people."""
MOST_ROOMS = 64
WHOLE_TREE_DEPTH = 200


class RoomSettings(NamedTuple):
    """What a person chooses for one game."""

    seat: Seat
    simulations: int  # per move of the agent; 0: its network alone


@dataclass
class Room:
    """One game in one tab, or in several that show the same. Its lock is held while the game is used."""

    name: str
    game: InteractiveGame
    settings: RoomSettings
    values: dict[int, float] = field(default_factory=dict)  # to player 0, by the number of moves before
    newest: Analysis | None = None  # of the position as it is
    revision: int = 0  # moves made and takings back
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def ply(self) -> int:
        """How many moves have been made."""
        return len(self.game.moves)

    def play(self, action: int) -> None:
        """Makes a move. Raises `ConfigurationError` on an illegal one, and changes nothing."""
        self.game.play(action)
        self._changed(self.ply - 1)

    def undo(self, moves: int) -> None:
        """Takes moves back. Raises `ConfigurationError` where there are not so many."""
        self.game.undo(moves)
        self._changed(self.ply)

    def _changed(self, ply: int) -> None:
        """Forgets the values of the positions after `ply` moves."""
        self.revision += 1
        self.values = {number: value for number, value in self.values.items() if number <= ply}
        self.newest = None

    def analyse(self) -> Analysis:
        """What the agent thinks of the position, searched once however often it is asked.

        Raises `ConfigurationError` without an agent, or at the end.
        """
        if self.newest is None or self.newest.simulations != self.settings.simulations:
            whole = TreeLimit(WHOLE_TREE_DEPTH, self.game.config.num_actions)
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
    ) -> None:
        self.spec, self.agent, self.most = spec, agent, most
        self.config = spec.config if agent is None else agent.config
        self._seed, self._numbers = seed, itertools.count()
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        simulations = 0 if agent is None else agent.simulations
        game = InteractiveGame(spec, agent, seed)
        self.actions = [game.action_name(action) for action in range(self.config.num_actions)]
        self.defaults = self.checked(RoomSettings(self._usual_seat(), simulations))

    def _usual_seat(self) -> Seat:
        if self.agent is None:
            return "both"
        return "none" if self.config.players == 1 else "first"

    def checked(self, settings: RoomSettings) -> RoomSettings:
        """`settings` themselves. Raises `ConfigurationError` where this game cannot be played so."""
        asks_agent = settings.seat in ("second", "none") or (
            settings.seat == "first" and self.config.players == 2
        )
        require(
            self.agent is not None or not asks_agent,
            f"seat={settings.seat}",
            "needs an agent: start with a --checkpoint",
        )
        require(
            self.config.players == 2 or settings.seat != "second", "seat=second", "is not in a game for one"
        )
        require(
            0 <= settings.simulations <= MOST_SIMULATIONS,
            f"simulations={settings.simulations}",
            f"must be from 0 to {MOST_SIMULATIONS}",
        )
        return settings

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

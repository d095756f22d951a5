"""The games that the page offers, one of them open from the start and each other once somebody chooses it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from core.errors import ConfigurationError, did_you_mean
from showing.web.rooms import Room, Rooms


class Lobby:
    """Leads to the rooms of each game, and to each room by its name; may be used from any thread."""

    def __init__(
        self, first: Rooms, names: Sequence[str] = (), open_game: Callable[[str], Rooms] | None = None
    ) -> None:
        """`open_game` makes the rooms of one of the other games, `names`."""
        self.first = first
        self.names = [first.spec.name, *(name for name in names if name != first.spec.name)]
        self._open_game = open_game
        self._opened = {first.spec.name: first}
        self._lock = threading.Lock()  # nobody opens a game twice

    def rooms(self, name: str | None) -> Rooms:
        """The rooms of a game, by default of the first; to open it at first can take seconds.

        Raises `ConfigurationError` where there is no such game, or it cannot be opened.
        """
        wanted = name or self.first.spec.name
        if wanted not in self.names:
            raise ConfigurationError(f"no game {wanted!r} here{did_you_mean(wanted, self.names)}")
        if wanted not in self._opened:  # nobody waits for a game that is open
            with self._lock:
                if wanted not in self._opened:
                    assert self._open_game is not None
                    self._opened[wanted] = self._open_game(wanted)
        return self._opened[wanted]

    def find(self, name: str) -> Room | None:
        """The room called `name`, if it is still open."""
        found = (rooms.find(name) for rooms in tuple(self._opened.values()))
        return next((room for room in found if room is not None), None)

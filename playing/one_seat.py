"""A game for several as a game for one: whoever has one seat of it, while given players have the others.

With `one_seat`, all that knows games for one (a training, an evaluation) is given opponents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError, require
from core.randomness import Stream, game_seed, make_generator
from core.wording import counted
from games.api.spec import GameSpec
from games.tools.over import refuse_if
from playing.environment import GameError
from playing.make_table import make_table
from playing.player import DrawingPlayer, Player, legal_action

MakeOthers = Callable[[], Sequence[Player]]
"""Makes the players of the other seats, in the order in which they move after the one seat."""
MOST_BEGINNINGS = 100
"""Games that are begun until there is one in which the seat gets to move."""


def one_seat(spec: GameSpec, seat: int, make_others: MakeOthers) -> GameSpec:
    """The game of `seat` (from 0) of `spec`, a game for one. Each game makes `others` of its own.

    Its rewards are what the seat earns by its own move and those that follow until it moves again. Raises
    `ConfigurationError` if there is no such seat.
    """
    players = spec.config.players
    require(0 <= seat < players, f"seat={seat}", f"must be from 0 to {players - 1} in {spec.name}")
    config = spec.config.replace(players=1, resign_value=-1.0)
    return GameSpec(f"{spec.name}-seat-{seat + 1}", partial(OneSeat, spec, seat, make_others), config)


class OneSeat:
    """A game as `one_seat` makes it, in this project's game API. What the others draw follows from the seed.

    Raises `ConfigurationError` unless there is a player for each other seat.
    """

    def __init__(self, spec: GameSpec, seat: int, make_others: MakeOthers, seed: int = 0) -> None:
        self.spec, self.seat, self.others = spec, seat, tuple(make_others())
        needed = spec.config.players - 1
        if len(self.others) != needed:
            seats = counted(needed, "player")
            raise ConfigurationError(f"{spec.name} takes {seats} in its other seats, not {len(self.others)}")
        self._table = make_table(spec, spec.config, 1)
        self._row = np.array([0])
        self._observation: NDArray[Any] = np.zeros(0)
        self._terminated = self._truncated = False

    def reset(self, seed: int) -> NDArray[Any]:
        """Begins a game and lets the others move; returns the observation [C, H, W] of the seat's first turn.

        Games that end before it are left out. Raises `GameError` where all do.
        """
        for number in range(MOST_BEGINNINGS):
            self._begin(game_seed(seed, number))
            self._let_others_move()
            if not self._over:
                return self._observation
        raise GameError(
            f"game {self.spec.name!r}: {MOST_BEGINNINGS} games from seed {seed} ended before player "
            f"{self.seat} was to move; expected one in which it is"
        )

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Makes a move of the seat, and those of the others up to its next turn; gymnasium's five values."""
        refuse_if(self._over)
        before = float(self._table.returns[0, self.seat])
        self._move(action)
        self._let_others_move()
        reward = float(self._table.returns[0, self.seat]) - before
        return self._observation, reward, self._terminated, self._truncated, {}

    def legal_actions(self) -> list[int]:
        """The seat's legal actions, rising."""
        legal: list[int] = np.flatnonzero(self._table.legal[0]).tolist()
        return legal

    def close(self) -> None:
        """Closes the game, if it can be closed."""
        self._table.environments[0].close()

    @property
    def _over(self) -> bool:
        return self._terminated or self._truncated

    def _begin(self, seed: int) -> None:
        self._observation = self._table.reset(0, seed)
        self._terminated = self._truncated = False
        for number, player in enumerate(self.others):
            if isinstance(player, DrawingPlayer):
                player.reseed(make_generator(seed, Stream.OPPONENT, number))

    def _let_others_move(self) -> None:
        """Until it is the seat's turn, or the game is over."""
        while not self._over and (to_play := int(self._table.to_play[0])) != self.seat:
            player = self.others[(to_play - self.seat - 1) % self.spec.config.players]
            self._move(player.choose(self._table, self._row)[0])

    def _move(self, action: Any) -> None:
        moves = self._table.move(0, legal_action(self._table, 0, action))
        self._observation = moves.observations[0]
        self._terminated, self._truncated = bool(moves.terminated[0]), bool(moves.truncated[0])

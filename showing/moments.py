"""Games of an agent, move by move, for those who show them: live, as a film, or while it is being trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.match import player_in, widest
from arena.network_player import NetworkPlayer
from core.errors import ConfigurationError
from core.randomness import game_seed
from data import IntArray
from games.api.spec import GameSpec
from playing.exploration import explored_actions, moves_made
from playing.game_table import GameTable
from playing.player import Player
from search.rules.rule import draw_noise
from showing.analysis import require_finite
from showing.interactive import InteractiveGame

AGENT, OPPONENT = ", the agent,", ", its opponent,"
"""Who moves, as `caption` says it."""


class Moment(NamedTuple):
    """A position of a watched game, and what is about to be played there."""

    number: int  # of the game, from 1
    game: InteractiveGame  # as it stands until the next moment is asked for
    action: int | None  # None once the game is over
    value: float | None  # that the agent expects, to the player to move; None where it does not move
    role: str = ""  # of the player to move, if there is an opponent

    @property
    def first_players_value(self) -> float | None:
        """The value to player 0; None where the agent does not say it."""
        if self.value is None or self.game.to_play == 0:
            return self.value
        return -self.value if self.game.players == 2 else None


class WatchedAgent:
    """A `Player` of single games that remembers what it expected of the newest position.

    With `exploration` it plays as in self-play, with root noise and temperature, else greedily.
    """

    def __init__(self, player: NetworkPlayer, exploration: np.random.Generator | None = None) -> None:
        if exploration is not None and not player.simulations:
            raise ConfigurationError("--explore needs a search: leave out --simulations 0")
        self.player, self.exploration = player, exploration
        self.value = 0.0  # of the newest position, to the player to move

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`; `rows` [1]."""
        planner, seen = self.player.planner, self.player.planner.seen(table, rows)
        noise = None
        if self.exploration is not None:
            noise = draw_noise(self.exploration, seen.legal, planner.config)
        found = planner.plan(seen, noise)
        require_finite(found.value[0, 0])
        self.value = float(found.value[0, 0])
        if noise is None:
            return found.action
        moves = moves_made(table)[rows]
        return explored_actions(
            planner.config, planner.version, found, moves, noise.uniform, planner.config.search_kind.explores
        )


def watch(
    spec: GameSpec, agent: WatchedAgent, opponents: Sequence[Player], games: int, seed: int
) -> Iterator[Moment]:
    """Every position of `games` games, the first one from `seed`; from game to game all move on by a seat.

    There is an opponent for each of the other seats, or none: then the agent plays against itself. Raises
    `ConfigurationError` when one of them was trained on another game.
    """
    config = widest(agent.player.config, agent.player, *opponents)
    game = InteractiveGame(replace(spec, config=config), None, seed)
    try:
        for number in range(games):
            if number:
                game.restart(game_seed(seed, number))
            yield from _one_game(game, agent, opponents, number + 1)
    finally:
        game.close()


def _one_game(
    game: InteractiveGame, agent: WatchedAgent, opponents: Sequence[Player], number: int
) -> Iterator[Moment]:
    while not game.over:
        mover = player_in(game.to_play, number - 1, game.players) if opponents else 0
        if mover == 0:
            action = game.choice_of(agent)
            yield Moment(number, game, action, agent.value, AGENT if opponents else "")
        else:
            action = game.choice_of(opponents[mover - 1])
            yield Moment(number, game, action, None, OPPONENT)
        game.play(action)
    yield Moment(number, game, None, None)


def caption(moment: Moment) -> tuple[str, str, str]:
    """The moment in words: where the game stands, what is played, and what it is worth; each a line."""
    game = moment.game
    where = f"game {moment.number}, move {len(game.moves)}, reward so far {game.returns[0]:g}"
    if moment.action is None:
        return where, game.outcome, ""
    played = game.action_name(moment.action)
    if game.players == 1:
        return where, f"next: {played}", f"value {moment.value:.2f}"
    name = game.player_name(game.to_play)
    value = "" if moment.value is None else f"value {moment.value:+.2f} for {name}"
    return where, f"{name}{moment.role} plays {played}", value

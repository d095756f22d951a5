"""An opponent that searches the real game by rollouts."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arena.player_kind import SIMULATIONS, Amount, Order, PlayerKind
from config import MuZeroConfig
from data import IntArray
from games.api.spec import GameSpec
from playing.game_table import GameTable

if TYPE_CHECKING:
    from search.real_game import RealGameSearch, RealModel

USUAL_SIMULATIONS = 1000
FORESEES = (
    "mcts foresees what is random or hidden in {}: give the game resample(generator), which draws anew all "
    "that the player to move cannot know"
)


class MctsPlayer:
    """The opponent `mcts`: UCT with random rollouts on the real game, of up to `batch` games at once."""

    def __init__(self, spec: GameSpec, simulations: int, batch: int, generator: np.random.Generator) -> None:
        self.spec, self.simulations = spec, simulations
        self.batch, self.generator = batch, generator
        self._search: RealGameSearch | None = None
        self._by_rules = False

    def reseed(self, generator: np.random.Generator) -> None:
        """Draws from `generator` from now on, as if it had just been made with it."""
        self.generator, self._search = generator, None

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """Actions [n] int32 for the games `rows` [n] of a table, none of which is over."""
        if self._search is None:
            self._search = self._made_for(table)
        from search.real_game import positions_of

        if self._by_rules:
            states = np.stack([table.environments[row].game.state for row in rows])
            return self._search.actions(states)
        return self._search.actions(positions_of(table, rows))

    def _made_for(self, table: GameTable) -> RealGameSearch:
        """The search for the games of `table`, which may be set up otherwise than `spec` says."""
        from games.boards.rules import Rules  # which bring numba, as the search does
        from search.chance import foresees
        from search.real_game import GameModel, RealGameSearch, RulesModel

        first = table.environments[0]
        rules = first.game.rules if first.can.be_searched else None
        # of its own: how many numbers the model draws depends on `batch`, what is played must not
        rollouts = self.generator.spawn(1)[0]
        self._by_rules = isinstance(rules, Rules)
        if not self._by_rules and foresees(self.spec):
            print(FORESEES.format(self.spec.name), file=sys.stderr)
        config = dataclasses.replace(
            table.config,
            q_transform="bounds" if self._by_rules else "min_max",
            value_bounds=(-1.0, 1.0),
            max_depth=0,
        )

        def make_model(rows: int) -> RealModel:
            if isinstance(rules, Rules):
                common = config.num_actions, rows, self.simulations
                return RulesModel(rules, *common, True, rollouts, config.discount)
            return GameModel(self.spec, config, True, rollouts)

        # copies of games in Python take memory, and one at a time are no slower
        batch = self.batch if self._by_rules else 1
        return RealGameSearch(make_model, config, batch, self.simulations, self.generator)


def _simulations(config: MuZeroConfig) -> int:
    return USUAL_SIMULATIONS


def _make(order: Order) -> MctsPlayer:
    simulations = USUAL_SIMULATIONS if order.spec.amount is None else order.spec.amount
    return MctsPlayer(order.game, simulations, order.batch, order.generator)


MCTS = PlayerKind("mcts", _make, amount=Amount(SIMULATIONS, _simulations))

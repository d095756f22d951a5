"""The real game as the search's model: perfect predictions, and values 0 or those of random rollouts.

`RulesModel` plays `games/boards/rules.py:Rules` in one kernel per simulation, `GameModel` any other game in
Python, by copies of it. Both are `data.Model`s whose "observations" are the real positions. Below the end of
a game nothing happens: rewards, discounts and values are 0, and the game is not touched. `RealGameSearch` is
plain UCT on top of them; `arena/mcts_player.py` is the opponent that plays by it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from config import MuZeroConfig
from core.kernels import cached_njit
from core.randomness import one_of
from core.zero_sum import seen_by
from data import BoolArray, Evaluation, FloatArray, IntArray, Model
from games.api.spec import GameSpec
from games.boards.rules import (
    LEGAL,
    OUTCOME,
    PLAY,
    REWARDS,
    RUNNING,
    TO_PLAY,
    Rules,
    address_of,
    function_at,
)
from playing.environment import Environment
from playing.game_table import GameTable
from search.chance import make_uncertain
from search.mcts import Search
from search.noise import RootNoise
from search.rules.uct import Uct
from search.tree import record_types
from search.values import components_of

TREE_BYTES = 300 << 20
"""Memory that the trees of one `RealGameSearch` may take; its model's positions come on top."""

_legal_at, _play_at = function_at(LEGAL), function_at(PLAY)


@njit(error_model="numpy")
def _rollout(legal: Any, play: Any, state: Any, mask: Any, seeds: Any, b: int, discount: float) -> float:
    """Plays `state` on to its end by random legal moves; the discounted outcome to the player to move."""
    player, weight = state[TO_PLAY], 1.0
    random = seeds[b]
    choices = legal(state, mask)
    while choices > 0:
        random ^= random << np.uint64(13)  # xorshift64
        random ^= random >> np.uint64(7)
        random ^= random << np.uint64(17)
        # the upper 32 bits times n, shifted back, are a number below n
        skip = np.int64(((random >> np.uint64(32)) * np.uint64(choices)) >> np.uint64(32))
        action = 0
        while not mask[action] or skip > 0:
            skip -= mask[action]
            action += 1
        play(state, action)
        if state[OUTCOME] != RUNNING:
            break
        choices = legal(state, mask)
        weight *= discount
    seeds[b] = random
    reward: float = REWARDS[state[OUTCOME], player]
    return weight * reward


_arguments = [
    *(types.int64, types.int64),  # addresses of the rules `legal` and `play`
    types.Array(types.int64, 3, "C"),  # states [N, B, S], room for more rows than are in use
    *(types.Array(types.int32, 1, "C"), types.Array(types.int32, 1, "C")),  # parents and actions [B]
    types.int64,  # node
    types.boolean,  # rollouts
    types.float64,  # discount per move
    types.Array(types.uint64, 1, "C"),  # random states
    *(types.Array(types.int64, 1, "C"), types.Array(types.boolean, 1, "C")),  # scratch [S] and mask [A]
    *(types.Array(types.float32, 2, "C"), types.Array(types.float32, 2, "C")),  # value and reward [B, 1]
    *(types.Array(types.float32, 1, "C"), types.Array(types.int32, 1, "C")),  # discounts, to_play [B]
    types.Array(types.float32, 2, "C"),  # logits [B, A]
]


@cached_njit(types.void(*_arguments), error_model="numpy")
def expand_rows(
    legal_address: int, play_address: int, states: Any, parents: Any, actions: Any, node: int,
    rollouts: bool, discount: float, seeds: Any, scratch: Any, mask: Any,
    value: Any, reward: Any, discounts: Any, to_play: Any, logits: Any,
) -> None:  # fmt: skip
    """Makes node `node` of every row: its state, and the evaluation of it. At node 0 the states are given."""
    legal, play = _legal_at(legal_address), _play_at(play_address)
    for b in range(len(parents)):
        state = states[node, b]
        reward[b, 0], discounts[b], value[b, 0] = 0.0, 1.0, 0.0
        if node > 0:
            state[:] = states[parents[b], b]
            running = state[OUTCOME] == RUNNING
            if running:
                player = state[TO_PLAY]
                play(state, actions[b])
                reward[b, 0] = REWARDS[state[OUTCOME], player]
            discounts[b] = discount if state[OUTCOME] == RUNNING else 0.0
        to_play[b] = state[TO_PLAY]
        if state[OUTCOME] != RUNNING:
            logits[b] = 0.0
            continue
        legal(state, mask)
        for a in range(len(mask)):
            logits[b, a] = 0.0 if mask[a] else -np.inf
        if rollouts:
            scratch[:] = state
            value[b, 0] = _rollout(legal, play, scratch, mask, seeds, b, discount)


class RealModel(Model, Protocol):
    """A model that knows the real positions it is asked about."""

    def to_play(self, positions: NDArray[Any]) -> IntArray:
        """The players to move [B] int32."""
        ...

    def legal(self, positions: NDArray[Any]) -> BoolArray:
        """The legal actions [B, A] bool."""
        ...


class RulesModel:
    """A board game as a model: its positions are `BoardState`s, stacked to [B, S] int64.

    Policies are uniform over the legal actions, in the whole tree. Values are 0, or with `rollouts` the
    outcome of a uniformly random game from there, to the player to move; `generator` seeds those games.
    """

    def __init__(
        self,
        rules: Rules,
        num_actions: int,
        batch: int,
        simulations: int,
        rollouts: bool,
        generator: np.random.Generator,
        discount: float = 1.0,
    ) -> None:
        self.rules, self.num_actions = rules, num_actions
        self.rollouts, self.discount = rollouts, discount
        self._legal, self._play = address_of(rules.legal, LEGAL), address_of(rules.play, PLAY)
        size = len(rules.start())
        self._states = np.zeros((simulations + 1, batch, size), np.int64)
        self._seeds = generator.integers(1, 2**64, batch, np.uint64, endpoint=False)
        self._scratch = np.zeros(size, np.int64)
        self._mask = np.zeros(num_actions, np.bool_)
        self._evaluation = blank_evaluation(batch, num_actions)

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """Evaluates the states [B, S]; the player to move is the state's own."""
        rows = len(observations)
        self._states[0, :rows] = observations
        nowhere = np.zeros(rows, np.int32)
        return self.recurrent(nowhere, nowhere, 0)

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """See `data.Model`."""
        arrays: Any = (array[: len(parents)] for array in self._evaluation)
        evaluation = Evaluation(*arrays)
        expand_rows(
            *(self._legal, self._play, self._states, parents, actions, node),
            *(self.rollouts, self.discount, self._seeds, self._scratch, self._mask, *evaluation),
        )
        return evaluation

    def to_play(self, positions: NDArray[Any]) -> IntArray:
        """The players to move [B] int32."""
        return np.asarray(positions[:, TO_PLAY], np.int32)

    def legal(self, positions: NDArray[Any]) -> BoolArray:
        """The legal actions [B, A] bool; none where the game is over."""
        mask = np.zeros((len(positions), self.num_actions), np.bool_)
        for state, row in zip(positions, mask, strict=True):
            self.rules.legal(state, row)
        return mask


def blank_evaluation(batch: int, num_actions: int, components: int = 1) -> Evaluation:
    """Zeros in the shapes of an evaluation of `batch` rows."""
    return Evaluation(
        value=np.zeros((batch, components), np.float32),
        reward=np.zeros((batch, components), np.float32),
        discount=np.zeros(batch, np.float32),
        to_play=np.zeros(batch, np.int32),
        policy_logits=np.zeros((batch, num_actions), np.float32),
    )


class Position(NamedTuple):
    """A running game, and how it came about."""

    environment: Environment
    seed: int
    actions: tuple[int, ...]


def positions_of(table: GameTable, rows: NDArray[np.intp]) -> NDArray[np.object_]:
    """The games `rows` [B] of a table as the `Position`s [B] that `GameModel` searches from."""
    positions = np.empty(len(rows), object)
    for i, row in enumerate(rows.tolist()):
        played = tuple(table.played[row])
        positions[i] = Position(table.environments[row], int(table.seeds[row]), played)
    return positions


class GameModel:
    """Any game as a model: its positions are `Position`s [B], which are copied, never played on.

    What the player to move cannot know is drawn anew in every copy (`search/chance.py`). A game that cannot
    be copied, or whose copies play otherwise, is played again from its seed, which takes longer. Policies and
    values are as in `RulesModel`, of more than two players for each; a rollout ends with the game, or after
    `horizon` moves, and returns the discounted sum of its rewards.
    """

    def __init__(
        self,
        spec: GameSpec,
        config: MuZeroConfig,
        rollouts: bool,
        generator: np.random.Generator,
        horizon: int | None = None,
    ) -> None:
        self.spec, self.config = spec, config
        self.rollouts, self.generator = rollouts, generator
        self.horizon = config.max_moves if horizon is None else horizon
        self._copies = True  # until a game turns out not to be copied truly
        self._nodes: list[list[Position | None]] = []  # by node and row; None where the game is over
        self._players: list[IntArray] = []  # by node, of rows

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """Evaluates `Position`s [B]; the players to move are the games' own."""
        self._copies = self._copies and all(self._copies_truly(position) for position in observations)
        self._nodes, self._players = [list(observations)], [self.to_play(observations)]
        evaluation = self._blank(len(observations))
        evaluation.discount[:] = 1.0
        return self._evaluated(evaluation)

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """See `data.Model`."""
        assert node == len(self._nodes), "nodes are made one after another"
        evaluation = self._blank(len(parents))
        children: list[Position | None] = []
        players = np.zeros(len(parents), np.int32)
        for b, (parent, action) in enumerate(zip(parents.tolist(), actions.tolist(), strict=True)):
            position, player = self._nodes[parent][b], self._players[parent][b]
            child = None
            if position is not None:
                child = self.uncertain(position)
                step = child.environment.step(action)
                evaluation.reward[b] = step.rewards or step.reward
                over = step.terminated or step.truncated
                child = None if over else child._replace(actions=(*child.actions, action))
            players[b] = player if child is None else child.environment.to_play()
            evaluation.discount[b] = 0.0 if child is None else self.config.discount
            children.append(child)
        self._nodes.append(children)
        self._players.append(players)
        return self._evaluated(evaluation)

    def _blank(self, rows: int) -> Evaluation:
        return blank_evaluation(rows, self.config.num_actions, components_of(self.config))

    def _evaluated(self, evaluation: Evaluation) -> Evaluation:
        """Fills in players, policies and values of the newest node."""
        evaluation.to_play[:] = self._players[-1]
        for b, position in enumerate(self._nodes[-1]):
            if position is not None:
                legal = position.environment.legal_mask()
                evaluation.policy_logits[b] = np.where(legal, 0.0, -np.inf)
                if self.rollouts:
                    evaluation.value[b] = self.rollout(position)
        return evaluation

    def rollout(self, position: Position) -> FloatArray:
        """What random play from a position is worth [P]."""
        environment = self.uncertain(position).environment
        player, weight = environment.to_play(), 1.0
        total = np.zeros(components_of(self.config))
        for _ in range(self.horizon):
            mover = environment.to_play()
            legal = np.flatnonzero(environment.legal_mask())
            step = environment.step(one_of(self.generator, legal))
            total += weight * np.array(step.rewards or [seen_by(player, mover, step.reward)])
            weight *= self.config.discount
            if step.terminated or step.truncated:
                break
        return total

    def copied(self, position: Position) -> Position:
        """The same position in a game of its own."""
        if not self._copies:
            return self._replayed(position)
        environment = position.environment
        shared: dict[int, Any] = {id(value): value for value in (environment.config, environment.can)}
        return position._replace(environment=copy.deepcopy(environment, shared))

    def uncertain(self, position: Position) -> Position:
        """The same position in a game of its own, as far as the player to move knows it."""
        copied = self.copied(position)
        environment = copied.environment
        make_uncertain(environment.game, environment.can.resample, self.generator)
        return copied

    def _replayed(self, position: Position) -> Position:
        """The same position in a game that has been played there from its start."""
        environment = Environment(self.spec, self.config)
        environment.replay(position.seed, position.actions)
        return position._replace(environment=environment)

    def _copies_truly(self, position: Position) -> bool:
        """Whether a copy of the game goes on like the game played again; some make a new game of a copy."""
        action = int(position.environment.legal_mask().argmax())
        try:
            step = self.copied(position).environment.step(action)
        except Exception:  # a game may hold anything, and fail to be copied in any way
            return False
        expected = self._replayed(position).environment.step(action)
        return step[1:] == expected[1:] and np.array_equal(step.observation, expected.observation, True)

    def to_play(self, positions: NDArray[Any]) -> IntArray:
        """The players to move [B] int32."""
        return np.array([position.environment.to_play() for position in positions], np.int32)

    def legal(self, positions: NDArray[Any]) -> BoolArray:
        """The legal actions [B, A] bool."""
        return np.stack([position.environment.legal_mask() for position in positions])


class RealGameSearch:
    """Chooses actions by UCT on a model of the real game: the most visited ones, a random one among equals.

    Searches so many positions at a time that its trees stay within `TREE_BYTES`.
    """

    def __init__(
        self,
        make_model: Callable[[int], RealModel],
        config: MuZeroConfig,
        batch: int,
        simulations: int,
        generator: np.random.Generator,
        exploration: float = math.sqrt(2.0),
    ) -> None:
        """`make_model` is given how many rows are searched at a time; `exploration` is UCB1's constant."""
        own = tree_bytes(simulations, config.num_actions, components_of(config))
        rows = max(1, min(batch, TREE_BYTES // own))
        self.model = make_model(rows)
        self.search = Search(config, rows, simulations, rule=Uct(exploration))
        self.generator = generator

    def actions(self, positions: NDArray[Any]) -> IntArray:
        """Actions [B] int32 for B positions of the model's kind, none of which is over."""
        rows = self.search.batch
        parts = [self._searched(positions[i : i + rows]) for i in range(0, len(positions), rows)]
        return np.concatenate(parts)

    def _searched(self, positions: NDArray[Any]) -> IntArray:
        legal, to_play = self.model.legal(positions), self.model.to_play(positions)
        seeds = self.generator.integers(1, 2**64, len(legal), np.uint64, endpoint=False)
        noise = RootNoise.none(*legal.shape)._replace(tie_seeds=seeds)
        return self.search.run(self.model, positions, to_play, legal, noise).action


def tree_bytes(simulations: int, num_actions: int, components: int = 1) -> int:
    """Memory of one row's tree."""
    records = record_types(np.dtype(np.float32))
    node = records.node.itemsize + 2 * components * np.dtype(np.float32).itemsize
    return (simulations + 1) * (node + num_actions * records.edge.itemsize)

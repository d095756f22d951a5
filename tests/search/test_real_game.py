"""The real game as a model: its nodes, its rollouts, ended games, and the search on it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from arena.mcts_player import MctsPlayer
from config import MuZeroConfig
from data import Evaluation
from games import tictactoe
from games.api.sources import load_game
from games.api.spec import GameSpec
from games.boards.rules import OUTCOME, RUNNING, TO_PLAY, BoardState, Rules, reward_to
from playing.environment import Environment
from playing.game_table import GameTable
from search.mcts import Search
from search.noise import RootNoise
from search.real_game import GameModel, Position, RealGameSearch, RulesModel, positions_of, tree_bytes
from search.rules.uct import Uct
from search.tree import make_tree
from tests.helpers.heap import HEAP
from tests.helpers.toy_boards import BOXES_GAME, EDGES, NIM, after, moves

BOARDS = pytest.mark.parametrize(("rules", "num_actions"), [(NIM, 3), (BOXES_GAME, EDGES)])


def rules_model(rules: Rules, num_actions: int, batch: int, nodes: int = 8, **options: Any) -> RulesModel:
    defaults: dict[str, Any] = {"rollouts": False, "generator": np.random.default_rng(0)}
    return RulesModel(rules, num_actions, batch, nodes, **defaults | options)


def copied(evaluation: Evaluation) -> Evaluation:
    return Evaluation._make(array.copy() for array in evaluation)


@BOARDS
def test_nodes_follow_the_rules(rules: Rules, num_actions: int) -> None:
    """Random moves from random nodes, some of them ended: each evaluation is what the rules say."""
    generator = np.random.default_rng(0)
    batch, nodes = 5, 60
    model = rules_model(rules, num_actions, batch + 2, nodes, discount=0.5)
    known = [[rules.start() for _ in range(batch)]]
    root = copied(model.root(np.stack(known[0]), np.zeros(batch, np.int32)))
    assert root.discount.tolist() == [1.0] * batch
    ended = 0
    for node in range(1, nodes + 1):
        parents = np.maximum(generator.integers(node // 2, node, batch, np.int32), 0)
        states = [known[parent][b] for b, parent in enumerate(parents)]
        actions = [int(generator.choice(moves(rules, s, num_actions) or [0])) for s in states]
        evaluation = model.recurrent(parents, np.array(actions, np.int32), node)
        running = [state[OUTCOME] == RUNNING for state in states]
        ended += running.count(False)
        children = [
            after(rules, s, a) if runs else s for s, a, runs in zip(states, actions, running, strict=True)
        ]
        known.append(children)
        for b, child in enumerate(children):
            mover = int(states[b][TO_PLAY])
            over = child[OUTCOME] != RUNNING
            assert evaluation.reward[b, 0] == (reward_to(mover, child) if running[b] else 0.0)
            assert evaluation.discount[b] == (0.0 if over else 0.5)
            assert evaluation.to_play[b] == child[TO_PLAY]
            assert evaluation.value[b, 0] == 0.0
            legal = range(num_actions) if over else moves(rules, child, num_actions)
            assert np.flatnonzero(evaluation.policy_logits[b] == 0).tolist() == list(legal)
            assert np.isneginf(np.delete(evaluation.policy_logits[b], legal)).all()
    assert ended > 20


def random_worth(rules: Rules, num_actions: int, state: BoardState, discount: float) -> float:
    """What uniformly random play is worth to the player to move, exactly."""
    values = []
    for action in moves(rules, state, num_actions):
        child = after(rules, state, action)
        if child[OUTCOME] != RUNNING:
            values.append(reward_to(int(state[TO_PLAY]), child))
        else:
            sign = 1.0 if child[TO_PLAY] == state[TO_PLAY] else -1.0
            values.append(sign * discount * random_worth(rules, num_actions, child, discount))
    return float(np.mean(values))


@BOARDS
@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_rollouts_are_random_games(rules: Rules, num_actions: int, discount: float) -> None:
    """Their mean is the worth of random play: five standard errors of 40,000 games at most away."""
    generator = np.random.default_rng(1)
    state = rules.start()
    for _ in range(5 if rules is BOXES_GAME else 1):
        rules.play(state, int(generator.choice(moves(rules, state, num_actions))))
    rows = 40_000
    model = rules_model(rules, num_actions, rows, 0, rollouts=True, discount=discount)
    value = model.root(np.tile(state, (rows, 1)), np.zeros(rows, np.int32)).value
    expected = random_worth(rules, num_actions, state, discount)
    assert value.mean() == pytest.approx(expected, abs=5 * float(value.std()) / rows**0.5)
    assert abs(expected) > 0.02


def test_rollouts_repeat_with_their_seed() -> None:
    states = np.tile(BOXES_GAME.start(), (50, 1))
    players = np.zeros(50, np.int32)
    first, again, other = (
        rules_model(BOXES_GAME, EDGES, 50, rollouts=True, generator=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    values = first.root(states, players).value.copy()
    np.testing.assert_array_equal(values, again.root(states, players).value)
    assert (values != other.root(states, players).value).any()
    assert (values != first.root(states, players).value).any()
    np.testing.assert_array_equal(states, np.tile(BOXES_GAME.start(), (50, 1)))


TICTACTOE = GameSpec("tictactoe", tictactoe.Game, tictactoe.MuZeroConfig())


def table_of(spec: GameSpec, moved: list[list[int]], config: MuZeroConfig | None = None) -> GameTable:
    """One game for each list of actions, after those."""
    table = GameTable(spec, config or spec.config, len(moved))
    for row, actions in enumerate(moved):
        table.reset(row, 100 + row)
        for action in actions:
            table.step(np.array([row]), np.array([action], np.int32))
    return table


def visits(model: Any, positions: Any, config: MuZeroConfig, simulations: int) -> NDArray[np.int32]:
    """The visit counts of a search without noise."""
    legal = model.legal(positions)
    noise = RootNoise.none(*legal.shape)
    search = Search(config, len(legal), simulations)
    return search.run(model, positions, model.to_play(positions), legal, noise).visit_counts


class Locked(tictactoe.Game):
    """Cannot be copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("locked")


class Forgetful(tictactoe.Game):
    """Its copies are new games."""

    def __deepcopy__(self, memo: Any) -> Any:
        return Forgetful()


@pytest.mark.parametrize("game_class", [tictactoe.Game, Locked, Forgetful])
def test_games_in_python_and_compiled_rules_are_the_same_model(game_class: type) -> None:
    """Copied or played again: the trees are those of the compiled rules, and the games are as they were."""
    spec = GameSpec("tictactoe", game_class, TICTACTOE.config)
    table = table_of(spec, [[], [4], [4, 0, 8], [0, 1, 3, 4, 2]])
    rows = np.arange(4)
    states = np.stack([environment.game.state for environment in table.environments])
    generator = np.random.default_rng(0)
    by_rules = rules_model(tictactoe.Game.rules, 9, 4, 120)
    by_game = GameModel(spec, spec.config, False, generator)
    expected = visits(by_rules, states, spec.config, 120)
    np.testing.assert_array_equal(visits(by_game, positions_of(table, rows), spec.config, 120), expected)
    np.testing.assert_array_equal(
        states, np.stack([environment.game.state for environment in table.environments])
    )
    assert (expected[3] > 0).sum() == 4


@pytest.mark.parametrize(("game_class", "made"), [(tictactoe.Game, 1), (Locked, 20)])
def test_games_are_copied_where_that_works(game_class: type, made: int) -> None:
    """A game is only set up again to check the copies of the root, or for each of 20 simulations."""
    starts: list[int | None] = []

    class Counted(game_class):  # type: ignore[misc]
        def reset(self, seed: int | None = None) -> Any:
            starts.append(seed)
            return super().reset(seed)

    spec = GameSpec("tictactoe", Counted, TICTACTOE.config)
    table = table_of(spec, [[4]])
    starts.clear()
    model = GameModel(spec, spec.config, False, np.random.default_rng(0))
    visits(model, positions_of(table, np.arange(1)), spec.config, 20)
    assert starts == [100] * made


class Line:
    """One player, three actions of which one is legal, a reward of 1 per move; ends after ten moves."""

    def __init__(self, seed: int | None = None) -> None:
        self.move = 0

    def reset(self) -> NDArray[np.float32]:
        self.move = 0
        return np.zeros((1, 1, 1), np.float32)

    def legal_actions(self) -> list[int]:
        return [self.move % 3]

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool]:
        assert action == self.move % 3
        assert self.move < 10, "the game is over"
        self.move += 1
        return np.full((1, 1, 1), self.move, np.float32), 1.0, self.move == 10


LINE = GameSpec("line", Line, MuZeroConfig(observation_shape=(1, 1, 1), action_space=(0, 1, 2), discount=0.5))


@pytest.mark.parametrize(("horizon", "max_moves", "rewards"), [(None, 500, 9), (4, 500, 4), (None, 6, 5)])
def test_rollouts_of_games_in_python(horizon: int | None, max_moves: int, rewards: int) -> None:
    """Discounted rewards up to the game's end, the horizon, or the move at which games are cut off."""
    config = MuZeroConfig(
        observation_shape=(1, 1, 1), action_space=(0, 1, 2), discount=0.5, max_moves=max_moves
    )
    table = table_of(LINE, [[0]], config)
    model = GameModel(LINE, config, True, np.random.default_rng(0), horizon)
    positions = positions_of(table, np.arange(1))
    evaluation = model.root(positions, np.zeros(1, np.int32))
    assert evaluation.value[0, 0] == pytest.approx(2.0 - 0.5 ** (rewards - 1))


class Turns(Line):
    """`Line` for two players, who take two moves each."""

    def to_play(self) -> int:
        return self.move // 2 % 2


def test_rewards_of_the_opponent_count_against_a_rollout() -> None:
    """After three moves: one more of player 1, two of player 0, two of player 1, two of player 0."""
    config = dataclasses.replace(LINE.config, players=2)
    table = table_of(GameSpec("turns", Turns, config), [[0, 1, 2]])
    model = GameModel(GameSpec("turns", Turns, config), config, True, np.random.default_rng(0))
    evaluation = model.root(positions_of(table, np.arange(1)), np.zeros(1, np.int32))
    assert evaluation.to_play.tolist() == [1]
    expected = np.dot([1, -1, -1, 1, 1, -1, -1], 0.5 ** np.arange(7))
    assert evaluation.value[0, 0] == pytest.approx(expected)


def test_ended_games_are_left_alone() -> None:
    """`Line` refuses a move after its end; the search goes far beyond it, where nothing counts."""
    table = table_of(LINE, [[0, 1, 2, 0, 1, 2, 0]])
    model = GameModel(LINE, LINE.config, False, np.random.default_rng(0))
    positions = positions_of(table, np.arange(1))
    search = Search(LINE.config, 1, 200)
    noise = RootNoise.none(1, 3)
    result = search.run(model, positions, model.to_play(positions), model.legal(positions), noise)
    assert result.depth[0] > 4
    assert result.visit_counts.tolist() == [[0, 200, 0]]
    # three moves are left, 1 + 0.5 + 0.25, and each node on the way was valued at 0 once
    assert search.tree.value[0, 4:, 0].any() == False  # noqa: E712
    assert 1.7 < result.root_value[0, 0] < 1.75
    assert table.environments[0].moves == 7


def test_a_search_plays_what_wins() -> None:
    """Two ways to win at once, both equally often; a threat that must be stopped; in parts of the batch."""
    wins, threat = [0, 3, 1, 4, 8, 6, 5], [0, 4, 1]
    states = [rules_after(wins[:-1] if i % 2 else threat) for i in range(10)]
    model_rows = []

    def make_model(rows: int) -> RulesModel:
        model_rows.append(rows)
        return rules_model(tictactoe.Game.rules, 9, rows, 400, rollouts=True)

    config = MuZeroConfig(action_space=tuple(range(9)), players=2, q_transform="bounds")
    search = RealGameSearch(make_model, config, 4, 400, np.random.default_rng(0))
    assert model_rows == [4]
    actions = search.actions(np.stack(states))
    assert actions.dtype == np.int32
    assert actions.tolist() == [2] * 10


def rules_after(actions: list[int]) -> BoardState:
    """A position of tic-tac-toe."""
    state = tictactoe.Game.rules.start()
    for action in actions:
        tictactoe.Game.rules.play(state, action)
    return state


def test_equally_good_moves_are_played_equally_often() -> None:
    """With one simulation every move is as good as any other."""
    config = MuZeroConfig(action_space=tuple(range(9)), players=2, q_transform="bounds")
    make = lambda rows: rules_model(tictactoe.Game.rules, 9, rows, 1, rollouts=True)  # noqa: E731
    search = RealGameSearch(make, config, 1000, 1, np.random.default_rng(0))
    counts = np.bincount(search.actions(np.tile(rules_after([4]), (2000, 1))), minlength=9)
    assert counts[4] == 0
    np.testing.assert_allclose(np.delete(counts, 4) / 2000, 1 / 8, atol=0.04)


def test_memory_of_the_trees() -> None:
    """The estimate is what a tree takes; the largest searches are split to stay within half a gigabyte."""
    tree = make_tree(3, 51, 7, np.float32)
    per_row = sum(array.nbytes for array in tree[1:5]) / 3
    assert tree_bytes(50, 7) == per_row
    rows = []

    def make_model(number: int) -> RulesModel:
        rows.append(number)
        return rules_model(NIM, 3, 1)

    config = MuZeroConfig(action_space=tuple(range(121)), players=2)
    RealGameSearch(make_model, config, 64, 10_000, np.random.default_rng(0))
    assert 1 < rows[0] < 64
    assert rows[0] * tree_bytes(10_000, 121) < 500e6


def test_the_opponent_called_mcts_beats_random_play() -> None:
    """As either player, on a board game: no loss in 40 games and few draws."""
    generator = np.random.default_rng(0)
    table = table_of(TICTACTOE, [[] for _ in range(40)])
    player = MctsPlayer(TICTACTOE, 1000, 40, generator)
    live = np.arange(40)
    while live.size:
        own = live[table.to_play[live] == live % 2]
        actions = np.zeros(40, np.int32)
        keys = np.where(table.legal, generator.random((40, 9)), -1.0)
        actions[:] = keys.argmax(axis=1)
        if own.size:
            actions[own] = player.choose(table, own)
        moved = table.step(live, actions[live])
        live = live[~(moved.terminated | moved.truncated)]
    returns = table.returns[np.arange(40), np.arange(40) % 2]
    assert returns.min() >= 0
    assert returns.mean() > 0.8


def test_the_opponent_called_mcts_plays_any_game() -> None:
    """In `Line` there is one legal action; games stay as they were."""
    table = table_of(LINE, [[], [0], [0, 1]])
    player = MctsPlayer(LINE, 20, 3, np.random.default_rng(0))
    assert player.choose(table, np.arange(3)).tolist() == [0, 1, 2]
    assert [environment.moves for environment in table.environments] == [0, 1, 2]


def test_each_of_three_players_is_rewarded_for_itself() -> None:
    """Of a heap of three the first player takes all and wins; of one of four, whoever comes next."""
    spec = load_game(HEAP)
    config = dataclasses.replace(spec.config, q_transform="bounds", max_moves=30)
    for heap, value in ((3, [1.0, -0.5, -0.5]), (4, [-0.5, 1.0, -0.5])):
        environment = Environment(spec, config)
        environment.reset(0)
        environment.game.heap = heap
        positions = np.empty(1, object)
        positions[0] = Position(environment, 0, ())
        model = GameModel(spec, config, False, np.random.default_rng(0))
        model._copies_truly = lambda position: True  # type: ignore[method-assign]  # its heap is no seed's
        search = Search(config, 1, 400, rule=Uct(0.5))
        legal, players = model.legal(positions), model.to_play(positions)
        found = search.run(model, positions, players, legal, RootNoise.none(1, 3))
        np.testing.assert_allclose(found.value[0], value, atol=0.2)
        assert heap == 4 or found.action[0] == 2


def test_rollouts_of_three_players_have_a_return_for_each() -> None:
    spec = load_game(HEAP)
    model = GameModel(spec, spec.config, True, np.random.default_rng(0))
    environment = Environment(spec, spec.config)
    environment.reset(0)
    returns = np.array([model.rollout(Position(environment, 0, ())) for _ in range(300)])
    assert {tuple(row) for row in returns.tolist()} == {(1, -0.5, -0.5), (-0.5, 1, -0.5), (-0.5, -0.5, 1)}
    assert environment.game.heap == 6

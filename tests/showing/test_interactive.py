"""One game that is played, taken back and analysed; and what an agent says of a position."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from rich.console import Console

from arena.network_player import CHECKPOINT, NetworkPlayer, load_player
from arena.player_kind import PlayerSpec
from arena.simple_players import RandomPlayer
from core.errors import ConfigurationError
from core.project import PRETRAINED
from core.prompts import meant
from games.api.sources import OWN_GAMES, load_game
from games.api.spec import GameSpec
from playing.game_table import GameTable
from playing.make_table import make_table
from saving.checkpoint import load_checkpoint
from showing.agent import Agent
from showing.analysis import Analysis, LineEnd, TreeLimit, TreeNode
from showing.interactive import InteractiveGame
from showing.moments import WatchedAgent, watch
from showing.screen import analysis_picture
from tests.helpers.toy_games import Walk, WalkConfig, random_weights, toy_game

WHOLE = TreeLimit(depth=1000, width=1000)


def agent_of(name: str, simulations: int | None = None) -> Agent:
    return Agent.load(PRETRAINED / name / "best.checkpoint", load_game(name), simulations)


def played(name: str, *actions: int, agent: Agent | None = None) -> InteractiveGame:
    game = InteractiveGame(load_game(name), agent, seed=3)
    for action in actions:
        game.play(action)
    return game


def shortened(name: str, max_moves: int) -> GameSpec:
    spec = load_game(name)
    return dataclasses.replace(spec, config=spec.config.replace(max_moves=max_moves))


# --- more than two players ---


class Shared(Walk):
    """A walk of three players; `step` rewards them as the test says."""

    rewards: ClassVar[list[float]] = [0.0, 0.0, 0.0]

    def step(self, action: int) -> Any:
        observation, _, over, *rest = super().step(action)
        return observation, self.rewards if over else 0.0, over, *rest

    def to_play(self) -> int:
        return self.move % 3


@pytest.mark.parametrize(
    ("rewards", "outcome"),
    [
        ([1.0, -0.5, -0.5], "player 1 wins"),
        ([-3.0, -1.0, -2.0], "player 2 wins"),
        ([2.0, 0.0, 2.0], "player 1 and player 3 win"),
        ([1.0, 1.0, 1.0], "a draw"),
    ],
)
def test_how_a_game_for_three_ends(rewards: list[float], outcome: str) -> None:
    game = InteractiveGame(
        GameSpec("shared", type("Game", (Shared,), {"rewards": rewards}), WalkConfig(players=3)), None, 3
    )
    while not game.over:
        game.play(game.legal_actions[0])
    assert (game.players, game.returns, game.outcome) == (3, tuple(rewards), outcome)


def test_who_resigns_a_game_for_three_is_named() -> None:
    game = InteractiveGame(GameSpec("shared", Shared, WalkConfig(players=3)), None, 3)
    game.play(game.legal_actions[0])
    game.resign()
    assert (game.outcome, game.returns) == ("player 2 resigns", (0.0, 0.0, 0.0))


def test_in_a_game_for_three_agent_and_opponents_move_on_by_a_seat() -> None:
    spec = GameSpec("shared", Shared, WalkConfig(players=3))
    config = WalkConfig(players=2, evaluation_simulations=2)
    network = NetworkPlayer(config, 1)
    network.load(random_weights(config), 0)
    network.config = spec.config  # networks learn games of two at most: what it plays is no matter here
    asked: dict[str, set[int]] = {"first": set(), "second": set()}

    class Noting:
        def __init__(self, name: str) -> None:
            self.name = name

        def choose(self, table: GameTable, rows: Any) -> Any:
            asked[self.name].add((int(table.to_play[0]) - number) % 3)
            return [np.flatnonzero(table.legal[0])[0]]

    number = 0  # of the game that the next move is made in, from 0
    seats = set()
    for moment in watch(spec, WatchedAgent(network), [Noting("first"), Noting("second")], 6, 3):
        if moment.role == ", the agent,":
            seats.add((moment.game.to_play - number) % 3)
        number = moment.number - 1 + (moment.action is None)
    assert (seats, asked) == ({0}, {"first": {1}, "second": {2}})


# --- words ---


@pytest.mark.parametrize(
    ("answer", "index"),
    [
        ("push left", 0),
        (" LEFT ", 0),
        ("l", 0),
        ("push r", 1),
        ("push", None),  # both
        ("", None),
        ("a1", 2),
        ("a", None),  # names with digits are not shortened
        ("a10", 3),
        ("p", None),
        ("pas", 4),
    ],
)
def test_words_that_are_meant(answer: str, index: int | None) -> None:
    assert meant(answer, ["push left", "push right", "a1", "A10", "pass"]) == index


def test_actions_are_named_and_understood() -> None:
    game = played("tictactoe", 4)
    assert game.action_name(0) == "1"
    assert game.action_named("9") == 8
    with pytest.raises(ConfigurationError, match=r"^'5' is no legal move; legal: 1, 2, 3, 4, 6, 7, 8, 9$"):
        game.action_named("5")


def test_actions_without_names_are_numbers() -> None:
    game = InteractiveGame(toy_game("walk"), None, seed=1)
    assert game.action_name(2) == "2"
    assert game.action_named("2") == 2


# --- playing ---


def test_a_game_that_is_won() -> None:
    game = played("tictactoe", 0, 3, 1, 4)
    assert (game.over, game.outcome, game.to_play) == (False, "", 0)
    assert game.legal_actions == [2, 5, 6, 7, 8]
    game.play(2)
    assert (game.over, game.outcome) == (True, "player 1 (X) wins")
    assert game.legal_actions == []
    assert game.moves == (0, 3, 1, 4, 2)
    assert game.movers == (0, 1, 0, 1, 0)
    assert game.rewards == (0.0, 0.0, 0.0, 0.0, 1.0)
    assert game.returns == (1.0, -1.0)
    with pytest.raises(ConfigurationError, match="the game is over"):
        game.play(5)


def test_the_second_player_wins_and_a_draw() -> None:
    lost = played("tictactoe", 0, 3, 1, 4, 8, 5)
    assert (lost.outcome, lost.returns) == ("player 2 (O) wins", (-1, 1))
    drawn = played("tictactoe", 0, 1, 2, 4, 3, 5, 7, 6, 8)
    assert (drawn.outcome, drawn.returns) == ("a draw", (0, 0))


@pytest.mark.parametrize("action", [4, -1, 9, 1 << 40])
def test_an_illegal_move_changes_nothing(action: int) -> None:
    game = played("tictactoe", 4)
    before = game.text()
    with pytest.raises(
        ConfigurationError, match=rf"^action {action} is not legal; legal: 0 \(1\), 1 \(2\), "
    ):
        game.play(action)
    assert (game.text(), game.moves, game.to_play) == (before, (4,), 1)


def test_games_for_one_count_their_return() -> None:
    game = InteractiveGame(shortened("cartpole", 3), None, seed=0)
    for _ in range(3):
        game.play(0)
    assert (game.players, game.over, game.returns) == (1, True, (3,))
    assert game.outcome == "stopped after 3 moves, return 3"
    twentyone = played("twentyone")
    twentyone.play(twentyone.action_named("stick"))
    assert twentyone.outcome.startswith("ended after 1 move, return ")


def test_resigning_loses_and_can_be_taken_back() -> None:
    game = played("tictactoe", 0)
    game.resign()
    assert game.outcome == "player 2 (O) resigns, player 1 (X) wins"
    assert game.returns == (1.0, -1.0)
    game.resign()
    assert game.resigned_by == 1
    game.undo(0)
    assert (game.over, game.moves) == (False, (0,))
    alone = played("cartpole", 0)
    alone.resign()
    assert alone.outcome == "stopped after 1 move, return 1"
    assert (alone.resigned, alone.resigned_by) == (True, None)
    alone.undo(0)
    assert (alone.over, alone.resigned, alone.moves) == (False, False, (0,))


@pytest.mark.parametrize("name", OWN_GAMES.names())
def test_every_game_can_be_taken_back(name: str) -> None:
    generator = np.random.default_rng(1)
    game = InteractiveGame(load_game(name), None, seed=5)
    seen: list[tuple[Any, ...]] = []
    while not game.over and len(seen) < 6:
        seen.append((game.text(), game.observation.tolist(), game.to_play, game.legal_actions, game.returns))
        game.play(int(generator.choice(game.legal_actions)))
    for back in range(len(seen) - 1, -1, -1):
        game.undo()
        now = (game.text(), game.observation.tolist(), game.to_play, game.legal_actions, game.returns)
        assert now == seen[back]
        assert len(game.moves) == len(game.rewards) == len(game.movers) == back
    game.close()


def test_games_in_the_old_api_can_be_taken_back() -> None:
    game = InteractiveGame(toy_game("old_walk"), None, seed=39)
    first = game.observation
    for _ in range(4):
        game.play(game.legal_actions[-1])
    game.undo(4)
    np.testing.assert_array_equal(game.observation, first)


def test_more_moves_than_were_made_cannot_be_taken_back() -> None:
    game = played("tictactoe", 4)
    for moves in (2, -1):
        with pytest.raises(ConfigurationError, match=f"{moves} cannot be taken back: 1 move so far"):
            game.undo(moves)
    assert game.moves == (4,)


def test_the_seed_determines_the_game() -> None:
    game = InteractiveGame(load_game("gridworld"), None, seed=1)
    text = game.text()
    game.play(0)
    game.restart(2)
    assert (game.moves, game.rewards) == ((), ())
    assert game.text() != text
    game.restart(1)
    assert game.text() == text


def test_a_game_that_shows_nothing_shows_its_observation() -> None:
    game = InteractiveGame(toy_game("walk"), None, seed=7)
    assert game.text() == "[7. 0. 0.]"


def test_other_players_choose_moves() -> None:
    game = played("tictactoe", 0, 1, 2, 3, 4, 5, 6)
    assert game.over
    game.undo()
    assert game.choice_of(RandomPlayer(np.random.default_rng(0))) in (6, 7, 8)


# --- analysis ---


def nodes(node: TreeNode) -> Iterator[TreeNode]:
    yield node
    for child in node.children:
        yield from nodes(child)


@pytest.mark.parametrize("name", ["tictactoe", "cartpole"])
def test_the_tree_adds_up(name: str) -> None:
    game = InteractiveGame(load_game(name), agent_of(name), seed=1)
    analysis = game.analyse(40, WHOLE)
    every = list(nodes(analysis.tree))
    assert analysis.simulations == analysis.visits.sum() == 40
    assert sorted(node.simulation for node in every) == list(range(41))
    for node in every:
        assert node.visits == 1 + sum(child.visits for child in node.children)
        assert [child.visits for child in node.children] == sorted(
            (child.visits for child in node.children), reverse=True
        )
        assert all(child.simulation > node.simulation for child in node.children)
    root = analysis.tree
    assert (root.action, root.value, root.to_play, root.prior) == (None, analysis.value, 0, 1.0)
    for child in root.children:
        action = child.action
        assert action is not None
        assert child.visits == analysis.visits[action]
        assert child.prior == pytest.approx(analysis.prior[action])
        sign = 1 if game.players == 1 else -1
        expected = child.reward + sign * game.config.discount * child.value
        assert analysis.action_values[action] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert child.to_play == (0 if game.players == 1 else 1)
    assert np.isnan(analysis.action_values[analysis.visits == 0]).all()
    assert analysis.prior.sum() == pytest.approx(1)


def test_the_tree_is_limited() -> None:
    game = InteractiveGame(load_game("tictactoe"), agent_of("tictactoe"), seed=1)
    game.play(4)
    small = game.analyse(60, TreeLimit(depth=1, width=2)).tree
    assert len(small.children) == 2
    assert all(child.children == () for child in small.children)
    assert small.visits == 61


def test_illegal_moves_are_not_in_the_analysis() -> None:
    game = played("tictactoe", 4, 0, agent=agent_of("tictactoe"))
    for simulations in (0, 30):
        analysis = game.analyse(simulations)
        assert analysis.prior[[0, 4]] == pytest.approx(0)
        assert analysis.visits[[0, 4]].sum() == 0
        assert analysis.action in game.legal_actions


def test_the_agent_takes_a_win_and_knows_it() -> None:
    game = played("tictactoe", 0, 3, 1, 4, agent=agent_of("tictactoe"))
    analysis = game.analyse(50)
    assert analysis.action == 2
    assert analysis.principal_variation == (2,), "the game is over then, whatever the model thinks"
    assert analysis.win_probability > 0.9
    game.play(8)  # now it is O who wins
    assert game.analyse(50).to_play == 1
    assert game.analyse(50).win_probability > 0.9
    assert game.moves == (0, 3, 1, 4, 8), "analysing plays nothing"


def test_the_line_is_legal_and_begins_with_the_move() -> None:
    game = played("tictactoe", 4, agent=agent_of("tictactoe"))
    analysis = game.analyse(200)
    assert analysis.principal_variation[0] == analysis.action
    assert len(analysis.principal_variation) > 2
    for action in analysis.principal_variation:
        game.play(action)


@pytest.mark.parametrize("simulations", [0, 16])
def test_the_agent_plays_as_in_an_evaluation(simulations: int) -> None:
    agent, spec = agent_of("cartpole", simulations), load_game("cartpole")
    path = PRETRAINED / "cartpole" / "best.checkpoint"
    player = load_player(PlayerSpec(CHECKPOINT, simulations, path), spec, 1, "cpu")
    table = make_table(spec, agent.config, 1)
    table.reset(0, 11)
    for _ in range(20):
        action = agent.analyse(table).action
        assert action == player.choose(table, np.array([0]))[0]
        table.step(np.array([0]), np.array([action], np.int32))


def test_without_search_the_network_speaks() -> None:
    game = InteractiveGame(load_game("cartpole"), agent_of("cartpole"), seed=2)
    alone, searched = game.analyse(0), game.analyse(32)
    assert alone.value == alone.network_value == pytest.approx(searched.network_value)
    np.testing.assert_allclose(alone.prior, searched.prior, atol=1e-6)
    assert alone.action == alone.prior.argmax()
    assert (alone.tree.children, alone.visits.sum()) == ((), 0)


def test_forced_visits_are_no_preference() -> None:
    """Sequential halving visits bad actions as often as good ones; what it would play it likes best."""
    config = load_game("connect4").config.replace(search="gumbel", gumbel_scale=0.0)
    shipped = load_checkpoint(PRETRAINED / "connect4" / "best.checkpoint")
    agent = Agent(
        config.replace(channels=shipped.config.channels, blocks=shipped.config.blocks), shipped.weights
    )
    game = InteractiveGame(load_game("connect4"), agent, seed=1)
    for action in (3, 2, 3, 2, 3, 2):  # the fourth stone on 3 wins
        game.play(action)
    found = game.analyse(16)
    order = np.argsort(-found.policy)
    assert found.action == order[0] == 3
    assert found.policy[3] > 0.9 > found.visits[3] / 16
    shown = Console(width=80)
    with shown.capture() as printed:
        shown.print(analysis_picture(game, found, "MuZero"))
    rows = [line for line in printed.get().splitlines() if "%" in line]  # the balance, then the moves
    assert rows[1].strip("│ ").split()[:2] == [">", game.action_name(3)]
    assert found.value == pytest.approx(found.action_values[3], abs=0.01)


def test_analyses_repeat_whatever_was_asked_between() -> None:
    agent = agent_of("cartpole", 8)
    game = InteractiveGame(load_game("cartpole"), agent, seed=2)
    first = game.analyse()
    assert first.simulations == 8
    for simulations in (1, 2, 3, 4, 5, 50):
        assert game.analyse(simulations).simulations == simulations
    assert game.analyse().tree == first.tree


def test_win_probabilities() -> None:
    nothing = np.zeros(1, np.float32)
    root = TreeNode(None, 0, 1, 0.0, 1.0, 0.0, 0, ())
    visits = np.zeros(1, np.int32)
    some = Analysis(0, 0.5, 0.0, nothing, visits, nothing, nothing, (0,), LineEnd(), root, 0, 0)
    assert some.win_probability == 0.75
    assert some._replace(value=-1.2).win_probability == 0.0


def test_nobody_to_ask() -> None:
    with pytest.raises(ConfigurationError, match="no agent to ask"):
        played("tictactoe").analyse()
    over = played("tictactoe", 0, 3, 1, 4, 2, agent=agent_of("tictactoe"))
    with pytest.raises(ConfigurationError, match="the game is over"):
        over.analyse()
    with pytest.raises(ConfigurationError, match="checkpoint of 'tictactoe'"):
        Agent.load(PRETRAINED / "tictactoe" / "best.checkpoint", load_game("cartpole"))

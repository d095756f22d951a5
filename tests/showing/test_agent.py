"""An agent in a program: what it may be asked, what it answers, and what it remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from arena.network_player import NetworkPlayer
from core.errors import ConfigurationError
from core.project import PRETRAINED
from games.api.sources import load_game
from playing.make_table import make_table
from saving.files import CheckpointError
from showing.agent import Agent
from showing.asked import PositionError
from tests.helpers.toy_games import random_weights

EMPTY = np.zeros((2, 3, 3))


def agent_of(game: str, simulations: int = 8, **changes: Any) -> Agent:
    config = load_game(game).config.replace(**changes)
    return Agent(config, random_weights(config, 3), 1, simulations)


TICTACTOE = agent_of("tictactoe")
CARTPOLE = agent_of("cartpole", 4)


def test_the_action_is_the_searchs_own_and_repeats() -> None:
    found = TICTACTOE.search(EMPTY)
    assert TICTACTOE.act(EMPTY) == TICTACTOE.act(EMPTY) == found.action
    assert found.visits.sum() == found.simulations == 8
    assert found.policy.sum() == pytest.approx(1, abs=1e-5)
    assert found.principal_variation[0] == found.action
    assert TICTACTOE.search(EMPTY, simulations=0).simulations == 0


def test_a_batch_answers_what_its_positions_alone_do() -> None:
    generator = np.random.default_rng(1)
    boards = (generator.random((5, 2, 3, 3)) < 0.3).astype(np.int8)
    legal = [[0, 1], [2], list(range(9)), [8, 3], [4, 5]]
    players = [0, 1, 1, 0, 1]
    together = TICTACTOE.search(boards, legal, players)
    alone = [TICTACTOE.search(b, a, p) for b, a, p in zip(boards, legal, players, strict=True)]
    for one, other in zip(together, alone, strict=True):
        assert (one.action, one.to_play, one.principal_variation) == (
            other.action,
            other.to_play,
            other.principal_variation,
        )
        np.testing.assert_array_equal(one.visits, other.visits)
        assert one.value == pytest.approx(other.value, abs=1e-5)
        assert one.tree.visits == other.tree.visits
    actions = TICTACTOE.act(boards, legal, players)
    assert actions.tolist() == [one.action for one in together]
    assert all(action in row for action, row in zip(actions, legal, strict=True))


def test_actions_are_listed_or_masked() -> None:
    mask = np.zeros(9, bool)
    mask[[2, 6]] = True
    assert TICTACTOE.act(EMPTY, mask) == TICTACTOE.act(EMPTY, [6, 2]) == TICTACTOE.act(EMPTY, {2, 6})
    assert TICTACTOE.act(EMPTY, [7]) == 7
    np.testing.assert_array_equal(TICTACTOE.act(np.stack([EMPTY] * 2), np.stack([mask] * 2)).shape, (2,))


def test_leading_axes_of_length_1_may_be_left_out() -> None:
    state = np.array([0.1, -0.2, 0.05, 0.3])
    assert CARTPOLE.act(state) == CARTPOLE.act(state.reshape(1, 1, 4)) == CARTPOLE.act(list(state))
    assert CARTPOLE.act(state[None]).tolist() == [CARTPOLE.act(state)]
    assert CARTPOLE.act(np.stack([state, -state])).shape == (2,)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"observation": np.zeros((2, 3, 2))}, r"shape \(2, 3, 2\) is none of \(2, 3, 3\)"),
        ({"observation": np.zeros((0, 2, 3, 3))}, r"shape \(0, 2, 3, 3\) is none of"),
        ({"observation": 3.0}, r"shape \(\) is none of"),
        ({"observation": np.full((2, 3, 3), np.nan)}, "not finite"),
        ({"observation": np.full((2, 3, 3), 1e300)}, "not finite"),
        ({"observation": [["a"]]}, "dtype <U1"),
        ({"observation": [[1], [1, 2]]}, "different shapes"),
        ({"legal_actions": []}, "no action is legal"),
        ({"legal_actions": [9]}, r"actions \[9\]: must be whole numbers from 0 to 8"),
        ({"legal_actions": [-1]}, "must be whole numbers from 0 to 8"),
        ({"legal_actions": [0.5]}, "must be whole numbers from 0 to 8"),
        ({"legal_actions": np.ones(8, bool)}, r"a mask of 9 actions is needed, not \(8,\)"),
        ({"to_play": 2}, "to_play=2: must be from 0 to 1"),
        ({"to_play": [0, 1]}, "one for all positions or one for each"),
    ],
)
def test_what_is_no_position_is_refused(asked: dict[str, Any], reason: str) -> None:
    for ask in (TICTACTOE.act, TICTACTOE.search):
        with pytest.raises(PositionError, match=reason) as refusal:
            ask(**{"observation": EMPTY, **asked})
        assert "\n" not in str(refusal.value)


def test_other_refusals() -> None:
    with pytest.raises(PositionError, match=r"legal_actions of 3 position\(s\) for 2 observation\(s\)"):
        TICTACTOE.act(np.stack([EMPTY] * 2), [[0], [1], [2]])
    with pytest.raises(PositionError, match="to_play=1: must be 0"):
        CARTPOLE.act(np.zeros(4), to_play=1)
    with pytest.raises(ConfigurationError, match="simulations=-1"):
        TICTACTOE.act(EMPTY, simulations=-1)


def test_an_agent_with_stacked_observations_sees_what_a_table_of_games_shows() -> None:
    """Two rows, in which other moves are made than it chose in one; then one begins anew."""
    spec = load_game("cartpole")
    config = spec.config.replace(stacked_observations=3)
    agent = Agent(config, random_weights(config, 3), 1, 8)
    player = NetworkPlayer(config, 2, 8)
    player.planner.load(random_weights(config, 3), 1)
    table = make_table(spec, config, 2)
    for row, seed in enumerate((4, 5)):
        table.reset(row, seed)
    rows = np.arange(2)
    for move in range(8):
        observations = table.stacks[:, :1].copy()
        expected = player.planner.plan(player.planner.seen(table, rows)).action
        np.testing.assert_array_equal(agent.search(observations)[1].action, expected[1])
        assert agent.act(observations).tolist() == expected.tolist(), f"move {move}"
        played = [int(expected[0]), 1 - int(expected[1])]
        agent.played(played)
        table.step(rows, np.array(played, np.int32))
        if move == 4:
            table.reset(0, 6)
            agent.reset([0])


def test_what_was_played_must_fit_what_was_asked() -> None:
    agent = agent_of("cartpole", 2, stacked_observations=1)
    with pytest.raises(PositionError, match="were played, but `act` was asked for 0"):
        agent.played(1)
    agent.act(np.zeros(4))
    agent.played(0)
    with pytest.raises(PositionError, match="whole numbers from 0 to 1"):
        agent.played(2)
    agent.reset()
    with pytest.raises(PositionError, match="asked for 0"):
        agent.played(0)


def test_agents_are_loaded_by_the_name_of_their_game_or_by_path(tmp_path: Path) -> None:
    by_name = Agent.load("tictactoe", results_path=tmp_path)
    assert (by_name.name, by_name.game, by_name.simulations) == ("shipped", "tictactoe", 50)
    folder = PRETRAINED / "tictactoe"
    by_path = Agent.load(folder)
    assert by_path.act(EMPTY) == by_name.act(EMPTY) == Agent.load("shipped", "tictactoe").act(EMPTY)
    with pytest.raises(ConfigurationError, match="agent 'tictacto' is no file, no folder and no game's name"):
        Agent.load("tictacto", results_path=tmp_path)
    with pytest.raises(ConfigurationError, match="no run of 'simple_grid'"):
        Agent.load("simple_grid", results_path=tmp_path)
    with pytest.raises(CheckpointError, match="is a checkpoint of 'tictactoe': give one of 'connect4'"):
        Agent.load(folder, "connect4")


def test_the_threads_of_the_program_stay_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        TICTACTOE.act(EMPTY)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_games_of_gymnasium_are_played_with_its_own_observations() -> None:
    shipped = Agent.load("cartpole")
    assert shipped.play(gymnasium.make("CartPole-v1"), games=2, seed=5, simulations=16) == [500.0, 500.0]
    blind = agent_of("cartpole", 0)
    returns = blind.play(gymnasium.make("CartPole-v1"), games=3, seed=5)
    assert returns == blind.play(gymnasium.make("CartPole-v1"), games=3, seed=5)
    assert len(set(returns)) > 1, "the second game is not the first again"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MountainCar-v0", "has 3 actions, agent 2"),
        ("Pendulum-v1", "only Discrete ones"),
        ("Acrobot-v1", "has 3 actions, agent 2"),
    ],
)
def test_other_environments_are_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CARTPOLE.play(gymnasium.make(name))
    with pytest.raises(ConfigurationError, match="games=0 must be at least 1"):
        CARTPOLE.play(gymnasium.make("CartPole-v1"), games=0)


def test_an_environment_of_another_shape_is_refused() -> None:
    other = agent_of("cartpole", 0, observation_shape=(1, 1, 5))
    other.game = "mine"
    with pytest.raises(PositionError, match=r"\ACartPole-v1 has observations of shape \(1, 1, 4\), agent"):
        other.play(gymnasium.make("CartPole-v1"))
    shipped = Agent.load("cartpole")
    with pytest.raises(PositionError, match=r"\AFourNumbers: operands could not be broadcast"):
        shipped.play(FourNumbers())


class FourNumbers(gymnasium.Env):  # type: ignore[misc]
    """Seven of them."""

    observation_space, action_space = gymnasium.spaces.Box(0, 1, (7,)), gymnasium.spaces.Discrete(2)

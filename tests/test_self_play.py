"""Players: what the newest weights, the temperature, a game's end and a saved state do to them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import evaluator
import self_play
from config import MuZeroConfig
from data import GameHistory, State, VersionedWeights
from environment import GameError
from evaluator import Evaluator, evaluate
from inference import make_model
from observations import stack_observations
from self_play import SelfPlay
from tests.toy_games import FAULTS, Source, Walk, WalkConfig, fixed_source, random_weights, toy_game

FOREVER = float("inf")


@pytest.fixture(autouse=True)
def _toy_games(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_play, "load_game", toy_game)
    monkeypatch.setattr(evaluator, "load_game", toy_game)


def make_player(
    game: str = "walk", worker: int = 0, source: Source | None = None, **changes: Any
) -> SelfPlay:
    config = toy_game(game).config.replace(**changes)
    return SelfPlay(game, config, worker, source or fixed_source(config), "cpu")


def assert_same(left: list[GameHistory], right: list[GameHistory]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        for name, value in vars(a).items():
            np.testing.assert_array_equal(value, getattr(b, name), err_msg=name)


# --- the end of a game ---


def last_value(history: GameHistory, config: MuZeroConfig) -> float:
    """The network's value of the position after the last step, whose stack is put together anew."""
    back = np.arange(config.stacked_observations + 1)
    window = history.observations[len(history.actions) - back][None]
    stack = stack_observations(
        window, history.actions[-back[1:]][None], np.array([len(history.actions)]), config.num_actions
    )
    model = make_model(config, 1, 1)
    model.load(random_weights(config))
    return float(model.evaluate(stack)[0])


def test_a_truncated_game_ends_in_the_networks_value_and_a_terminated_one_in_0() -> None:
    player = make_player(stacked_observations=3, segment_length=10_000)
    _, histories = player.play(400, FOREVER)
    truncated = [history for history in histories if history.truncated and history.steps > 3]
    terminated = [history for history in histories if history.terminated]
    assert len(truncated) > 3
    assert len(terminated) > 2
    assert {history.steps == WalkConfig.max_moves for history in truncated} == {True, False}
    for history in truncated:
        assert history.root_values[-1] == pytest.approx(last_value(history, player.config), abs=1e-6)
        assert history.root_values[-1] != 0
    assert {float(history.root_values[-1]) for history in terminated} == {0.0}


def test_games_and_steps_are_reported_as_they_are_played() -> None:
    report, histories = make_player(segment_length=10_000).play(402, FOREVER)
    assert report.steps == 404  # four games in lock-step
    assert report.games == len(histories) == len(report.returns)
    assert report.simulations == 404 * 3
    np.testing.assert_array_equal(report.lengths, [history.steps for history in histories])
    np.testing.assert_array_equal(report.returns, np.float32([history.game_return for history in histories]))
    assert 0 < report.mean_depth <= 3
    assert 0 < report.policy_entropy < np.log(3)
    assert 0 <= report.environment_seconds <= report.seconds


def test_a_call_ends_when_its_time_is_up() -> None:
    report, histories = make_player().play(10_000, seconds=0.0)
    assert (report.steps, histories) == (0, [])
    assert np.isnan(report.mean_depth)


def test_every_game_has_its_own_seed_and_every_worker_its_own_games() -> None:
    seeds = [h.seed for worker in (0, 1) for h in make_player(worker=worker).play(200, FOREVER)[1]]
    assert len(set(seeds)) == len(seeds) > 10
    other = [h.seed for h in make_player(seed=1).play(200, FOREVER)[1]]
    assert not set(seeds) & set(other)


def test_only_legal_actions_are_played_and_have_a_policy() -> None:
    for search in ("puct", "gumbel"):
        for history in make_player(search=search).play(200, FOREVER)[1]:
            legal = np.unpackbits(history.legal_actions, axis=1, count=3)[:-1].astype(bool)
            assert legal[np.arange(history.steps), history.actions].all()
            assert not history.policies[~legal].any()
            np.testing.assert_allclose(history.policies.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_broken_game_ends_play_with_one_line(fault: str) -> None:
    with pytest.raises(
        GameError, match=rf"\Agame '{fault}', move {FAULTS[fault].at}: [^\n]+; expected [^\n]+\Z"
    ):
        make_player(fault).play(100, FOREVER)


def test_an_error_inside_a_game_is_not_disguised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Walk, action: int) -> None:
        raise ZeroDivisionError("in the game")

    monkeypatch.setattr(Walk, "step", fail)
    with pytest.raises(ZeroDivisionError, match="in the game"):
        make_player().play(1)


# --- temperature ---


def greedy_share(histories: list[GameHistory], moves: slice) -> float:
    """How often the most visited action is played in these moves of the games."""
    shares = []
    for history in histories:
        chosen = history.policies[np.arange(history.steps), history.actions]
        shares += (chosen == history.policies.max(axis=1))[moves].tolist()
    assert len(shares) > 50
    return float(np.mean(shares))


def free_play(**changes: Any) -> list[GameHistory]:
    """Games of 25 moves in which every action is legal, with flat visits."""
    settings = {"num_simulations": 12, "root_exploration_fraction": 1.0, "segment_length": 10_000}
    return make_player(**settings | changes).play(1000, FOREVER)[1]


@pytest.fixture
def _all_legal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walk, "legal_actions", lambda self: [0, 1, 2])


@pytest.mark.usefixtures("_all_legal")
def test_the_most_visited_action_is_played_from_the_threshold_on() -> None:
    histories = free_play(temperature_threshold=6)
    assert greedy_share(histories, slice(6)) < 0.9
    assert greedy_share(histories, slice(6, None)) == 1
    assert greedy_share(free_play(temperature_threshold=0), slice(6, None)) < 0.9


@pytest.mark.usefixtures("_all_legal")
def test_the_temperature_follows_the_version_of_the_weights() -> None:
    schedule = {"visit_softmax_temperature": ((0.5, 1.0), (1.0, 0.0)), "training_steps": 100}
    config = WalkConfig()
    early, late = (free_play(source=fixed_source(config, version), **schedule) for version in (49, 50))
    assert greedy_share(early, slice(None)) < 0.9
    assert greedy_share(late, slice(None)) == 1


# --- weights ---


def test_weights_are_looked_for_between_moves() -> None:
    source = Source(*(VersionedWeights(v, random_weights(WalkConfig(), v)) for v in (0, 3, 8)), patience=2)
    report, _ = make_player(source=source).play(6 * 4, FOREVER)
    assert source.asked == [-1, 0, 0, 3, 3, 8]
    assert report.version == 8


def test_a_history_names_the_weights_of_its_first_step() -> None:
    weights = random_weights(WalkConfig())
    source = Source(*(VersionedWeights(v, weights) for v in range(1000)))
    moves = {}
    for history in make_player(source=source, segment_length=4).play(600, FOREVER)[1]:
        moves[history.seed, history.first_step] = history.version
        if history.first_step:
            assert history.version == moves[history.seed, history.first_step - 4] + 4
    assert len(moves) > 50
    assert sum(version == 0 for version in moves.values()) == WalkConfig.games_per_worker


def test_new_weights_value_the_moves_from_then_on() -> None:
    versions = [VersionedWeights(v, random_weights(WalkConfig(), v)) for v in (0, 1)]
    values = []
    for source in (Source(versions[0]), Source(*versions, patience=5)):
        player = make_player(source=source)
        player.play(6 * 4, FOREVER)
        running = player.recorder.cursor == 6  # still the first game
        values.append(player.recorder.root_values[running, :6])
    assert len(values[0]) > 1
    np.testing.assert_array_equal(values[0][:, :5], values[1][:, :5])
    assert (values[0][:, 5] != values[1][:, 5]).all()


# --- going on ---


def through_json(state: State) -> State:
    return State(state.arrays, json.loads(json.dumps(state.facts)))


@pytest.mark.parametrize("game", ["walk", "old_walk", "cartpole"])
@pytest.mark.parametrize("search", ["puct", "gumbel"])
def test_play_goes_on_bit_for_bit_from_a_state(game: str, search: str) -> None:
    small = {
        name: getattr(WalkConfig, name) for name in ("encoding_size", "fc_dynamics_layers", "support_size")
    }
    changes = small | {"search": search, "stacked_observations": 3, "segment_length": 4, "num_simulations": 4}
    changes |= {"fc_representation_layers": (), "games_per_worker": 3, "td_steps": 2}
    one = make_player(game, **changes)
    one.play(70, FOREVER)
    state = through_json(one.state())
    state = State({name: array.copy() for name, array in state.arrays.items()}, state.facts)
    other = make_player(game, **changes)
    expected = one.play(150, FOREVER)
    other.load_state(state)
    report, histories = other.play(150, FOREVER)
    assert len(histories) > 10
    assert_same(histories, expected[1])
    np.testing.assert_array_equal(report.returns, expected[0].returns)
    assert_same(other.play(50, FOREVER)[1], one.play(50, FOREVER)[1])


def test_the_same_seed_plays_the_same_games() -> None:
    assert_same(make_player().play(200, FOREVER)[1], make_player().play(200, FOREVER)[1])


# --- evaluation ---


def evaluation(seed: int = 5, games: int = 6, **changes: Any) -> Any:
    config = WalkConfig(**changes)
    return evaluate("walk", config, random_weights(config), games, seed, version=7)


def test_evaluation_plays_each_game_to_its_end() -> None:
    config = WalkConfig()
    evaluator = Evaluator("walk", config, "cpu")
    evaluator.start(6, 5, 7, random_weights(config))
    assert evaluator.play(seconds=-1.0) is None
    result = evaluator.play(seconds=FOREVER)
    assert result is not None
    assert result.version == 7
    assert len(set(result.lengths.tolist())) > 1
    table = evaluator._match.table  # type: ignore[union-attr]
    for row, actions in enumerate(table.played):
        game, total, over = Walk(), 0.0, False
        game.reset(seed=int(table.seeds[row]))
        for action in actions:
            assert not over
            player = game.to_play()
            _, reward, *ends, _ = game.step(action)
            total += reward if player == 0 else -reward
            over = any(ends)
        assert over or len(actions) == config.max_moves
        assert result.lengths[row] == len(actions)
        assert result.returns[row] == pytest.approx(total)


def test_evaluation_depends_on_seed_and_weights_only() -> None:
    one = evaluation()
    np.testing.assert_array_equal(one.returns, evaluation().returns)
    np.testing.assert_array_equal(one.returns, evaluation(root_exploration_fraction=1.0, seed=5).returns)
    assert not np.array_equal(one.returns, evaluation(seed=6).returns)


def test_evaluation_in_many_calls_is_the_same() -> None:
    config = WalkConfig()
    evaluator = Evaluator("walk", config, "cpu")
    for _ in range(2):  # the second match is played at the tables of the first
        evaluator.start(6, 5, 7, random_weights(config))
        result = None
        while result is None:
            result = evaluator.play(seconds=1e-3)
        np.testing.assert_array_equal(result.returns, evaluation().returns)


def test_evaluation_uses_its_own_number_of_simulations() -> None:
    config = WalkConfig(evaluation_simulations=9, num_simulations=2)
    weights = random_weights(config)
    evaluator = Evaluator("walk", config, "cpu")
    evaluator.start(2, 0, 0, weights)
    assert evaluator.simulations == 9
    np.testing.assert_array_equal(
        evaluate("walk", config, weights, 9, 0).returns, evaluate("walk", config, weights, 9, 0, 9).returns
    )


def test_a_players_process_does_not_load_torch() -> None:
    import subprocess
    import sys

    code = "import self_play, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

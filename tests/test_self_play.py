"""Players: what the newest weights, the temperature, a game's end and a saved state do to them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.temperatures import Schedule
from data import GameHistory, SearchResult, Snapshot, VersionedWeights, Weights
from games.api.spec import GameSpec
from playing import exploration
from playing.environment import Environment, GameError
from playing.game_note import Caution, Noted, taken
from playing.game_table import GameTable
from playing.observations import stack_observations
from search.inference import make_model
from search.noise import RootNoise
from search.planner import Positions, self_play_planner
from search.rules.rule import draw_noise
from self_play import SelfPlay
from tests.helpers.breaking_games import FATAL_MOVE, SAYS, Breaking, breaking
from tests.helpers.toy_games import FAULTS, Source, Walk, WalkConfig, fixed_source, random_weights, toy_game

FOREVER = float("inf")


def make_player(
    game: str = "walk", worker: int = 0, source: Source | None = None, attempt: int = 0, **changes: Any
) -> SelfPlay:
    config = toy_game(game).config.replace(**changes)
    planner = self_play_planner(config, "cpu")
    return SelfPlay(toy_game(game), config, worker, source or fixed_source(config), planner, attempt)


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
        window, history.actions[-back[1:]][None], np.array([len(history.actions)]), config.actions
    )
    model = make_model(config, 1, 1)
    model.load(random_weights(config))
    return float(model.evaluate(stack)[0])


def test_a_truncated_game_ends_in_the_networks_value_and_a_terminated_one_in_0() -> None:
    player = make_player(stacked_observations=3, segment_length=10_000)
    _, histories = player.play(800, FOREVER)
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
    returns = [history.game_return for history in histories]
    np.testing.assert_array_equal(report.returns, np.array(returns, np.float32))
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
    again = [h.seed for h in make_player(attempt=1).play(200, FOREVER)[1]]
    assert not set(seeds) & set(other)
    assert not set(seeds) & set(again), "the games of a lost worker are not played again"


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


def test_an_error_inside_a_game_is_said_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Walk, action: int) -> None:
        raise ZeroDivisionError("in the game")

    monkeypatch.setattr(Walk, "step", fail)
    with pytest.raises(GameError, match=r"move 0: step\(\d\) raised ZeroDivisionError: in the game \(.*line"):
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


@pytest.mark.usefixtures("_all_legal")
def test_one_temperature_for_all_moves_plays_as_the_search_itself_would() -> None:
    for temperature in (1.0, 0.5, 0.0):
        by_search = free_play(visit_softmax_temperature=((1.0, temperature),))
        assert_same(by_search, free_play(move_temperature=((3, temperature), (1e9, temperature))))


@pytest.mark.usefixtures("_all_legal")
def test_the_move_temperature_is_that_of_each_games_own_move() -> None:
    histories = free_play(move_temperature=((4, 0.0), (9, 1.0), (10, 0.0)))
    assert greedy_share(histories, slice(4)) == 1
    assert greedy_share(histories, slice(4, 9)) < 0.95
    assert greedy_share(histories, slice(9, None)) == 1
    late = free_play(move_temperature=((1000, 1.0),), temperature_threshold=6)
    assert greedy_share(late, slice(6)) < 0.9
    assert greedy_share(late, slice(6, None)) == 1


@pytest.mark.usefixtures("_all_legal")
def test_gumbel_samples_the_improved_policy_where_temperatures_by_move_are_asked_for() -> None:
    quiet = {"search": "gumbel", "gumbel_scale": 0.0, "rescale_values": False}
    assert greedy_share(free_play(**quiet), slice(None)) == 1  # by itself it plays its own choice
    by_threshold = free_play(**quiet, temperature_threshold=6)
    assert greedy_share(by_threshold, slice(6)) < 0.9
    assert greedy_share(by_threshold, slice(6, None)) == 1
    by_move = free_play(**quiet, move_temperature=((4, 1.0), (9, 0.0)))
    assert greedy_share(by_move, slice(4)) < 0.9
    assert greedy_share(by_move, slice(4, None)) == 1


def test_gumbels_sampled_moves_have_the_improved_policys_shares() -> None:
    policy = np.tile(np.array([0.2, 0.0, 0.8], np.float32), (1000, 1))
    blank = np.zeros((1000, 1), np.float32)
    visits = np.tile(np.array([8, 5, 3], np.int32), (1000, 1))
    own = np.full(1000, 2, np.int32)
    result = SearchResult(own, policy, blank, blank, blank, visits, own)
    uniform = ((np.arange(1000) + 0.5) / 1000).astype(np.float32)
    config = WalkConfig(search="gumbel", temperature_threshold=1, visit_softmax_temperature=((1.0, 0.5),))
    first = exploration.explored_actions(config, 0, result, np.zeros(1000, np.int64), uniform, True)
    np.testing.assert_allclose(np.bincount(first, minlength=3) / 1000, [1 / 17, 0, 16 / 17], atol=1e-3)
    later = exploration.explored_actions(config, 0, result, np.ones(1000, np.int64), uniform, True)
    assert (later == 2).all()


def test_visits_are_sampled_by_each_rows_temperature() -> None:
    visits = np.tile(np.array([0, 1, 4, 0, 3, 0], np.int32), (9000, 1))
    uniform = ((np.arange(9000) % 3000 + 0.5) / 3000).astype(np.float32)
    uniform[[0, 3000, 6000]] = 0.0
    uniform[[2999, 5999, 8999]] = np.nextafter(np.float32(1), np.float32(0))
    most = np.full(9000, 2, np.int32)
    temperatures = np.repeat([1.0, 0.5, 0.0], 3000)
    actions = exploration.sample_actions(visits, temperatures, uniform, most).reshape(3, 3000)
    assert set(actions.ravel().tolist()) == {1, 2, 4}
    counts = np.array([np.bincount(row, minlength=6) for row in actions]) / 3000
    expected = np.array(
        [[0, 1 / 8, 4 / 8, 0, 3 / 8, 0], [0, 1 / 26, 16 / 26, 0, 9 / 26, 0], [0, 0, 1, 0, 0, 0]], np.float64
    )
    np.testing.assert_allclose(counts, expected, atol=1e-3)
    extreme = exploration.sample_actions(visits, np.full(9000, 0.01), uniform, most)
    assert set(extreme[1:3000].tolist()) == {2}


def test_gumbels_own_choice_knows_no_temperature_by_training_progress() -> None:
    plain = make_player(search="gumbel").play(200, FOREVER)[1]
    assert_same(
        plain, make_player(search="gumbel", visit_softmax_temperature=((1, 5.0),)).play(200, FOREVER)[1]
    )


@pytest.mark.parametrize("schedule", [((5, 1.0), (3, 0.5)), ((5, -1.0),)])
def test_an_impossible_move_temperature_is_refused(schedule: Schedule) -> None:
    with pytest.raises(ConfigurationError, match=r"\Amove_temperature must be [^\n]*\Z"):
        MuZeroConfig(move_temperature=schedule)


# --- resignation ---


class Doomed(Walk):
    """Lasts 21 moves in turn; whether player 0, who makes the last, wins or loses follows from the seed."""

    def step(self, action: int) -> Any:
        self.move, self.action = self.move + 1, action
        return self._observation(), [1.0, -1.0, 0.0][self.number % 3] * (self.move == 21), self.move == 21

    def to_play(self) -> int:
        return self.move % 2


def doomed_player(monkeypatch: pytest.MonkeyPatch, start: float = 0.0, **changes: Any) -> SelfPlay:
    """Plays `Doomed` by a search that values a position at `start` - 0.1 per move, to whoever is to move."""
    config = WalkConfig(resign_value=-0.65, segment_length=10_000, discount=1.0).replace(**changes)
    player = SelfPlay(
        GameSpec("doomed", Doomed, config), config, 0, fixed_source(config), self_play_planner(config, "cpu")
    )

    def plan(positions: Positions, noise: RootNoise, fast: bool) -> SearchResult:
        legal = positions.legal
        policy = (legal / legal.sum(axis=1, keepdims=True)).astype(np.float32)
        values = start - 0.1 * exploration.moves_made(player.table)[:, None]
        ones = np.ones(len(legal), np.int32)
        action, visits = legal.argmax(axis=1).astype(np.int32), legal.astype(np.int32)
        return SearchResult(action, policy, values, values, values, visits, ones)

    monkeypatch.setattr(player.planner, "plan", plan)
    return player


def test_a_player_below_the_resign_value_makes_no_move_and_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    player = doomed_player(monkeypatch, resign_check=0.0, games_per_worker=3)
    report, histories = player.play(3 * 7 * 5, FOREVER)
    assert (
        report.resigned == report.games == len(histories) == 3 * 4
    )  # a fifth one will be found when it is searched
    assert (report.resign_checked, report.wrong_resignations) == (0, 0)
    assert report.steps == 3 * 7 * 5
    for history in histories:
        assert (history.steps, history.game_length) == (7, 7)  # -0.7 falls below -0.65
        assert (history.resigned, history.truncated, history.terminated) == (True, True, False)
        assert history.to_play[-1] == 1
        assert history.root_values[-1] == -1
        assert history.game_return == 1  # player 1 gave up
        np.testing.assert_allclose(history.root_values[:-1], -0.1 * np.arange(7), rtol=1e-6)
        np.testing.assert_array_equal(history.rewards, np.zeros(7))
    np.testing.assert_array_equal(report.returns, np.ones(12))
    assert len({history.seed for history in histories}) == 12


def test_nobody_resigns_before_the_first_move(monkeypatch: pytest.MonkeyPatch) -> None:
    player = doomed_player(monkeypatch, start=-0.9, resign_check=0.0, segment_length=1)
    _, histories = player.play(40, FOREVER)
    assert {history.steps for history in histories} == {1}


def test_wrong_resignations_are_counted_in_games_that_are_played_out(monkeypatch: pytest.MonkeyPatch) -> None:
    player = doomed_player(monkeypatch, resign_check=1.0)
    report, histories = player.play(4 * 21 * 6, FOREVER)
    assert report.resigned == 0
    assert report.resign_checked == report.games == len(histories) == 24
    # Player 1 is the first who would have resigned, at move 7: not wrongly where player 0 wins in the end.
    results = [history.seed % 3 for history in histories]
    assert report.wrong_resignations == 24 - results.count(0)
    assert len({results.count(result) for result in (0, 1, 2)}) == 3


def test_a_share_of_the_games_is_played_out(monkeypatch: pytest.MonkeyPatch) -> None:
    player = doomed_player(monkeypatch, resign_check=0.25, games_per_worker=16)
    report, _ = player.play(30_000, FOREVER)
    played_out = report.resign_checked / (report.resign_checked + report.resigned)
    # Of games completed, in which the short ones are not overrepresented once there are many.
    assert played_out == pytest.approx(0.25, abs=0.03)


def test_a_game_for_one_has_nobody_to_resign_to() -> None:
    with pytest.raises(ConfigurationError, match=r"\Aresign_value is for games of two players[^\n]*\Z"):
        MuZeroConfig(resign_value=-0.9)


# --- fast searches ---


def test_fast_searches_teach_no_policy_and_are_as_many_as_configured() -> None:
    config: dict[str, Any] = {"full_search_probability": 0.3, "num_simulations": 9, "fast_simulations": 2}
    player = make_player(segment_length=10_000, **config)
    report, histories = player.play(4 * 500, FOREVER)
    taught = np.concatenate([history.policies.sum(axis=1) for history in histories])
    np.testing.assert_allclose(taught[taught > 0], 1, rtol=1e-5)
    assert (taught > 0).mean() == pytest.approx(0.3, abs=0.1)
    full = (report.simulations - report.steps * 2) / (9 - 2) / report.steps
    assert full == pytest.approx((taught > 0).mean(), abs=0.03)
    for history in histories:
        assert history.root_values[:-1].all()
        legal = np.unpackbits(history.legal_actions, axis=1, count=3)
        assert legal[np.arange(history.steps), history.actions].all()


@pytest.mark.parametrize("search", ["puct", "gumbel"])
@pytest.mark.usefixtures("_all_legal")
def test_fast_searches_have_no_noise_at_the_root(search: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config: dict[str, Any] = {"search": search, "num_simulations": 9, "fast_simulations": 8}
    config |= {"root_exploration_fraction": 1.0, "visit_softmax_temperature": ((1.0, 0.0),)}
    player = make_player(full_search_probability=0.5, **config)
    noise = draw_noise(np.random.default_rng(0), player.table.legal, player.config)
    player._load_newer_weights()
    seen = player.planner.seen(player.table, player.rows)
    still = RootNoise.none(len(seen.legal), 3)._replace(tie_seeds=noise.tie_seeds)
    fast, quiet = player.planner.plan(seen, noise, True), make_player(**config | {"num_simulations": 8})
    quiet._load_newer_weights()
    expected = quiet.planner.plan(seen, still)
    np.testing.assert_array_equal(fast.visit_counts, expected.visit_counts)
    np.testing.assert_array_equal(fast.root_value, expected.root_value)
    noisy = quiet.planner.plan(seen, noise)
    assert (noisy.visit_counts != fast.visit_counts).any()


def test_a_fast_search_that_is_not_faster_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"\Afast_simulations must be below num_simulations=8 [^\n]*\Z"
    ):
        MuZeroConfig(num_simulations=8, full_search_probability=0.5)


# --- surprise ---


def test_surprise_is_the_divergence_of_the_search_policy_from_the_networks() -> None:
    config: dict[str, Any] = {"policy_surprise": 0.5, "num_simulations": 12, "segment_length": 10_000}
    player = make_player(full_search_probability=0.5, **config)
    _, histories = player.play(400, FOREVER)
    model = make_model(player.config, 1, 1)
    model.load(random_weights(player.config))
    checked = 0
    for history in histories:
        assert history.surprises is not None
        assert len(history.surprises) == history.steps
        legal = np.unpackbits(history.legal_actions, axis=1, count=3).astype(bool)
        for t, policy in enumerate(history.policies):
            if not policy.any():
                assert history.surprises[t] == 0
                continue
            stack = history.observations[t][None].astype(np.float32)
            logits = model.root(stack, np.zeros(1, np.int32)).policy_logits[0].astype(np.float64)
            weights = np.where(legal[t], np.exp(logits), 0)
            prior = weights / weights.sum()
            surprise = sum(p * np.log(p / q) for p, q in zip(policy, prior, strict=True) if p > 0)
            assert history.surprises[t] == pytest.approx(surprise, abs=1e-5)
            checked += surprise > 1e-4
    assert checked > 50


def test_surprise_is_not_measured_unless_it_is_asked_for() -> None:
    plain = make_player().play(200, FOREVER)[1]
    assert {history.surprises for history in plain} == {None}
    asked = make_player(policy_surprise=0.5).play(200, FOREVER)[1]
    assert_same(plain, [replace(history, surprises=None) for history in asked])


# --- going on ---


class Unseeded(Walk):
    """Draws how it goes on from numpy's global generator, which no seed of ours touches."""

    def reset(self, seed: int | None = None) -> Any:
        super().reset(seed)
        self.chance = float(np.random.random())  # noqa: NPY002 - what the game does wrong
        return self._observation()

    def _observation(self) -> Any:
        return super()._observation() + getattr(self, "chance", 0.0)

    def legal_actions(self) -> list[int]:
        return [int(3 * self.chance)]


def test_games_that_come_out_otherwise_begin_anew_on_resumption() -> None:
    spec = GameSpec("unseeded", Unseeded, WalkConfig())
    source = fixed_source(WalkConfig())
    before = SelfPlay(spec, WalkConfig(), 0, source, self_play_planner(WalkConfig(), "cpu"))
    before.play(10 * 4, FOREVER)
    after = SelfPlay(spec, WalkConfig(), 0, source, self_play_planner(WalkConfig(), "cpu"))
    after.load_state(before.state())
    running = [len(actions) for actions in after.table.played]
    assert running == [0, 0, 0, 0]
    report, histories = after.play(60 * 4, FOREVER)
    assert report.anew == 4
    assert after.play(4, FOREVER)[0].anew == 0
    for history in histories:
        assert len(set(np.round(history.observations[:, 0, 0, 0] % 1, 6))) == 1, "no game is part of another"


def test_games_that_come_out_the_same_are_gone_on_with() -> None:
    one, other = make_player(), make_player()
    one.play(10 * 4, FOREVER)
    other.load_state(one.state())
    report, _ = other.play(4, FOREVER)
    assert report.anew == 0
    assert max(len(actions) for actions in other.table.played) > 1


# --- weights ---


def test_weights_are_looked_for_between_moves() -> None:
    source = Source(*(VersionedWeights(v, random_weights(WalkConfig(), v)) for v in (0, 3, 8)), patience=2)
    report, _ = make_player(source=source).play(6 * 4, FOREVER)
    assert source.asked == [-1, 0, 0, 3, 3, 8]
    assert report.version == 8


def test_a_history_names_the_weights_of_every_step() -> None:
    """Here new ones arrive before every move; a truncated game's last position is valued by the last."""
    weights = random_weights(WalkConfig())
    source = Source(*(VersionedWeights(v, weights) for v in range(1000)))
    moves = {}
    for history in make_player(source=source, segment_length=4).play(600, FOREVER)[1]:
        first = int(history.versions[0])
        moves[history.seed, history.first_step] = first
        known = len(history.rewards)
        expected = first + np.arange(known + 1) - np.append(np.zeros(known), history.truncated)
        np.testing.assert_array_equal(
            history.versions[: known + (not history.terminated)], expected[: known + (not history.terminated)]
        )
        if history.first_step:
            assert first == moves[history.seed, history.first_step - 4] + 4
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


# --- random moves ---


@pytest.mark.usefixtures("_all_legal")
def test_first_moves_are_drawn_from_the_legal_ones_in_each_number() -> None:
    decided = {"visit_softmax_temperature": ((1.0, 0.0),), "root_exploration_fraction": 0.0}
    settings: dict[str, Any] = {"num_simulations": 5, "segment_length": 10_000} | decided
    histories = make_player(random_opening_moves=4, **settings).play(12_000, FOREVER)[1]
    assert greedy_share(histories, slice(4, None)) == 1
    for move in range(4):
        # the openings longer than `move` of 0 to 4, of whose actions 2 in 3 are not the most visited
        expected = 1 - (4 - move) / 5 * 2 / 3
        assert greedy_share(histories, slice(move, move + 1)) == pytest.approx(expected, abs=0.08)
    assert greedy_share(free_play(num_simulations=5, **decided), slice(4)) == 1


@pytest.mark.parametrize("changes", [{"random_opening_moves": 25}, {"random_move_probability": 0.9}])
def test_random_moves_are_legal(changes: dict[str, Any]) -> None:
    histories = make_player(**changes).play(600, FOREVER)[1]
    for history in histories:
        legal = np.unpackbits(history.legal_actions, axis=1)
        assert legal[np.arange(history.steps), history.actions].all()


@pytest.mark.usefixtures("_all_legal")
def test_moves_are_drawn_at_random_with_the_probability_asked_for_and_marked() -> None:
    decided = {"visit_softmax_temperature": ((1.0, 0.0),), "root_exploration_fraction": 0.0}
    settings: dict[str, Any] = {"num_simulations": 5, "segment_length": 10_000} | decided
    histories = make_player(random_move_probability=0.25, **settings).play(12_000, FOREVER)[1]
    drawn = np.concatenate([history.exploratory for history in histories if history.exploratory is not None])
    assert len(drawn) == sum(history.steps for history in histories) > 10_000
    assert drawn.mean() == pytest.approx(0.25, abs=0.02)
    actions = np.concatenate([history.actions for history in histories])
    policies = np.concatenate([history.policies for history in histories])
    greedy = policies[np.arange(len(actions)), actions] == policies.max(axis=1)
    assert greedy[~drawn].all()
    assert greedy[drawn].mean() == pytest.approx(1 / 3, abs=0.05)
    assert {history.exploratory for history in free_play(num_simulations=5, **decided)} == {None}


def test_random_first_moves_are_marked() -> None:
    for history in make_player(random_opening_moves=3).play(600, FOREVER)[1]:
        assert history.exploratory is not None
        drawn = np.flatnonzero(history.exploratory) + history.first_step
        assert len(drawn) <= 3
        assert (drawn < 3).all()


# --- going on ---


def through_json(state: Snapshot) -> Snapshot:
    return Snapshot(state.arrays, json.loads(json.dumps(state.facts)))


def test_all_options_of_self_play_go_on_bit_for_bit_from_a_state() -> None:
    changes: dict[str, Any] = {"full_search_probability": 0.5, "fast_simulations": 2, "policy_surprise": 0.5}
    changes |= {"resign_value": -0.02, "resign_check": 0.5, "move_temperature": ((5, 1.0), (9, 0.5))}
    changes |= {"stacked_observations": 1, "segment_length": 4, "random_opening_moves": 9}
    changes |= {"random_move_probability": 0.1}
    one, other = make_player(**changes), make_player(**changes)
    one.play(130, FOREVER)
    state = through_json(one.state())
    assert (state.arrays["resignation.hopeless"] >= 0).any()
    state = Snapshot({name: array.copy() for name, array in state.arrays.items()}, state.facts)
    expected = one.play(400, FOREVER)
    other.load_state(state)
    report, histories = other.play(400, FOREVER)
    assert_same(histories, expected[1])
    assert {history.resigned for history in histories} == {True, False}
    counts = [(r.resigned, r.resign_checked, r.wrong_resignations) for r in (report, expected[0])]
    assert counts[0] == counts[1]
    assert min(counts[0]) > 0


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
    state = Snapshot({name: array.copy() for name, array in state.arrays.items()}, state.facts)
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


def test_a_players_process_does_not_load_torch() -> None:
    import subprocess
    import sys

    code = "import self_play, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class FirstLegal:
    """A planner of somebody's own, which asks no network: the first legal action is the best."""

    def __init__(self, config: MuZeroConfig) -> None:
        self.config, self.version = config, -1

    def load(self, weights: Weights, version: int) -> None:
        self.version = version

    def seen(self, table: GameTable, rows: NDArray[np.intp]) -> Positions:
        return Positions(table.stacks[rows].copy(), table.to_play[rows], table.legal[rows])

    def plan(self, positions: Positions, noise: RootNoise | None = None, fast: bool = False) -> SearchResult:
        first = positions.legal.argmax(1).astype(np.int32)
        chosen = np.eye(self.config.num_actions, dtype=np.float32)[first]
        value = np.full((len(first), 1), 0.25, np.float32)
        return SearchResult(first, chosen, value, value, value, chosen.astype(np.int32), np.ones_like(first))

    def values(self, stacks: NDArray[Any]) -> NDArray[np.float32]:
        return np.full(len(stacks), 0.5, np.float32)

    def surprises(self, policies: NDArray[np.floating], legal: NDArray[np.bool_]) -> NDArray[np.float32]:
        return np.zeros(len(policies), np.float32)


def test_a_planner_is_given() -> None:
    config = toy_game("walk").config.replace(visit_softmax_temperature=((1.0, 0.0),), max_moves=5)
    player = SelfPlay(toy_game("walk"), config, 0, fixed_source(config), FirstLegal(config))
    _, histories = player.play(200, float("inf"))
    assert len(histories) > 5
    for history in histories:
        moves = slice(0, history.steps)
        assert (history.actions[moves] == history.policies[moves].argmax(1)).all()
        assert (history.root_values[moves] == 0.25).all()
        assert not history.truncated or history.root_values[-1] == 0.5, "by the network alone"


# --- games that break ---


def breaking_player(game_class: Any, **changes: Any) -> SelfPlay:
    spec = breaking(game_class)
    config = spec.config.replace(**changes)
    return SelfPlay(spec, config, 0, fixed_source(config), self_play_planner(config, "cpu"))


@pytest.mark.parametrize("how", SAYS)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_game_that_breaks_is_lost_alone(how: str) -> None:
    game_class, says = SAYS[how]
    player = breaking_player(game_class, segment_length=10_000)
    report, histories = player.play(3000, FOREVER)
    assert report.steps >= 3000
    assert report.games == len(histories) > 50
    assert 5 < len(report.lost) < report.games
    every = Breaking.every
    assert all(game.seed % every == 0 and says in game.reason and not game.fatal for game in report.lost)
    assert all(game.actions is not None and len(game.actions) == game.moves for game in report.lost)
    assert all(h.seed % every for h in histories if h.steps > FATAL_MOVE)
    for history in histories:
        again = Environment(breaking(Walk), player.config)
        again.reset(history.seed)
        rewards = [again.step(int(action)).reward for action in history.actions]
        if not history.truncated and how != "start":
            np.testing.assert_array_equal(history.rewards, np.array(rewards, np.float32))
    assert player.play(4, FOREVER)[0].lost == ()


def test_segments_that_were_sent_stay() -> None:
    class Late(Breaking):
        def step(self, action: int) -> Any:
            if self.number % self.every == 0 and self.move == 15:
                raise ZeroDivisionError("late")
            return Walk.step(self, action)

    player = breaking_player(Late, segment_length=4, td_steps=1)
    report, histories = player.play(2000, FOREVER)
    lost = {game.seed for game in report.lost}
    assert lost
    sent = [history for history in histories if history.seed in lost]
    assert sent
    assert not any(history.terminated or history.truncated for history in sent)
    assert all(history.game_return is None for history in sent)


def test_games_to_avoid_are_not_played() -> None:
    def seeds(avoid: frozenset[int], state: Snapshot | None = None) -> tuple[list[int], SelfPlay]:
        config = WalkConfig()
        planner = self_play_planner(config, "cpu")
        caution = Caution(avoid=avoid)
        player = SelfPlay(toy_game("walk"), config, 0, fixed_source(config), planner, caution=caution)
        if state is not None:
            player.load_state(state)
        return [*player.table.seeds.tolist()], player

    first, player = seeds(frozenset())
    others, _ = seeds(frozenset(first[:2]))
    assert others[:2] == first[2:]
    assert not set(first[:2]) & set(others)
    player.play(8, FOREVER)
    running = player.table.seeds.tolist()
    later, player = seeds(frozenset(running[1:2]), player.state())
    assert [later[0], *later[2:]] == [running[0], *running[2:]]
    assert later[1] not in running
    assert player.anew == 0
    assert player.table.played[1] == []


def test_python_games_are_noted_while_they_move(tmp_path: Path) -> None:
    noted: list[Noted | None] = []

    class Reading(Walk):
        def step(self, action: int) -> Any:
            noted.append(taken(tmp_path / "note"))
            return super().step(action)

    spec = breaking(Reading)
    planner = self_play_planner(spec.config, "cpu")
    caution = Caution(tmp_path / "note")
    player = SelfPlay(spec, spec.config, 0, fixed_source(spec.config), planner, caution=caution)
    seeds = player.table.seeds.tolist()
    assert taken(tmp_path / "note") is None
    player.play(4, FOREVER)
    assert noted[:4] == [Noted(row, seed, 0) for row, seed in enumerate(seeds)]
    assert taken(tmp_path / "note") is None

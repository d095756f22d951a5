"""Targets of recorded games, from the history builder to the batch, against a ledger kept by player 0.

The reference books every reward and every value as player 0's gain, adds them up in plain loops, and turns
the sign round where player 1 is to move. It shares nothing with the code it judges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from config import MuZeroConfig
from data import Batch, GameHistory
from games.api.spec import GameSpec
from playing.game_table import GameTable
from playing.history_builder import HistoryBuilder, ends_of
from replay_buffer import ReplayBuffer
from search.planner import self_play_planner
from self_play import SelfPlay
from tests.helpers.toy_games import fixed_source

LONGEST = 14
ACTIONS = 3
BATCH = 3
CHECKED = (
    *("target_value", "target_reward", "target_policy"),
    *("value_mask", "reward_mask", "policy_mask"),
)


class Script:
    """What happens in the game of a seed: who moves when, what each move brings, and how it ends."""

    def __init__(self, seed: int, players: int) -> None:
        generator = np.random.default_rng(seed)
        self.length = int(generator.integers(1, LONGEST + 1))
        self.movers = generator.integers(players, size=LONGEST + 1).tolist()  # often several in a row
        self.rewards = generator.choice([-1.0, 0.0, 0.5, 2.0], LONGEST).tolist()
        endings = ["terminated", "truncated"] + ["resigned"] * (players == 2)
        self.ending = str(generator.choice(endings))


def scripted_game(players: int) -> type:
    class Game:
        """Plays its seed's `Script`; an observation is (seed, moves made)."""

        def __init__(self, seed: int | None = None) -> None: ...

        def reset(self, seed: int | None = None) -> NDArray[np.float32]:
            assert seed is not None
            self.seed, self.move, self.script = seed, 0, Script(seed, players)
            return self._observation()

        def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
            reward = self.script.rewards[self.move]
            self.move += 1
            over, ending = self.move == self.script.length, self.script.ending
            return (
                self._observation(),
                reward,
                over and ending == "terminated",
                over and ending == "truncated",
                {},
            )

        def to_play(self) -> int:
            return self.script.movers[self.move]  # type: ignore[no-any-return]

        def _observation(self) -> NDArray[np.float32]:
            return np.array([[[self.seed, self.move]]], np.float32)

    return Game


@dataclass
class Ledger:
    """One game as player 0 sees it."""

    movers: list[int] = field(default_factory=list)  # of each position
    rewards: list[float] = field(default_factory=list)  # as the game paid them
    gains: list[float] = field(default_factory=list)  # to player 0, of each move
    worths: list[float] = field(default_factory=list)  # to player 0, of each position
    actions: list[int] = field(default_factory=list)
    drawn: list[bool] = field(default_factory=list)  # whether each move was drawn at random
    policies: list[NDArray[np.float32]] = field(default_factory=list)
    ending: str = "running"

    def searched(self, mover: int, value: float, policy: NDArray[np.float32]) -> None:
        self.movers.append(mover)
        self.worths.append(value if mover == 0 else -value)
        self.policies.append(policy)

    def moved(self, action: int, reward: float, drawn: bool) -> None:
        self.actions.append(action)
        self.drawn.append(drawn)
        self.rewards.append(reward)
        self.gains.append(reward if self.movers[-1] == 0 else -reward)

    def value(self, position: int, td_steps: int, discount: float) -> float:
        """The n-step return, to the player to move there."""
        total, weight, at = 0.0, 1.0, position
        while at < position + td_steps and not (self.ending != "running" and at == len(self.gains)):
            if self.drawn[at]:
                break
            total += weight * self.gains[at]
            weight *= discount
            at += 1
        if not (self.ending == "terminated" and at == len(self.gains)):
            total += weight * self.worths[at]
        return total if self.movers[position] == 0 else -total


def write_expected(
    game: Ledger, position: int, config: MuZeroConfig, want: Batch, at: tuple[int, int]
) -> None:
    """Writes what a batch has to say of a position that a sample unrolls to; `at` is (sample, step)."""
    end = len(game.gains) if game.ending != "running" else LONGEST * 10
    want.value_mask[at] = game.ending == "terminated"
    if position < end or (position == end and game.ending != "terminated"):
        want.target_value[at], want.value_mask[at] = game.value(position, config.td_steps, config.discount), 1
    if position < end and game.policies[position].any():
        want.target_policy[at], want.policy_mask[at] = game.policies[position], 1
    if at[1] == config.num_unroll_steps:
        return
    want.reward_mask[at] = game.ending == "terminated"
    if position < end:
        want.target_reward[at], want.reward_mask[at] = game.rewards[position], 1
        want.actions[at] = game.actions[position]


def expected(batch: Batch, games: dict[int, Ledger], config: MuZeroConfig) -> Batch:
    """What `batch` has to be; actions past a game's end are taken over from it."""
    zeros = {name: np.zeros_like(getattr(batch, name)) for name in CHECKED}
    want = batch._replace(**zeros, actions=batch.actions.copy())
    want.target_policy[:] = 1 / ACTIONS
    for s, (number, move) in enumerate(batch.observations[:, 0, 0].astype(int).tolist()):
        for k in range(config.num_unroll_steps + 1):
            write_expected(games[number], move + k, config, want, (s, k))
    return want


class Recording:
    """Scripted games, played by random actions and values through the real table and history builder."""

    def __init__(self, config: MuZeroConfig, seed: int) -> None:
        self.config, self.generator, self.first = config, np.random.default_rng(seed), 1000 * seed
        spec = GameSpec("scripted", scripted_game(config.players), config)
        self.table = GameTable(spec, config, BATCH)
        self.recorder = HistoryBuilder(config, BATCH, np.dtype(np.float32))
        self.games: dict[int, Ledger] = {}  # by seed: what happened
        self.histories: list[GameHistory] = []  # what was sent
        for row in range(BATCH):
            self._begin(row)

    def play(self, moves: int) -> Recording:
        for _ in range(moves):
            policies = self.generator.dirichlet(np.ones(ACTIONS), BATCH).astype(np.float32)
            policies[self.generator.random(BATCH) < 0.3] = 0  # searched fast
            values = self.generator.normal(size=BATCH).astype(np.float32)
            self.recorder.searched(policies, values, np.zeros(BATCH, np.float32), 0)
            rows = np.array([row for row in range(BATCH) if not self._resigns(row)], np.intp)
            for row in rows:
                self._game(row).searched(int(self.table.to_play[row]), float(values[row]), policies[row])
            self.histories += self.recorder.full_segments(self.table)
            if rows.size:
                self._move(rows)
        return self

    def _game(self, row: int) -> Ledger:
        return self.games[int(self.table.seeds[row])]

    def _begin(self, row: int) -> None:
        number = self.first + len(self.games)
        self.games[number] = Ledger()
        self.recorder.begin(row, self.table.reset(row, number), self.table)

    def _resigns(self, row: int) -> bool:
        script = Script(int(self.table.seeds[row]), self.config.players)
        if script.ending != "resigned" or len(self.table.played[row]) < script.length:
            return False
        self._close(row, "resigned", -1.0, self.recorder.resign(row, self.table))
        return True

    def _close(self, row: int, ending: str, value: float, history: GameHistory) -> None:
        game = self._game(row)
        game.ending = ending
        game.searched(int(self.table.to_play[row]), value, np.zeros(ACTIONS, np.float32))
        self.histories.append(history)
        self._begin(row)

    def _move(self, rows: NDArray[np.intp]) -> None:
        actions = self.generator.integers(ACTIONS, size=len(rows)).astype(np.int32)
        step = self.table.step(rows, actions)
        drawn = self.generator.random(len(rows)) < self.config.random_move_probability
        self.recorder.moved(rows, actions, drawn, step.rewards, step.observations, self.table)
        for row, action, reward, random in zip(rows, actions, step.rewards, drawn, strict=True):
            self._game(row).moved(int(action), float(reward), bool(random))
        for i in ends_of(step.terminated, step.truncated):
            row, truncated = int(rows[i]), bool(step.truncated[i])
            value = float(self.generator.normal()) if truncated else 0.0
            history = self.recorder.finish(row, value, 0, truncated, self.table)
            self._close(row, "truncated" if truncated else "terminated", value, history)


def every_step_once(histories: list[GameHistory], config: MuZeroConfig) -> Batch:
    """A batch of all own steps of `histories`: equal weights, one draw from each equal part of their sum."""
    buffer = ReplayBuffer(config, np.random.default_rng(0))
    buffer.add(histories)
    buffer.config = config.replace(batch_size=buffer.steps)
    (batch,) = buffer.sample(1)
    assert len(set(batch.positions.tolist())) == buffer.steps == len(batch.positions)
    return batch


def make_config(**changes: Any) -> MuZeroConfig:
    small: dict[str, Any] = {
        "observation_shape": (1, 1, 2),
        "action_space": tuple(range(ACTIONS)),
        "PER": False,
    }
    return MuZeroConfig(**small | {"replay_buffer_size": 2000, "learning_starts": 1} | changes)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    players=st.sampled_from([1, 2]),
    td_steps=st.sampled_from([1, 2, 3, 5, 20]),
    num_unroll_steps=st.integers(1, 5),
    discount=st.sampled_from([1.0, 0.9, 0.5]),
    segment_length=st.sampled_from([1, 2, 4, 7, 100]),
    max_moves=st.sampled_from([6, LONGEST]),
    random_move_probability=st.sampled_from([0.0, 0.2]),
)
def test_every_target_of_every_recorded_step_is_the_ledgers(seed: int, **changes: Any) -> None:
    config = make_config(**changes)
    played = Recording(config, seed).play(40)
    batch = every_step_once(played.histories, config)
    want = expected(batch, played.games, config)
    for name in (*CHECKED, "actions"):
        got = getattr(batch, name)
        np.testing.assert_allclose(got, getattr(want, name), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("segment_length", [3, 100])
def test_all_endings_occur_and_no_step_is_missing(segment_length: int) -> None:
    config = make_config(players=2, segment_length=segment_length, td_steps=2, max_moves=12)
    recording = Recording(config, 1).play(400)
    ended = {number: game for number, game in recording.games.items() if game.ending != "running"}
    assert {game.ending for game in ended.values()} == {"terminated", "truncated", "resigned"}
    repeats = [a == b for game in ended.values() for a, b in zip(game.movers, game.movers[1:], strict=False)]
    assert min(repeats.count(True), repeats.count(False)) > 100
    batch = every_step_once(recording.histories, config)
    sampled = sorted(map(tuple, batch.observations[:, 0, 0].astype(int).tolist()))
    played = [(number, move) for number, game in ended.items() for move in range(len(game.gains))]
    assert set(played) <= set(sampled)
    assert len(set(sampled)) == len(sampled)


class Nim:
    """Two players take one or two of nine stones in turn; who takes the last one wins. (stones, player)"""

    def __init__(self, seed: int | None = None) -> None: ...

    def reset(self, seed: int | None = None) -> NDArray[np.float32]:
        self.stones, self.player = 9, 0
        return self._observation()

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool]:
        self.stones -= action + 1
        self.player = 1 - self.player
        return self._observation(), float(self.stones == 0), self.stones == 0

    def legal_actions(self) -> list[int]:
        return [0, 1] if self.stones > 1 else [0]

    def to_play(self) -> int:
        return self.player

    def _observation(self) -> NDArray[np.float32]:
        return np.array([[[self.stones, self.player]]], np.float32)


def test_self_plays_targets_are_the_games_outcomes() -> None:
    config = make_config(
        action_space=(0, 1), players=2, td_steps=20, discount=1.0, num_simulations=12, games_per_worker=4
    ).replace(root_exploration_fraction=1.0)
    spec, planner = GameSpec("nim", Nim, config), self_play_planner(config, "cpu")
    player = SelfPlay(spec, config, 0, fixed_source(config), planner)
    histories = player.play(200, float("inf"))[1]
    batch = every_step_once(histories, config)
    winners = []
    for history in histories:
        assert history.terminated
        winner = int(history.to_play[-2])
        assert history.game_return == (1 if winner == 0 else -1)
        assert history.rewards.tolist() == [0.0] * (history.steps - 1) + [1.0]
        winners += [winner] * history.steps
    assert set(winners) == {0, 1}
    to_play = batch.observations[:, 0, 0, 1]
    # Histories lie one after the other in the buffer; a terminal position takes no row.
    outcomes = np.array(winners)[batch.positions]
    np.testing.assert_array_equal(batch.target_value[:, 0], np.where(to_play == outcomes, 1, -1))

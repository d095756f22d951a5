"""Turned samples are those of the turned game, which is played again by the real rules of a small board."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from data import Batch, GameHistory
from learning.symmetry import Symmetries, make_symmetries
from replay_buffer import ReplayBuffer

Cell = tuple[int, int]
Move = Callable[[Cell, int], Cell]  # a cell (row, column) of a board of this width, and where it goes
MIRROR: list[Move] = [lambda cell, width: cell, lambda cell, width: (cell[0], width - 1 - cell[1])]
DIHEDRAL: list[Move] = [
    lambda cell, width: cell,
    lambda cell, width: (width - 1 - cell[0], cell[1]),
    lambda cell, width: (cell[0], width - 1 - cell[1]),
    lambda cell, width: (width - 1 - cell[0], width - 1 - cell[1]),
    lambda cell, width: (cell[1], cell[0]),
    lambda cell, width: (width - 1 - cell[1], cell[0]),
    lambda cell, width: (cell[1], width - 1 - cell[0]),
    lambda cell, width: (width - 1 - cell[1], width - 1 - cell[0]),
]


class Board:
    """Two players place stones in turn, or drop them into columns; three of one's own in a row or column win.

    Where stones are placed, the last action is a pass. A position is [2, H, W]: the stones of the player to
    move, and the other's.
    """

    def __init__(self, height: int, width: int, drop: bool) -> None:
        self.height, self.width, self.drop = height, width, drop
        self.actions = width if drop else height * width + 1
        self.stones = np.full((height, width), -1)
        self.player = 0

    def legal(self) -> list[int]:
        if self.drop:
            return [column for column in range(self.width) if self.stones[0, column] < 0]
        return [*np.flatnonzero(self.stones.ravel() < 0).tolist(), self.height * self.width]

    def play(self, action: int) -> bool:
        """Makes a move; whether it wins."""
        assert action in self.legal()
        if self.drop:
            self.stones[int(np.flatnonzero(self.stones[:, action] < 0)[-1]), action] = self.player
        elif action < self.height * self.width:
            self.stones[divmod(action, self.width)] = self.player
        own = self.stones == self.player
        self.player = 1 - self.player
        lines = [own[:, i : i + 3].all(axis=1).any() for i in range(self.width - 2)]
        lines += [own[i : i + 3].all(axis=0).any() for i in range(self.height - 2)]
        return any(lines)

    def observation(self) -> NDArray[np.int8]:
        return np.stack([self.stones == self.player, self.stones == 1 - self.player]).astype(np.int8)

    def image(self, action: int, move: Move) -> int:
        """What the rules call `action` on the turned board."""
        if self.drop:
            return move((0, action), self.width)[1]
        if action == self.height * self.width:
            return action
        row, column = move((action // self.width, action % self.width), self.width)
        return row * self.width + column


def random_moves(board: Board, seed: int) -> list[int]:
    generator = np.random.default_rng(seed)
    moves: list[int] = []
    while board.legal() and len(moves) < 12:
        moves.append(int(generator.choice(board.legal())))
        if board.play(moves[-1]):
            break
    return moves


def played(board: Board, moves: list[int], policies: NDArray[np.float32]) -> GameHistory:
    """The history of `moves`, the last of which ends the game."""
    observations, players, legal, rewards = [board.observation()], [0], [np.zeros(board.actions, bool)], []
    legal[0][board.legal()] = True
    for move in moves:
        rewards.append(float(board.play(move)))
        observations.append(board.observation())
        players.append(board.player)
        legal.append(np.isin(np.arange(board.actions), board.legal()))
    return GameHistory(
        observations=np.stack(observations),
        actions=np.array(moves, np.int32),
        rewards=np.array(rewards, np.float32),
        policies=policies,
        root_values=np.linspace(-1, 1, len(moves) + 1).astype(np.float32),
        to_play=np.array(players, np.int8),
        legal_actions=np.packbits(np.stack(legal), axis=1),
        steps=len(moves),
        past=0,
        terminated=True,
        truncated=False,
        seed=0,
        versions=np.zeros(len(moves) + 1, np.int64),
        first_step=0,
        game_return=0.0,
        game_length=len(moves),
    )


def turned_game(shape: tuple[int, int, bool], moves: list[int], seed: int, move: Move) -> GameHistory:
    """The game of `moves`, with random policies, played again on the turned board."""
    board = Board(*shape)
    policies = np.random.default_rng(seed).dirichlet(np.ones(board.actions), len(moves)).astype(np.float32)
    images = [board.image(action, move) for action in range(board.actions)]
    turned = np.empty_like(policies)
    turned[:, images] = policies
    return played(board, [images[action] for action in moves], turned)


def make_config(shape: tuple[int, int, bool], **changes: Any) -> MuZeroConfig:
    height, width, drop = shape
    board: dict[str, Any] = {
        "observation_shape": (2, height, width),
        "action_space": tuple(range(Board(height, width, drop).actions)),
        "players": 2,
    }
    rest = {
        "stacked_observations": 2,
        "num_unroll_steps": 3,
        "td_steps": 4,
        "PER": False,
        "learning_starts": 1,
    }
    return MuZeroConfig(**board | rest | changes)


def make_buffer(config: MuZeroConfig, game: GameHistory, which: int | None = None) -> ReplayBuffer:
    """A buffer with one game, all of whose samples are turned by symmetry number `which`."""
    buffer = ReplayBuffer(config, np.random.default_rng(0))
    if which is not None:
        assert buffer.symmetries is not None
        buffer.symmetries = Symmetries._make(table[[which]] for table in buffer.symmetries)
    buffer.add([game])
    return buffer


def every_step(buffer: ReplayBuffer) -> Batch:
    """A batch of all steps, each once, without the random actions past the game's end."""
    buffer.config = buffer.config.replace(batch_size=buffer.steps)
    (batch,) = buffer.sample(1)
    assert batch.positions.tolist() == list(range(buffer.steps))
    return batch._replace(actions=np.where(batch.policy_mask[:, :-1] > 0, batch.actions, -1))


def equal(left: Batch, right: Batch) -> bool:
    pairs: Iterable[tuple[Any, Any]] = zip(left, right, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


SHAPES = {
    "mirror": [(3, 4, True), (3, 4, False), (4, 3, False), (2, 5, True)],
    "dihedral": [(3, 3, False), (4, 4, False)],
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), seed=st.integers(0, 10**6), symmetry=st.sampled_from(["mirror", "dihedral"]))
def test_a_turned_batch_is_the_batch_of_the_turned_game(
    data: st.DataObject, seed: int, symmetry: str
) -> None:
    shape = data.draw(st.sampled_from(SHAPES[symmetry]))
    moves = random_moves(Board(*shape), seed)
    ways = MIRROR if symmetry == "mirror" else DIHEDRAL
    plain, varied = make_config(shape), make_config(shape, symmetry=symmetry)
    expected = [every_step(make_buffer(plain, turned_game(shape, moves, seed, way))) for way in ways]
    game = turned_game(shape, moves, seed, ways[0])
    found = []
    for which in range(len(ways)):
        batch = every_step(make_buffer(varied, game, which))
        assert all(array.flags.c_contiguous for array in batch)
        found.append([way for way, want in enumerate(expected) if equal(batch, want)])
    # Random policies tell all ways from each other: each symmetry is one of them.
    assert found[0] == [0]
    assert sorted(found) == [[way] for way in range(len(ways))]


def test_samples_are_turned_by_all_symmetries_alike_and_repeatably() -> None:
    shape = (3, 3, False)
    game = turned_game(shape, [0], 0, MIRROR[0])
    config = make_config(shape, symmetry="dihedral", batch_size=4000)
    batches = [make_buffer(config, game).sample(1)[0] for _ in range(2)]
    assert equal(*batches)
    policies, counts = np.unique(batches[0].target_policy[:, 0], axis=0, return_counts=True)
    assert len(policies) == 8
    assert ((counts - 500.0) ** 2 / 500).sum() < 24.3  # chi square, 99.9 % quantile, 7 degrees


def test_each_sample_is_turned_as_a_whole() -> None:
    shape, moves = (3, 3, False), [4, 0, 3, 1, 5]
    games = [turned_game(shape, moves, 3, way) for way in DIHEDRAL]
    expected = [every_step(make_buffer(make_config(shape), game)) for game in games]
    config = make_config(shape, symmetry="dihedral", batch_size=400)
    (batch,) = make_buffer(config, games[0]).sample(1)
    for s, position in enumerate(batch.positions):
        known = batch.policy_mask[s, :-1] > 0
        sample = batch.observations[s], np.where(known, batch.actions[s], -1), batch.target_policy[s]
        assert any(
            all(
                map(
                    np.array_equal,
                    sample,
                    (w.observations[position], w.actions[position], w.target_policy[position]),
                )
            )
            for w in expected
        )


def test_without_symmetry_nothing_is_drawn() -> None:
    shape = (3, 3, False)
    config = make_config(shape)
    assert make_symmetries(config) is None
    buffer = make_buffer(config, turned_game(shape, [4, 0, 3, 1, 5], 0, MIRROR[0]))
    buffer.sample(1)
    generator = np.random.default_rng(0)
    generator.random(config.batch_size)
    generator.integers(10, size=(config.batch_size, 3), dtype=np.int32)
    assert generator.bit_generator.state == buffer.generator.bit_generator.state


def test_what_is_reanalysed_is_not_turned() -> None:
    shape = (3, 4, True)
    game = turned_game(shape, [0, 1, 1, 3], 0, MIRROR[0])
    requests = [
        make_buffer(make_config(shape), game).reanalyse_request(4),
        make_buffer(make_config(shape, symmetry="mirror"), game, 1).reanalyse_request(4),
    ]
    assert requests[0] is not None
    assert requests[1] is not None
    for left, right in zip(*requests, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("shape", "actions", "symmetry", "line"),
    [
        ((1, 3, 4), 12, "dihedral", "dihedral needs a square board"),
        ((1, 3, 3), 3, "dihedral", "dihedral needs a square board"),
        ((1, 3, 4), 5, "mirror", "mirror needs an action for each of the 4 columns or the 12 cells, not 5"),
        ((1, 4, 3), 4, "mirror", "mirror needs an action for each"),
    ],
)
def test_a_symmetry_that_the_actions_do_not_have_is_refused(
    shape: tuple[int, int, int], actions: int, symmetry: Any, line: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"\Asymmetry {line}[^\n]*\Z"):
        MuZeroConfig(observation_shape=shape, action_space=tuple(range(actions)), symmetry=symmetry)

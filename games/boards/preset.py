"""The configuration that games on a board have in common; what was tried is in docs/experiments.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import config
from core.errors import ConfigurationError, require
from core.options import coerce


class BoardConfig(config.MuZeroConfig):
    """A residual network for two players, whose value target is the game's outcome.

    A game adds its shapes, and how large its network is. Convolutions see a line of four wherever it lies: a
    perceptron has to learn each by itself.
    """

    players = 2
    discount = 1.0
    q_transform = "bounds"

    network = "resnet"
    action_planes = "board"
    batch_norm = False  # its averages over the unrolled steps fit none of them
    latent_scaling = "none"
    inference_bfloat16 = True
    support_size = 1
    support_transform = False  # a win is the outermost atom

    PER = False
    num_unroll_steps = 2  # learning takes updates, and these cost half of those with 5
    consistency_loss_weight = 0.5
    value_loss_weight = 0.5
    autocast = True
    lr_init = 0.002


class Sides(NamedTuple):
    """Which sides a square board may have, and what follows from the side."""

    allowed: tuple[int, ...]
    default: int
    options: Callable[[int], dict[str, Any]]  # from a side to the options that follow from it, by name

    def chosen(self, config: config.MuZeroConfig) -> int:
        """The side that a run was configured with; othello's had no `board_size` once, but a shape."""
        height = config.observation_shape[1]
        return config.board_size or (height if height in self.allowed else self.default)


class SmallBoardConfig(BoardConfig):
    """For two cores and up to two hours: a small network, many games at a time."""

    games_per_worker = 128

    blocks = 2
    channels = 16
    reduced_channels_reward = 4
    reduced_channels_value = 4
    reduced_channels_policy = 4

    lr_decay_rate = 0.985
    replay_buffer_size = 400_000
    learning_starts = 5_000

    training_steps = 200_000
    training_minutes = 120
    opponents = ("mcts:1000", "expert", "random")


class SquareBoardConfig(SmallBoardConfig):
    """A board of `board_size`: what follows from its side need not be given, and cannot be contradicted.

    A game says what its `_sides` are.
    """

    _sides: ClassVar[Sides]

    # Not given: `_sides` says what they are. The first two cannot be anything else.
    observation_shape = ()
    action_space = ()
    max_moves = 0
    td_steps = 0
    segment_length = 0

    symmetry = "dihedral"

    # Few simulations and small batches: it is updates that teach.
    search = "gumbel"
    num_simulations = 24
    random_opening_moves = 4
    ratio = 0.05
    batch_size = 128
    evaluation_interval = 900.0  # the expert takes long
    evaluation_games = 40

    def __post_init__(self) -> None:
        sides = self._sides
        side = coerce(int, self.board_size, "board_size") or sides.default
        game = type(self).__module__.rpartition(".")[2]
        require(side in sides.allowed, f"board_size={side}", f"must be {said(sides.allowed)} in {game}")
        object.__setattr__(self, "board_size", side)
        for name, value in sides.options(side).items():
            if getattr(self, name) in ((), 0):
                object.__setattr__(self, name, value)
            elif isinstance(value, tuple) and coerce(tuple[int, ...], getattr(self, name), name) != value:
                raise ConfigurationError(
                    f"{name} contradicts board_size={side}: give board_size only, {name} follows from it"
                )
        super().__post_init__()

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes`; another `board_size` changes what follows from it as well."""
        if "board_size" in changes:
            now = self._sides.options(self.board_size)
            changes = {n: type(value)() for n, value in now.items() if getattr(self, n) == value} | changes
        return super().replace(**changes)


def said(allowed: tuple[int, ...]) -> str:
    """The allowed sides in words: `from 5 to 19`, or `6 or 8`."""
    if len(allowed) > 2:
        return f"from {allowed[0]} to {allowed[-1]}"
    return " or ".join(map(str, allowed))

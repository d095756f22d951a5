"""Where random numbers come from: streams derived from one seed, so that no two users share numbers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """Who uses a stream of random numbers, and by what its parts are numbered."""

    SELF_PLAY = 1  # the worker, and how many actors of the run had been lost when it was started
    EVALUATION = 2  # the games of a match
    BUFFER = 3
    REANALYSE = 4  # the weights' version and the first position
    OPENINGS = 5
    OPPONENT = 6  # the side
    JUDGE = 7  # a run's evaluations
    BATCH = 8  # a match's batches of games
    GAME = 9  # games that are shown or played by people
    FILM = 10  # the version of the weights
    TRIAL = 11  # a tuner's trainings
    SCORE = 12  # of a tuner's trials
    CHECK = 13  # of a game's file
    DIAGNOSIS = 14
    WATCHED = 15  # exploration of games that are watched


def make_generator(seed: int, stream: Stream, *which: int) -> np.random.Generator:
    """The generator that `seed` determines for a stream, or for part `which` of it."""
    return np.random.default_rng(_sequence(seed, stream, *which))


def child_seed(seed: int, stream: Stream, *which: int) -> int:
    """The seed from 0 to 2**31 - 1 that `seed` determines for part `which` of a stream.

    For what takes a number and not a generator: games, matches, trainings. Sums and products of seeds would
    meet each other: part 3 of seed 0 would be part 2 of seed 1.
    """
    return int(_sequence(seed, stream, *which).generate_state(1)[0] >> 1)


def game_seed(seed: int, number: int) -> int:
    """The seed of game `number` (from 0) of a row of games, of which the first one is that of `seed`."""
    return child_seed(seed, Stream.GAME, number) if number else seed


def _sequence(seed: int, stream: Stream, *which: int) -> np.random.SeedSequence:
    """By spawn key: unlike numbers in a list, (1,) and (1, 0) are different ones."""
    return np.random.SeedSequence(seed, spawn_key=(stream, *which))


def one_of(generator: np.random.Generator, choices: Sequence[int] | NDArray[Any]) -> int:
    """A random one of `choices` [n], n > 0: the one that `generator.choice` draws, and sooner."""
    return int(choices[int(generator.integers(len(choices)))])

"""Streams and seeds that are derived from one seed never meet."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.randomness import Stream, child_seed, game_seed, make_generator


def test_no_two_generators_share_numbers() -> None:
    """Nor where only the number of parts differs, or a seed needs more than 32 bits."""
    seeds = (0, 1, 2, 2**32, 2**32 + 1, 2**33 + 1)
    parts = [(), *itertools.product(range(3)), *itertools.product(range(3), range(3))]
    first = [
        make_generator(seed, stream, *which).integers(2**63)
        for seed in seeds
        for stream in Stream
        for which in parts
    ]
    assert len(set(first)) == len(seeds) * len(Stream) * len(parts)


def test_no_two_parts_have_the_same_seed() -> None:
    """Part k of seed 0 is not seed k, nor part k - 1 of seed 1: of 30,000 two or so agree by chance."""
    seeds = [child_seed(seed, stream, k) for seed in range(50) for stream in Stream for k in range(40)]
    assert len(set(seeds) | set(range(1000))) >= len(seeds) + 1000 - 3
    assert min(seeds) >= 0
    assert max(seeds) < 2**31
    assert seeds == [
        child_seed(seed, stream, k) for seed in range(50) for stream in Stream for k in range(40)
    ]


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_the_first_game_is_that_of_the_seed_itself(seed: int) -> None:
    games = [game_seed(seed, number) for number in range(100)]
    assert games[0] == seed
    assert len(set(games)) == 100
    assert not set(games[1:]) & set(range(seed, seed + 100))


def test_generators_are_numpys_children_of_the_seed() -> None:
    expected = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(Stream.SELF_PLAY, 2, 0)))
    assert make_generator(5, Stream.SELF_PLAY, 2, 0).integers(2**63) == expected.integers(2**63)

"""Random choices: only what is legal, everything that is, and the numbers that numpy's own choice draws."""

from __future__ import annotations

import numpy as np

from core.policies import best_legal, random_legal
from core.randomness import one_of


def test_one_of_draws_what_numpys_choice_draws() -> None:
    own, numpys = np.random.default_rng(3), np.random.default_rng(3)
    for size in (1, 2, 3, 7, 1, 9, 500):
        choices = [5 * number for number in range(size)]
        for given in (choices, np.array(choices)):
            chosen = one_of(own, given)
            assert type(chosen) is int
            assert chosen == numpys.choice(choices)
    assert own.bit_generator.state == numpys.bit_generator.state


def test_random_legal_actions_are_all_the_legal_ones_and_no_others() -> None:
    legal = np.array([[True, False, True, True], [False, True, False, False]])
    generator = np.random.default_rng(0)
    drawn = np.array([random_legal(generator, legal) for _ in range(200)])
    assert drawn.dtype == np.int32
    assert [set(column.tolist()) for column in drawn.T] == [{0, 2, 3}, {1}]


def test_the_best_legal_action_is_the_first_of_equals_whatever_is_illegal() -> None:
    preferences = np.array([[9.0, -5.0, -5.0], [-1.0, -2.0, 9.0]])
    legal = np.array([[False, True, True], [True, True, False]])
    assert best_legal(preferences, legal).tolist() == [1, 0]
    assert best_legal(preferences[None], legal[None]).tolist() == [[1, 0]]

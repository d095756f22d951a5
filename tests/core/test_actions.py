"""What a game's actions are: lists and masks, how they are kept, and how they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import MuZeroConfig
from core.actions import ActionSpace


def test_a_configuration_says_its_actions() -> None:
    assert MuZeroConfig(action_space=(0, 1, 2)).actions == ActionSpace(3)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_masks_are_kept_as_bits(count: int, seed: int) -> None:
    space = ActionSpace(count)
    legal = np.random.default_rng(seed).random((5, count)) < 0.5
    packed = space.pack(legal)
    assert packed.shape == (5, (count + 7) // 8)
    np.testing.assert_array_equal(space.unpack(packed), legal)
    assert space.unpack(packed).dtype == bool
    listed = np.flatnonzero(legal[0])
    np.testing.assert_array_equal(space.mask(listed), legal[0])


@pytest.mark.parametrize(
    ("listed", "what"),
    [
        ([0, 4], "contains 4"),
        ([-1], "contains -1"),
        ([0.5], "are of type float64"),
        ([0, 3], None),
        ([], None),
    ],
)
def test_what_is_no_action_is_named(listed: list[Any], what: str | None) -> None:
    fault = ActionSpace(4).fault(np.array(listed))
    assert (fault and fault.what) == what


def test_legal_actions_are_drawn_evenly_and_others_never() -> None:
    legal = np.array([[True, False, True, True]] * 3000)
    drawn = ActionSpace(4).sample(np.random.default_rng(0), legal)
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 3000, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.03)
    anything = ActionSpace(4).draw(np.random.default_rng(0), 1000, 3)
    assert anything.shape == (1000, 3)
    assert set(anything.ravel().tolist()) == {0, 1, 2, 3}


def test_earlier_actions_are_planes_between_0_and_1() -> None:
    assert ActionSpace(4).encode(np.arange(4)).tolist() == [0.0, 0.25, 0.5, 0.75]

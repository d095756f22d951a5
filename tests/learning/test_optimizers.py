"""The learning rate's schedule."""

from __future__ import annotations

import pytest

from config import MuZeroConfig
from learning.optimizers import learning_rate


def test_learning_rate_warms_up_and_decays() -> None:
    config = MuZeroConfig(lr_init=0.1, lr_warmup_steps=3, lr_decay_rate=0.5, lr_decay_steps=10)
    assert learning_rate(config, 0) == pytest.approx(0.1 / 4)
    assert learning_rate(config, 10) == pytest.approx(0.05)
    assert learning_rate(config, 20) == pytest.approx(0.025)


def test_the_decay_may_begin_later() -> None:
    config = MuZeroConfig(lr_init=0.1, lr_decay_rate=0.5, lr_decay_steps=10, lr_decay_start=40)
    rates = [learning_rate(config, step) for step in (0, 40, 50, 60)]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.025])
    new = config.replace(lr_decay_start=-1)
    assert learning_rate(new, 10) == pytest.approx(0.05), "it begins at 0"

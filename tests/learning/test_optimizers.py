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

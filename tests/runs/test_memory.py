"""A run that cannot fit is refused before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.sources import OWN_GAMES
from runs.memory import check_memory, needed_memory, usable_memory

GIB = 1 << 30


def test_the_containers_limit_counts(tmp_path: Path) -> None:
    whole = usable_memory(())
    assert whole > GIB
    limit, none, broken = tmp_path / "limit", tmp_path / "max", tmp_path / "missing"
    limit.write_text(f"{GIB // 2}\n")
    none.write_text("max\n")
    assert usable_memory((broken, none, limit)) == GIB // 2
    assert usable_memory((none,)) == whole


def test_images_with_a_long_look_ahead_are_refused_in_one_line() -> None:
    config = MuZeroConfig(
        observation_shape=(3, 96, 96),
        td_steps=65535,
        max_moves=27_000,
        games_per_worker=16,
        replay_buffer_size=100_000,
        network="resnet",
    )
    with pytest.raises(ConfigurationError) as caught:
        check_memory(config, 8 * GIB)
    assert "most is for running games (games_per_worker, segment_length, td_steps)" in str(caught.value)
    assert "\n" not in str(caught.value)
    check_memory(config.replace(td_steps=10, segment_length=200), 8 * GIB)


def test_look_ahead_takes_no_more_room_than_a_game() -> None:
    short, long = (
        needed_memory(MuZeroConfig(td_steps=steps, max_moves=500, replay_buffer_size=50_000))
        for steps in (500, 65535)
    )
    assert short == long


@pytest.mark.parametrize("name", OWN_GAMES.names())
def test_presets_fit_into_two_gibibytes(name: str) -> None:
    check_memory(OWN_GAMES.load(name).config, 2 * GIB)

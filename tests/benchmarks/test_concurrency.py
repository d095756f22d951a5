"""The laboratory of concurrency: every way comes to the same result."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.concurrency import Row, Sizes, divisions, draw, in_processes, in_threads, items, lost_updates
from benchmarks.concurrency_jobs import (
    Account,
    Division,
    SafeAccount,
    compiled_phi_sum,
    phi,
    phi_sum,
    played_moves,
    serve_echo,
    shares,
    take_from_queue,
    take_under_lock,
)

TINY = Sizes(
    numbers=400, compiled=400, divided=400, moves=64, workers=2, messages=3, items=60, updates=200, repeats=1
)
NUMBERS = range(2, 400)


def test_phi_counts_what_has_no_divisor_in_common() -> None:
    for number in range(1, 200):
        assert phi(number) == sum(math.gcd(number, other) == 1 for other in range(1, number + 1))


@pytest.mark.parametrize("release", [False, True])
def test_the_compiled_sums_are_the_same(release: bool) -> None:
    for part in (NUMBERS, NUMBERS[1::3]):
        assert compiled_phi_sum(release)(part) == phi_sum(part)


@pytest.mark.parametrize("kind", ["blocks", "turns"])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_everything_once(kind: str, count: int) -> None:
    parts = shares(NUMBERS, count, kind)  # type: ignore[arg-type]
    assert len(parts) == count
    assert sorted(number for part in parts for number in part) == list(NUMBERS)


@pytest.mark.parametrize("way", [in_threads, in_processes("fork")])
def test_ways_come_to_the_same_sum(way: object) -> None:
    division = Division(2, shares(NUMBERS, 2, "turns"))
    assert way(phi_sum, division) == phi_sum(NUMBERS)  # type: ignore[operator]


@pytest.mark.parametrize("take", [take_under_lock, take_from_queue])
def test_items_are_each_taken_once(take: object) -> None:
    assert take(NUMBERS, 2) == phi_sum(NUMBERS)  # type: ignore[operator]


def test_self_play_counts_its_moves() -> None:
    assert played_moves([(1, 32), (2, 48)]) == played_moves([(1, 32)]) + played_moves([(2, 48)]) >= 80


def test_a_pipe_answers() -> None:
    with serve_echo() as ask:
        assert ask(b"abc") == b"abc"


class Interrupted(Account):
    """Another thread comes between reading and writing, once."""

    def __init__(self) -> None:
        super().__init__()
        self.came = False

    def _one_more(self, value: int) -> int:
        if not self.came:
            self.came = True
            self.add(1)
        return value + 1


def test_an_update_is_lost_between_reading_and_writing() -> None:
    account = Interrupted()
    account.add(1)
    assert account.value == 1, "of two"
    safe = SafeAccount()
    safe.add(50)
    assert safe.value == 50


def test_measurements_are_whole() -> None:
    found = [*divisions(TINY), *items(TINY), *lost_updates(TINY)]
    assert [row.name for row in found] == ["division"] * 5 + ["item"] * 3 + ["lost update"] * 2
    assert all(row.seconds > 0 for row in found)
    assert found[-1].remark == "0 lost"


def test_pictures_are_drawn(tmp_path: Path) -> None:
    ways = [Row("way", job, way, 1.0, 0.5) for job in ("a", "b") for way in ("serial", "threads")]
    costs = [Row("start", "nothing", "thread", 1e-5), Row("message", "1 byte", "pipe", 1e-4)]
    paths = draw([*ways, *costs], tmp_path)
    assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG"] * 2

"""Rows in files that generations share: what is read is what the buffer had, whatever left meanwhile."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from data import Snapshot
from learning.targets import OWN
from replay_buffer import ReplayBuffer
from saving import rows
from saving.rows import ROWS, Arrays, RowFile, plan, rest_of, with_rows, written_rows
from tests.helpers.histories import random_history
from tests.test_replay_buffer import make_config


class Files:
    """Arrays by the name of their file."""

    def __init__(self) -> None:
        self.written: dict[str, Arrays] = {}
        self.rest = Snapshot({}, {})

    def write(self, name: str, arrays: Arrays) -> str:
        self.written[name] = arrays
        return f"digest of {name}"


def make_buffer(**changes: Any) -> ReplayBuffer:
    return ReplayBuffer(make_config(**changes), np.random.default_rng(3))


def add_games(buffer: ReplayBuffer, *seeds: int) -> None:
    buffer.add([random_history(np.random.default_rng(seed), 5 + seed % 7, seed=seed) for seed in seeds])


def saved(buffer: ReplayBuffer, files: Files, earlier: Sequence[RowFile] = ()) -> list[RowFile]:
    """Writes the rows of `buffer`, and the rest under the name "rest"."""
    cut = buffer.cut()
    written = written_rows("buffer", buffer, plan(cut, earlier, buffer.row_bytes), files.write)
    files.rest = rest_of(buffer, cut, written)
    return list(written)


def assert_same(found: Snapshot, wanted: Snapshot, left: int = 0) -> None:
    """All of `wanted` but its first `left` rows."""
    assert found.facts == wanted.facts | {"first": wanted.facts["first"] + left}
    assert found.arrays.keys() == wanted.arrays.keys()
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array[left:], err_msg=name)


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FILE_BYTES", 1000)
    monkeypatch.setattr(rows, "SLICE_ROWS", 7)


def test_what_is_read_is_the_state_while_games_come_and_go() -> None:
    buffer, files, written = make_buffer(replay_buffer_size=100), Files(), list[RowFile]()
    for round_ in range(12):
        add_games(buffer, *range(round_ * 3, round_ * 3 + 3))
        places = np.arange(buffer.first, buffer.next)
        buffer.update_priorities(places, np.full(len(places), 1.0 + round_))
        written = saved(buffer, files, written)
        assert_same(with_rows(files.rest, files.written.__getitem__), buffer.state())
    assert buffer.first > 0


def test_only_new_rows_are_written_and_old_files_are_left_out() -> None:
    buffer, files = make_buffer(replay_buffer_size=100), Files()
    add_games(buffer, *range(10))
    first = saved(buffer, files)
    before = len(files.written)
    second = saved(buffer, files, first)
    assert second == first
    assert len(files.written) == before
    add_games(buffer, *range(10, 16))
    third = saved(buffer, files, second)
    assert third[0].start > first[0].start, "rows that have left are in no file that is kept"
    new = [file for file in third if file not in first]
    assert new
    assert all(file.start >= first[-1].stop for file in new)


def test_many_small_files_are_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_SMALL", 3)
    monkeypatch.setattr(rows, "FILE_BYTES", 1 << 20)
    buffer, files, written = make_buffer(), Files(), list[RowFile]()
    sizes = []
    for seed in range(10):
        add_games(buffer, seed)
        written = saved(buffer, files, written)
        sizes.append(len(written))
        assert_same(with_rows(files.rest, files.written.__getitem__), buffer.state())
    assert max(sizes) == 4
    assert 1 in sizes[1:]


@pytest.mark.parametrize("games", [1, 4, 30])
def test_rows_that_leave_while_they_are_written_are_left_out(games: int) -> None:
    buffer, files = make_buffer(replay_buffer_size=100), Files()
    add_games(buffer, *range(20))
    wanted, more = buffer.state(), iter(range(100, 100 + games))

    def write(name: str, arrays: Arrays) -> str:
        for seed in itertools.islice(more, 1 if games < 30 else games):
            add_games(buffer, seed)
        return files.write(name, arrays)

    cut = buffer.cut()
    written = written_rows("buffer", buffer, plan(cut, (), buffer.row_bytes), write)
    rest = rest_of(buffer, cut, written)
    left = min(buffer.first, cut.stop) - cut.first
    assert left > 0
    assert_same(with_rows(rest, files.written.__getitem__), wanted, left)
    again = make_buffer(replay_buffer_size=100)
    again.load_state(with_rows(rest, files.written.__getitem__))
    assert again.steps == np.count_nonzero(wanted.arrays["kind"][left:] == OWN)
    add_games(again, 1)
    again.sample(2)


def test_files_with_a_gap_are_not_used_and_not_read() -> None:
    buffer, files = make_buffer(), Files()
    add_games(buffer, *range(10))
    written = saved(buffer, files)
    assert len(written) > 3
    gap = [written[0], *written[2:]]
    assert saved(buffer, Files(), gap) == written
    listed = [[file.name, file.start, file.stop] for file in gap]
    torn = Snapshot(files.rest.arrays, files.rest.facts | {ROWS: listed})
    with pytest.raises(ValueError, match="do not belong together"):
        with_rows(torn, files.written.__getitem__)
    short = Snapshot(files.rest.arrays, files.rest.facts | {ROWS: files.rest.facts[ROWS][:-1]})
    with pytest.raises(ValueError, match="too short"):
        with_rows(short, files.written.__getitem__)


def test_a_buffer_without_a_row_is_one_afterwards() -> None:
    buffer, files = make_buffer(), Files()
    saved(buffer, files)
    assert_same(with_rows(files.rest, files.written.__getitem__), buffer.state())
    again = make_buffer()
    again.load_state(with_rows(files.rest, files.written.__getitem__))
    add_games(again, 1)
    assert again.steps > 0


def listed(files: Files, rows_listed: Any) -> Snapshot:
    return Snapshot(files.rest.arrays, files.rest.facts | {ROWS: rows_listed})


def test_a_list_that_is_none_is_refused_before_a_file_is_read() -> None:
    buffer, files = make_buffer(), Files()
    add_games(buffer, *range(10))
    saved(buffer, files)
    name, start, stop = files.rest.facts[ROWS][0]
    wrongs: tuple[Any, ...] = (
        None,
        {},
        [name],
        [[name, start]],
        [[3, start, stop]],
        [[name, 0.5, stop]],
        [[name, start, 10**60]],
        [[name, -1, stop]],
        [["x" * 1000, start, stop]],
        [],
    )
    for wrong in wrongs:
        with pytest.raises(ValueError, match=r".+"):
            with_rows(listed(files, wrong), lambda name: pytest.fail(f"{name} was read"))


def test_a_file_is_not_read_in_the_place_of_another_one() -> None:
    """Small files could stand for any number of rows."""
    buffer, files = make_buffer(), Files()
    add_games(buffer, *range(10))
    saved(buffer, files)
    (name, *first), (_, *second), *more = files.rest.facts[ROWS]
    with pytest.raises(ValueError, match="listed twice"):
        with_rows(listed(files, [[name, *first], [name, *second], *more]), files.written.__getitem__)


def test_files_that_are_not_alike_or_not_as_long_as_listed_are_refused() -> None:
    buffer, files = make_buffer(), Files()
    add_games(buffer, *range(10))
    written = saved(buffer, files)
    second = dict(files.written[written[1].name])
    for wrong, why in (
        ({name: array[1:] for name, array in second.items()}, "not as many rows"),
        (second | {"actions": np.array(7)}, "not as many rows"),
        (second | {"more": second["actions"]}, "not like"),
        ({name: array for name, array in second.items() if name != "actions"}, "not like"),
        (second | {"actions": second["actions"].astype(np.int64)}, "not like"),
        (second | {"observations": second["observations"][..., :1]}, "not like"),
    ):
        with pytest.raises(ValueError, match=why):
            with_rows(files.rest, (files.written | {written[1].name: wrong}).__getitem__)


def test_rows_before_the_first_and_behind_the_last_one_are_left_out() -> None:
    """As many as a file may have of games that have left: also files of nothing else."""
    buffer, files = make_buffer(), Files()
    add_games(buffer, *range(10))
    saved(buffer, files)
    wanted, begin, size = buffer.state(), 25, 10
    cut_out = {name: array[begin : begin + size] for name, array in files.rest.arrays.items()}
    facts = files.rest.facts | {"first": wanted.facts["first"] + begin}
    found = with_rows(Snapshot(cut_out, facts), files.written.__getitem__)
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array[begin : begin + size], err_msg=name)


def test_a_file_is_let_go_before_the_next_one_is_read() -> None:
    """A large buffer is in memory once."""
    buffer, files = make_buffer(), Files()
    add_games(buffer, *range(10))
    saved(buffer, files)
    seen: list[weakref.ref[Any]] = []

    def read(name: str) -> Arrays:
        assert [ref() for ref in seen] == [None] * len(seen)
        arrays = {name: array.copy() for name, array in files.written[name].items()}
        seen[:] = [weakref.ref(array) for array in arrays.values()]
        return arrays

    with_rows(files.rest, read)
    assert len(seen) > 1

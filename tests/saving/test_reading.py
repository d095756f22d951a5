"""The reader: regular files only, within bounds, and JSON and arrays that cost no more than they should."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.json_text import CONTAINERS, DEPTH, DIGITS, brief, parse_json
from saving.appending import AppendedFile, Strict
from saving.archives import MOST_MEMBERS, ArrayFile, write_archive
from saving.files import write_whole
from saving.reading import LONGEST_LINE, METRICS, NAME, Kind, opened, read_bytes, read_json, read_lines

SMALL = Kind("small file", 100)


def test_a_regular_file_is_read_also_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    (tmp_path / "b").symlink_to("a")
    assert read_bytes(tmp_path / "a", SMALL) == read_bytes(tmp_path / "b", SMALL) == b"x" * 100


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


def _just_too_long(path: Path) -> None:
    path.write_bytes(b"x" * 101)


@pytest.mark.parametrize("make", [_pipe, _zeros, _loop, _sparse, _just_too_long, Path.mkdir])
def test_anything_else_is_refused_at_once(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "victim"
    make(path)
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="victim") as caught:
        read_bytes(path, SMALL)
    assert caught.value.strerror
    assert caught.value.filename == str(path)
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_what_grows_while_it_is_read_is_bounded() -> None:
    with pytest.raises(OSError, match="at most"):
        read_bytes(Path("/proc/self/environ"), Kind("nothing", 3))  # a size of 0, and content


def test_lines_that_are_too_long_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n" + b"x" * (2 * LONGEST_LINE + 5) + b"\ntwo\n" + b"y" * LONGEST_LINE + b"\nlast")
    assert list(read_lines(path, METRICS)) == [b"one\n", b"two\n", b"last"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        "[" * (DEPTH + 2) + "]" * (DEPTH + 2),
        "[" * 100_000,
        "9" * (DIGITS + 1),
        "NaN",
        '["\\ud800"]',
        "[-Infinity]",
        "[" + "[]," * CONTAINERS + "1]",
        b"\xff\xfe1\x00",
        "",
    ],
)
def test_json_has_bounds(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


def test_json_within_them_is_read() -> None:
    deep = "[" * DEPTH + "]" * DEPTH
    assert parse_json(f'{{"a": [1, 2.5, "[[["], "b": {deep}}}')["a"] == [1, 2.5, "[[["]
    assert parse_json("9" * DIGITS) == int("9" * DIGITS)
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"
    assert np.isnan(parse_json("NaN", constants=True))


def test_values_in_messages_are_short() -> None:
    for value in ("a" * 1_000_000, list(range(1_000_000)), {"a": "b" * 10_000}, 10**60):
        assert len(brief(value)) < 120


def test_json_of_a_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b'{"a": 1}')
    assert read_json(tmp_path / "a", NAME) == {"a": 1}


# --- arrays ---


ARRAYS: dict[str, np.ndarray] = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.zeros((0, 4), np.int64),
    "c": np.array(True),
}


def archive(raw: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, content in raw.items():
            file.writestr(name, content)
    return stream


def array_bytes(array: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array))
    return stream.getvalue()


def header(shape: Any, descr: Any = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_arrays_come_back_and_are_known_before(tmp_path: Path) -> None:
    stream = io.BytesIO()
    write_archive(stream, ARRAYS, b"a comment")
    file = ArrayFile(stream)
    assert {name: (one.shape, one.dtype) for name, one in file.layouts.items()} == {
        name: (array.shape, array.dtype) for name, array in ARRAYS.items()
    }
    for name, array in file.read_all().items():
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_the_same_arrays_as_numpy_reads_itself(tmp_path: Path) -> None:
    write = tmp_path / "x.npz"
    turned = np.asfortranarray(np.random.default_rng(0).normal(size=(50, 7)))
    with write.open("wb") as stream:
        write_archive(stream, {"turned": turned})
    with np.load(write) as known, write.open("rb") as stream:
        np.testing.assert_array_equal(ArrayFile(stream).read("turned"), known["turned"])


NOT_READ = {
    "compressed": archive({"a.npy": array_bytes(np.zeros(1 << 20))}, zipfile.ZIP_DEFLATED),
    "huge": archive({"a.npy": header((1 << 40,))}),
    "negative": archive({"a.npy": header((-1, 5))}),
    "longer than it says": archive({"a.npy": array_bytes(np.zeros(3)) + b"more"}),
    "objects": archive({"a.npy": array_bytes(np.array([{}], object))}),
    "fields": archive({"a.npy": header((2,), [("x", "<f4")]) + bytes(8)}),
    "text": archive({"a.npy": array_bytes(np.array(["x"]))}),
    "complex": archive({"a.npy": array_bytes(np.zeros(2, np.complex64))}),
    "big-endian": archive({"a.npy": array_bytes(np.zeros(2, ">f4"))}),
    "no number": archive({"a.npy": array_bytes(np.array([np.nan]))}),
    "no array": archive({"a.txt": b"hello"}),
    "a long header": archive({"a.npy": b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + b"{"}),
    "other version": archive({"a.npy": b"\x93NUMPY\x09\x00" + bytes(100)}),
    "a header without an end": archive({"a.npy": header((2,)).replace(b"}", b"(")}),
    "neither true nor false": archive({"a.npy": array_bytes(np.array([True, False]))[:-2] + b"\x07\x00"}),
    "one name twice": archive({"a.npy": array_bytes(np.zeros(1)), "a": b""}),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_no_plain_array_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ArrayFile(NOT_READ[name]).read_all()


def test_members_that_overlap_are_refused_by_the_sum_of_their_sizes() -> None:
    """The bomb that is stored as it is: many names for one member."""
    content = array_bytes(np.zeros(100_000))
    stream = archive({f"{number:03d}.npy": content for number in range(20)})
    with zipfile.ZipFile(stream) as file:
        first, *others = file.infolist()
    directory = stream.getvalue()[file.start_dir :]
    for other in others:
        there = struct.pack("<L", other.header_offset) + other.filename.encode()
        directory = directory.replace(there, struct.pack("<L", first.header_offset) + other.filename.encode())
    end = directory.index(b"PK\x05\x06")
    place = others[0].header_offset
    ending = directory[end : end + 16] + struct.pack("<L", place) + directory[end + 20 :]
    bomb = io.BytesIO(stream.getvalue()[:place] + directory[:end] + ending)
    with zipfile.ZipFile(bomb) as file:
        assert sum(info.file_size for info in file.infolist()) > 15 * len(bomb.getvalue())
    with pytest.raises(ValueError, match="larger than the file"):
        ArrayFile(bomb)


def test_very_many_members_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        ArrayFile(archive({f"{number}.npy": b"" for number in range(MOST_MEMBERS + 1)}))


def test_a_list_of_members_of_any_length_is_not_read() -> None:
    stream = archive({f"{number}-{'x' * 200}.npy": b"" for number in range(20_000)})
    with pytest.raises(ValueError, match="list of members is too long"):
        ArrayFile(stream)


# --- writing ---


def test_a_whole_file_is_written_or_none_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    for name in ("whole", "appended"):
        (tmp_path / name).symlink_to("other")
    write_whole(tmp_path / "whole", b"new")
    with pytest.raises(OSError, match="not written through"):
        AppendedFile(tmp_path / "appended", Strict(print))
    assert (tmp_path / "other").read_text() == "kept"
    assert (tmp_path / "whole").read_bytes() == b"new"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        AppendedFile(tmp_path / "pipe", Strict(print))
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_appending_makes_the_file_and_goes_on_at_its_end(tmp_path: Path) -> None:
    for _ in range(2):
        with closing(AppendedFile(tmp_path / "log", Strict(print))) as file:
            file.write(b"line\n")
    with opened(tmp_path / "log", NAME) as stream:
        assert stream.read() == b"line\nline\n"

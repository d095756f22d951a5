"""A generation whose buffer has its rows in files of their own: read whole, or refused in a line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saving import checkpoint as module
from saving.checkpoint import load_checkpoint
from saving.files import CheckpointError
from saving.reading import PART, opened
from saving.signed import NO_SEAL, ListedFiles, check_seal, sealed
from tests.saving.mutants import EARLIER, Places, make_origins, prepared, sign_generation


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("apart")
    make_origins(folder)
    return folder


@pytest.fixture
def places(root: Path) -> Places:
    return prepared(root, apart=True)


def row_files(places: Places) -> list[Path]:
    return sorted(places.generation.glob("rows_buffer_*"), key=lambda path: int(path.name.split("_")[2]))


def change_facts(places: Places, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes what is said of the buffer, and signs it."""
    path = places.generation / "facts.json"
    facts = json.loads(path.read_text())
    change(facts["parts"]["buffer"])
    path.write_text(json.dumps(facts))
    sign_generation(places.generation)


def refused(places: Places) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(places.generation)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_is_what_one_with_all_rows_in_one_file_is(places: Places) -> None:
    assert len(row_files(places)) >= 4
    wanted = load_checkpoint(next((EARLIER / "cartpole").iterdir()))
    found = load_checkpoint(places.run)
    assert found.parts.keys() == wanted.parts.keys()
    for name, array in wanted.parts["buffer"].arrays.items():
        np.testing.assert_array_equal(found.parts["buffer"].arrays[name], array, err_msg=name)
    assert json.loads((places.generation / "manifest.json").read_text())["format_version"] == 3


def test_a_damaged_file_of_rows_is_named(places: Places) -> None:
    path = row_files(places)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert f"{path.name} is corrupt" in refused(places)


def test_what_is_no_regular_file_is_not_waited_for(places: Places) -> None:
    path = row_files(places)[1]
    path.unlink()
    os.mkfifo(path)
    assert "no regular file" in refused(places)


def test_another_file_of_rows_in_its_place_is_noticed_although_it_is_signed(places: Places) -> None:
    first, *_, last = row_files(places)
    shutil.copyfile(last, first)
    with np.load(first) as arrays:
        shorter = {name: arrays[name][:-1] for name in arrays.files}
    np.savez(first, **shorter)
    sign_generation(places.generation)
    assert "not as many rows" in refused(places)


@pytest.mark.parametrize(
    "change",
    [
        lambda buffer: buffer["rows"].pop(),
        lambda buffer: buffer["rows"].append(["part_trainer.npz", 0, 5]),
        lambda buffer: buffer["rows"][0].__setitem__(0, "../elsewhere.npz"),
        lambda buffer: buffer["rows"][0].__setitem__(0, "rows_buffer_9_9.npz"),
        lambda buffer: buffer.pop("rows"),
    ],
)
def test_files_that_are_listed_in_one_place_only_are_refused(
    places: Places, change: Callable[[dict[str, Any]], object]
) -> None:
    change_facts(places, change)
    assert "does not list all files" in refused(places) or "cannot be read" in refused(places)


@pytest.mark.parametrize("first", [-1, 0.5, None, 10**30, "0", 10**6])
def test_a_first_row_that_is_in_no_file_is_refused(places: Places, first: Any) -> None:
    change_facts(places, lambda buffer: buffer.update(first=first))
    assert "cannot be read" in refused(places)


def test_the_sizes_of_all_files_of_a_part_are_added_up_before_any_is_read(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}

    def note(sizes: dict[str, int], _: str) -> None:
        seen.update(sizes)
        raise CheckpointError("seen")

    monkeypatch.setattr(module, "check_room", note)
    monkeypatch.setattr(ListedFiles, "arrays", lambda *_: pytest.fail("it was read"))
    assert refused(places) == "seen"
    files = [*row_files(places), places.generation / "part_buffer.npz"]
    assert seen["buffer"] == sum(path.stat().st_size for path in files)


@pytest.mark.parametrize(
    "listed",
    [{"../x": "0"}, {"a/b": "0"}, {"/etc/passwd": "0"}, {"..": "0"}, {"x": 3}, {"": "0"}, [], None],
)
def test_a_manifest_leads_nowhere_else(tmp_path: Path, listed: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ListedFiles(tmp_path, listed)


def test_a_file_that_is_not_listed_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(KeyError):
        ListedFiles(tmp_path, {}).arrays("x")


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c + b"x", lambda c: c[1:], lambda c: b"PK"])
def test_a_seal_is_of_all_that_comes_before_it(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path, content = tmp_path / "x", sealed(b"PK and more" + NO_SEAL)
    path.write_bytes(content)
    with opened(path, PART) as stream:
        check_seal(path, stream)
    path.write_bytes(damage(content))
    with pytest.raises(CheckpointError), opened(path, PART) as stream:
        check_seal(path, stream)

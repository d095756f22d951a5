"""The registry: what is added comes back, crashes and other processes lose nothing, damage is reported."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena import registry as module
from arena.ratings import Sprt, Tally
from arena.registry import Contents, MatchRecord, Registry, Version, digests_text, told_of
from config import MuZeroConfig
from core.cost import Cost, CpuSeconds, NetworkEvaluations
from core.errors import ConfigurationError
from data import Counters
from saving.checkpoint import Checkpoint, load_checkpoint, save_best, save_generation
from saving.files import CheckpointError

GAME = "tictactoe"


def best_file(
    path: Path, step: int = 7, game: str = GAME, evaluation: float | None = 0.25, cost: Cost | None = None
) -> Path:
    weights = {"layer": np.full(3, step, np.float32)}
    counters = Counters(step, 100 * step, seconds=12.5)
    save_best(
        path,
        Checkpoint(
            game, MuZeroConfig().to_json(), weights, counters, evaluation=evaluation, measured_cost=cost
        ),
    )
    return path


def filled(tmp_path: Path, versions: int = 2) -> Registry:
    """A registry of versions v0001, v0002, ..."""
    registry = Registry(tmp_path / "results", GAME)
    for step in range(1, versions + 1):
        registry.add(best_file(tmp_path / f"run{step}" / "best.checkpoint", step))
    return registry


def match(wins: int, draws: int, losses: int, **changes: Any) -> MatchRecord:
    """A finished match of v0002 against v0001 over 200 games at most, all wins with seat 0."""
    seats = (Tally(wins, draws, 0), Tally(0, 0, losses))
    return dataclasses.replace(MatchRecord("v0002", "v0001", seats, 200, 5, 50, True), **changes)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- versions ---


def test_adding_copies_the_file_and_describes_it(tmp_path: Path) -> None:
    source = best_file(tmp_path / "run" / "best.checkpoint")
    registry = Registry(tmp_path, GAME)
    version = registry.add(source, note="first try")
    copy = tmp_path / "models" / GAME / "v0001.checkpoint"
    assert registry.path(version) == copy
    assert copy.read_bytes() == source.read_bytes()
    assert load_checkpoint(copy, expect_game=GAME).training_step == 7
    assert version == Version(
        name="v0001",
        date=version.date,
        source=str(source),
        sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        cost=Cost(seconds=12.5, played_steps=700, updates=7),
        training_steps=7,
        played_steps=700,
        evaluation=0.25,
        note="first try",
    )
    added = datetime.fromisoformat(version.date)
    assert added.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - added) < timedelta(minutes=5)
    assert sorted(bytes_of(copy.parent)) == ["registry.json", "registry.lock", "v0001.checkpoint"]


def test_everything_comes_back_from_another_object(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    cost = Cost(60.0, CpuSeconds(driver=1.5), None, 10, 20, NetworkEvaluations(evaluation=3), 5, 1 << 30)
    cost = dataclasses.replace(cost, added_cpu_seconds={"counter": 2.5})
    third = registry.add(best_file(tmp_path / "x", 30, evaluation=None, cost=cost))
    registry.record(match(60, 30, 20))
    registry.record(match(6, 3, 2, finished=False, second="random", sprt=Sprt(0, 40.5)))
    registry.promote("v0002")
    again = Registry(tmp_path / "results", GAME)
    assert again.versions() == registry.versions()
    assert [version.name for version in again.versions()] == ["v0001", "v0002", "v0003"]
    assert again.versions()[2] == third
    assert (third.cost, third.evaluation) == (cost, None)
    assert again.matches() == (
        match(60, 30, 20),
        match(6, 3, 2, finished=False, second="random", sprt=Sprt(0, 40.5)),
    )
    assert isinstance(again.matches()[0].seats[1], Tally)
    assert again.promoted == registry.version("v0002")


def test_an_empty_registry(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "results", GAME)
    assert (registry.versions(), registry.matches(), registry.promoted) == ((), (), None)
    with pytest.raises(ConfigurationError, match=r"no version 'v0001' .*none yet: add a checkpoint first"):
        registry.version("v0001")
    assert not (tmp_path / "results").exists(), "asking makes no folder"


def test_an_identical_file_is_the_same_version(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    other_place = best_file(tmp_path / "elsewhere" / "best.checkpoint", 1)
    before = bytes_of(registry.folder)
    first = registry.versions()[0]
    assert registry.add(other_place) == first
    assert bytes_of(registry.folder) == before
    registry.path(first).unlink()
    assert registry.add(other_place) == first
    assert bytes_of(registry.folder) == before, "a copy that is missing is restored"


def test_a_run_folder_stands_for_its_best_checkpoint(tmp_path: Path) -> None:
    best_file(tmp_path / "run" / "best.checkpoint", 9)
    registry = Registry(tmp_path, GAME)
    assert registry.add(tmp_path / "run").training_steps == 9
    only_generations = tmp_path / "other"
    save_generation(only_generations, load_checkpoint(tmp_path / "run" / "best.checkpoint"), keep=1)
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*other/best\.checkpoint"):
        registry.add(only_generations)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Description and copy are of the same contents although a training replaces the file in between."""
    source = best_file(tmp_path / "best.checkpoint", 1)
    steps = iter([2, 3])

    def load(path: Path, expect_game: str) -> Checkpoint:
        loaded = load_checkpoint(path, expect_game)
        if (step := next(steps, None)) is not None:
            best_file(source, step)
        return loaded

    monkeypatch.setattr(module, "load_checkpoint", load)
    registry = Registry(tmp_path, GAME)
    version = registry.add(source)
    assert version.training_steps == load_checkpoint(registry.path(version)).training_step == 3
    assert version.sha256 == hashlib.sha256(registry.path(version).read_bytes()).hexdigest()


def test_bad_checkpoints_are_refused_without_a_trace(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "results", GAME)
    other = best_file(tmp_path / "other", game="cartpole")
    damaged = best_file(tmp_path / "damaged")
    damaged.write_bytes(damaged.read_bytes()[:-100])
    for path, message in (
        (other, "'cartpole': give one of 'tictactoe'"),
        (damaged, "cut short|corrupt"),
        (tmp_path / "absent", "no checkpoint at"),
    ):
        with pytest.raises(CheckpointError, match=message):
            registry.add(path)
    assert not (tmp_path / "results").exists()


def test_versions_by_name_and_by_path(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    first, second = registry.versions()
    assert registry.version("v0002") == second
    assert registry.version(tmp_path / "run1" / "best.checkpoint") == first
    assert registry.version(str(registry.path(second))) == second
    with pytest.raises(
        ConfigurationError, match=r"no version 'v002'.*, did you mean 'v0002'\? \(versions: v0001"
    ):
        registry.version("v002")
    with pytest.raises(ConfigurationError, match="new is not a version of 'tictactoe' yet: add it first"):
        registry.version(best_file(tmp_path / "new", 99))


# --- matches ---


def test_an_interrupted_match_goes_on(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    settings = ("v0002", "v0001", 200, 5, 50)
    assert registry.unfinished(*settings) is None
    registry.record(match(3, 1, 2, finished=False))
    registry.record(match(1, 1, 1, second="random", finished=False))
    assert registry.unfinished(*settings) == match(3, 1, 2, finished=False)
    registry.record(match(30, 10, 20, finished=False))
    assert registry.unfinished(*settings) == match(30, 10, 20, finished=False)
    registry.record(match(100, 40, 60))
    assert registry.unfinished(*settings) is None
    assert registry.matches() == (match(1, 1, 1, second="random", finished=False), match(100, 40, 60))


@pytest.mark.parametrize(
    "change",
    [
        {"first": "v0003"},
        {"second": "v0003"},
        {"games": 300},
        {"seed": 6},
        {"simulations": 51},
        {"sprt": Sprt()},
    ],
)
def test_another_pairing_seed_or_setting_is_another_match(tmp_path: Path, change: dict[str, Any]) -> None:
    registry = Registry(tmp_path, GAME)
    one, other = match(3, 1, 2, finished=False), match(5, 5, 5, finished=False, **change)
    registry.record(one)
    registry.record(other)
    assert registry.matches() == (one, other)
    assert registry.unfinished(*other.key) == other  # type: ignore[arg-type]
    registry.record(dataclasses.replace(other, finished=True))
    assert registry.unfinished(*one.key) == one  # type: ignore[arg-type]


def test_a_finished_match_is_counted_once_and_never_undone(tmp_path: Path) -> None:
    registry = Registry(tmp_path, GAME)
    registry.record(match(100, 40, 60))
    registry.record(match(1, 0, 0, finished=False))
    assert registry.matches() == (match(100, 40, 60),)
    registry.record(match(101, 39, 60))
    assert registry.matches() == (match(101, 39, 60),)


def test_a_match_that_cannot_be() -> None:
    with pytest.raises(ConfigurationError, match="more than the 200 games wanted"):
        match(100, 50, 51)


def test_a_tally_is_that_of_both_seats() -> None:
    record = match(0, 0, 0, seats=(Tally(5, 2, 3), Tally(1, 4, 2)))
    assert record.tally == Tally(6, 6, 5)


# --- promotion ---


def test_the_first_promotion_needs_no_match(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    assert registry.promote("v0001") == registry.promoted == registry.version("v0001")
    assert registry.promote("v0001") == registry.promoted, "again changes nothing"


SWAPPED = {"first": "v0001", "second": "v0002"}


@pytest.mark.parametrize(
    "record",
    [
        match(130, 0, 70),
        match(70, 0, 130, **SWAPPED),
        match(60, 20, 20, sprt=Sprt()),
        match(60, 20, 20, sprt=Sprt(), finished=False),  # what the test accepts, it accepts at any time
    ],
)
def test_a_stronger_version_is_promoted(tmp_path: Path, record: MatchRecord) -> None:
    registry = filled(tmp_path)
    registry.promote("v0001")
    registry.record(record)
    registry.promote("v0002")
    assert registry.promoted == registry.version("v0002")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (None, "they have not played a match"),
        (match(150, 0, 10, second="random"), "they have not played a match"),
        (match(115, 0, 85), "57.5% in 200 different games of all their matches does not"),  # undecided
        (match(130, 0, 70, **SWAPPED), "35.0% in 200 different games"),
        (match(60, 0, 40, sprt=Sprt()), "60.0% in 100 different games"),
        (match(106, 0, 94, sprt=Sprt(-50, 0)), "53.0% in 200"),  # h1: not much worse
        (match(200, 0, 0, sprt=Sprt(), **SWAPPED), "0.0% in 200"),  # h1 for v0001
        (
            match(200, 0, 0, digests=digests_text(np.arange(4, dtype=np.uint32))),
            "100.0% in 4 different games",
        ),
    ],
)
def test_promotion_without_proof_is_refused(tmp_path: Path, record: MatchRecord | None, why: str) -> None:
    registry = filled(tmp_path)
    registry.promote("v0001")
    if record is not None:
        registry.record(record)
    before = bytes_of(registry.folder)
    with pytest.raises(
        ConfigurationError, match=f"v0002 cannot replace the promoted v0001: .*{why}"
    ) as caught:
        registry.promote("v0002")
    assert "\n" not in str(caught.value)
    assert bytes_of(registry.folder) == before
    registry.promote("v0002", force=True)
    assert registry.promoted == registry.version("v0002")


def test_trying_one_seed_after_another_does_not_promote(tmp_path: Path) -> None:
    """Equal players: the match that happens to be won is seen beside all others."""
    registry, generator = filled(tmp_path), np.random.default_rng(0)
    registry.promote("v0001")
    lucky = 0
    for seed in range(40):
        wins = int(generator.binomial(100, 0.5))
        record = match(wins, 0, 100 - wins, seed=seed)
        lucky += wins >= 60
        registry.record(record)
        with pytest.raises(ConfigurationError, match="does not show that it is stronger"):
            registry.promote("v0002")
    assert lucky, "one of them alone would have promoted before"


def test_games_that_were_played_in_several_matches_count_once() -> None:
    first = match(8, 0, 2, seed=1, digests=digests_text(np.arange(10, dtype=np.uint32)))
    again = match(8, 0, 2, seed=2, digests=digests_text(np.arange(5, 15, dtype=np.uint32)))
    swapped = match(3, 0, 7, seed=3, digests=digests_text(np.arange(10, dtype=np.uint32)), **SWAPPED)
    deeper = match(8, 0, 2, seed=1, simulations=400, digests=first.digests)
    assert told_of([first], "v0002", "v0001") == Tally(8, 0, 2)
    assert told_of([first, again], "v0002", "v0001") == Tally(12, 0, 3)
    assert told_of([first, swapped], "v0002", "v0001") == pytest.approx(Tally(7.5, 0, 2.5))
    assert told_of([first, deeper], "v0002", "v0001") == Tally(16, 0, 4), "another player"
    assert told_of([first], "v0001", "v0002") == Tally(2, 0, 8)
    assert told_of([first], "v0002", "v0003") == Tally()


def test_a_registry_of_format_1_is_read(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.record(match(6, 2, 2))
    path = registry.folder / "registry.json"
    value = json.loads(path.read_text())
    value["format_version"] = 1
    del value["matches"][0]["digests"], value["matches"][0]["openings"]
    path.write_text(json.dumps(value))
    (found,) = registry.matches()
    assert (found.tally, found.different, found.told) == (Tally(6, 2, 2), 10, Tally(6, 2, 2))


def test_promoting_an_unknown_version(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no version 'v0007'"):
        filled(tmp_path).promote("v0007", force=True)


# --- crashes, other processes, damage ---


@pytest.mark.parametrize("call", range(6))
@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_crash_at_any_moment_leaves_a_registry_to_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: int
) -> None:
    registry = filled(tmp_path, 1)
    source = best_file(tmp_path / "second", 2)
    calls = iter(range(100))
    original = getattr(os, name)

    def crash(*arguments: Any) -> None:
        if next(calls) == call:
            raise SystemError("power cut")
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, crash)
        try:
            registry.add(source)
            crashed = False
        except SystemError:
            crashed = True
    assert crashed == (call < {"replace": 2, "fsync": 4}[name])
    for version in registry.versions():
        assert load_checkpoint(registry.path(version)).training_step == version.training_steps
    version = registry.add(source)
    assert load_checkpoint(registry.path(version)).training_step == 2
    assert [version.training_steps for version in registry.versions()] == [1, 2]
    assert not [name for name in os.listdir(registry.folder) if name.endswith(".tmp")]


def test_no_checkpoint_is_ever_overwritten(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    (registry.folder / "registry.json").unlink()
    kept = bytes_of(registry.folder)
    assert registry.add(best_file(tmp_path / "x", 50)).name == "v0003"
    assert kept.items() <= bytes_of(registry.folder).items()


ADDED = 12


def add_many(results_path: Path, files: list[Path], ready: Any) -> None:
    registry = Registry(results_path, GAME, patience=60)
    ready.wait()
    for number, path in enumerate(files):
        registry.add(path)
        registry.record(MatchRecord(path.name, "random", (Tally(), Tally()), 2, number, 1, False))


def test_two_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    files = [best_file(tmp_path / f"file{step}", step) for step in range(2 * ADDED)]
    parts = files[::2], files[1::2]
    workers = [context.Process(target=add_many, args=(tmp_path, part, ready)) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    registry = Registry(tmp_path, GAME)
    versions = registry.versions()
    assert [version.name for version in versions] == [f"v{n + 1:04d}" for n in range(2 * ADDED)]
    assert {version.training_steps for version in versions} == set(range(2 * ADDED))
    assert {match.first for match in registry.matches()} == {path.name for path in files}
    for version in versions:
        assert load_checkpoint(registry.path(version)).training_step == version.training_steps


def test_a_lock_that_stays_held_is_reported(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    impatient = Registry(tmp_path / "results", GAME, patience=0.05)
    with (registry.folder / "registry.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match=r"being changed by another process.*registry\.lock"):
            impatient.promote("v0001")
        assert len(impatient.versions()) == 2, "reading needs no lock"
    impatient.promote("v0001")


def edited(registry: Registry, edit: Any) -> str:
    value = json.loads((registry.folder / "registry.json").read_text())
    edit(value)
    return json.dumps(value)


@pytest.mark.parametrize(
    "edit",
    [
        lambda value: value.pop("matches"),
        lambda value: value.update(more=1),
        lambda value: value.update(format="something else"),
        lambda value: value.update(format_version="1"),
        lambda value: value.update(promoted="v0009"),
        lambda value: value.update(versions={}),
        lambda value: value["versions"].append(value["versions"][0]),
        lambda value: value["versions"][0].update(name="../../x"),
        lambda value: value["versions"][0].update(training_steps=1.5),
        lambda value: value["versions"][0].update(evaluation=float("nan")),
        lambda value: value["versions"][0]["cost"].update(seconds=-1),
        lambda value: value["matches"][0].update(seats=[[1, 2, 3]]),
        lambda value: value["matches"][0].update(seats=[[1, 2, 3], [1, 2, -3]]),
        lambda value: value["matches"][0].update(seats=[[1, 2, 3], [1, 2, True]]),
        lambda value: value["matches"][0].update(sprt={"elo0": 0, "elo1": -1, "alpha": 0.05, "beta": 0.05}),
    ],
)
def test_wrong_contents_are_reported_and_left_alone(tmp_path: Path, edit: Any) -> None:
    registry = filled(tmp_path)
    registry.record(match(6, 3, 2))
    assert_reported(tmp_path, registry, edited(registry, edit).encode(), "is corrupt")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"format": "muzero-ray registry"']
)
def test_a_damaged_file_is_reported_and_left_alone(tmp_path: Path, content: bytes) -> None:
    assert_reported(tmp_path, filled(tmp_path), content, "is corrupt")


def test_a_registry_of_another_format_version(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    content = edited(registry, lambda value: value.update(format_version=4, newer="field"))
    assert_reported(
        tmp_path, registry, content.encode(), "has registry format 4, this version reads formats 1 to 3"
    )


def assert_reported(tmp_path: Path, registry: Registry, content: bytes, message: str) -> None:
    (registry.folder / "registry.json").write_bytes(content)
    before = bytes_of(registry.folder)
    source = best_file(tmp_path / "another", 77)
    for use in (
        registry.versions,
        lambda: registry.add(source),
        lambda: registry.record(match(1, 1, 1)),
        lambda: registry.promote("v0001", force=True),
    ):
        with pytest.raises(ConfigurationError, match=rf"registry\.json {message}") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert ("corrupt" in str(caught.value)) == ("corrupt" in message)
    assert bytes_of(registry.folder) == before


def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    registry = filled(tmp_path)
    source = best_file(tmp_path / "third", 3)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ConfigurationError, match="No space left on device"):
            registry.add(source)
    assert len(registry.versions()) == 2
    (tmp_path / "file").write_text("")
    blocked = Registry(tmp_path / "file", GAME)
    for use in (lambda: blocked.add(source), blocked.versions):
        with pytest.raises(ConfigurationError, match=r"cannot read or write .*file"):
            use()


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    registry = filled(tmp_path, 1)
    value = json.loads((registry.folder / "registry.json").read_text())
    assert (value["format"], value["format_version"]) == ("muzero-ray registry", 3)
    assert list(value) == [field.name for field in dataclasses.fields(Contents)]
    assert value["versions"][0]["cost"]["seconds"] == 12.5
    assert "added_cpu_seconds" not in value["versions"][0]["cost"]

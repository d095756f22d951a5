"""Memory while a run goes on: what is said, and that it is saved before the kernel ends it."""

from __future__ import annotations

from pathlib import Path

from core.memory import Memory, limit_files, memory_now
from runs.memory_watch import FULL, HORIZON, SCARCE, SETTLED_SECONDS, TIGHT, TREND_SECONDS, MemoryWatch
from tests.helpers.command_line import program

GIB = 1 << 30


class Looks:
    """A watch, its clock and its memory."""

    def __init__(self, limit: int = 100 * GIB) -> None:
        self.now, self.limit, self.used = 0.0, limit, 0
        self.watch = MemoryWatch(
            lambda: Memory(self.used, self.limit, "the machine's memory"), lambda: self.now
        )

    def at(self, share: float, own: float, seconds: float = 1.0) -> list[str]:
        """What is said at a share of the memory of which the run has `own`."""
        self.now += seconds
        self.used = int(share * self.limit)
        return list(self.watch.look(int(own * self.limit)))


def test_scarce_memory_is_said_once() -> None:
    looks = Looks()
    assert looks.at(SCARCE - 0.01, 0.8) == []
    (line,) = looks.at(SCARCE, 0.8)
    assert line.startswith("warning: 85% of the machine's memory (100.0 GiB) is used, 80.0 GiB of it by this")
    assert looks.at(SCARCE, 0.8) == []
    assert looks.watch.ended is None


def test_a_run_that_fills_the_memory_ends_before_the_kernel_ends_it() -> None:
    looks = Looks()
    ends = []
    for share in (FULL, FULL - 0.05, FULL, FULL):  # it may be a moment only
        looks.at(share, 0.8)
        ends.append(looks.watch.ended is not None)
    assert ends == [False, False, False, True]
    assert not looks.watch.save_now


def test_where_memory_is_tight_the_buffer_shrinks_and_again_if_that_was_not_enough() -> None:
    looks = Looks()
    asked = []
    for share, own, seconds in (
        (TIGHT, 0.8, 1.0),
        (TIGHT, 0.8, 1.0),  # twice in a row
        (TIGHT, 0.8, 1.0),
        (TIGHT - 0.01, 0.8, SETTLED_SECONDS),
        (TIGHT, 0.8, 1.0),
        (TIGHT, 0.8, 1.0),
        (TIGHT, 0.1, SETTLED_SECONDS),  # others' memory
        (TIGHT, 0.1, 1.0),
    ):
        looks.at(share, own, seconds)
        asked.append(looks.watch.shrink_now)
        looks.watch.shrink_now = False
    assert asked == [False, True, False, False, False, True, False, False]
    assert looks.watch.ended is None


def test_where_others_fill_it_the_run_is_saved_once_and_goes_on() -> None:
    looks = Looks()
    looks.at(FULL, 0.1)
    (line,) = looks.at(FULL, 0.1)
    assert "it saves now, and goes on" in line
    assert looks.watch.save_now
    looks.watch.save_now = False
    assert looks.at(FULL, 0.1) == []
    assert (looks.watch.save_now, looks.watch.ended) == (False, None)


def test_growth_that_would_fill_the_memory_within_the_hour_is_said_once() -> None:
    for rate, said in ((0.5 / HORIZON, 1), (0.2 / HORIZON, 0)):  # of the whole memory, a second
        looks = Looks()
        lines = []
        for minute in range(int(1.5 * TREND_SECONDS) // 60):
            own = 0.1 + rate * 60 * minute
            lines += looks.at(own + 0.4, own, 60)
        assert len(lines) == said
        assert all("would be full in" in line for line in lines)


def test_it_looks_once_a_second() -> None:
    looks = Looks()
    looks.at(FULL, 0.8)
    looks.at(FULL, 0.8, seconds=0.1)
    assert looks.watch.ended is None


def test_objects_on_the_disk_are_said_once(tmp_path: Path) -> None:
    looks = Looks()
    looks.watch.spills = tmp_path
    folder = tmp_path / "ray_spilled_objects_0123"
    folder.mkdir()
    assert looks.at(0.1, 0.1) == []
    (folder / "object").touch()
    (line,) = looks.at(0.1, 0.1)
    assert "--object-store-mb" in line
    assert looks.at(0.1, 0.1) == []


SPILLS = """
import time
import numpy as np
from config import MuZeroConfig
from runs.cluster import session_folder, start_ray
from runs.memory_watch import MemoryWatch
start_ray(MuZeroConfig(num_workers=1, object_store_mb=80), None)
import ray
watch = MemoryWatch()
watch.spills = session_folder()
assert not list(watch.look(0))
kept = [ray.put(np.zeros(30 << 20, np.uint8)) for _ in range(6)]
deadline = time.monotonic() + 30
lines = []
while not lines and time.monotonic() < deadline:
    time.sleep(1)
    lines += watch.look(0)
print(*lines)
"""


def test_rays_own_spilling_is_noticed() -> None:
    found = program(SPILLS)
    assert "Ray's object store is full" in found.stdout, found.stderr


# --- what is read ---


def test_the_fullest_of_machine_and_containers_counts(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n")
    machine = Memory(600 << 10, 1000 << 10, "the machine's memory")
    assert memory_now((), meminfo) == machine
    group = tmp_path / "group"
    group.mkdir()
    for name, text in (
        ("memory.max", "1000"),
        ("memory.current", "900"),
        ("memory.stat", "inactive_file 50"),
    ):
        (group / name).write_text(text + "\n")
    limits = (group / "memory.max", tmp_path / "missing")
    assert memory_now(limits, meminfo) == Memory(850, 1000, "the container's memory")
    (group / "memory.stat").write_text("inactive_file 500\n")
    assert memory_now(limits, meminfo) == machine, "what can be dropped is free"
    assert memory_now((), tmp_path / "missing") is None


def test_the_limits_of_the_own_group_and_of_those_above_it_are_found(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("4:cpu,memory:/a/b\n1:name=systemd:/x\n0::/c\n")
    assert limit_files(tmp_path, own) == (
        tmp_path / "c" / "memory.max",
        tmp_path / "memory.max",
        tmp_path / "memory" / "a" / "b" / "memory.limit_in_bytes",
        tmp_path / "memory" / "a" / "memory.limit_in_bytes",
        tmp_path / "memory" / "memory.limit_in_bytes",
    )
    own.write_text("0::/../elsewhere\n")
    assert (tmp_path / "memory.max") in limit_files(tmp_path, own)

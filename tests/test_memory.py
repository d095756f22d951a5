"""Memory is summed over the run's processes, by what they are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import memory
from memory import MemoryMeter, memory_below, process_kind


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("ray::SelfPlayActor.play", "SelfPlayActor"),
        ("ray::SelfPlayActor", "SelfPlayActor"),
        ("ray::TrainerActor.train", "TrainerActor"),
        ("ray::BufferActor.sample", "BufferActor"),
        ("ray::ReanalyseActor.refresh_any", "ReanalyseActor"),
        ("ray::SharedStorage.latest", "SharedStorage"),
        ("ray::Evaluator.play", "Evaluator"),
        ("ray::Evaluator", "Evaluator"),
        ("ray::IDLE", "ray"),
        ("/somewhere/raylet/raylet", "ray"),
        ("python", "ray"),
    ],
)
def test_kinds_of_processes(title: str, kind: str) -> None:
    assert process_kind([title]) == kind


def test_processes_without_a_command_line_count_as_rays() -> None:
    assert process_kind([]) == "ray"


def test_this_process_and_its_children_are_counted() -> None:
    before = memory_below(os.getpid())
    assert before["driver"] > 2**20
    code = "block = b'x' * (64 << 20); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = memory_below(os.getpid())
        child.communicate(b"\n")
    assert during["ray"] - before.get("ray", 0) > 60 << 20
    assert memory_below(os.getpid()).get("ray", 0) <= before.get("ray", 0)


def test_the_meter_reads_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now, readings = [100.0], iter(({"driver": 1}, {"driver": 2}))
    monkeypatch.setattr(memory.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(memory, "memory_below", lambda driver: next(readings))
    meter = MemoryMeter()
    assert meter.read() == {"driver": 1}
    now[0] += memory.READ_SECONDS - 0.1
    assert meter.read() == {"driver": 1}
    now[0] += 0.2
    assert meter.read() == {"driver": 2}

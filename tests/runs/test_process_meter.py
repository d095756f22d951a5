"""Memory is summed over the run's processes, by what they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil
import pytest

from core.actor_kinds import ACTOR_KINDS, ActorKind
from core.cost import CpuSeconds
from runs import process_meter as memory
from runs.process_meter import ProcessMeter, ProcessUsage, memory_below, process_kind, processes_below


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("ray::SelfPlayActor.play", "self_play"),
        ("ray::SelfPlayActor", "self_play"),
        ("ray::TrainerActor.train", "trainer"),
        ("ray::BufferActor.sample", "buffer"),
        ("ray::ReanalyseActor.refresh_any", "reanalyse"),
        ("ray::SharedStorage.latest", "storage"),
        ("ray::EvaluatorActor.play", "evaluator"),
        ("ray::EvaluatorActor", "evaluator"),
        ("ray::EvaluatorOfOthers.play", "ray"),
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


class Processes:
    """A tree of processes that changes between readings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.running, self.readings = 100.0, [process("driver", 1, 10.0)], 0
        monkeypatch.setattr(memory, "time", self)
        monkeypatch.setattr(memory, "processes_below", self.read)

    def perf_counter(self) -> float:
        return self.now

    def read(self, driver: int, kinds: Sequence[ActorKind]) -> list[ProcessUsage]:
        assert driver == os.getpid()
        assert kinds == ACTOR_KINDS
        self.readings += 1
        return self.running


def process(
    kind: str, memory_size: int, cpu_seconds: float, number: int = 1, start: float = 0.0
) -> ProcessUsage:
    return ProcessUsage((number, start), kind, memory_size, cpu_seconds)


def test_the_meter_reads_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(monkeypatch)
    meter = ProcessMeter()
    assert meter.read().memory == {"driver": 1}
    processes.running = [process("driver", 2, 10.0)]
    processes.now += memory.READ_SECONDS - 0.1
    assert meter.read().memory == {"driver": 1}
    assert meter.read(now=True).memory == {"driver": 2}
    processes.running = [process("driver", 3, 10.0)]
    processes.now += memory.READ_SECONDS - 0.1
    assert meter.read().memory == {"driver": 2}
    processes.now += 0.2
    assert meter.read().memory == {"driver": 3}
    assert processes.readings == 4


def test_processor_time_counts_from_the_start_and_outlives_the_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processes = Processes(monkeypatch)
    meter = ProcessMeter()
    assert meter.read(now=True).cpu_seconds == CpuSeconds()
    players = [process("self_play", 5, 1.0, 2), process("self_play", 7, 2.0, 3)]
    processes.running = [process("driver", 2, 14.0), *players, process("ray", 1, 0.5, 4)]
    usage = meter.read(now=True)
    assert usage.cpu_seconds == CpuSeconds(driver=4.0, self_play=3.0, ray=0.5)
    assert usage.added_cpu_seconds == {}
    assert usage.memory == {"driver": 2, "self_play": 12, "ray": 1}

    # a player has ended, and its number is given to another process; a worker has become the trainer
    again = [process("evaluator", 1, 0.25, 2, start=9.0), process("self_play", 7, 2.5, 3)]
    processes.running = [process("driver", 2, 14.0), *again, process("trainer", 9, 8.0, 4)]
    usage = meter.read(now=True)
    assert usage.cpu_seconds == CpuSeconds(driver=4.0, self_play=3.5, evaluator=0.25, trainer=8.0)
    assert usage.memory == {"driver": 2, "evaluator": 1, "self_play": 7, "trainer": 9}


def test_a_childs_processor_time_is_counted_once() -> None:
    """Also after it has ended, when the system adds it to what its parent's children have taken."""
    meter = ProcessMeter()
    code = "import time\nwhile time.process_time() < 0.6: pass\nprint(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = meter.read(now=True).cpu_seconds
        child.communicate(b"\n")
    after = meter.read(now=True).cpu_seconds
    assert during.ray == after.ray == pytest.approx(0.6, abs=0.15)
    assert after.driver < 0.5
    own = next(p for p in processes_below(os.getpid()) if p.kind == "driver")
    assert own.cpu_seconds == pytest.approx(time.process_time(), abs=0.1)
    assert own.identity == (os.getpid(), psutil.Process().create_time())

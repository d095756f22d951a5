"""What the doctor says of the machine."""

from __future__ import annotations

import resource
import shutil
import types
from pathlib import Path

import pytest

from config import MuZeroConfig
from core.memory import Memory
from runs.doctor import of_machine
from runs.doctor.of_machine import examined

CONFIG = MuZeroConfig(num_workers=1)


def faults(results: Path, config: MuZeroConfig = CONFIG) -> list[str]:
    return [finding.text for finding in examined(config, results) if finding.level == "fault"]


def test_everything_is_looked_at(tmp_path: Path) -> None:
    said = "\n".join(finding.text for finding in examined(CONFIG, tmp_path))
    for what in ("memory:", "results:", "open files:", "processes and threads:", "home:", "compiled kernels"):
        assert what in said


def test_little_memory_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(of_machine, "usable_memory", lambda: 1 << 30)
    assert any("memory: 1.0 GiB may be used" in text for text in faults(tmp_path))
    monkeypatch.setattr(of_machine, "usable_memory", lambda: 1 << 40)
    monkeypatch.setattr(of_machine, "memory_now", lambda: Memory(90, 100, "the container's memory"))
    assert any("90% of the container's memory is used now" in text for text in faults(tmp_path))


def test_few_descriptors_and_processes_are_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    monkeypatch.setattr(of_machine, "free_processes", lambda: 40)
    found = faults(tmp_path)
    assert any(text.startswith("open files: 64 a process, a run on Ray takes") for text in found)
    assert any(text.startswith("processes and threads: 40 more, a run on Ray takes") for text in found)


def test_a_small_object_store_folder_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def little(path: Path) -> types.SimpleNamespace:
        return types.SimpleNamespace(free=64 << 20 if path == of_machine.SHARED_MEMORY else 1 << 40)

    monkeypatch.setattr(shutil, "disk_usage", little)
    assert [text.partition(",")[0] for text in faults(tmp_path)] == ["/dev/shm: 0.06 GiB free"]


def test_results_that_cannot_be_written_are_a_fault() -> None:
    found = faults(Path("/proc/1/results"))
    assert any("results: /proc/1/results cannot be written" in text for text in found)


def test_a_token_that_anybody_can_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    token = tmp_path / ".ray" / "auth_token"
    token.touch()
    token.chmod(0o644)
    said = [finding for finding in examined(CONFIG, tmp_path) if "auth_token" in finding.text]
    assert [finding.remedy for finding in said] == [f"chmod 600 {token}"]
    token.chmod(0o600)
    assert not [finding for finding in examined(CONFIG, tmp_path) if "auth_token" in finding.text]

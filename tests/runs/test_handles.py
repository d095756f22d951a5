"""Handles pass calls on, and mypy refuses what no actor could answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mypy import api

from core.project import PROJECT
from runs.handles import DirectHandle, Pending, RemoteHandle


class Calculator:
    def divide(self, a: int, b: int) -> tuple[int, int]:
        return divmod(a, b)

    def add(self, a: int, b: int) -> int:
        return a + b


class Recorded:
    """Ray's handle, but that it notes what it is asked and answers with numbers from 0 on."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.results = 1

    def __getattr__(self, method: str) -> Recorded:
        self.asked.append(method)
        return self

    def options(self, num_returns: int) -> Recorded:
        self.results = num_returns
        return self

    def remote(self, *arguments: Any) -> Any:
        self.asked.append(arguments)
        return 0 if self.results == 1 else list(range(self.results))


def test_what_is_asked_of_an_object_here_is_done_at_once() -> None:
    handle: DirectHandle[Calculator] = DirectHandle(Calculator())
    quotient, rest = handle.call_pair(Calculator.divide, 17, 5)
    assert (quotient, rest) == (Pending(3), Pending(2))
    assert handle.call(Calculator.add, quotient, rest) == Pending(5)


def test_ray_is_given_the_method_and_its_own_references() -> None:
    actor = Recorded()
    handle: RemoteHandle[Calculator] = RemoteHandle(actor)
    assert handle.call(Calculator.add, Pending("reference"), 4) == Pending(0)
    assert actor.asked == ["add", ("reference", 4)]
    assert handle.call_pair(Calculator.divide, 17, 5) == (Pending(0), Pending(1))
    assert actor.results == 2


HEAD = """
from runs.handles import Handle, Pending

class Buffer:
    def sample(self, batches: int, seed: int = 0) -> list[bytes]: return []
    def oldest(self) -> bytes | None: return None

class Trainer:
    def train(self, batches: list[bytes]) -> float: return 0.0
    def published(self) -> tuple[int, str]: return 0, ""
    def load(self, version: int, weights: str, old: bytes | None) -> None: ...

def use(buffer: Handle[Buffer], trainer: Handle[Trainer]) -> None:
    version, weights = trainer.call_pair(Trainer.published)
    batches = buffer.call(Buffer.sample, 2)
"""
RIGHT = [
    "loss: Pending[float] = trainer.call(Trainer.train, batches)",
    "trainer.call(Trainer.train, [b''])",
    "trainer.call(Trainer.load, version, weights, buffer.call(Buffer.oldest))",
    "trainer.call(Trainer.load, 3, weights, None)",
    "buffer.call(Buffer.sample, 2, 1)",
]
WRONG = {
    "buffer.call(Buffer.sampel, 2)": 'has no attribute "sampel"',
    "trainer.call(Buffer.sample, 2)": 'expected "Callable[[Trainer',
    "buffer.call(Buffer.sample, b'2')": "incompatible type",
    "buffer.call(Buffer.sample)": "incompatible type",
    "trainer.call(Trainer.published, 2)": "incompatible type",
    "trainer.call(Trainer.train, version)": 'incompatible type "Pending[int]"',
    "trainer.call(Trainer.load, weights, version, None)": "incompatible type",
    "buffer.call_pair(Buffer.sample, 2)": "incompatible type",
    "found: Pending[str] = buffer.call(Buffer.sample, 2)": "incompatible type",
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What mypy says of each line behind `HEAD`."""
    folder = tmp_path_factory.mktemp("calls")
    lines = HEAD.splitlines() + [f"    {line}" for line in (*RIGHT, *WRONG)]
    path = folder / "calls.py"
    path.write_text("\n".join(lines) + "\n")
    options = ["--strict", "--python-executable", sys.executable, "--cache-dir", str(folder / "cache")]
    said, failed, _ = api.run([*options, str(path)])
    assert failed == "", failed
    found: dict[str, str] = {}
    for one in filter(lambda line: f"{path.name}:" in line, said.splitlines()):
        number = int(one.split(f"{path.name}:")[1].split(":")[0])
        found.setdefault(lines[number - 1].strip(), one)
    return found


@pytest.fixture(scope="module", autouse=True)
def in_the_project() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        yield


@pytest.mark.parametrize("line", RIGHT)
def test_right_calls_are_taken(line: str, complaints: dict[str, str]) -> None:
    assert line not in complaints


@pytest.mark.parametrize("line", WRONG)
def test_wrong_calls_are_found_before_anything_runs(line: str, complaints: dict[str, str]) -> None:
    assert WRONG[line] in complaints[line]
    assert Path(complaints[line].split(":")[0]).name == "calls.py"

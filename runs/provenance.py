"""Where a run comes from: what is needed to get its figures again, in `provenance.json` of its folder.

A list, one entry for each sitting: the first training, and every time that it was resumed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shlex
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from core.memory import usable_memory
from core.project import INSTALLED, PROJECT
from saving.files import write_whole
from saving.reading import PROVENANCE, read_json

FILE_NAME = "provenance.json"
PACKAGES = ("torch", "ray", "numpy", "numba", "gymnasium", "nevergrad", "Box2D")
"""Those on which figures may depend."""
GIT_SECONDS = 5.0


@dataclass(frozen=True)
class Provenance:
    """How one sitting of a run came about."""

    date: str  # local, ISO 8601
    command: str  # as it was typed
    version: str
    commit: str | None  # None where this is no git repository
    changed: bool | None  # whether the files differed from that commit
    python: str
    packages: dict[str, str]  # version by name, of those that are installed
    system: str
    processor: str
    cores: int  # that the process may use
    memory_gib: float
    gpus: tuple[str, ...]
    began_with: tuple[str, ...] = ()  # other runs' games or weights, in words


def here(began_with: tuple[str, ...] = ()) -> Provenance:
    """That of a sitting which begins now."""
    commit, status = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return Provenance(
        date=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        command=shlex.join(["python", *sys.argv]),
        version=project_version(),
        commit=commit,
        changed=None if status is None else bool(status),
        python=platform.python_version(),
        packages={name: found for name in PACKAGES if (found := _installed(name)) is not None},
        system=platform.platform(),
        processor=processor(Path("/proc/cpuinfo")),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(usable_memory() / 2**30, 1),
        gpus=_gpus(),
        began_with=began_with,
    )


def project_version() -> str:
    """The project's version, as `pyproject.toml` has it."""
    if INSTALLED:
        return installed("muzero-ray")
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def note(folder: Path, sitting: Provenance) -> None:
    """Adds a sitting to the file in a run's folder. Raises `OSError`."""
    sittings = [*read(folder), dataclasses.asdict(sitting)]
    write_whole(folder / FILE_NAME, (json.dumps(sittings, indent=2) + "\n").encode())


def read(folder: Path) -> list[dict[str, Any]]:
    """The sittings of a run, the first one first; none where it has no such file, or a damaged one."""
    try:
        found = read_json(folder / FILE_NAME, PROVENANCE)
    except (OSError, ValueError):
        return []
    return [sitting for sitting in found if isinstance(sitting, dict)] if isinstance(found, list) else []


def _git(*arguments: str) -> str | None:
    """What git says of the project's folder; None where it is no repository, or there is no git."""
    if not (PROJECT / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "-C", str(PROJECT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _installed(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def processor(info: Path) -> str:
    """The processor's name, as Linux knows it, or its kind."""
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _gpus() -> tuple[str, ...]:
    import torch

    if not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))

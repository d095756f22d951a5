"""The memory that this process may use, how full it is, and whether something fits into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from core.errors import ConfigurationError

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
MEMINFO = Path("/proc/meminfo")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
"""Names of a cgroup's limit, of what it uses, and of what of that is files that can be dropped at once."""


class Memory(NamedTuple):
    """How full the memory is, where it is fullest: of the machine, or of a container."""

    used: int  # bytes
    limit: int  # bytes; beyond, the kernel ends processes
    whose: str

    @property
    def share(self) -> float:
        """What of it is used, from 0 to 1."""
        return self.used / self.limit


def limit_files(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> tuple[Path, ...]:
    """The files with the limits of this process's control group and of all above it, if there are any."""
    below = {"": ""}  # by controllers: a group's path
    try:
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            below["memory" if "memory" in controllers.split(",") else controllers] = path.strip("/")
    except (OSError, ValueError):  # no Linux, or another format
        pass
    second = _upwards(cgroups, below[""], VERSION_2[0])
    return (*second, *_upwards(cgroups / "memory", below.get("memory", ""), VERSION_1[0]))


def _upwards(root: Path, group: str, name: str) -> Iterator[Path]:
    """`name` in `root`/`group` and in all folders above, up to `root`."""
    folder = root / group
    while folder != root and root in folder.parents:
        yield folder / name
        folder = folder.parent
    yield root / name


def usable_memory(limits: tuple[Path, ...] | None = None) -> int:
    """Bytes that this process may use: the machine's, or what the container is allowed by files `limits`."""
    usable = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limit_files() if limits is None else limits:
        try:
            usable = min(usable, int(path.read_text()))
        except (OSError, ValueError):  # no such file, or "max": no limit
            continue
    return usable


def memory_now(limits: tuple[Path, ...] | None = None, meminfo: Path = MEMINFO) -> Memory | None:
    """How full the machine is, or a container with a limit that is fuller; None where nobody says."""
    found = [_machine(meminfo), *map(_container, limit_files() if limits is None else limits)]
    return max((one for one in found if one is not None), key=lambda one: one.share, default=None)


def _machine(meminfo: Path) -> Memory | None:
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        total, free = (int(lines[name].split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
        return Memory(total - free, total, "the machine's memory")
    except (OSError, ValueError, LookupError):
        return None


def _container(limit: Path) -> Memory | None:
    """That of the control group whose limit stands in a file."""
    _, usage, droppable = VERSION_2 if limit.name == VERSION_2[0] else VERSION_1
    try:
        most, used = int(limit.read_text()), int((limit.parent / usage).read_text())
        statistics = dict(line.split() for line in (limit.parent / "memory.stat").read_text().splitlines())
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if not 0 < most <= whole:  # version 1 says "no limit" by a huge number
            return None
        return Memory(max(used - int(statistics[droppable]), 0), most, "the container's memory")
    except (OSError, ValueError, LookupError):
        return None


def require_room(needed: int, what: str, remark: str = "", usable: int | None = None) -> None:
    """Raises `ConfigurationError`, ending with `remark`, unless `needed` bytes for `what` fit into `usable`.

    That is by default what this process may use.
    """
    room = usable_memory() if usable is None else usable
    if needed > room:
        raise ConfigurationError(
            f"{what} would take {needed / 2**30:.1f} GiB, and this process may use {room / 2**30:.1f} GiB"
            f"{remark}"
        )

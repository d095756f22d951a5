"""The memory that this process may use, and whether something fits into it."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import ConfigurationError

LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),  # of the container, cgroups of version 2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # and 1
)


def usable_memory(limits: tuple[Path, ...] = LIMITS) -> int:
    """Bytes that this process may use: the machine's, or what the container is allowed."""
    usable = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limits:
        try:
            usable = min(usable, int(path.read_text()))
        except (OSError, ValueError):  # no such file, or "max": no limit
            continue
    return usable


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

"""How many more processes and threads this user may start."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

CONTAINER = Path("/sys/fs/cgroup")


def free_processes() -> int | None:
    """Processes and threads that may still be started here; None: as many as one likes.

    By the limit of the user (`ulimit -u`), which does not hold for root, and by the container's.
    """
    found = [free for free in (_by_user(), _by_container(CONTAINER)) if free is not None]
    return min(found, default=None)


def _by_user() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if limit == resource.RLIM_INFINITY or os.geteuid() == 0:
        return None
    return max(limit - _threads_of(os.getuid()), 0)


def _threads_of(user: int) -> int:
    """Threads of all processes of a user, as Linux counts them against the limit."""
    threads = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if process.stat().st_uid == user:
                threads += sum(1 for _ in (process / "task").iterdir())
    return threads


def _by_container(folder: Path) -> int | None:
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("pids.max", "pids.current"))
        return max(int(limit) - int(used), 0)
    except (OSError, ValueError):  # no container, or "max": no limit
        return None

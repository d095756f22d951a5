"""What this machine has for a run, and what it lacks."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from config import MuZeroConfig
from core.memory import memory_now, usable_memory
from core.processes import free_processes
from core.wording import counted
from runs.doctor.finding import Finding
from runs.machine import descriptors_needed, memory_budget, processes_needed
from runs.memory_watch import SCARCE
from runs.supervision.places import DAEMONS

GIB = 1 << 30
LEAST_DISK = 2 << 30
SHARED_MEMORY = Path("/dev/shm")
RAY_FOLDER = Path("/tmp/ray")


def examined(config: MuZeroConfig, results_path: Path) -> Iterator[Finding]:
    """What there is to say of this machine, for a run of `config` whose results are under `results_path`."""
    yield from _memory(config)
    yield from _shared_memory(config)
    yield _disk("results", results_path)
    yield _disk("temporary files and Ray", Path(tempfile.gettempdir()))
    yield _descriptors(config)
    yield _processes(config)
    yield _home()
    yield _kernel_cache()
    yield from _token()
    yield from _ray_left_behind()


def _memory(config: MuZeroConfig) -> Iterator[Finding]:
    memory, needed, usable = memory_now(), sum(memory_budget(config).values()), usable_memory()
    text = f"memory: {usable / GIB:.1f} GiB may be used"
    if memory is not None:
        text += f", {memory.share:.0%} of {memory.whose} is used now"
    if needed > usable:
        yield Finding(
            "fault",
            f"{text}; a run takes about {needed / GIB:.1f}",
            "fewer --num-workers, a smaller replay_buffer_mb",
        )
    elif memory is not None and memory.share >= SCARCE:
        yield Finding("fault", text, "end what takes it, or the kernel will end processes")
    else:
        yield Finding("fine", f"{text}; a run takes about {needed / GIB:.1f}")


def _shared_memory(config: MuZeroConfig) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return
    wanted = config.object_store_mb << 20
    text = f"{SHARED_MEMORY}: {free / GIB:.2f} GiB free, Ray's object store wants {wanted / GIB:.2f}"
    if free >= wanted:
        yield Finding("fine", text)
    else:
        yield Finding("fault", text, "docker run --shm-size=2g, or a smaller --object-store-mb, or --local")


def _disk(what: str, path: Path) -> Finding:
    """Whether files can be written in `path`, or where it would be made, and how much more."""
    there = next(
        (folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists()), Path("/")
    )
    text = f"{what}: {path}"
    try:
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(
            "fault",
            f"{text} cannot be written: {error.strerror or error}",
            "--results-path, or TMPDIR, elsewhere",
        )
    if free < LEAST_DISK:
        return Finding(
            "fault", f"{text}: only {free / GIB:.2f} GiB are free", "python muzero.py runs delete makes room"
        )
    return Finding("fine", f"{text}: {free / GIB:.0f} GiB free")


def _descriptors(config: MuZeroConfig) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = descriptors_needed(config)
    text = f"open files: {soft} a process, a run on Ray takes {needed}"
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return Finding("fine", text)
    return Finding(
        "fault", text, f"ulimit -n {min(hard, 65536) if hard > 0 else 65536}, or train with --local"
    )


def _processes(config: MuZeroConfig) -> Finding:
    free, needed = free_processes(), processes_needed(config)
    text = (
        f"processes and threads: {'any number' if free is None else free} more, a run on Ray takes {needed}"
    )
    if free is None or free >= needed:
        return Finding("fine", text)
    return Finding("fault", text, "ulimit -u, the container's limit, fewer --num-workers, or --local")


def _home() -> Finding:
    home = os.path.expanduser("~")
    if os.access(home, os.W_OK):
        return Finding("fine", f"home: {home}")
    return Finding("note", f"home: {home} is missing or read-only", "nothing needs it: caches go elsewhere")


def _kernel_cache() -> Finding:
    from core.kernels import kernel_cache

    try:
        return Finding("fine", f"cache of compiled kernels: {kernel_cache()}")
    except OSError as error:
        why = error.strerror or error
        return Finding(
            "fault", f"compiled kernels cannot be cached: {why}", "NUMBA_CACHE_DIR names another folder"
        )


def _token() -> Iterator[Finding]:
    """Earlier versions had Ray write its token so that anybody on this machine can read it."""
    path = Path(os.path.expanduser("~/.ray/auth_token"))
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Finding(
            "note",
            f"{path} can be read by other users: with it they can run code in a cluster",
            f"chmod 600 {path}",
        )


def _ray_left_behind() -> Iterator[Finding]:
    """Ray's daemons whose driver has gone, and the folders of its earlier sessions."""
    left = []
    for process in psutil.process_iter(["name", "ppid", "uids"]):
        facts = process.info
        own = facts["uids"] is not None and facts["uids"].real == os.getuid()
        if own and facts["name"] in DAEMONS and facts["ppid"] == 1:
            left.append(process.pid)
    if left:
        pids = " ".join(map(str, left))
        yield Finding(
            "note", f"Ray's daemons without a driver: {pids}", f"unless it is a cluster's: kill {pids}"
        )
    try:
        sessions = sum(1 for path in RAY_FOLDER.iterdir() if path.name.startswith("session_2"))
    except OSError:
        return
    if sessions > 20:
        yield Finding(
            "note",
            f"{counted(sessions, 'folder')} of Ray's sessions in {RAY_FOLDER}",
            "old ones may be removed",
        )

"""Kernels compiled by numba, whose cache on disk knows every source that they are made from.

numba looks whether a kernel's own file has changed. It does not see that a function or a constant has which
the kernel takes from another one, and would go on with the old code. So the cache lies in a folder that is
named by the sources of all kernels.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
from numba import njit

from core.project import INSTALLED, PROJECT

ROOMS = ("core", "games", "learning", "networks", "playing", "search")
"""Where kernels are."""
MARK = "core.kernels"
"""What a file with kernels imports."""
UNSEEN = ("config",)
"""Modules of ours of which no kernel can see anything."""
KEPT = 4
"""Caches of earlier sources that are not removed: somebody may be using them."""
INLINED: dict[str, Any] = {
    "error_model": "numpy",
    "_nrt": False,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""For helpers of kernels that are called with many arrays, where passing these on costs more than what they
do. They neither allocate nor keep an array: counting references (`_nrt`) would be half of the time."""
inlined_njit = njit(**INLINED)
_IMPORT = re.compile(r"^(?:from|import) +([\w.]+)", re.MULTILINE)


def cached_njit(*signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator as `numba.njit(*signature, **options)` gives, with a cache that notices all changes."""
    decorate = njit(*signature, cache=True, **options)

    def decorator(function: Callable[..., Any]) -> Any:
        with _cached_in(kernel_cache()):
            return decorate(function)

    return decorator


@contextmanager
def _cached_in(folder: Path) -> Iterator[None]:
    """Has numba cache in `folder` what is decorated meanwhile; other people's kernels stay where they are."""
    usual = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = usual


@functools.cache
def kernel_cache() -> Path:
    """The folder of the cache for kernels of exactly these sources; it exists."""
    base = _base()
    folder = base / f"kernels-{digest()}"
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if new:
        _remove_old(base)
    return folder


def _base() -> Path:
    """Where we may write: NUMBA_CACHE_DIR, the project, the person's cache, or a private temporary folder."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"])
    beside = PROJECT / "search" / "__pycache__"
    if not INSTALLED and os.access(beside if beside.exists() else beside.parent, os.W_OK):
        return beside
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        with suppress(OSError):
            path = Path(home) / "muzero-ray"
            path.mkdir(parents=True, exist_ok=True)
            if os.access(path, os.W_OK):
                return path
    return _private(Path(tempfile.gettempdir()) / f"muzero-ray-{os.getuid()}")


def _private(folder: Path) -> Path:
    """`folder`, if nobody else can write to it, for what numba caches is executed; else a new one."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return folder
    return Path(tempfile.mkdtemp(prefix="muzero-ray-"))


def _remove_old(base: Path) -> None:
    """Removes the caches of all but the newest few sources."""
    found = sorted(base.glob("kernels-*/"), key=lambda path: path.stat().st_mtime_ns)
    for path in found[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def digest() -> str:
    """Of the sources of all kernels and of what they import of ours, of numba, NumPy and Python."""
    known = hashlib.sha256(f"{version('numba')} {version('numpy')} {platform.python_version()}".encode())
    for path in sorted(sources()):
        known.update(f"{path.relative_to(PROJECT)}\n".encode() + path.read_bytes())
    return known.hexdigest()[:16]


def sources() -> set[Path]:
    """The files with kernels, and those of ours from which they take something."""
    found: set[Path] = set()
    for path in (path for room in ROOMS for path in (PROJECT / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if MARK in text:
            found |= {path, *_imported(text)}
    return found


def _imported(text: str) -> Iterator[Path]:
    """The files of the modules of ours that a source imports."""
    for name in _IMPORT.findall(text):
        module = name.removeprefix("muzero.")
        path = PROJECT / f"{module.replace('.', '/')}.py"
        if module not in UNSEEN and path.exists():
            yield path

"""Compiles the search's kernels once, before actors start, so that they do not all do it at the same time.

Players and reanalysis share these kernels; every other kernel is needed by one actor only. Compiled
kernels are cached on disk by numba. A stamp beside that cache, named after the kernels' sources, says that
they have been compiled, so that later runs lose no time here.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from config import MuZeroConfig
from core.project import PROJECT
from runs.status import Observer

SEARCH = PROJECT / "search"
SOURCES = ("mcts.py", "tree.py", "parameters.py", "fast_inference.py")
"""Of the search's kernels and the types that they are compiled for."""
WARM_UP = """
import sys
from config import MuZeroConfig
from runs.precompile import compile_kernels
compile_kernels(MuZeroConfig.from_json(sys.stdin.read()))
"""


def stamp_path() -> Path:
    """Where it is noted that the kernels of exactly these sources are compiled."""
    digest = hashlib.sha256(f"{version('numba')} {version('numpy')} {platform.python_version()}".encode())
    for source in SOURCES:
        digest.update((SEARCH / source).read_bytes())
    return SEARCH / "__pycache__" / f"kernels-{digest.hexdigest()[:16]}.stamp"


@contextmanager
def warm_kernels(config: MuZeroConfig, observer: Observer) -> Iterator[None]:
    """Has the kernels compiled by the end of the block, in a process of its own beside it."""
    stamp = stamp_path()
    if stamp.exists():
        yield
        return
    observer.event("first run: compiling the kernels of the search (once, a few seconds)")
    command = [sys.executable, "-c", WARM_UP]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=PROJECT, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(config.to_json())
        process.stdin.close()
        yield
    if process.returncode == 0:
        try:
            stamp.parent.mkdir(exist_ok=True)
            stamp.touch()
        except OSError:
            pass  # a read-only project: numba caches elsewhere, and the next run looks again


def compile_kernels(config: MuZeroConfig) -> None:
    """Runs every kernel of the search once, on a tiny problem of `config`'s kind."""
    import numpy as np

    from search.inference import chosen_path, make_model
    from search.mcts import warm_up

    warm_up()
    if chosen_path(config, "cpu") == "numba":
        model = make_model(config, batch=1, simulations=1)
        shape = (1, config.stacked_channels, *config.observation_shape[1:])
        row = np.zeros(1, np.int32)
        model.root(np.zeros(shape, np.float32), row)
        model.recurrent(row, row, 1)

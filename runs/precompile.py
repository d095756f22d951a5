"""Compiles the search's kernels once, before actors start, so that they do not all do it at the same time.

Players and reanalysis share these kernels; every other kernel is needed by one actor only. Compiled
kernels are cached on disk by numba. A stamp beside that cache, named after the kernels' sources, says that
they have been compiled, so that later runs lose no time here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from config import MuZeroConfig
from core.project import INSTALLED, PROJECT, ours, python_path
from runs.status import Observer

WARM_UP = f"from {ours('runs.precompile')} import warm_up; warm_up()"


def stamp_path(config: MuZeroConfig) -> Path:
    """Where it is noted that the kernels that `config` needs are compiled, of exactly these sources."""
    from core.kernels import kernel_cache
    from search.inference import chosen_path

    return kernel_cache() / f"{quote(config.search, safe='')}-{chosen_path(config, 'cpu')}.stamp"


@contextmanager
def warm_kernels(config: MuZeroConfig, observer: Observer) -> Iterator[None]:
    """Has the kernels compiled by the end of the block, in a process of its own beside it."""
    stamp = stamp_path(config)
    if stamp.exists():
        yield
        return
    observer.event("first run: compiling the kernels of the search (once, a few seconds)")
    command = [sys.executable, "-c", WARM_UP]
    folder = None if INSTALLED else PROJECT
    environment = os.environ | {"PYTHONPATH": python_path((), config.folders)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=folder, env=environment, text=True) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has failed already
            process.stdin.write(config.to_json())
            process.stdin.close()
        yield
    if process.returncode == 0:
        with suppress(OSError):  # the next run looks again
            stamp.touch()


def warm_up() -> None:
    """Compiles the kernels of the configuration that is read from stdin."""
    compile_kernels(MuZeroConfig.from_json(sys.stdin.read()))


def compile_kernels(config: MuZeroConfig) -> None:
    """Runs every kernel of the search once, on a tiny problem of `config`'s kind."""
    import numpy as np

    from search.inference import chosen_path, make_model
    from search.mcts import warm_up as warm_search

    warm_search(config)
    if chosen_path(config, "cpu") == "numba":
        model = make_model(config, batch=1, simulations=1)
        shape = (1, config.stacked_channels, *config.observation_shape[1:])
        row = np.zeros(1, np.int32)
        model.root(np.zeros(shape, np.float32), row)
        model.recurrent(row, row, 1)

"""One computing thread per process: parallelism comes from the number of actors."""

from __future__ import annotations

import os

THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""What the numerical libraries read when they are loaded."""


def use_one_thread() -> None:
    """Limits this process, and those that it starts, to one thread; before numpy and torch are imported."""
    os.environ.update(THREADS)

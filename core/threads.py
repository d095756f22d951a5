"""One computing thread per process: parallelism comes from the number of actors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""What the numerical libraries read when they are loaded."""


def use_one_thread() -> None:
    """Limits this process, and those that it starts, to one thread; before numpy and torch are imported."""
    os.environ.update(THREADS)


@contextmanager
def one_thread() -> Iterator[None]:
    """Has PyTorch compute with one thread meanwhile, in somebody else's program."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

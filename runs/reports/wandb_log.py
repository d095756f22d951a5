"""A run's scalars in Weights & Biases (https://wandb.ai), where asked for: the same as in TensorBoard.

`WANDB_MODE=offline` writes into the run's folder and needs no account; `wandb sync` sends it later.
"""

from __future__ import annotations

import dataclasses
import importlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config import MuZeroConfig
from core.errors import ConfigurationError
from runs.reports.scalars import ScalarLog, Scalars

if TYPE_CHECKING:
    from data import Counters
    from runs.reports.panel import Clock

PROJECT = "muzero-ray"
AXIS = "updates"
INSTALL = "pip install wandb"


class WandbLog(ScalarLog):
    """Observer that logs to a run of its own in the project `muzero-ray`, over updates.

    Raises `ConfigurationError` when the package is missing or cannot start, for want of an account for one.
    """

    def __init__(
        self, folder: Path, config: MuZeroConfig, interval: float = 3.0, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(interval, clock)
        self._run = start(folder, config)
        # evaluations belong to weights of before, and wandb's own count of steps never goes back
        self._run.define_metric(AXIS)
        self._run.define_metric("*", step_metric=AXIS)

    def write(self, scalars: Scalars, step: int, counters: Counters) -> None:
        """See `ScalarLog`."""
        self._run.log({AXIS: step, **scalars})

    def close(self) -> None:
        """Writes the last state and ends wandb's run."""
        super().close()
        self._run.finish()


def start(folder: Path, config: MuZeroConfig) -> Any:
    """Starts wandb's run for the run in `folder`. Raises `ConfigurationError`, see `WandbLog`."""
    try:
        wandb: Any = importlib.import_module("wandb")
    except ImportError:
        raise ConfigurationError(f"--wandb needs the package wandb: {INSTALL}") from None
    try:
        return wandb.init(
            project=PROJECT,
            group=folder.parent.name,  # the game
            name=folder.name,
            dir=str(folder),
            config=dataclasses.asdict(config),
            settings=wandb.Settings(silent=True, console="off"),
        )
    except wandb.errors.Error as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"wandb does not start ({reason}): log in with `wandb login`, or set WANDB_MODE=offline"
        ) from None

"""Whether a run's checkpoint can be gone on from: its parts are looked at before any actor is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from config import MuZeroConfig
from core.actor_kinds import JUDGE
from core.array_checks import Wanted, check_array, check_arrays
from core.json_text import LARGEST, whole
from data import Snapshot, Weights
from learning.row_checks import check_buffer
from playing.state_checks import check_worker
from saving.checkpoint import Checkpoint
from saving.files import CheckpointError
from saving.fitting import check_weights

Check = Callable[[Snapshot, MuZeroConfig], None]


def check_resumable(path: Path, checkpoint: Checkpoint) -> None:
    """Raises `CheckpointError` about `path` unless what the parts have fits to the run's configuration.

    Parts of kinds that are not known here are looked at by who takes them.
    """
    config = checkpoint.config
    for name, part in checkpoint.parts.items():
        check = CHECKS.get(_kind(name))
        try:
            if check is not None:
                check(part, config)
        except (ValueError, TypeError, LookupError) as error:
            raise CheckpointError(
                f"{path} cannot be gone on from: its {name} does not fit: {str(error)[:300]}; use another "
                "checkpoint"
            ) from None


def _kind(name: str) -> str:
    """`self_play` for `self_play_3`."""
    head, _, number = name.rpartition("_")
    return head if head and number.isdecimal() else name


def check_trainer(state: Snapshot, config: MuZeroConfig) -> None:
    """Raises `ValueError` unless `state` is one of a `trainer.Trainer` by `config`."""
    groups: dict[str, Weights] = {}
    for name, array in state.arrays.items():
        group, _, own = name.partition("/")
        groups.setdefault(group, {})[own] = array
    for group in ("weights", "target"):
        check_weights(groups.get(group, {}), config)
    _check_optimizer(groups.get("optimizer", {}), config)
    for name, array in state.arrays.items():
        check_array(array, Wanted((None,) * array.ndim, np.float32), name)
    whole(state.facts.get("training_step"), "training_step")
    for name in ("skipped", "returns"):  # earlier versions did not say
        whole(state.facts.get(name, 0), name, 0, MOST_RETURNS if name == "returns" else LARGEST)


MOST_RETURNS = 1000
"""To earlier states, by which learning rates are halved: of more nothing is left."""


def _check_optimizer(arrays: Mapping[str, np.ndarray], config: MuZeroConfig) -> None:
    names = ("velocity",) if config.optimizer == "SGD" else ("mean", "square")
    size = len(arrays[names[0]]) if names[0] in arrays and arrays[names[0]].ndim else 0
    wanted = {name: Wanted((size,), np.float32) for name in names}
    check_arrays(
        arrays, wanted | {"square": Wanted((size,), np.float32, 0)} if "square" in wanted else wanted
    )


def check_judge(state: Snapshot, config: MuZeroConfig) -> None:
    """Raises `ValueError` unless `state` is one of a `runs.judge.Judge`."""
    whole(state.facts.get("evaluations"), "evaluations")
    whole(state.facts.get("version"), "version", -1)
    if not state.arrays:
        return
    games = max(array.size for array in state.arrays.values())
    wanted = {
        "returns": Wanted((games,), np.float32),
        "lengths": Wanted((games,), np.int32, 0, LARGEST),
        "seats": Wanted((games,), np.int32, 0, config.players - 1),
    }
    check_arrays(state.arrays, wanted)
    if not games:
        raise ValueError("the best evaluation has no games")


CHECKS: dict[str, Check] = {
    "buffer": check_buffer,
    "self_play": check_worker,
    "trainer": check_trainer,
    JUDGE: check_judge,
}
"""By kind of actor."""

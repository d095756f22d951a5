"""What a new run may begin with: another run's games, another agent's weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from config import MuZeroConfig
from core.wording import counted
from data import Counters, Snapshot, Weights
from learning.row_checks import check_buffer
from replay_buffer import check_games, steps_in
from saving.checkpoint import Checkpoint, load_checkpoint
from saving.files import CheckpointError
from saving.run_folder import best_of

NAMED = 4
"""Of the arrays that do not fit, so many are named."""


class Beginning(NamedTuple):
    """The checkpoint that a new run goes on from, and what there is to say of it."""

    checkpoint: Checkpoint
    notes: tuple[str, ...]


def beginning(
    game: str, config: MuZeroConfig, games_from: Path | None, weights_from: Path | None
) -> Beginning:
    """What a new run of `game` starts from, by `config`.

    With the games of the run `games_from` in its buffer, and their cost on its account; and with what fits
    of the weights of `weights_from`, a checkpoint of this game or of another. Raises `CheckpointError`
    where there is nothing that could be used.
    """
    start = Checkpoint(game, config.to_json(), {}, Counters())
    if games_from is not None:
        start = _with_games(start, games_from)
    if weights_from is None:
        return Beginning(start, ())
    trainer, note = _with_weights(config, weights_from)
    return Beginning(replace(start, parts=start.parts | {"trainer": trainer}), (note,))


def _with_games(start: Checkpoint, run: Path) -> Checkpoint:
    earlier, config = load_checkpoint(run, expect_game=start.game), start.config
    if "buffer" not in earlier.parts:
        raise CheckpointError(f"{run} holds weights only and no games: give the run's folder")
    games = earlier.parts["buffer"]
    try:
        check_games(games, config)
        check_buffer(games, config)
    except (ValueError, LookupError) as error:
        raise CheckpointError(f"cannot begin with the games of {run}: {error}") from None
    steps = min(steps_in(games), config.replay_buffer_size)
    counters = Counters(played_steps=steps, added_steps=steps)
    return Checkpoint(
        start.game, start.config_json, {}, counters, {"buffer": games}, measured_cost=earlier.cost
    )


def _with_weights(config: MuZeroConfig, path: Path) -> tuple[Snapshot, str]:
    """A trainer that has made no update, with the weights at `path` where they fit; and a line about them."""
    from trainer import Trainer

    found = load_checkpoint(best_of(path))
    _require_finite(path, found.weights)
    trainer = Trainer(config, "cpu")
    own = trainer.weights()
    taken = fitting(own, found.weights)
    if not taken:
        raise CheckpointError(
            f"cannot begin with the weights of {path}: none of them fits into this network by name and shape"
        )
    trainer.begin_with(own | taken)
    whose = f"weights from {path} ({counted(found.training_step, 'update')})"
    return trainer.state(), f"{whose}: {_said(own, found.weights, taken)}"


def fitting(own: Weights, others: Weights) -> Weights:
    """The arrays of `others` that a network with the weights `own` has as well, by name and shape."""
    return {name: array for name, array in others.items() if name in own and own[name].shape == array.shape}


def _said(own: Weights, others: Weights, taken: Weights) -> str:
    """How many arrays were taken, and which of the network's own are new."""
    if len(taken) == len(own):
        return f"all {len(own)} arrays"
    new = [name + _difference(own, others, name) for name in own if name not in taken]
    more = f" and {len(new) - NAMED} more" if len(new) > NAMED else ""
    return f"{len(taken)} of {len(own)} arrays; new are {', '.join(new[:NAMED])}{more}"


def _difference(own: Weights, others: Weights, name: str) -> str:
    if name not in others:
        return ""
    here, there = ("x".join(map(str, weights[name].shape)) for weights in (own, others))
    return f" ({here} here, {there} there)"


def _require_finite(path: Path, weights: Weights) -> None:
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise CheckpointError(f"the weights of {path} are not finite: was it damaged?")

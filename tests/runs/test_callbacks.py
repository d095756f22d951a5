"""Callbacks of a program: what they see, and that a run which they end, or break, is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigurationError
from data import EvaluationResult
from muzero import MuZero
from runs.callbacks import Callback, CallbackError
from runs.status import RunStatus
from saving.checkpoint import load_checkpoint
from tests.helpers.small_runs import SMALL


class Sees(Callback):
    def __init__(self, until: int | None = None) -> None:
        self.updates: list[int] = []
        self.games = 0
        self.evaluations: list[EvaluationResult] = []
        self.until = until

    def on_status(self, status: RunStatus) -> bool | None:
        self.updates.append(status.counters.training_step)
        self.games = status.counters.played_games
        return None if self.until is None else status.counters.training_step < self.until

    def on_evaluation(self, result: EvaluationResult) -> None:
        self.evaluations.append(result)


class Breaks(Callback):
    def on_status(self, status: RunStatus) -> None:
        if status.counters.training_step:
            raise KeyError("mine")


def trained(tmp_path: Path, *callbacks: Any, local: bool = True, **changes: Any) -> Any:
    options = SMALL | {"results_path": str(tmp_path)} | changes
    return MuZero("cartpole", options).train(local=local, callbacks=callbacks)


def test_a_callback_sees_games_updates_and_evaluations(tmp_path: Path) -> None:
    seen = Sees()
    outcome = trained(tmp_path, seen, evaluation_interval=0.01)
    assert outcome.reason == "training_steps"
    assert seen.updates == sorted(seen.updates)
    assert (seen.updates[-1], seen.games) == (50, outcome.counters.played_games)
    assert seen.evaluations[-1] is outcome.evaluation
    assert len({id(result) for result in seen.evaluations}) == len(seen.evaluations) > 1


def test_a_callback_ends_the_run_which_is_saved(tmp_path: Path) -> None:
    first, second = Sees(), Sees(until=5)
    outcome = trained(tmp_path, first, second)
    assert outcome.reason == "callback"
    assert 5 <= outcome.counters.training_step < 50
    saved = load_checkpoint(outcome.folder).counters
    assert (saved.training_step, saved.played_steps) == (
        outcome.counters.training_step,
        outcome.counters.played_steps,
    )


def test_a_callback_ends_a_run_on_ray(tmp_path: Path) -> None:
    seen = Sees(until=1)
    outcome = trained(tmp_path, seen, local=False, training_steps=100_000)
    assert outcome.reason == "callback"
    assert load_checkpoint(outcome.folder).counters.training_step >= 1


def test_a_fault_of_a_callback_is_told_once_the_run_is_saved(tmp_path: Path) -> None:
    after = Sees()
    with pytest.raises(
        CallbackError, match="callback Breaks raised KeyError: 'mine'; the run was saved"
    ) as told:
        trained(tmp_path, Breaks(), after)
    assert isinstance(told.value.__cause__, KeyError)
    (folder,) = (tmp_path / "cartpole").iterdir()
    assert 0 < load_checkpoint(folder).counters.training_step < 50


def test_what_is_no_callback_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"callbacks: <function .* is of no class"):
        trained(tmp_path, lambda status: None)
    assert not list(tmp_path.iterdir())

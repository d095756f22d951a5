"""What a search leaves behind: results.csv, best.json, and TensorBoard's HParams."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.output import say_on_stderr
from runs.reports.tensorboard_log import EventFile
from saving.appending import Strict
from saving.files import write_whole
from tuning.ledger import Event, Failed, Finished, Stopped
from tuning.space import Values
from tuning.study import Study, Trial
from tuning.trial import TrialProgress

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

RESULTS_NAME = "results.csv"
BEST_NAME = "best.json"
HPARAMS = "hparams"
SCORE_TAG = "tune/score"


def write_reports(state: Study, folder: Path) -> None:
    """Writes the table of all trials and the best one's configuration anew."""
    write_whole(folder / RESULTS_NAME, results_table(state).encode())
    if state.best is not None:
        write_whole(
            folder / BEST_NAME, (json.dumps(best_options(state, state.best), indent=2) + "\n").encode()
        )


def results_table(state: Study) -> str:
    """All trials as CSV, in order of their number; what a trial does not have is empty."""
    names = [parameter.name for parameter in state.space]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *names], lineterminator="\n")
    writer.writeheader()
    for trial in state.trials.values():
        writer.writerow(row(trial))
    return text.getvalue()


COLUMNS = (
    *("trial", "state", "score", "standard_error", "share", "evaluation", "told"),
    *("seconds", "updates", "played_steps", "seed", "checkpoint", "reason"),
)
"""Before the parameters. `share` of the budget that was used; `evaluation` and `told` of a stopped trial."""


def row(trial: Trial) -> dict[str, Any]:
    """A trial's line by column."""
    result: dict[str, Any] = {"trial": trial.number, "state": trial.phase, "seed": trial.seed} | trial.values
    if trial.finished is not None:
        found = trial.finished
        result |= {"score": found.score, "standard_error": found.error, "share": 1.0, "told": found.score}
        result |= {
            name: getattr(found, name) for name in ("seconds", "updates", "played_steps", "checkpoint")
        }
    if trial.stopped is not None:
        ended = trial.stopped
        result |= {"share": ended.share, "evaluation": ended.score, "told": ended.told}
    if trial.failed is not None:
        result["reason"] = trial.failed.reason
    return result


def best_options(state: Study, trial: Trial) -> Values:
    """What `train --config` needs to train as that trial did: the search's options and the trial's values.

    Budget and seed are left to whoever trains.
    """
    return state.opened.options | trial.values


class HParamsFile(EventFile):
    """One trial for TensorBoard's HParams tab: its values, its score, how it ended."""

    def write(self, trial: Trial) -> None:
        """Writes the trial."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        values = {name: hparam(value) for name, value in trial.values.items()}
        self._write(summary=hparams_pb(values, trial_id=f"{trial.number:03d}"))
        if trial.score is not None:
            self.scalars({SCORE_TAG: trial.score}, 0)
        self._write(summary=session_end(trial))


def hparam(value: Any) -> bool | float | str:
    """A value as the HParams tab takes it."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)


def session_end(trial: Trial) -> Summary:
    """How the trial ended."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_FAILURE if trial.failed else api_pb2.STATUS_SUCCESS
    ended = plugin_data_pb2.SessionEndInfo(status=status)
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=ended)),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])


class StudyFiles:
    """A watcher that keeps the files of `folder` up to date whenever a trial has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def happened(self, event: Event, state: Study) -> None:
        """Writes what has changed."""
        if isinstance(event, Finished | Stopped | Failed):
            write_reports(state, self._folder)
            write_hparams(state.trials[event.trial], self._folder)

    def progress(self, state: Study, running: dict[int, TrialProgress]) -> None:
        """Nothing is written between the ends of trials."""


def write_hparams(trial: Trial, folder: Path) -> None:
    """Writes a trial that has ended for TensorBoard, in `folder`/hparams/<trial>/, unless it is there."""
    own = folder / HPARAMS / f"{trial.number:03d}"
    if own.exists():
        return
    part = own.with_name(f".{own.name}")  # a kill may leave a part of it
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    events = HParamsFile(part, Strict(say_on_stderr))
    events.write(trial)
    events.close()
    part.rename(own)

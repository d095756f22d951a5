"""The loop of a search: starts trials, reads how far they are, stops those that lag behind, records all."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from core.errors import ConfigurationError
from core.randomness import Stream, child_seed
from tuning.ledger import Event, Failed, Finished, Ledger, RungReached, Started
from tuning.study import Study, Trial
from tuning.trial import (
    Died,
    Plan,
    ProcessIdentity,
    Runner,
    RunningTrial,
    Scored,
    TrialProgress,
    end_orphan,
    trial_config,
)

POLL_SECONDS = 0.5
TRIALS = "trials"


class Running(NamedTuple):
    """A trial with the process that works on it."""

    trial: Trial
    process: RunningTrial


class Watcher(Protocol):
    """Someone who watches a search."""

    def happened(self, event: Event, state: Study) -> None:
        """An event has been recorded."""
        ...

    def progress(self, state: Study, running: dict[int, TrialProgress]) -> None:
        """How far the running trials are, by number; a few times a second."""
        ...


class Tuner:
    """Runs the trials of `state` in `folder` until the budget is used up.

    Everything is recorded in `ledger` before it counts, so that a search that dies at any moment can be
    resumed: trials that have ended keep what they have, those that were running are run again.
    """

    def __init__(
        self,
        state: Study,
        ledger: Ledger,
        folder: Path,
        runner: Runner,
        watchers: Sequence[Watcher],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.state, self.ledger, self.folder = state, ledger, folder
        self._start_process, self._watchers, self._sleep = runner, tuple(watchers), sleep
        self._running: dict[int, Running] = {}

    def run(self) -> None:
        """Carries the search out. On Ctrl-C (`KeyboardInterrupt`) the running trials are ended first."""
        self._end_orphans()
        try:
            while not self.state.done:
                self._fill()
                self._poll()
                self._sleep(POLL_SECONDS)
        finally:
            self._close_all()

    def _record(self, event: Event) -> None:
        self.ledger.append(event)
        self.state.apply(event)
        for watcher in self._watchers:
            watcher.happened(event, self.state)

    # --- starting ---

    def _end_orphans(self) -> None:
        """Ends what is left of the trials of an earlier sitting that was killed."""
        for trial in self.state.trials.values():
            if trial.started is not None:
                identity = ProcessIdentity(trial.started.process, trial.started.created)
                end_orphan(identity, self.trial_folder(trial.number))

    def _fill(self) -> None:
        """Starts trials until as many run as may."""
        while len(self._running) < self.state.parallel:
            trial = self.state.next_trial
            if trial is not None:
                self._start(trial)
            elif self.state.may_ask:
                self._record(self.state.proposal())
            else:
                return

    def _start(self, trial: Trial) -> None:
        try:
            plan = self._plan(trial)
        except ConfigurationError as error:
            self._record(Failed(trial.number, str(error)))
            return
        process = self._start_process(plan)
        self._running[trial.number] = Running(trial, process)
        self._record(Started(trial.number, *process.identity))

    def _plan(self, trial: Trial) -> Plan:
        opened, folder = self.state.opened, self.trial_folder(trial.number)
        config = trial_config(
            self.state.base,
            trial.values,
            seed=trial.seed,
            minutes=opened.minutes,
            steps=opened.steps,
            folder=folder,
        )
        return Plan(opened.game, config, folder, opened.games, child_seed(opened.seed, Stream.SCORE))

    def trial_folder(self, number: int) -> Path:
        """Where a trial's files are."""
        return (self.folder / TRIALS / f"{number:03d}").absolute()

    # --- watching ---

    def _poll(self) -> None:
        progress = {number: running.process.progress() for number, running in self._running.items()}
        for watcher in self._watchers:
            watcher.progress(self.state, progress)
        for number, reached in progress.items():
            self._check_rungs(number, may_stop=not reached.scoring)
            if number in self._running:
                self._check_end(number)

    def _check_rungs(self, number: int, may_stop: bool) -> None:
        """Compares a trial at the rungs that it has newly reached; stops it where it falls behind.

        One that was so quick that its training is over has cost what it costs, and is scored.
        """
        trial, process = self._running[number]
        for rung, share in enumerate(self.state.halving.shares):
            score = process.evaluation_at(share) if rung not in trial.rungs else None
            if score is None:
                continue
            reached = self.state.verdict(number, rung, score)
            if not may_stop:
                reached = dataclasses.replace(reached, goes_on=True)
            self._record(reached)
            if not reached.goes_on:
                self._stop(reached)
                return

    def _stop(self, reached: RungReached) -> None:
        self._record(self.state.stop(reached))
        process = self._running[reached.trial].process
        process.interrupt()
        process.close()
        del self._running[reached.trial]

    def _check_end(self, number: int) -> None:
        trial, process = self._running[number]
        outcome = process.outcome()
        if outcome is None:
            working = Started(number, *process.identity)
            if working != trial.started:  # it is scored, by another process than has trained
                self._record(working)
            return
        self._record(self._event(number, outcome))
        process.close()
        del self._running[number]

    def _event(self, number: int, outcome: Scored | Died) -> Event:
        if isinstance(outcome, Died):
            return Failed(number, outcome.reason)
        checkpoint = outcome.checkpoint.relative_to(self.folder.absolute())
        return Finished(number, *outcome[:-1], str(checkpoint))

    # --- ending ---

    def _close_all(self) -> None:
        for running in self._running.values():
            running.process.interrupt()
        for running in self._running.values():
            running.process.close()

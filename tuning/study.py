"""What the events of a search add up to. The live search and one that is resumed come to it the same way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from config import MuZeroConfig
from core.randomness import Stream, child_seed
from games.api.sources import load_game
from tuning.halving import Halving, conservative_score, rung_shares
from tuning.ledger import (
    Asked,
    Event,
    Failed,
    Finished,
    Opened,
    Reopened,
    RungReached,
    Started,
    Stopped,
)
from tuning.space import Parameter, Values, own_values, parse_space
from tuning.suggester import Suggester

Phase = Literal["waiting", "running", "finished", "stopped", "failed"]


@dataclass
class Trial:
    """A training with values of its own. It waits before its first start and after an interruption."""

    number: int  # from 1
    values: Values
    seed: int
    phase: Phase = "waiting"
    started: Started | None = None  # the newest of its processes
    rungs: dict[int, RungReached] = field(default_factory=dict)
    finished: Finished | None = None
    stopped: Stopped | None = None
    failed: Failed | None = None

    @property
    def score(self) -> float | None:
        """The score of its full training; None if there is none."""
        return None if self.finished is None else self.finished.score

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come."""
        return self.phase in ("finished", "stopped", "failed")


class Study:
    """A search: what it is about, its trials, its optimiser and its rungs.

    Raises `ConfigurationError` when the search cannot be run: another game's parameters, for example.
    """

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.budget, self.parallel = opened.budget, opened.parallel
        self.base: MuZeroConfig = load_game(opened.game).config.replace(**opened.options)
        self.space: tuple[Parameter, ...] = parse_space(opened.parameters, self.base)
        self.trials: dict[int, Trial] = {}
        self.ended: list[Trial] = []  # in order of their end
        self.suggester = Suggester(
            self.space,
            opened.budget,
            opened.parallel,
            opened.seed,
            own_values(self.space, self.base),
            opened.optimizer,
        )
        self.halving = Halving(rung_shares(opened.rungs, opened.reduction), opened.reduction)

    # --- questions ---

    @property
    def full_scores(self) -> list[float]:
        """The scores of all trials that ran in full."""
        return [trial.score for trial in self.trials.values() if trial.score is not None]

    @property
    def best(self) -> Trial | None:
        """The trial with the highest score; of equal ones the first."""
        finished = [trial for trial in self.trials.values() if trial.score is not None]
        return max(finished, key=lambda trial: trial.score or 0.0, default=None)

    @property
    def next_trial(self) -> Trial | None:
        """The trial to be started next, new or interrupted; None when there are no more."""
        waiting = [trial for trial in self.trials.values() if trial.phase == "waiting"]
        return waiting[0] if waiting else None

    @property
    def may_ask(self) -> bool:
        """Whether the budget allows another trial."""
        return len(self.trials) < self.budget

    @property
    def done(self) -> bool:
        """Whether all trials have ended."""
        return not self.may_ask and all(trial.ended for trial in self.trials.values())

    def proposal(self) -> Asked:
        """The next trial."""
        number = len(self.trials) + 1
        seed = child_seed(self.opened.seed, Stream.TRIAL, number)
        return Asked(number, self.suggester.propose(), seed)

    def verdict(self, trial: int, rung: int, score: float) -> RungReached:
        """Whether a trial with this score at a rung goes on."""
        goes_on = self.halving.record(trial, rung, score)
        return RungReached(trial, rung, self.halving.shares[rung], score, goes_on)

    def stop(self, reached: RungReached) -> Stopped:
        """The end of a trial that does not go on, and what its optimiser is told."""
        told = conservative_score(self.full_scores, reached.share)
        return Stopped(reached.trial, reached.share, reached.score, told)

    # --- events ---

    def apply_all(self, events: Iterable[Event]) -> None:
        """Takes note of the events of earlier sittings; what was running then waits now."""
        for event in events:
            self.apply(event)
        self._interrupted()

    def _interrupted(self) -> None:
        """What was running is run again, and compared again."""
        for trial in self.trials.values():
            if trial.phase == "running":
                trial.phase = "waiting"
                trial.rungs.clear()
                self.halving.forget(trial.number)

    def apply(self, event: Event) -> None:
        """Takes note of an event."""
        match event:
            case Opened():
                pass
            case Reopened():
                self._interrupted()
                self.budget, self.parallel = event.budget, event.parallel
            case Asked():
                self.suggester.asked(event.trial, event.values)
                self.trials[event.trial] = Trial(event.trial, event.values, event.seed)
            case Started():
                self.trials[event.trial].started = event
                self.trials[event.trial].phase = "running"
            case RungReached():
                self.trials[event.trial].rungs[event.rung] = event
                self.halving.record(event.trial, event.rung, event.score)
            case Finished() | Stopped() | Failed():
                self._end(event)

    def _end(self, event: Finished | Stopped | Failed) -> None:
        trial = self.trials[event.trial]
        told: float | None = None
        match event:
            case Finished(updates=0):  # in searches of earlier versions
                trial.phase, trial.failed = "failed", Failed(event.trial, "it has made no update")
            case Finished():
                trial.phase, trial.finished, told = "finished", event, event.score
            case Stopped():
                trial.phase, trial.stopped, told = "stopped", event, event.told
            case Failed():
                trial.phase, trial.failed = "failed", event
        self.ended.append(trial)
        if told is not None:
            self.suggester.tell(event.trial, told)

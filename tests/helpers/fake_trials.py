"""Trials that take no time, for tests of the search."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from config import MuZeroConfig
from tuning.halving import REDUCTION, RUNGS
from tuning.ledger import Event, Opened
from tuning.study import Study
from tuning.suggester import OPTIMIZER
from tuning.trial import Died, Plan, ProcessIdentity, Scored, TrialProgress

Score = Callable[[MuZeroConfig], float | None]
"""What a trial with this configuration ends with; None: it dies."""

PARAMETERS = ("lr_init=log:1e-4:1e-1", "num_simulations=int:8:64", "optimizer=choice:AdamW,SGD")


def opened(**changes: object) -> Opened:
    """The first event of a search of cartpole."""
    settings: dict = {
        "game": "cartpole",
        "parameters": PARAMETERS,
        "options": {"games_per_worker": 8},
        "budget": 8,
        "parallel": 2,
        "minutes": 0.0,
        "steps": 300,
        "rungs": RUNGS,
        "reduction": REDUCTION,
        "games": 10,
        "seed": 5,
        "optimizer": OPTIMIZER,
        "nevergrad": "1",
    }
    return Opened(**settings | changes)


def score_of(config: MuZeroConfig) -> float:
    """The more simulations, the better."""
    return float(config.num_simulations) + config.lr_init


class FakeTrial:
    """Advances by a quarter of its budget whenever it is looked at; its evaluation rises with it."""

    def __init__(self, plan: Plan, score: Score, alive: set[int], most: list[int], quarters: int = 0) -> None:
        self.plan, self._score, self._alive = plan, score(plan.config), alive
        self._quarters = quarters
        self.interrupted = False
        alive.add(id(self))
        most.append(len(alive))

    @property
    def identity(self) -> ProcessIdentity:
        return ProcessIdentity(os.getpid(), 1.0 + (self._quarters > 4))

    def progress(self) -> TrialProgress:
        self._quarters += 1
        share = min(self._quarters / 4, 1.0)
        return TrialProgress(share, self.evaluation_at(0.0), 1000.0, self._quarters > 4)

    def evaluation_at(self, share: float) -> float | None:
        reached = self._score is not None and self._quarters / 4 >= share
        return self._score / 2 if reached and self._score is not None else None

    def outcome(self) -> Scored | Died | None:
        if self._score is None:
            return Died("RuntimeError: too hot")
        if self._quarters < 5:
            return None
        return Scored(self._score, 0.5, 12.0, 300, 1000, self.plan.folder / "best.checkpoint")

    def interrupt(self) -> None:
        self.interrupted = True

    def close(self) -> None:
        self._alive.discard(id(self))


@dataclass
class FakeRunner:
    """Starts `FakeTrial`s and remembers them."""

    score: Score = score_of
    started: list[FakeTrial] = field(default_factory=list)
    alive: set[int] = field(default_factory=set)
    most: list[int] = field(default_factory=list)  # trials alive at each start
    quarters: int = 0  # of the budget, that are over before a trial is first looked at

    def __call__(self, plan: Plan) -> FakeTrial:
        trial = FakeTrial(plan, self.score, self.alive, self.most, self.quarters)
        self.started.append(trial)
        return trial


@dataclass
class Noted:
    """A watcher that remembers; after `limit` events it is killed, as by kill -9 just before the next."""

    events: list[Event] = field(default_factory=list)
    limit: int = 1 << 30

    def happened(self, event: Event, state: Study) -> None:
        self.events.append(event)
        if len(self.events) >= self.limit:
            raise Killed

    def progress(self, state: Study, running: dict[int, TrialProgress]) -> None:
        pass


class Killed(BaseException):
    """The search dies."""


def no_sleep(seconds: float) -> None:
    """Time stands still."""


def folder_of(tmp_path: Path) -> Path:
    """A search's folder."""
    folder = tmp_path / "search"
    folder.mkdir(exist_ok=True)
    return folder

"""A run on Ray: the actors work at the same time, and one loop hands on what they return.

Data flows by reference: histories go from self-play into the buffer, batches from the buffer into the
trainer, weights from the trainer into the storage, without passing through this process. Every actor has
a bounded number of calls in flight, each of well under a second; a call is issued again when its result is
there and the pacing allows it, so waiting, stopping and noticing a lost actor need nothing else. Which calls
these are, the actors' duties say (`runs/actors/`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple, TypeVar

import ray

from core.actor_kinds import STORAGE, ActorKind, Member
from data import Snapshot
from runs.actors.remote_source import RemoteSource
from runs.background_save import BesideDriver, Saves
from runs.cluster import Launcher
from runs.driver import Input, Rhythm, nothing
from runs.failures import Failure, Restarts, RunError, described, evidence_of, failure_of, lost_with
from runs.handles import Pending
from runs.session import Reason, Session

MOVES_PER_CALL = 32
CALL_SECONDS = 0.5
TRAIN_SECONDS = 0.05
"""What one call of the trainer should take; two are in flight."""
STATUS_SECONDS = 0.25
IDLE_SECONDS = 0.01
STARTS = "starts"
"""The queue of all actors' first calls."""
R = TypeVar("R")


class Call(NamedTuple):
    """A remote call in flight."""

    actor: str  # whose it is
    queue: str  # whose turn it takes: mostly the same actor's
    done: Callable[[Any], object]  # what to do with its result
    inputs: tuple[Input, ...] = ()  # in the order in which they are made
    awaited: bool = True  # before a checkpoint

    def origin(self, error: Exception) -> tuple[str, Exception]:
        """The actor whose failure `error` is, and what happened to it: an input may have failed before."""
        for actor, result in self.inputs:
            try:
                if ray.wait([result.where], timeout=0)[0]:
                    ray.get(result.where)
            except ray.exceptions.RayError as earlier:
                return actor, earlier
        return self.actor, error

    def concerns(self, names: set[str]) -> bool:
        """Whether it has to do with one of these actors."""
        return bool(names & {self.actor, self.queue})


class RayRun(BesideDriver):
    """The actors of a run and the calls that they are working on."""

    def __init__(self, session: Session, launcher: Launcher) -> None:
        rhythm = Rhythm(
            moves=MOVES_PER_CALL,
            call_seconds=CALL_SECONDS,
            training_calls=2,
            training_seconds=TRAIN_SECONDS,
            weights_interval=session.config.weights_interval,
            first_evaluation=0.0,
            in_rounds=False,
        )
        super().__init__(session, launcher.roles, rhythm)
        session.plays_on(launcher.player_device)
        self.launcher = launcher
        self.calls: dict[Any, Call] = {}  # by Ray's reference
        self.restarts = Restarts(session.folder)
        self.saves = Saves(self)
        self._next_status = 0.0
        for name, member in self.members.items():
            self._launch(member, session.part(name))
        self.begin()

    # --- actors ---

    def _launch(self, member: Member, state: Snapshot | None = None) -> None:
        storage = self.actors.get(STORAGE.name)
        source = None if storage is None else RemoteSource(storage)
        caution = self.session.lost_games.caution(member.name)
        launched = self.launcher.launch(member, source, state, self.restarts.made, caution)
        self.actors[member.name] = launched.actor
        if launched.started is not None:
            self.call(member.name, launched.started, nothing, queue=STARTS, awaited=False)

    def _failed(self, call: Call, error: Exception) -> None:
        """Starts the actor again that `call` has lost by `error`. Raises `RunError` if that is no remedy."""
        actor, error = call.origin(error)
        if failure_of(error) is Failure.NOT_STARTED:
            return
        self.session.observer.evidence(f"actor {actor!r}: {evidence_of(error)}")
        member = self.members[actor]
        self.session.lost(lost_with(error), actor)
        if failure_of(error) is Failure.PROCESS_LOST:
            self.session.died(actor, f"its process was lost ({described(error)})")
        self.restarts.another(member, error)
        self._restart(member)

    def _restart(self, member: Member) -> None:
        """Replaces a lost actor by a new one, which takes up the work from what the others hold."""
        name = member.name
        self.session.observer.event(f"actor {name!r} was lost and is started again")
        self._forget({name})
        self.saves.lost(name)
        self._launch(member)
        self.duties[member.kind.name].lost(name)

    def _forget(self, lost: set[str]) -> None:
        """Drops the calls that have to do with `lost` actors."""
        self.calls = {ref: call for ref, call in self.calls.items() if not call.concerns(lost)}

    # --- the loop ---

    def run(self, interrupted: Callable[[], bool]) -> Reason:
        """Trains until the target is reached, the training steps are made, or `interrupted` says so.

        Raises `RunError`; if all would be well without the actor that failed, what the others hold is saved.
        """
        try:
            return self._loop(interrupted)
        except RunError as error:
            if not self._saved_without(error.actor):
                raise
            raise RunError(f"{error}; {self.session.kept}", error.actor) from error
        finally:
            self.saves.abandon()

    def _saved_without(self, actor: str) -> bool:
        """Writes a checkpoint of all actors but those that fail like `actor` does; whether it could."""
        lost = {actor}
        while actor and self.session.progressed:
            self._forget(lost)
            try:
                self.session.insist(partial(self.save, lost))
            except RunError as another:  # a game that breaks for one player breaks for others
                actor = "" if another.actor in lost else another.actor
                lost.add(actor)
            else:
                return True
        return False

    def _loop(self, interrupted: Callable[[], bool]) -> Reason:
        while self.reason is None:
            self.issue()
            self.wait(STATUS_SECONDS)
            if time.perf_counter() >= self._next_status:
                self.report()
            self.reason = self.reason or self.session.reason_to_stop(interrupted)
            self.saves.go_on()
        if self.session.progressed:
            self.session.insist(self.save)
        self.report()
        return self.reason

    def report(self) -> None:
        """Shows the observers how the run stands, and waits before the next time."""
        self._next_status = time.perf_counter() + STATUS_SECONDS
        super().report()

    # --- calls ---

    def call(
        self,
        actor: str,
        result: Pending[R],
        done: Callable[[R], object],
        queue: str | None = None,
        inputs: tuple[Input, ...] = (),
        awaited: bool = True,
    ) -> None:
        """Notes the call as one in flight; the loop takes its result."""
        self.calls[result.where] = Call(actor, queue or actor, done, inputs, awaited)

    def busy(self, queue: str) -> bool:
        """Whether a call is in flight that took its turn in `queue`, or it waits for a checkpoint's cut."""
        return queue in self.saves.held or any(call.queue == queue for call in self.calls.values())

    def shell_of(self, kind: ActorKind) -> type[Any]:
        """See `BesideDriver`."""
        return self.launcher.shell_of(kind)

    def in_flight(self, actors: Collection[str]) -> bool:
        """Whether a call of one of these is."""
        return any(call.actor in actors for call in self.calls.values())

    def save(self, without: Collection[str] = ()) -> None:
        """See `Driver`; the parts are written by the actors (`runs/background_save.py`)."""
        self.saves.last(without)

    def value(self, result: Pending[R]) -> R:
        """A result, fetched into this process."""
        fetched: R = ray.get(result.where)
        return fetched

    def wait(self, seconds: float) -> None:
        """Waits until a call has returned, and takes all results that are there."""
        if not self.calls:
            time.sleep(min(seconds, IDLE_SECONDS))
            return
        if not ray.wait(list(self.calls), timeout=seconds)[0]:
            return
        ready, _ = ray.wait(list(self.calls), num_returns=len(self.calls), timeout=0)
        for ref in ready:
            call = self.calls.pop(ref, None)
            if call is None:
                continue
            try:
                call.done(ray.get(ref))
            except ray.exceptions.RayError as error:
                self._failed(call, error)

    def drain(self) -> None:
        """Waits until no call is in flight that changes what a checkpoint keeps."""
        while any(call.awaited for call in self.calls.values()):
            self.wait(STATUS_SECONDS)

"""A run on Ray: the actors work at the same time, and one loop hands on what they return.

Data flows by reference: histories go from self-play into the buffer, batches from the buffer into the
trainer, weights from the trainer into the storage, without passing through this process. Every actor has
a bounded number of calls in flight, each of well under a second; a call is issued again when its result is
there and the pacing allows it, so waiting, stopping and noticing a lost actor need nothing else. Which calls
these are, the actors' duties say (`runs/actors/`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar, cast

import ray

from core.actor_kinds import STORAGE, TRAINER, Member
from data import Snapshot, Weights
from runs.actors.remote_source import RemoteSource
from runs.actors.shell import SavedShell, SnapshotReport
from runs.cluster import Launched, Launcher
from runs.deadlines import Deadlines
from runs.driver import Driver, Input, Rhythm, forgotten, nothing
from runs.failures import (
    Failure,
    LateError,
    Restarts,
    RunError,
    dead_actor,
    evidence_of,
    failure_of,
    reason_of,
)
from runs.handles import Pending
from runs.head_watch import HeadWatch
from runs.session import Reason, Session
from runs.snapshots import Snapshots

MOVES_PER_CALL = 32
CALL_SECONDS = 0.5
TRAIN_SECONDS = 0.05
"""What one call of the trainer should take; two are in flight."""
STATUS_SECONDS = 0.25
SNAPSHOT = "snapshot"
"""Of the queues of the calls that take one, whose actor's name comes before."""
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
    dropped: Callable[[], object] = forgotten  # what to do if it never has a result

    def origin(self, error: Exception) -> tuple[str, Exception]:
        """The actor whose failure `error` is, and what happened to it: an input may have failed before."""
        for actor, result in self.inputs:
            try:
                if ray.wait([result.where], timeout=0)[0]:
                    ray.get(result.where)
            except ray.exceptions.RayError as earlier:
                return actor, earlier
        return self.actor, error

    def waits_for(self) -> str:
        """Whose answer it waits for first: of who makes the first input that is not there, or its own."""
        for actor, result in self.inputs:
            if not ray.wait([result.where], timeout=0, fetch_local=False)[0]:
                return actor
        return self.actor

    def concerns(self, names: set[str]) -> bool:
        """Whether it has to do with one of these actors."""
        return bool(names & {self.actor, self.queue})


def _last(waits: Mapping[str, str], actor: str) -> str:
    """Whom `actor` waits for in the end, where everybody in `waits` waits for another one or for itself."""
    seen: set[str] = set()
    while actor not in seen and waits.get(actor, actor) != actor:
        seen.add(actor)
        actor = waits[actor]
    return actor


class RayRun(Driver):
    """The actors of a run and the calls that they are working on."""

    def __init__(self, session: Session, launcher: Launcher, head: HeadWatch | None = None) -> None:
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
        self.deadlines = Deadlines(self.config.call_deadline, self.members)
        self.snapshots = Snapshots(self.config.object_store_mb << 20)
        self.launched: dict[str, Launched] = {}
        self.head = head
        self._next_status = self._next_look = 0.0
        for name, member in self.members.items():
            self._launch(member, session.part(name))
        self.begin()

    # --- actors ---

    def _launch(self, member: Member, state: Snapshot | Pending[Snapshot] | None = None) -> None:
        storage = self.actors.get(STORAGE.name)
        source = None if storage is None else RemoteSource(storage)
        launched = self.launcher.launch(member, source, state, self.restarts.made)
        self.launched[member.name] = launched
        self.actors[member.name] = launched.actor
        if launched.started is not None:
            self.call(member.name, launched.started, nothing, queue=STARTS, awaited=False)

    def _failed(self, call: Call, error: Exception) -> None:
        """Starts the actor again that `call` has lost by `error`. Raises `RunError` if that is no remedy."""
        call.dropped()
        actor, error = self._origin(call, error)
        if not actor or failure_of(error) is Failure.NOT_STARTED:
            return
        if failure_of(error) is Failure.DATA_LOST:
            self.snapshots.discard(actor)  # the new actor may have been given it
        self._lost(actor, error)

    def _origin(self, call: Call, error: Exception) -> tuple[str, Exception]:
        """The actor whose failure `error` is, and what happened to it; no actor if it has been replaced."""
        dead = dead_actor(error)
        if not dead:
            return call.origin(error)
        names = [name for name, launched in self.launched.items() if launched.identity == dead]
        return names[0] if names else "", error

    def _lost(self, name: str, error: Exception) -> None:
        """Replaces the actor, as long as the run is to go on. Raises `RunError` if that is no remedy."""
        self.session.observer.evidence(f"actor {name!r}: {evidence_of(error)}")
        self.restarts.another(self.members[name], error)
        if self.deadlines.ending:
            self._end(name)
        else:
            self._restart(self.members[name], reason_of(error))

    def _end(self, name: str) -> None:
        """Ends an actor, and drops all that was asked of it."""
        self._forget({name})
        self.deadlines.forget(name)
        self.launcher.end(self.launched[name], self.head is None or not self.head.lost)

    def _restart(self, member: Member, reason: str) -> None:
        """Replaces a lost actor by a new one, which takes up the work from what the others hold."""
        name = member.name
        self._end(name)
        why = f": {reason}" if reason else ""
        state, whence = self._state_of(member)
        self.session.observer.event(f"actor {name!r} was lost and is started again{whence}{why}")
        self._launch(member, state)
        self.duties[member.kind.name].lost(name)

    def _state_of(self, member: Member) -> tuple[Snapshot | Pending[Snapshot] | None, str]:
        """What a new `member` goes on from, and what there is to say of that."""
        if not (member.kind.restored and member.kind.saved):
            return None, ""
        kept = self.snapshots.of(member.name)
        if kept is not None:
            return kept.state, f" as it was {time.perf_counter() - kept.taken:.0f} s ago"
        saved = self.session.saved_part(member.name)
        return saved, " from the newest checkpoint" if saved is not None else " from nothing"

    def known_states(self, names: Sequence[str]) -> dict[str, Snapshot]:
        """The newest that is known of those actors among `names` which are restored."""
        states = {name: self._state_of(self.members[name])[0] for name in names}
        known: dict[str, Snapshot] = {}
        for name, state in states.items():
            with suppress(ray.exceptions.RayError):  # what was kept of it is lost as well
                found = self.value(state) if isinstance(state, Pending) else state
                known |= {} if found is None else {name: found}
        return known

    def newest_weights(self) -> Weights:
        """Those that were published last. Raises `RunError` if they cannot be had."""
        try:
            return super().newest_weights()
        except ray.exceptions.RayError as error:
            raise RunError(f"no weights are left: {evidence_of(error)}", TRAINER.name) from error

    def _forget(self, lost: set[str]) -> None:
        """Drops the calls that have to do with `lost` actors."""
        dropped = [call for call in self.calls.values() if call.concerns(lost)]
        self.calls = {ref: call for ref, call in self.calls.items() if not call.concerns(lost)}
        for call in dropped:
            call.dropped()

    # --- what may go wrong ---

    def _look(self) -> None:
        """Replaces actors that are late. Raises `HeadLostError` once Ray's head process is gone."""
        now = time.perf_counter()
        if now < self._next_look:
            return
        self._next_look = now + STATUS_SECONDS
        if self.head is not None and self.head.lost and not self.deadlines.ending:
            raise self.restarts.headless()
        self.deadlines.look(self._at_work(), now)
        for name, seconds in self.deadlines.late().items():
            self._lost(name, LateError(f"no answer for {seconds:.0f} s (call_deadline)"))

    def _at_work(self) -> dict[str, object]:
        """Who is on what: of each actor's calls the first, or whoever that one is waiting for."""
        first: dict[str, tuple[Any, Call]] = {}
        for ref, call in self.calls.items():
            first.setdefault(call.actor, (ref, call))
        waits = {actor: call.waits_for() for actor, (_, call) in first.items()}
        on = {_last(waits, actor): ref for actor, (ref, _) in reversed(first.items())}
        return on | {actor: ref for actor, (ref, _) in first.items() if waits[actor] == actor}

    def _take_snapshots(self) -> None:
        """Asks actors for their states, to be kept in Ray's store, when it is time."""
        for name, member in self.members.items():
            kind = member.kind
            able = kind.restored and issubclass(self.shells[kind.name], SavedShell)
            if able and self.snapshots.due(name) and not self.busy(f"{name} {SNAPSHOT}"):
                self._take_snapshot(name)

    def _take_snapshot(self, name: str) -> None:
        self.snapshots.asked(name)
        report, state = self.actors[name].call_pair(SavedShell.snapshot, self.snapshots.room)

        def taken(report: SnapshotReport) -> None:
            self.snapshots.take(name, cast(Pending[Snapshot], state), report)

        self.call(name, report, taken, queue=f"{name} {SNAPSHOT}", awaited=False)

    # --- the loop ---

    def run(self, interrupted: Callable[[], bool]) -> Reason:
        """Trains until the target is reached, the training steps are made, or `interrupted` says so.

        Raises `RunError`; if all would be well without the actor that failed, what the others hold is saved.
        """
        try:
            return self._loop(interrupted)
        except RunError as error:
            self.deadlines.ending = True
            if not self._saved_without(error):
                raise
            raise RunError(f"{error.what}; {self.session.kept}", error.actor) from error

    def _saved_without(self, error: RunError) -> bool:
        """Writes a checkpoint of all actors but those that fail as `error` says; whether it could."""
        lost = {error.actor} - {""}
        while (lost or error.nobody) and self.session.progressed:
            self._forget(lost)
            try:
                self.save(lost)
            except RunError as another:  # a game that breaks for one player breaks for others
                if another.actor in lost | {""}:
                    return False
                lost.add(another.actor)
            else:
                return True
        return False

    def _loop(self, interrupted: Callable[[], bool]) -> Reason:
        while self.reason is None:
            self.issue()
            self._take_snapshots()
            self.wait(STATUS_SECONDS)
            if time.perf_counter() >= self._next_status:
                self.report()
            self.reason = self.reason or self.session.reason_to_stop(interrupted)
            self.deadlines.ending = self.reason is not None
            if (self.reason is not None or self.session.checkpoint_due) and self.session.progressed:
                self.save()
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
        dropped: Callable[[], object] = forgotten,
    ) -> None:
        """Notes the call as one in flight; the loop takes its result."""
        self.calls[result.where] = Call(actor, queue or actor, done, inputs, awaited, dropped)

    def busy(self, queue: str) -> bool:
        """Whether a call is in flight that took its turn in `queue`."""
        return any(call.queue == queue for call in self.calls.values())

    def value(self, result: Pending[R]) -> R:
        """A result, fetched into this process."""
        fetched: R = ray.get(result.where)
        return fetched

    def wait(self, seconds: float) -> None:
        """Waits until a call has returned, takes all results that are there, and looks for what is wrong."""
        if self.calls and ray.wait(list(self.calls), timeout=seconds)[0]:
            ready, _ = ray.wait(list(self.calls), num_returns=len(self.calls), timeout=0)
            for ref in ready:
                self._returned(ref)
        self._look()

    def _returned(self, ref: Any) -> None:
        """Takes the result of a call, unless the call has been dropped."""
        call = self.calls.pop(ref, None)
        if call is None:
            return
        try:
            result = ray.get(ref)
            if call.queue != STARTS:
                self.deadlines.answered(call.actor)
            call.done(result)
        except ray.exceptions.RayError as error:
            self._failed(call, error)

    def drain(self) -> None:
        """Waits until no call is in flight that changes what a checkpoint keeps."""
        while any(call.awaited for call in self.calls.values()):
            self.wait(STATUS_SECONDS)

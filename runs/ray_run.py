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
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import ray

from core.actor_kinds import STORAGE, Member
from data import Snapshot
from runs.actors.remote_source import RemoteSource
from runs.background_save import BesideDriver, Saves
from runs.calls import Call, at_work
from runs.cluster import Launched, Launcher
from runs.driver import Input, Rhythm, forgotten, nothing
from runs.handles import Pending
from runs.session import Reason, Session
from runs.supervision.deadlines import Deadlines
from runs.supervision.failures import (
    DEAD,
    REPLACED,
    Failure,
    LateError,
    Restarts,
    RunError,
    dead_actor,
    died_of,
    evidence_of,
    failure_of,
    lost_with,
    reason_of,
)
from runs.supervision.head_watch import HeadWatch
from runs.supervision.snapshots import Snapshots

MOVES_PER_CALL = 32
CALL_SECONDS = 0.5
TRAIN_SECONDS = 0.05
"""What one call of the trainer should take; two are in flight."""
STATUS_SECONDS = 0.25
IDLE_SECONDS = 0.01
FETCH_SECONDS = 15.0
"""In which a snapshot has to come that is to be saved."""
ROOM_SECONDS = 2.0
"""Between two questions for room, while an actor is being started."""
STARTS = "starts"
"""The queue of all actors' first calls."""
R = TypeVar("R")


class Known(NamedTuple):
    """What a new actor goes on from, and what there is to say of that."""

    state: Snapshot | Pending[Snapshot | None] | None
    whence: str = ""


class RayRun(BesideDriver):
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
        self.saves = Saves(self)
        self.deadlines = Deadlines(self.config.call_deadline, self.members)
        self.snapshots = Snapshots(self, self.config.object_store_mb << 20)
        self.launched: dict[str, Launched] = {}
        self.head = head
        self._lack = ""  # of CPUs, as it was said last
        self._next_status = self._next_look = self._next_room = 0.0
        for name, member in self.members.items():
            self._launch(member, session.part(name))
        self.begin()

    # --- actors ---

    def _launch(self, member: Member, state: Snapshot | Pending[Snapshot | None] | None = None) -> None:
        storage = self.actors.get(STORAGE.name)
        source = None if storage is None else RemoteSource(storage)
        caution = self.session.lost_games.caution(member.name)
        launched = self.launcher.launch(member, source, state, self.restarts.made, caution)
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
        self.session.lost(lost_with(error), name)
        if failure_of(error) in REPLACED:
            self._end(name)
        if failure_of(error) in DEAD:
            self.session.died(name, died_of(error))  # when it moves its game no more
        self.restarts.another(self.members[name], error)
        if self.deadlines.ending:
            self.gone.add(name)
        else:
            self._restart(self.members[name], reason_of(error))

    def _end(self, name: str) -> None:
        """Ends an actor, and drops all that was asked of it."""
        self._forget({name})
        self.deadlines.forget(name)
        self.saves.lost(name)
        self.launcher.end(self.launched[name], self.head is None or not self.head.lost)

    def _restart(self, member: Member, reason: str) -> None:
        """Launches another one in the place of an actor that has ended.

        It takes up the work from what was known of it, and from what the others hold.
        """
        name, known = member.name, self._known(member)
        why = f": {reason}" if reason else ""
        self.session.observer.event(f"actor {name!r} was lost and is started again{known.whence}{why}")
        self.session.log.restarted()
        self._launch(member, known.state)
        self.duties[member.kind.name].lost(name)

    def _say_room(self) -> None:
        """Says so where the machines that are left have no room for all actors, and each time it is less."""
        before, self._lack = self._lack, self.launcher.lack()
        if self._lack not in ("", before):
            self.session.observer.event(self._lack)

    def _known(self, member: Member) -> Known:
        """The newest that is known of a `member` which is restored."""
        if not (member.kind.restored and member.kind.saved):
            return Known(None)
        taken = self.snapshots.of(member.name)
        if taken is not None:
            return Known(taken.state, f" as it was {time.perf_counter() - taken.when:.0f} s ago")
        saved = self.session.saved_part(member.name)
        return Known(saved, " from the newest checkpoint" if saved is not None else " from nothing")

    def known_state(self, name: str) -> Snapshot | None:
        """See `BesideDriver`."""
        state = self._known(self.members[name]).state
        if not isinstance(state, Pending):
            return state
        with suppress(ray.exceptions.RayError):  # what was kept of it is lost as well
            fetched: Snapshot | None = ray.get(state.where, timeout=FETCH_SECONDS)
            return fetched
        return self.session.saved_part(name)

    def _forget(self, lost: set[str]) -> None:
        """Drops the calls that have to do with `lost` actors."""
        dropped = [call for call in self.calls.values() if call.concerns(lost)]
        self.calls = {ref: call for ref, call in self.calls.items() if not call.concerns(lost)}
        for call in dropped:
            call.dropped()

    def _look(self) -> None:
        """Replaces actors that are late. Raises `HeadLostError` once Ray's head process is gone."""
        now = time.perf_counter()
        if now < self._next_look:
            return
        self._next_look = now + STATUS_SECONDS
        if self.head is not None and self.head.lost and not self.deadlines.ending:
            raise self.restarts.headless()
        self.deadlines.look(at_work(self.calls.items()), now)
        for name, seconds in self.deadlines.late().items():
            self._lost(name, LateError(seconds))
        if now >= self._next_room and any(call.queue == STARTS for call in self.calls.values()):
            self._next_room = now + ROOM_SECONDS
            self._say_room()

    # --- the loop ---

    def run(self, interrupted: Callable[[], bool]) -> Reason:
        """Trains until the target is reached, the training steps are made, or `interrupted` says so.

        Raises `RunError`; if all would be well without the actor that failed, what the others hold is saved.
        """
        try:
            return self._run(interrupted)
        except (OSError, ray.exceptions.RaySystemError) as error:
            if self.head is None or self.head.daemon_answers():
                raise
            raise self.restarts.without_daemon() from error
        finally:
            self.saves.abandon()

    def _run(self, interrupted: Callable[[], bool]) -> Reason:
        """See `run`."""
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
                self.session.insist(partial(self.save, lost))
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
            self.snapshots.go_on()
            self.wait(STATUS_SECONDS)
            if time.perf_counter() >= self._next_status:
                self.report()
            self.reason = self.reason or self.session.reason_to_stop(interrupted)
            self.saves.go_on()
        self.deadlines.ending = True
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
        dropped: Callable[[], object] = forgotten,
    ) -> None:
        """Notes the call as one in flight; the loop takes its result."""
        self.calls[result.where] = Call(actor, queue or actor, done, inputs, awaited, dropped)

    def busy(self, queue: str) -> bool:
        """Whether a call is in flight that took its turn in `queue`, or it waits for a checkpoint's cut."""
        return queue in self.saves.held or any(call.queue == queue for call in self.calls.values())

    def in_flight(self, actors: Collection[str]) -> bool:
        """Whether a call of one of these is."""
        return any(call.actor in actors for call in self.calls.values())

    def slowest(self, name: str) -> float:
        """See `BesideDriver`."""
        return self.deadlines.slowest(name)

    def save(self, without: Collection[str] = ()) -> None:
        """See `Driver`; the parts are written by the actors (`runs/background_save.py`)."""
        self.saves.last(without)

    def value(self, result: Pending[R]) -> R:
        """A result, fetched into this process."""
        fetched: R = ray.get(result.where)
        return fetched

    def wait(self, seconds: float) -> None:
        """Waits until a call has returned, takes all results that are there, and looks for what is wrong."""
        if not self.calls:
            time.sleep(min(seconds, IDLE_SECONDS))
        elif ray.wait(list(self.calls), timeout=seconds)[0]:
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

"""A run on Ray: the actors work at the same time, and one loop hands on what they return.

Data flows by reference: histories go from self-play into the buffer, batches from the buffer into the
trainer, weights from the trainer into the storage, without passing through this process. Every actor has
a bounded number of calls in flight, each of well under a second; a call is issued again when its result is
there and the pacing allows it, so waiting, stopping and noticing a lost actor need nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

import ray

from core.actor_kinds import (
    BUFFER,
    EVALUATOR,
    REANALYSE,
    SELF_PLAY,
    STORAGE,
    TRAINER,
    ActorKind,
    Member,
    members,
)
from data import BufferStatus, EvaluationResult, PlayReport, Snapshot, TrainingResult, Video
from runs.actors import Launcher
from runs.failures import Failure, Restarts, RunError, evidence_of, failure_of
from runs.judge import Job
from runs.pacing import Pacing
from runs.session import Reason, Session

MOVES_PER_CALL = 32
TRAIN_SECONDS = 0.05
"""What one call of the trainer should take; two are in flight."""
MAX_UPDATES_PER_CALL = 16
"""So few that the priorities by which their batches are drawn are fresh."""
STATUS_SECONDS = 0.25
PUBLICATION, STARTS = "publication", "starts"
"""The queues of the trainer's calls that give its weights, and of all actors' first ones."""
UNSAVED = (EVALUATOR.name, PUBLICATION, STARTS)
"""Queues of calls that change nothing that a checkpoint keeps."""


class Input(NamedTuple):
    """What one actor returns and another one is given, without passing through this process."""

    actor: str  # whose result it is
    ref: Any


class Call(NamedTuple):
    """A remote call in flight."""

    actor: str  # whose it is
    queue: str  # whose turn it takes: mostly the same actor's
    done: Callable[[Any], None]  # what to do with its result
    inputs: tuple[Input, ...] = ()  # in the order in which they are made

    def origin(self, error: Exception) -> tuple[str, Exception]:
        """The actor whose failure `error` is, and what happened to it: an input may have failed before."""
        for actor, ref in self.inputs:
            try:
                if ray.wait([ref], timeout=0)[0]:
                    ray.get(ref)
            except ray.exceptions.RayError as earlier:
                return actor, earlier
        return self.actor, error


class RayRun:
    """The actors of a run and the calls that they are working on."""

    def __init__(self, session: Session, launcher: Launcher) -> None:
        self.session, self.config, self.launcher = session, session.config, launcher
        self.pacing = Pacing(self.config, session.log.counters)
        session.plays_on(launcher.player_device)
        self.calls: dict[Any, Call] = {}
        self.reason: Reason | None = None
        self._steps_in_flight: dict[str, int] = {}
        self._steps_arriving = 0  # played, and on the way to the buffer
        self._updates_in_flight: list[int] = []
        self._updates_per_call = 1
        self._published: tuple[int, Any] | None = None  # version, reference to the weights
        self._judged: tuple[int, Any] | None = None  # the weights of the evaluation in progress
        self._deciding = False  # it may end the run: what is played meanwhile may be for nothing
        self._next_publication = self._next_status = 0.0
        self._next_evaluation = time.perf_counter()
        self.restarts = Restarts(session.folder)
        self._targets: dict[str, int] = {}  # which target network each reanalysis worker has
        self._members = {member.name: member for member in members(self.config)}
        self.actors: dict[str, Any] = {}
        self._launch_all()

    # --- actors ---

    @property
    def trainer(self) -> Any:
        """The trainer."""
        return self.actors[TRAINER.name]

    @property
    def buffer(self) -> Any:
        """The replay buffer."""
        return self.actors[BUFFER.name]

    @property
    def storage(self) -> Any:
        """The shared storage."""
        return self.actors[STORAGE.name]

    @property
    def evaluator(self) -> Any:
        """The worker that plays greedy games, if there is one."""
        return self.actors.get(EVALUATOR.name)

    def _names(self, kind: ActorKind) -> list[str]:
        """Of all actors of this kind."""
        return [name for name, member in self._members.items() if member.kind is kind]

    def _launch_all(self) -> None:
        """Starts the actors; those that take longest first."""
        for name, member in self._members.items():
            self._launch(member, self.session.part(name))
        if self.session.part(BUFFER.name) is not None:
            self._call(BUFFER.name, self.buffer.status.remote(), self.session.log.stored)
        self._publish()

    def _launch(self, member: Member, state: Snapshot | None = None) -> None:
        storage = self.actors.get(STORAGE.name)
        launched = self.launcher.launch(member, storage, state, self.restarts.made)
        self.actors[member.name] = launched.actor
        if launched.started is not None:
            self._call(member.name, launched.started, _nothing, queue=STARTS)

    def _failed(self, call: Call, error: Exception) -> None:
        """Starts the actor again that `call` has lost by `error`. Raises `RunError` if that is no remedy."""
        actor, error = call.origin(error)
        if failure_of(error) is Failure.NOT_STARTED:
            return
        self.session.observer.evidence(f"actor {actor!r}: {evidence_of(error)}")
        member = self._members[actor]
        self.restarts.another(member, error)
        self._restart(member)

    def _restart(self, member: Member) -> None:
        """Replaces a lost actor by a new one, which takes up the work from what the others hold."""
        name = member.name
        self.session.observer.event(f"actor {name!r} was lost and is started again")
        self.calls = {ref: call for ref, call in self.calls.items() if name not in (call.actor, call.queue)}
        self._steps_in_flight.pop(name, None)
        self._targets.pop(name, None)
        self._launch(member)
        if member.kind is EVALUATOR:
            self._schedule_evaluation()

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

    def _saved_without(self, actor: str) -> bool:
        """Writes a checkpoint of all actors but those that fail like `actor` does; whether it could."""
        lost = {actor}
        while actor and self.session.progressed:
            self.calls = {
                ref: call for ref, call in self.calls.items() if not lost & {call.actor, call.queue}
            }
            try:
                self._save(lost)
            except RunError as another:  # a game that breaks for one player breaks for others
                actor = "" if another.actor in lost else another.actor
                lost.add(actor)
            else:
                return True
        return False

    def _loop(self, interrupted: Callable[[], bool]) -> Reason:
        while self.reason is None:
            self._issue()
            self._wait(STATUS_SECONDS)
            self._report()
            self.reason = self.reason or self.session.reason_to_stop(interrupted)
            if (self.reason is not None or self.session.checkpoint_due) and self.session.progressed:
                self._save()
        self._next_status = 0.0
        self._report()
        return self.reason

    def _call(
        self,
        actor: str,
        ref: Any,
        done: Callable[[Any], None],
        queue: str | None = None,
        inputs: tuple[Input, ...] = (),
    ) -> None:
        self.calls[ref] = Call(actor, queue or actor, done, inputs)

    def _busy(self, queue: str) -> int:
        return sum(call.queue == queue for call in self.calls.values())

    def _wait(self, seconds: float) -> None:
        """Waits until a call has returned, and takes all results that are there."""
        if not self.calls:
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

    def _issue(self) -> None:
        """Starts every call that may be started now."""
        while len(self._updates_in_flight) < 2 and self._issue_training():
            pass
        if not self._deciding:
            for name in self._names(SELF_PLAY):
                if not self._busy(name):
                    self._issue_play(name)
            for name in self._names(REANALYSE):
                if not self._busy(name):
                    self._issue_reanalysis(name)
        now = time.perf_counter()
        if now >= self._next_publication and not self._busy(PUBLICATION):
            self._publish()
        if self.evaluator is not None and now >= self._next_evaluation and self._published is not None:
            self._next_evaluation = float("inf")
            self._evaluate(self.session.judge.job())

    # --- self-play ---

    def _issue_play(self, name: str) -> None:
        counters = self.session.log.counters
        claimed = counters.added_steps + self._steps_arriving + sum(self._steps_in_flight.values())
        per_call = MOVES_PER_CALL * self.config.games_per_worker
        busy = self._steps_arriving or self._updates_in_flight
        waiting = not (busy or self._updates_due(counters.training_step))
        steps = self.pacing.steps_to_play(claimed, counters.training_step, per_call, waiting)
        if not steps:
            return
        self._steps_in_flight[name] = steps
        report, histories = self.actors[name].play.options(num_returns=2).remote(steps)
        self._call(name, report, partial(self._played, name, histories))

    def _played(self, name: str, histories: Any, report: PlayReport) -> None:
        self._steps_in_flight.pop(name, None)
        self.session.played(report)
        self._steps_arriving += report.steps
        self._call(BUFFER.name, self.buffer.add.remote(histories), partial(self._added, report.steps))

    def _added(self, played: int, status: BufferStatus) -> None:
        """The buffer has taken in what came of `played` steps; those of running games come later."""
        self._steps_arriving -= played
        self.session.log.stored(status)

    # --- training ---

    def _updates_due(self, claimed: int) -> int:
        """Updates that are paid for by steps in the buffer, beyond the `claimed` ones."""
        log = self.session.log
        return self.pacing.updates_allowed(log.counters.added_steps, claimed) if log.buffer.steps else 0

    def _issue_training(self) -> bool:
        """Gives the trainer another call, if it may make updates; whether it did."""
        counters = self.session.log.counters
        claimed = counters.training_step + sum(self._updates_in_flight)
        updates = min(self._updates_due(claimed), self._updates_per_call)
        if not updates:
            return False
        self._updates_in_flight.append(updates)
        batches = self.buffer.sample.remote(updates)
        inputs = (Input(BUFFER.name, batches),)
        self._call(TRAINER.name, self.trainer.train.remote(batches), self._trained, inputs=inputs)
        return True

    def _trained(self, result: TrainingResult) -> None:
        metrics = result.metrics
        self._updates_in_flight.pop(0)
        self.session.trained(metrics)
        rate = metrics.updates / max(metrics.seconds, 1e-6)
        self._updates_per_call = max(1, min(int(rate * TRAIN_SECONDS), MAX_UPDATES_PER_CALL))
        if self.config.PER:
            update = self.buffer.update_priorities.remote(result.positions, result.priorities)
            self._call(BUFFER.name, update, _nothing)

    # --- weights ---

    def _publish(self) -> None:
        self._next_publication = time.perf_counter() + self.config.weights_interval
        version, weights = self.trainer.published.options(num_returns=2).remote()
        self._call(TRAINER.name, version, partial(self._take_published, weights), queue=PUBLICATION)

    def _take_published(self, weights: Any, version: int) -> None:
        if self._published is None or version > self._published[0]:
            self._published = version, weights
            self._call(STORAGE.name, self.storage.publish.remote(version, [weights]), _nothing)

    # --- reanalysis ---

    def _issue_reanalysis(self, name: str) -> None:
        counters = self.session.log.counters
        if not self.pacing.reanalysis_allowed(counters.reanalysed_steps, counters.training_step):
            return
        worker = self.actors[name]
        target = counters.training_step // self.config.target_update_interval
        if self._targets.get(name) != target:  # only when it has changed: the trainer's queue is long
            self._targets[name] = target
            version, weights = self.trainer.target.options(num_returns=2).remote()
            inputs = (Input(TRAINER.name, weights),)
            self._call(name, worker.load.remote(weights, version), _nothing, inputs=inputs)
        request = self.buffer.reanalyse_request.remote(self.config.reanalyse_batch)
        refreshed = worker.refresh_any.remote(request)
        update = self.buffer.reanalyse_update_any.remote(refreshed)
        made = (Input(BUFFER.name, request), Input(name, refreshed))
        self._call(BUFFER.name, update, self.session.log.reanalysed, queue=name, inputs=made)

    # --- evaluation ---

    def _schedule_evaluation(self) -> None:
        self._deciding = False
        self._next_evaluation = time.perf_counter() + self.config.evaluation_interval

    def _evaluate(self, job: Job) -> None:
        """Starts an evaluation: of the newest weights, or once more of those just evaluated."""
        self._deciding = job.decides
        if job.fresh_weights or self._judged is None:
            self._judged = self._published
        assert self._judged is not None, "weights are published before the first evaluation"
        version, weights = self._judged
        start = self.evaluator.start_evaluation.remote(job, version, weights)
        self._call(EVALUATOR.name, start, _nothing)
        self._continue_evaluation(job)

    def _continue_evaluation(self, job: Job) -> None:
        self._call(EVALUATOR.name, self.evaluator.play.remote(), partial(self._evaluated, job))

    def _evaluated(self, job: Job, result: EvaluationResult | None) -> None:
        if result is None:
            self._continue_evaluation(job)
            return
        assert self._judged is not None
        judgement = self.session.evaluated(job, result, ray.get(self._judged[1]))
        if judgement.solved:
            self.reason = "target_reward"
        elif judgement.again is not None:
            self._evaluate(judgement.again)
        elif self.session.video_due:
            version, weights = self._judged
            self._call(EVALUATOR.name, self.evaluator.start_film.remote(version, weights), _nothing)
            self._continue_film()
        else:
            self._schedule_evaluation()

    def _continue_film(self) -> None:
        self._call(EVALUATOR.name, self.evaluator.film.remote(), self._filmed)

    def _filmed(self, video: Video | None) -> None:
        if video is None:
            self._continue_film()
            return
        self.session.filmed(video)
        self._schedule_evaluation()

    # --- reports and checkpoints ---

    def _report(self) -> None:
        now = time.perf_counter()
        if now < self._next_status:
            return
        self._next_status = now + STATUS_SECONDS
        self.session.report()
        if not self._busy(STORAGE.name):
            record = self.storage.record.remote(self.session.log.counters)
            self._call(STORAGE.name, record, _nothing)

    def _save(self, without: Collection[str] = ()) -> None:
        """Lets the calls in flight end and writes a checkpoint of what the actors then are."""
        self._drain()
        parts: dict[str, Any] = {}
        saved = [name for name, member in self._members.items() if member.kind.saved]
        for name in (name for name in saved if name not in without):
            self._call(name, self.actors[name].state.remote(), partial(parts.__setitem__, name))
        self._call(TRAINER.name, self.trainer.published.remote(), partial(parts.__setitem__, "published"))
        self._drain()  # a player that is lost now is missing from the checkpoint, and starts anew from it
        _, weights = parts.pop("published")
        self.session.save(weights, parts)

    def _drain(self) -> None:
        """Waits until no call is in flight that changes what a checkpoint keeps."""
        while any(call.queue not in UNSAVED for call in self.calls.values()):
            self._wait(STATUS_SECONDS)


def _nothing(_: Any) -> None:
    """The result is of no interest, only that the call went well."""

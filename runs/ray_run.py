"""A run on Ray: the actors work at the same time, and one loop hands on what they return.

Data flows by reference: histories go from self-play into the buffer, batches from the buffer into the
trainer, weights from the trainer into the storage, without passing through this process. Every actor has
a bounded number of calls in flight, each of well under a second; a call is issued again when its result is
there and the pacing allows it, so waiting, stopping and noticing a lost actor need nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import ray

from core.errors import ConfigurationError
from data import BufferStatus, EvaluationResult, PlayReport, Snapshot, TrainingResult, Video
from runs.actors import Launcher
from runs.judge import Job
from runs.pacing import Pacing
from runs.session import Reason, Session

MOVES_PER_CALL = 32
TRAIN_SECONDS = 0.05
"""What one call of the trainer should take; two are in flight."""
MAX_UPDATES_PER_CALL = 16
"""So few that the priorities by which their batches are drawn are fresh."""
STATUS_SECONDS = 0.25
MAX_RESTARTS = 10


class Call(NamedTuple):
    """A remote call in flight."""

    actor: str  # whose it is
    done: Callable[[Any], None]  # what to do with its result


class RayRun:
    """The actors of a run and the calls that they are working on."""

    def __init__(self, session: Session, launcher: Launcher) -> None:
        self.session, self.config, self.launcher = session, session.config, launcher
        self.pacing = Pacing(self.config, session.log.counters)
        session.log.players_on_gpu = launcher.player_device != "cpu"
        self.calls: dict[Any, Call] = {}
        self.reason: Reason | None = None
        self._steps_in_flight: dict[str, int] = {}
        self._updates_in_flight: list[int] = []
        self._updates_per_call = 1
        self._published: tuple[int, Any] | None = None  # version, reference to the weights
        self._judged: tuple[int, Any] | None = None  # the weights of the evaluation in progress
        self._deciding = False  # it may end the run: what is played meanwhile may be for nothing
        self._next_publication = self._next_status = 0.0
        self._next_evaluation = time.perf_counter()
        self._restarts = 0
        self._targets: dict[str, int] = {}  # which target network each reanalysis worker has
        self._launch_all()

    # --- actors ---

    def _launch_all(self) -> None:
        """Starts the actors; those that take longest first."""
        launcher, part = self.launcher, self.session.part
        self.trainer = launcher.trainer(part("trainer"))
        self.storage = launcher.storage()
        self.workers: dict[str, Any] = {}
        for number in range(self.config.num_workers):
            self._launch_worker(number, part(f"self_play_{number}"))
        self.buffer = launcher.buffer()
        buffer_state = part("buffer")
        if buffer_state is not None:
            self._call("buffer", self.buffer.load_state.remote(buffer_state), _nothing)
            self._call("buffer", self.buffer.status.remote(), self._added)
        self.evaluator: Any = launcher.evaluator() if self.config.evaluation_interval else None
        self.reanalysers: dict[str, Any] = {}
        for number in range(self.config.num_reanalyse_workers):
            self.reanalysers[f"reanalyse_{number}"] = launcher.reanalyse()
        self._publish()

    def _launch_worker(self, number: int, state: Snapshot | None = None) -> None:
        name = f"self_play_{number}"
        self.workers[name] = worker = self.launcher.worker(number, self.storage, self._restarts)
        if state is not None:
            self._call(name, worker.load_state.remote(state), _nothing)

    def _restart(self, name: str) -> None:
        """Replaces a lost actor by a new one, which takes up the work from what the others hold."""
        self._restarts += 1
        kind, _, number = name.rpartition("_")
        if self._restarts > MAX_RESTARTS or not (kind in ("self_play", "reanalyse") or name == "evaluator"):
            raise ConfigurationError(
                f"the process of actor {name!r} died (out of memory?); "
                f"'python muzero.py resume {self.session.folder}' goes on from the newest checkpoint"
            )
        self.session.observer.event(f"actor {name!r} was lost and is started again")
        self.calls = {ref: call for ref, call in self.calls.items() if call.actor != name}
        if kind == "self_play":
            self._steps_in_flight.pop(name, None)
            self._launch_worker(int(number))
        elif kind == "reanalyse":
            self._targets.pop(name, None)
            self.reanalysers[name] = self.launcher.reanalyse()
        else:
            self.evaluator = self.launcher.evaluator()
            self._schedule_evaluation()

    # --- the loop ---

    def run(self, interrupted: Callable[[], bool]) -> Reason:
        """Trains until the target is reached, the training steps are made, or `interrupted` says so."""
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

    def _call(self, actor: str, ref: Any, done: Callable[[Any], None]) -> None:
        self.calls[ref] = Call(actor, done)

    def _busy(self, actor: str) -> int:
        return sum(call.actor == actor for call in self.calls.values())

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
                result = ray.get(ref)
            except ray.exceptions.RayActorError as error:
                if error.actor_init_failed:
                    raise start_failure(error) from None
                self._restart(call.actor)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            else:
                call.done(result)

    def _issue(self) -> None:
        """Starts every call that may be started now."""
        while len(self._updates_in_flight) < 2 and self._issue_training():
            pass
        if not self._deciding:
            for name in self.workers:
                if not self._busy(name):
                    self._issue_play(name)
            for name in self.reanalysers:
                if not self._busy(name):
                    self._issue_reanalysis(name)
        now = time.perf_counter()
        if now >= self._next_publication and not self._busy("publication"):
            self._publish()
        if self.evaluator is not None and now >= self._next_evaluation and self._published is not None:
            self._next_evaluation = float("inf")
            self._evaluate(self.session.judge.job())

    # --- self-play ---

    def _issue_play(self, name: str) -> None:
        counters = self.session.log.counters
        claimed = counters.played_steps + sum(self._steps_in_flight.values())
        per_call = MOVES_PER_CALL * self.config.games_per_worker
        stored = self.session.log.buffer.steps > 0 or self._busy("buffer") > 0
        steps = self.pacing.steps_to_play(claimed, counters.training_step, per_call, stored)
        if not steps:
            return
        self._steps_in_flight[name] = steps
        report, histories = self.workers[name].play.options(num_returns=2).remote(steps)
        self._call(name, report, partial(self._played, name, histories))

    def _played(self, name: str, histories: Any, report: PlayReport) -> None:
        self._steps_in_flight.pop(name, None)
        self.session.log.played(report)
        self._call("buffer", self.buffer.add.remote(histories), self._added)

    def _added(self, status: BufferStatus) -> None:
        self.session.log.buffer = status

    # --- training ---

    def _issue_training(self) -> bool:
        """Gives the trainer another call, if it may make updates; whether it did."""
        counters = self.session.log.counters
        claimed = counters.training_step + sum(self._updates_in_flight)
        allowed = self.pacing.updates_allowed(counters.played_steps, claimed)
        updates = min(allowed, self._updates_per_call)
        if not updates or not self.session.log.buffer.steps:
            return False
        self._updates_in_flight.append(updates)
        batches = self.buffer.sample.remote(updates)
        self._call("trainer", self.trainer.train.remote(batches), self._trained)
        return True

    def _trained(self, result: TrainingResult) -> None:
        metrics = result.metrics
        self._updates_in_flight.pop(0)
        self.session.log.trained(metrics)
        rate = metrics.updates / max(metrics.seconds, 1e-6)
        self._updates_per_call = max(1, min(int(rate * TRAIN_SECONDS), MAX_UPDATES_PER_CALL))
        if self.config.PER:
            update = self.buffer.update_priorities.remote(result.positions, result.priorities)
            self._call("buffer", update, _nothing)

    # --- weights ---

    def _publish(self) -> None:
        self._next_publication = time.perf_counter() + self.config.weights_interval
        version, weights = self.trainer.published.options(num_returns=2).remote()
        self._call("publication", version, partial(self._take_published, weights))

    def _take_published(self, weights: Any, version: int) -> None:
        if self._published is None or version > self._published[0]:
            self._published = version, weights
            self._call("storage", self.storage.publish.remote(version, [weights]), _nothing)

    # --- reanalysis ---

    def _issue_reanalysis(self, name: str) -> None:
        counters = self.session.log.counters
        if not self.pacing.reanalysis_allowed(counters.reanalysed_steps, counters.training_step):
            return
        worker = self.reanalysers[name]
        target = counters.training_step // self.config.target_update_interval
        if self._targets.get(name) != target:  # only when it has changed: the trainer's queue is long
            self._targets[name] = target
            version, weights = self.trainer.target.options(num_returns=2).remote()
            self._call(name, worker.load.remote(weights, version), _nothing)
        request = self.buffer.reanalyse_request.remote(self.config.reanalyse_batch)
        refreshed = worker.refresh_any.remote(request)
        self._call(name, self.buffer.reanalyse_update_any.remote(refreshed), self.session.log.reanalysed)

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
        start = self.evaluator.start.remote(job.games, job.seed, version, weights, job.opponent)
        self._call("evaluator", start, _nothing)
        self._continue_evaluation(job)

    def _continue_evaluation(self, job: Job) -> None:
        self._call("evaluator", self.evaluator.play.remote(), partial(self._evaluated, job))

    def _evaluated(self, job: Job, result: EvaluationResult | None) -> None:
        if result is None:
            self._continue_evaluation(job)
            return
        assert self._judged is not None
        verdict = self.session.evaluated(job, result, ray.get(self._judged[1]))
        if verdict.solved:
            self.reason = "target_reward"
        elif verdict.again is not None:
            self._evaluate(verdict.again)
        elif self.session.video_due:
            version, weights = self._judged
            self._call("evaluator", self.evaluator.start_film.remote(version, weights), _nothing)
            self._continue_film()
        else:
            self._schedule_evaluation()

    def _continue_film(self) -> None:
        self._call("evaluator", self.evaluator.film.remote(), self._filmed)

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
        if not self._busy("storage"):
            record = self.storage.record.remote(self.session.log.counters)
            self._call("storage", record, _nothing)

    def _save(self) -> None:
        """Lets the calls in flight end and writes a checkpoint of what the actors then are."""
        self._drain()
        parts: dict[str, Any] = {}
        for name, actor in {"trainer": self.trainer, "buffer": self.buffer, **self.workers}.items():
            self._call(name, actor.state.remote(), partial(parts.__setitem__, name))
        self._call("trainer", self.trainer.published.remote(), partial(parts.__setitem__, "published"))
        self._drain()  # a player that is lost now is missing from the checkpoint, and starts anew from it
        _, weights = parts.pop("published")
        self.session.save(weights, parts)

    def _drain(self) -> None:
        """Waits until no call is in flight that changes what a checkpoint keeps."""
        while any(call.actor not in ("evaluator", "publication") for call in self.calls.values()):
            self._wait(STATUS_SECONDS)


def start_failure(error: ray.exceptions.RayActorError) -> Exception:
    """What an actor's constructor raised. Of that, Ray passes on the text only; its last line says it."""
    kind, _, message = str(error).strip().splitlines()[-1].partition(": ")
    ours = kind.rpartition(".")[2] in ("ConfigurationError", "GameError")
    return ConfigurationError(message) if ours else error


def _nothing(_: Any) -> None:
    """The result is of no interest, only that the call went well."""

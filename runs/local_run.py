"""A run without Ray: the same parts in one process, in a fixed order, in rounds that repeat bit for bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from arena.evaluator import Evaluator
from core.actor_kinds import BUFFER, REANALYSE, SELF_PLAY, TRAINER
from core.randomness import Stream, make_generator
from data import Snapshot, VersionedWeights, Weights
from playing.environment import GameError
from replay_buffer import Reanalyse, ReplayBuffer
from runs.judge import Job
from runs.pacing import Pacing
from runs.session import Reason, Session
from search.planner import self_play_planner
from self_play import SelfPlay
from shared_storage import LocalSource, SharedStorage
from trainer import Trainer

UPDATES_PER_ROUND = 16
MOVES_PER_ROUND = 8


class LocalRun:
    """Every part once, in this process. What a round does depends on the counters only, never on time."""

    def __init__(self, session: Session, device: str) -> None:
        config = self.config = session.config
        self.session = session
        self.pacing = Pacing(config, session.log.counters)
        self.trainer = Trainer(config, device)
        self.buffer = ReplayBuffer(config, make_generator(config.seed, Stream.BUFFER))
        self.storage: SharedStorage[VersionedWeights] = SharedStorage()
        player_device = config.playing_device(device)
        session.plays_on(player_device)
        source = LocalSource(self.storage)
        self.workers = [
            SelfPlay(session.spec, config, worker, source, self_play_planner(config, player_device))
            for worker in range(SELF_PLAY.count(config))
        ]
        self.reanalyse = Reanalyse(config, player_device) if REANALYSE.count(config) else None
        self.evaluator = Evaluator(session.spec, config, player_device)
        self._next_evaluation = time.perf_counter() + config.evaluation_interval
        for name, part in self._parts().items():
            state = session.part(name)
            if state is not None:
                part.load_state(state)
        session.log.stored(self.buffer.status())
        self._publish()

    def _parts(self) -> dict[str, Trainer | ReplayBuffer | SelfPlay]:
        players = {m.name: self.workers[m.number] for m in SELF_PLAY.members(self.config)}
        return {TRAINER.name: self.trainer, BUFFER.name: self.buffer, **players}

    def run(self, interrupted: Callable[[], bool]) -> Reason:
        """Trains until the target is reached, the training steps are made, or `interrupted` says so.

        Raises `GameError` when the game breaks; a checkpoint without the running games is written before.
        """
        try:
            return self._rounds(interrupted)
        except GameError as error:
            if not self.session.progressed:
                raise
            self._save(without=[member.name for member in SELF_PLAY.members(self.config)])
            raise GameError(f"{error}; {self.session.kept}") from error

    def _rounds(self, interrupted: Callable[[], bool]) -> Reason:
        while True:
            self.round()
            due = self.config.evaluation_interval and time.perf_counter() >= self._next_evaluation
            solved = self.evaluate() if due else False
            reason = "target_reward" if solved else self.session.reason_to_stop(interrupted)
            if reason is not None or self.session.checkpoint_due:
                self._save()
            self.session.report()
            if reason is not None:
                return reason

    def round(self) -> None:
        """Plays, then trains, as far as the ratio allows."""
        self._play()
        self._train()
        self._publish()

    def _play(self) -> None:
        log = self.session.log
        per_round = MOVES_PER_ROUND * self.config.games_per_worker
        for worker in self.workers:
            added, updates = log.counters.added_steps, log.counters.training_step
            waiting = not log.buffer.steps or not self.pacing.updates_allowed(added, updates)
            steps = self.pacing.steps_to_play(added, updates, per_round, waiting)
            if steps:
                report, histories = worker.play(steps, seconds=float("inf"))
                log.stored(self.buffer.add(histories))
                self.session.played(report)

    def _train(self) -> None:
        counters = self.session.log.counters
        updates = self.pacing.updates_allowed(counters.added_steps, counters.training_step)
        if not updates or not self.session.log.buffer.steps:
            return
        result = self.trainer.train(self.buffer.sample(min(updates, UPDATES_PER_ROUND)))
        self.session.trained(result.metrics)
        if self.config.PER:
            self.buffer.update_priorities(result.positions, result.priorities)
        self._reanalyse()

    def _reanalyse(self) -> None:
        counters = self.session.log.counters
        if self.reanalyse is None or not self.pacing.reanalysis_allowed(
            counters.reanalysed_steps, counters.training_step
        ):
            return
        request = self.buffer.reanalyse_request(self.config.reanalyse_batch)
        if request is not None:
            self.reanalyse.load(self.trainer.target_weights(), self.trainer.target_step)
            self.buffer.reanalyse_update(self.reanalyse.refresh(request))
            self.session.log.reanalysed(len(request.positions))

    def _publish(self) -> None:
        version = self.trainer.training_step
        self.storage.publish(version, VersionedWeights(version, self.trainer.weights()))

    def evaluate(self) -> bool:
        """Evaluates; whether the target was reached."""
        job: Job | None = self.session.judge.job()
        weights = self.trainer.weights()
        solved = False
        while job is not None:
            self.evaluator.start(job.games, job.seed, self.trainer.training_step, weights, job.opponent)
            result = self.evaluator.play(seconds=float("inf"))
            assert result is not None, "unlimited play ends with a result"
            judgement = self.session.evaluated(job, result, weights)
            job, solved = judgement.again, judgement.solved
        if self.session.video_due and not solved:
            self._film(weights)
        self._next_evaluation = time.perf_counter() + self.config.evaluation_interval
        return solved

    def _film(self, weights: Weights) -> None:
        from showing.background_film import BackgroundFilm

        step = self.trainer.training_step
        video = BackgroundFilm(self.session.spec, self.config, step, weights, self.evaluator.device).go_on()
        assert video is not None, "unlimited filming ends with a film"
        self.session.filmed(video)

    def _save(self, without: Sequence[str] = ()) -> None:
        parts = {name: part for name, part in self._parts().items() if name not in without}
        states: dict[str, Snapshot] = {name: part.state() for name, part in parts.items()}
        self.session.save(self.trainer.weights(), states)

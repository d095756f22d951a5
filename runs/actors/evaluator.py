"""The actor that plays greedy games, to judge the newest weights and to film them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from arena.evaluator import Evaluator
from core import actor_kinds
from data import EvaluationResult, Video, Weights
from playing.environment import GameError
from runs.actors.shell import Setup, Shell
from runs.driver import Driver, Duty, Publication, Role, nothing
from runs.handles import Handle, Pending
from runs.judge import Job

R = TypeVar("R")


class NoFilm(NamedTuple):
    """A film that cannot be made."""

    why: str


class EvaluatorActor(Shell[Evaluator]):
    """`Evaluator` that films games between evaluations, in slices as well."""

    def _build(self, setup: Setup) -> Evaluator:
        return Evaluator(setup.game.make(), setup.config, setup.device, caution=setup.caution)

    def start_evaluation(self, job: Job, version: int, weights: Weights) -> None:
        """Sets up `job`'s games with `weights`, which `version` updates have made."""
        self.part.start(job.games, job.seed, version, weights, job.opponent)

    def play(self, seconds: float = 0.5) -> EvaluationResult | None:
        """See `Evaluator`."""
        return self.part.play(seconds)

    def start_film(self, version: int, weights: Weights) -> None:
        """Sets up the film of a game of `weights`, which `version` updates have made."""
        from showing.background_film import BackgroundFilm

        judge = self.part
        self._filming = BackgroundFilm(judge.spec, judge.config, version, weights, judge.device)

    def film(self, seconds: float = 0.5) -> Video | NoFilm | None:
        """Goes on for about `seconds`; the film once it is complete or cannot be made, None before."""
        try:
            return self._filming.go_on(seconds)
        except GameError as error:
            return NoFilm(str(error))


class EvaluatorDuty(Duty[EvaluatorActor]):
    """Evaluates now and then, as often as the judge asks for, and films a game when one is due."""

    def __init__(self, driver: Driver, names: Sequence[str]) -> None:
        super().__init__(driver, names)
        self._next = time.perf_counter() + driver.rhythm.first_evaluation if names else math.inf
        self._judged: Publication | None = None  # the weights of the evaluation in progress

    @property
    def _evaluator(self) -> Handle[EvaluatorActor]:
        return self.actor(self.names[0])

    def issue(self) -> None:
        """Begins an evaluation if it is time."""
        if time.perf_counter() >= self._next and self.driver.published is not None:
            self.evaluate()

    def evaluate(self) -> None:
        """Begins the next regular evaluation, of the newest weights."""
        self._next = math.inf
        self._evaluate(self.driver.session.judge.job())

    def lost(self, name: str) -> None:
        """Its evaluation is not taken up again."""
        self._schedule()

    def _schedule(self) -> None:
        self.driver.deciding = False
        self._next = time.perf_counter() + self.driver.config.evaluation_interval

    def _call(self, result: Pending[R], done: Callable[[R], object]) -> None:
        self.driver.call(self.names[0], result, done, awaited=False)

    def _evaluate(self, job: Job) -> None:
        """Starts an evaluation: of the newest weights, or once more of those just evaluated."""
        self.driver.deciding = job.decides
        if job.fresh_weights or self._judged is None:
            self._judged = self.driver.published
        assert self._judged is not None, "weights are published before the first evaluation"
        version, weights = self._judged
        self._call(self._evaluator.call(EvaluatorActor.start_evaluation, job, version, weights), nothing)
        self._continue_evaluation(job)

    def _continue_evaluation(self, job: Job) -> None:
        seconds = self.driver.rhythm.call_seconds
        self._call(self._evaluator.call(EvaluatorActor.play, seconds), partial(self._evaluated, job))

    def _evaluated(self, job: Job, result: EvaluationResult | None) -> None:
        if result is None:
            self._continue_evaluation(job)
            return
        assert self._judged is not None
        session = self.driver.session
        judgement = session.evaluated(job, result, self.driver.value(self._judged.weights))
        if judgement.solved:
            self.driver.reason = "target_reward"
        elif judgement.again is not None:
            self._evaluate(judgement.again)
        elif session.video_due:
            version, weights = self._judged
            self._call(self._evaluator.call(EvaluatorActor.start_film, version, weights), nothing)
            self._continue_film()
        else:
            self._schedule()

    def _continue_film(self) -> None:
        self._call(self._evaluator.call(EvaluatorActor.film, self.driver.rhythm.call_seconds), self._filmed)

    def _filmed(self, video: Video | NoFilm | None) -> None:
        if video is None:
            self._continue_film()
            return
        session = self.driver.session
        if isinstance(video, NoFilm):
            session.not_filmed(video.why)
        else:
            session.filmed(video)
        self._schedule()


EVALUATOR = Role(actor_kinds.EVALUATOR, EvaluatorActor, EvaluatorDuty)

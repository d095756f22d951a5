"""When to evaluate, which weights were the best, and whether the target has been reached."""

from __future__ import annotations

import math
from typing import NamedTuple

from config import MuZeroConfig
from core.randomness import Stream, child_seed
from core.wording import counted
from data import EvaluationResult, Snapshot


class Job(NamedTuple):
    """An evaluation to be run."""

    games: int
    seed: int
    decides: bool  # whether reaching the target reward ends the training
    fresh_weights: bool  # the newest weights, or again those of the evaluation before
    opponent: str | None = None  # in a game for two


class Judgement(NamedTuple):
    """What an evaluation means."""

    best: bool  # these weights are to be kept: the best so far, or those that reached the target
    solved: bool  # target_reward was reached by target_games fresh games
    again: Job | None  # an evaluation to be run next with the same weights


LONG = 10
"""Evaluations in a row after which a fall is said."""
CLEAR = 2.0
"""Standard deviations of single games by which the best one's mean must be higher."""


class FallWatch:
    """Notices that a run evaluates far below its best for long.

    The rule: `LONG` evaluations in a row, each of whose means is nearer to the lowest of the run than to the
    best one, and below the best by more than `CLEAR` standard deviations of these games.
    """

    def __init__(self) -> None:
        self.lowest = math.inf  # mean of the run
        self.in_a_row = 0

    def read(self, result: EvaluationResult, best: EvaluationResult) -> bool:
        """Takes note of a result; whether the fall is to be said now."""
        self.lowest = min(self.lowest, result.mean)
        spread = math.sqrt((result.returns.var() + best.returns.var()) / 2)
        below = best.mean - result.mean
        far = below > (best.mean - self.lowest) / 2 and below > CLEAR * spread
        self.in_a_row = self.in_a_row + 1 if far else 0
        return self.in_a_row == LONG


class Judge:
    """Reads evaluations. Their games start from seeds that no other evaluation and no training game uses.

    A game for two is played against one opponent after another; the first one decides.
    """

    def __init__(self, config: MuZeroConfig) -> None:
        self.config = config
        self.best: EvaluationResult | None = None
        self.opponents: tuple[str | None, ...] = config.opponents if config.players > 1 else (None,)
        self._newest: dict[str | None, EvaluationResult] = {}
        self._evaluations = 0
        self._solved = False
        self._falls = FallWatch()
        self._said_fall = False
        self.fall: str | None = None  # what there is to say of the result read last

    @property
    def solved(self) -> bool:
        """Whether the target, as it is now, was reached in this sitting or an earlier one."""
        target, best = self.config.target_reward, self.best
        return self._solved and target is not None and best is not None and best.mean >= target

    @property
    def evaluations(self) -> tuple[EvaluationResult, ...]:
        """The newest result against each opponent, the deciding one's first."""
        return tuple(self._newest[name] for name in self.opponents if name in self._newest)

    def state(self) -> Snapshot:
        """What it takes to go on judging."""
        best = self.best
        names = ("returns", "lengths", "seats")
        arrays = {name: getattr(best, name) for name in names} if best is not None else {}
        version = best.version if best else 0
        facts = {"evaluations": self._evaluations, "version": version, "solved": self._solved}
        return Snapshot(arrays, facts)

    def load_state(self, state: Snapshot) -> None:
        """Goes on from `state`."""
        self._evaluations = state.facts["evaluations"]
        self._solved = state.facts.get("solved") is True  # earlier versions did not say
        if state.arrays:
            self.best = EvaluationResult(
                returns=state.arrays["returns"],
                lengths=state.arrays["lengths"],
                version=state.facts["version"],
                seats=state.arrays["seats"],
                opponent=self.opponents[0],
            )

    def job(self) -> Job:
        """The next regular evaluation."""
        return self._job(self.opponents[0])

    def _job(self, opponent: str | None, decides: bool = False) -> Job:
        self._evaluations += 1
        seed = child_seed(self.config.seed, Stream.JUDGE, self._evaluations)
        games = self.config.target_games if decides else self.config.evaluation_games
        fresh_weights = opponent == self.opponents[0] and not decides
        return Job(games, seed, decides, fresh_weights, opponent)

    def _next_job(self, opponent: str | None) -> Job | None:
        """The job with the opponent after `opponent`, if there is one."""
        following = self.opponents.index(opponent) + 1
        return self._job(self.opponents[following]) if following < len(self.opponents) else None

    def read(self, job: Job, result: EvaluationResult) -> Judgement:
        """Takes note of a result. A regular one at the target calls for `target_games` fresh games."""
        self._newest[job.opponent] = result
        self.fall = None
        if job.opponent != self.opponents[0]:
            return Judgement(False, False, self._next_job(job.opponent))
        target = self.config.target_reward
        reached = target is not None and result.mean >= target
        solved = reached and job.decides
        self._solved |= solved
        best = solved or self._is_best(result)
        if best:
            self.best = result
        self.fall = self._fall(result)
        decides = reached and not job.decides
        again = self._job(job.opponent, decides=True) if decides else self._next_job(job.opponent)
        return Judgement(best, solved, again)

    def _fall(self, result: EvaluationResult) -> str | None:
        """A line, once, if the run evaluates far below its best for long."""
        assert self.best is not None
        if not self._falls.read(result, self.best) or self._said_fall:
            return None
        self._said_fall = True
        return (
            f"warning: the last {LONG} evaluations are far below the best ({result.mean:.1f} now, "
            f"{self.best.mean:.1f} after {counted(self.best.version, 'update')}): best.checkpoint keeps that "
            "one; docs/troubleshooting.md says what helps"
        )

    def _is_best(self, result: EvaluationResult) -> bool:
        """Whether it beats the best (at equal means with no fewer games) or is a truer one of its weights."""
        if self.best is None:
            return True
        games, before = len(result.returns), len(self.best.returns)
        same_weights = result.version == self.best.version
        return (result.mean, games) >= (self.best.mean, before) or (same_weights and games > before)

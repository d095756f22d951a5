"""When to evaluate, which weights were the best, and whether the target has been reached."""

from __future__ import annotations

from typing import NamedTuple

from config import MuZeroConfig
from data import EvaluationResult, State


class Job(NamedTuple):
    """An evaluation to be run."""

    games: int
    seed: int
    decides: bool  # whether reaching the target reward ends the training
    fresh_weights: bool  # the newest weights, or again those of the evaluation before


class Verdict(NamedTuple):
    """What an evaluation means."""

    best: bool  # these weights are to be kept: the best so far, or those that reached the target
    solved: bool  # target_reward was reached by target_games fresh games
    again: Job | None  # an evaluation to be run next with the same weights


class Judge:
    """Reads evaluations. Their games start from seeds that no other evaluation and no training game uses."""

    def __init__(self, config: MuZeroConfig) -> None:
        self.config = config
        self.best: EvaluationResult | None = None
        self.newest: EvaluationResult | None = None
        self._evaluations = 0

    def state(self) -> State:
        """What it takes to go on judging."""
        best = self.best
        arrays = {"returns": best.returns, "lengths": best.lengths} if best is not None else {}
        return State(arrays, {"evaluations": self._evaluations, "version": best.version if best else 0})

    def load_state(self, state: State) -> None:
        """Goes on from `state`."""
        self._evaluations = state.facts["evaluations"]
        if state.arrays:
            self.best = EvaluationResult(
                state.arrays["returns"], state.arrays["lengths"], state.facts["version"]
            )

    def job(self) -> Job:
        """The next regular evaluation."""
        return self._job(self.config.evaluation_games, decides=False)

    def _job(self, games: int, decides: bool) -> Job:
        self._evaluations += 1
        return Job(games, self.config.seed * SEEDS_PER_RUN + self._evaluations, decides, not decides)

    def read(self, job: Job, result: EvaluationResult) -> Verdict:
        """Takes note of a result. A regular one at the target calls for `target_games` fresh games."""
        self.newest = result
        target = self.config.target_reward
        reached = target is not None and result.mean >= target
        solved = reached and job.decides
        best = solved or self._is_best(result)
        if best:
            self.best = result
        again = self._job(self.config.target_games, decides=True) if reached and not job.decides else None
        return Verdict(best, solved, again)

    def _is_best(self, result: EvaluationResult) -> bool:
        """Whether it beats the best (at equal means with no fewer games) or is a truer one of its weights."""
        if self.best is None:
            return True
        games, before = len(result.returns), len(self.best.returns)
        same_weights = result.version == self.best.version
        return (result.mean, games) >= (self.best.mean, before) or (same_weights and games > before)


SEEDS_PER_RUN = 1 << 20

"""What a training keeps whichever way its parts run: its folder, its log, its judge and its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from checkpoint import BEST_NAME, Checkpoint, save_best, save_generation
from config import MuZeroConfig
from data import Counters, EvaluationResult, State, Weights
from judge import Job, Judge, Verdict
from run_log import Observer, RunLog

Reason = Literal["target_reward", "training_steps", "interrupted"]


class TrainingOutcome(NamedTuple):
    """How a training ended."""

    reason: Reason
    counters: Counters
    evaluation: EvaluationResult | None  # the newest; of target_games games if the target was reached


class Session:
    """One sitting of a run, new or resumed."""

    def __init__(
        self, game: str, config: MuZeroConfig, folder: Path, observer: Observer, resumed: Checkpoint | None
    ) -> None:
        self.game, self.config, self.folder, self.observer = game, config, folder, observer
        self.resumed = resumed
        self.log = RunLog(config, resumed.counters if resumed else Counters())
        self.judge = Judge(config)
        if resumed and "judge" in resumed.parts:
            self.judge.load_state(resumed.parts["judge"])
        self._next_checkpoint = time.perf_counter() + config.checkpoint_interval

    def part(self, name: str) -> State | None:
        """The state of part `name` in the checkpoint that this sitting goes on from."""
        return self.resumed.parts.get(name) if self.resumed else None

    @property
    def progressed(self) -> bool:
        """Whether this sitting has done anything that a checkpoint would keep."""
        before = self.resumed.counters if self.resumed else Counters()
        now = self.log.counters
        return (now.training_step, now.played_steps) != (before.training_step, before.played_steps)

    @property
    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.perf_counter() >= self._next_checkpoint

    def reason_to_stop(self, interrupted: Callable[[], bool]) -> Reason | None:
        """Why training is to end here although the target was not reached, if it is."""
        if self.log.counters.training_step >= self.config.training_steps:
            return "training_steps"
        return "interrupted" if interrupted() else None

    def save(self, weights: Weights, parts: dict[str, State]) -> Path:
        """Writes a checkpoint generation; `parts` are the states of trainer, buffer and players."""
        checkpoint = self._checkpoint(weights, parts | {"judge": self.judge.state()})
        path = save_generation(self.folder, checkpoint, self.config.keep_checkpoints)
        self._next_checkpoint = time.perf_counter() + self.config.checkpoint_interval
        return path

    def evaluated(self, job: Job, result: EvaluationResult, weights: Weights) -> Verdict:
        """Judges an evaluation of `weights`, and keeps them if they are the best so far."""
        verdict = self.judge.read(job, result)
        if verdict.best:
            save_best(self.folder / BEST_NAME, self._checkpoint(weights, {}, result.mean))
        if verdict.solved:
            counters = self.log.counters
            self.observer.event(
                f"solved: mean of {len(result.returns)} greedy games {result.mean:.1f} "
                f"(target {self.config.target_reward:g}) after {counters.training_step} updates, "
                f"{counters.played_steps} played steps, {self.log.seconds:.1f} s of training"
            )
        return verdict

    def _checkpoint(
        self, weights: Weights, parts: dict[str, State], evaluation: float | None = None
    ) -> Checkpoint:
        return Checkpoint(
            self.game, self.config.to_json(), weights, self.log.counters, parts=parts, evaluation=evaluation
        )

    def outcome(self, reason: Reason) -> TrainingOutcome:
        """How this sitting ended."""
        return TrainingOutcome(reason, self.log.counters, self.judge.newest)

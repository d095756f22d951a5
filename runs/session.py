"""What a training keeps whichever way its parts run: its folder, its log, its judge and its checkpoints."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from arena.registry import Registry
from config import MuZeroConfig
from core.actor_kinds import JUDGE, ActorKind
from core.cost import NOTHING
from core.errors import ConfigurationError
from core.supports import support_needed
from core.wording import counted
from data import Counters, EvaluationResult, PlayReport, Snapshot, TrainingMetrics, Video, Weights
from games.api.spec import GameSpec
from runs.judge import Job, Judge, Judgement
from runs.process_meter import ProcessMeter
from runs.run_log import RunLog
from runs.status import Observer
from saving.checkpoint import Checkpoint, load_checkpoint, save_best, save_generation
from saving.files import CheckpointError
from saving.run_folder import BEST_NAME, best_of

if TYPE_CHECKING:
    from showing.agent import Agent

Reason = Literal["target_reward", "training_steps", "training_minutes", "interrupted", "callback"]


class TrainingOutcome(NamedTuple):
    """How a training ended."""

    reason: Reason
    counters: Counters
    evaluation: EvaluationResult | None  # the newest that judges; of target_games games if it ended the run
    game: GameSpec
    folder: Path  # of the run

    @property
    def agent(self) -> Agent:
        """The agent that evaluated best, to play with; without evaluations that of the newest weights.

        Raises `CheckpointError` when the run has saved none.
        """
        from showing.agent import Agent

        return Agent.load(best_of(self.folder), self.game)


class Session:
    """One sitting of a run, new or resumed.

    Memory and processor time are measured if all of the run's processes are on `this_machine`.
    """

    def __init__(
        self,
        game: GameSpec,
        config: MuZeroConfig,
        folder: Path,
        observer: Observer,
        resumed: Checkpoint | None,
        this_machine: bool = True,
    ) -> None:
        self.spec = game
        self.game = game.name
        self.config, self.folder, self.observer = config, folder, observer
        self.resumed = resumed
        before, cost = (resumed.counters, resumed.cost) if resumed else (Counters(), NOTHING)
        self.log = RunLog(config, before, cost)
        self._meter = ProcessMeter() if this_machine else None
        self.judge = Judge(config)
        if resumed and JUDGE in resumed.parts:
            self.judge.load_state(resumed.parts[JUDGE])
        self._next_checkpoint = time.perf_counter() + config.checkpoint_interval
        self._last_video = before.training_step  # updates
        self._warned_of_support = False

    def consists_of(self, kinds: Sequence[ActorKind]) -> None:
        """Takes note of the run's kinds of actors, by which its processes are told apart."""
        if self._meter is not None:
            self._meter.kinds = kinds

    def plays_on(self, device: str) -> None:
        """Takes note of the device of self-play, and says what was not asked for in so many words."""
        on_gpu = self.log.players_on_gpu = device != "cpu"
        if on_gpu and self.config.selfplay_on_gpu is None:
            what = self.config.network_kind.title
            self.observer.event(f"self-play uses the GPU too, for its network is {what} (selfplay_on_gpu)")
        elif self.config.selfplay_on_gpu and not on_gpu:
            self.observer.event("selfplay_on_gpu: training has no GPU, so that self-play has none either")

    def part(self, name: str) -> Snapshot | None:
        """The state of part `name` in the checkpoint that this sitting goes on from."""
        return self.resumed.parts.get(name) if self.resumed else None

    def saved_part(self, name: str) -> Snapshot | None:
        """The state of part `name` in the newest generation, if there is one that can be read."""
        with suppress(CheckpointError):
            return load_checkpoint(self.folder).parts.get(name)
        return None

    @property
    def progressed(self) -> bool:
        """Whether this sitting has done anything that a checkpoint would keep."""
        before = self.resumed.counters if self.resumed else Counters()
        now = self.log.counters
        return (now.training_step, now.played_steps) != (before.training_step, before.played_steps)

    @property
    def kept(self) -> str:
        """What to tell of a run that has ended by a fault, once its checkpoint is written."""
        return f"what was learned is kept: 'python muzero.py resume {self.folder}' goes on from it"

    @property
    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.perf_counter() >= self._next_checkpoint

    @property
    def video_due(self) -> bool:
        """Whether it is time to film a game."""
        updates = self.log.counters.training_step - self._last_video
        return 0 < self.config.video_interval <= updates

    def filmed(self, video: Video) -> None:
        """Takes a film for the observers; the next one is due `video_interval` updates after its weights."""
        self._last_video = video.version
        self.log.video = video

    def reason_to_stop(self, interrupted: Callable[[], bool]) -> Reason | None:
        """Why training is to end here although the target was not reached, if it is."""
        if self.log.counters.training_step >= self.config.training_steps:
            return "training_steps"
        if 0 < self.config.training_minutes * 60 <= self.log.seconds:
            return "training_minutes"
        return "interrupted" if interrupted() else None

    def report(self) -> None:
        """Shows the observer how the run stands."""
        self._measure()
        self.observer.status(self.log.status(self.judge.evaluations, self.judge.best))

    def _measure(self, now: bool = False) -> None:
        """Measures the processes if it is due, or in any case `now`."""
        if self._meter is not None:
            self.log.measured(self._meter.read(now))

    def save(self, weights: Weights, parts: dict[str, Snapshot]) -> Path:
        """Writes a checkpoint generation; `parts` are the states of trainer, buffer and players."""
        checkpoint = self._checkpoint(weights, parts | {JUDGE: self.judge.state()})
        path = save_generation(self.folder, checkpoint, self.config.keep_checkpoints)
        self._next_checkpoint = time.perf_counter() + self.config.checkpoint_interval
        return path

    def played(self, report: PlayReport) -> None:
        """Takes note of self-play, and says if games of before could not be gone on with."""
        self.log.played(report)
        if report.anew:
            self.observer.event(
                f"{report.anew} running games came out otherwise when they were played again, and begin "
                "anew: does the game draw chance from elsewhere than its seed?"
            )

    def trained(self, metrics: TrainingMetrics, again: int = 0) -> None:
        """Takes note of updates, of which `again` were made before and lost with their trainer.

        Says once if their targets do not fit on the support.
        """
        self.log.trained(metrics, again)
        config, largest = self.config, metrics.largest_target
        if largest > config.support_reach and not self._warned_of_support:
            self._warned_of_support = True
            needed = support_needed(largest, config.support_transform)
            self.observer.event(
                f"warning: values or rewards of {largest:.4g} do not fit on the support, which ends at "
                f"{config.support_reach:.4g}, and are cut: --support-size {needed} would hold them"
            )

    def evaluated(self, job: Job, result: EvaluationResult, weights: Weights) -> Judgement:
        """Judges an evaluation of `weights`, and keeps them if they are the best so far."""
        judgement = self.judge.read(job, result)
        self.log.evaluated(result)
        if judgement.best:
            save_best(self.folder / BEST_NAME, self._checkpoint(weights, {}, result.mean))
        if judgement.solved:
            counters = self.log.counters
            self.observer.event(
                f"solved: mean of {len(result.returns)} greedy games {result.mean:.1f} "
                f"(target {self.config.target_reward:g}) after {counted(counters.training_step, 'update')}, "
                f"{counters.played_steps} played steps, {self.log.seconds:.1f} s of training"
            )
        return judgement

    def _checkpoint(
        self, weights: Weights, parts: dict[str, Snapshot], evaluation: float | None = None
    ) -> Checkpoint:
        self._measure(now=bool(parts))  # reading takes a tenth of a second: not for every best checkpoint
        log, config = self.log, self.config.to_json()
        found = self.spec.found
        return Checkpoint(
            self.game,
            config,
            weights,
            log.counters,
            parts,
            evaluation,
            log.cost,
            recipe="" if found is None else found.text,
            game_digest=self.spec.digest,
        )

    def register(self) -> None:
        """Adds the run's best checkpoint, if it has one, to the registry.

        A line says as which version, or why that was not possible.
        """
        if not (self.folder / BEST_NAME).exists():
            return
        try:
            version = Registry(self._results_path, self.game).add(self.folder)
        except ConfigurationError as error:
            self.observer.event(f"warning: the best checkpoint was not registered: {error}")
            return
        usual = Path(MuZeroConfig().results_path).absolute() == self._results_path.absolute()
        where = "" if usual else f" --results-path {shlex.quote(str(self._results_path))}"
        line = (
            f"registered as {version.name}; to use it: "
            f"python muzero.py play {shlex.quote(self.spec.text)} --checkpoint {version.name}{where}"
        )
        self.observer.event(line)

    @property
    def _results_path(self) -> Path:
        """The results that the run's folder is among, wherever they are now, or else the configured ones."""
        game_folder = self.folder.absolute().parent
        among = game_folder.name == self.game
        return game_folder.parent if among else Path(self.config.results_path)

    def outcome(self, reason: Reason) -> TrainingOutcome:
        """How this sitting ended."""
        evaluation = next(iter(self.judge.evaluations), None)
        return TrainingOutcome(reason, self.log.counters, evaluation, self.spec, self.folder)

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
from core.actor_kinds import EVALUATOR, JUDGE, SELF_PLAY, TRAINER, ActorKind
from core.cost import NOTHING
from core.errors import ConfigurationError
from core.supports import support_needed
from core.wording import counted
from data import (
    BufferStatus,
    Counters,
    EvaluationResult,
    Guarded,
    LostGame,
    PlayReport,
    Snapshot,
    TrainingMetrics,
    Video,
    Weights,
)
from games.api.spec import GameSpec
from playing.environment import GameError
from runs.judge import Job, Judge, Judgement
from runs.lost_games import LostGames
from runs.memory_watch import MemoryWatch
from runs.process_meter import ProcessMeter
from runs.run_log import RunLog
from runs.status import Observer
from saving.appending import Troubles
from saving.checkpoint import Checkpoint, load_checkpoint, save_best, save_generation
from saving.files import CheckpointError
from saving.run_folder import BEST_NAME, best_of

if TYPE_CHECKING:
    from showing.agent import Agent

Reason = Literal[
    "target_reward", "training_steps", "training_minutes", "interrupted", "callback", "lost_games", "memory"
]


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


class Finished(NamedTuple):
    """How a run came to its end, and in words what would prolong it."""

    reason: Reason
    line: str


RETRY_SECONDS = 10.0
"""Until a checkpoint that could not be written is tried again."""
LAST_TRIES = 5
LAST_PAUSE = 2.0
"""How often, and after how many seconds, the last checkpoint of a run is tried again."""


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
        side_by_side = config.games_per_worker * max(config.num_workers, 1)
        self.lost_games = LostGames(folder, self.game, side_by_side, Troubles(observer.event))
        self._meter = ProcessMeter() if this_machine else None
        self.memory = MemoryWatch()
        self.judge = Judge(config)
        if resumed and JUDGE in resumed.parts:
            self.judge.load_state(resumed.parts[JUDGE])
        self._next_checkpoint = time.perf_counter() + config.checkpoint_interval
        self._last_video = before.training_step  # updates
        self._warned_of_support = False
        self._unwritten_best: Checkpoint | None = None
        self._refused = False  # whether the newest checkpoint could not be written
        self.lost(self.lost_games.left_over(), "the sitting before")
        trained = self.part(TRAINER.name)
        self._guarded = Guarded() if trained is None else Guarded.of_facts(trained.facts)  # the newest
        self._warned_of_skipped = False

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
            return load_checkpoint(self.folder, say=self.observer.event).parts.get(name)
        return None

    @property
    def progressed(self) -> bool:
        """Whether this sitting has done anything that a checkpoint would keep."""
        before = self.resumed.counters if self.resumed else Counters()
        now = self.log.counters
        return (now.training_step, now.played_steps) != (before.training_step, before.played_steps)

    @property
    def finished(self) -> Finished | None:
        """How the run that is gone on with had come to its end, if it had; what would prolong it."""
        config, log = self.config, self.log
        if self.resumed is None:
            return None
        if self.judge.solved:
            target = f"the target of {config.target_reward:g} was reached"
            return Finished("target_reward", f"{target}; a higher --target-reward would prolong it")
        if log.counters.training_step >= config.training_steps:
            made = counted(log.counters.training_step, "update")
            return Finished("training_steps", f"{made} made; a higher --training-steps would prolong it")
        if 0 < config.training_minutes * 60 <= log.seconds:
            over = f"{config.training_minutes:g} minutes of training are over"
            return Finished("training_minutes", f"{over}; more --training-minutes would prolong it")
        return None

    @property
    def kept(self) -> str:
        """What to tell of a run that has ended by a fault, once its checkpoint is written."""
        return f"what was learned is kept: 'python muzero.py resume {self.folder}' goes on from it"

    @property
    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.perf_counter() >= self._next_checkpoint or self.memory.save_now

    @property
    def video_due(self) -> bool:
        """Whether it is time to film a game."""
        updates = self.log.counters.training_step - self._last_video
        return 0 < self.config.video_interval <= updates

    def filmed(self, video: Video) -> None:
        """Takes a film for the observers; the next one is due `video_interval` updates after its weights."""
        self._last_video = video.version
        self.log.video = video

    def not_filmed(self, why: str) -> None:
        """Says why there is no film; the next one is due `video_interval` updates from now."""
        self._last_video = self.log.counters.training_step
        self.observer.event(f"warning: no film of this game: {why}")

    def reason_to_stop(self, interrupted: Callable[[], bool]) -> Reason | None:
        """Why training is to end here although the target was not reached, if it is."""
        if self.log.counters.training_step >= self.config.training_steps:
            return "training_steps"
        if 0 < self.config.training_minutes * 60 <= self.log.seconds:
            return "training_minutes"
        if self.lost_games.verdict() is not None:
            return "lost_games"
        if self.memory.ended is not None:
            return "memory"
        return "interrupted" if interrupted() else None

    def report(self) -> None:
        """Shows the observer how the run stands."""
        self._measure()
        self._watch_memory()
        self.observer.status(self.log.status(self.judge.evaluations, self.judge.best))

    def _measure(self, now: bool = False) -> None:
        """Measures the processes if it is due, or in any case `now`."""
        if self._meter is not None:
            self.log.measured(self._meter.read(now))

    def _watch_memory(self) -> None:
        """Says what there is to say of memory, where all of the run is on this machine."""
        if self._meter is not None:
            usage = self.log.usage
            for line in self.memory.look(sum(usage.memory.values()) if usage is not None else 0):
                self.observer.event(line)

    def shrunk(self, status: BufferStatus) -> None:
        """The buffer has given memory back, or could not; says how much, if any."""
        freed = self.log.buffer.bytes - status.bytes
        self.log.stored(status)
        if freed > 0:
            self.observer.event(
                f"warning: memory is scarce: the replay buffer has given {freed / 2**20:.0f} MiB back, and "
                f"keeps the newest {status.steps} steps, from now on at most {status.capacity_steps}"
            )

    def save(self, weights: Weights, parts: dict[str, Snapshot]) -> Path:
        """Writes a checkpoint generation; `parts` are the states of trainer, buffer and players."""
        checkpoint = self._checkpoint(weights, parts | {JUDGE: self.judge.state()}, measured=True)
        path = save_generation(self.folder, checkpoint, self.config.keep_checkpoints)
        self.saved()
        return path

    def moment(self, now: bool) -> Checkpoint:
        """The run at this moment, for a checkpoint whose parts and weights come later.

        Its processes are measured if it is due, or in any case `now`.
        """
        return self._checkpoint({}, {JUDGE: self.judge.state()}, measured=now)

    def saved(self) -> None:
        """A checkpoint has been written: the next one is due an interval later.

        Raises `CheckpointError` if there are weights that evaluated best and can still not be written.
        """
        self._write_best()
        self.memory.save_now = False
        self._next_checkpoint = time.perf_counter() + self.config.checkpoint_interval
        if self._refused:
            self.observer.event("a checkpoint could be written again")
        self._refused = False

    def not_saved(self, error: CheckpointError) -> None:
        """A checkpoint could not be written: says so, once, and has it tried again in a while."""
        interval = min(RETRY_SECONDS, self.config.checkpoint_interval)
        self._next_checkpoint = time.perf_counter() + interval
        if not self._refused:
            self.observer.event(f"warning: {error}; the run goes on and tries again")
        self._refused = True

    def attempt(self, save: Callable[[], object]) -> None:
        """Has `save` write one of the run's checkpoints; if it fails a later one may go better."""
        try:
            save()
        except CheckpointError as error:
            self.not_saved(error)

    def insist(self, save: Callable[[], object]) -> None:
        """Has `save` write the last checkpoint, a few times if need be. Raises `CheckpointError`."""
        for _ in range(LAST_TRIES - 1):
            try:
                save()
                return
            except CheckpointError as error:
                self.not_saved(error)
            time.sleep(LAST_PAUSE)
        save()

    def lost(self, games: Sequence[LostGame], actor: str) -> None:
        """Takes note of games that `actor` has lost, and says so the first time."""
        if not games:
            return
        if not self.log.lost_here:
            self.observer.event(
                f"a game was lost, and the others go on: {games[0].reason} (seed {games[0].seed}); "
                f"{self.lost_games.path} lists those that break"
            )
        self.lost_games.add(games, actor)
        self.log.lost(len(games))

    def died(self, actor: str, why: str) -> None:
        """Takes note of the game that `actor` was moving when its process ended, if it was; `why` it did."""
        self.lost(self.lost_games.died(actor, why), actor)

    def played(self, report: PlayReport, actor: str = SELF_PLAY.name) -> None:
        """Takes note of self-play, and says if games of before could not be gone on with."""
        self.log.played(report)
        self.lost(report.lost, actor)
        self.lost_games.finished(report.games)
        if report.anew:
            self.observer.event(
                f"{report.anew} running games came out otherwise when they were played again, and begin "
                "anew: does the game draw chance from elsewhere than its seed?"
            )

    def trained(self, metrics: TrainingMetrics, again: int = 0) -> None:
        """Takes note of updates, of which `again` were made before and lost with their trainer.

        Says once if their targets do not fit on the support, or if they are not finite.
        """
        self.log.trained(metrics, again)
        self._say_guarded(metrics.guarded, metrics.training_step)
        config, largest = self.config, metrics.largest_target
        if largest > config.support_reach and not self._warned_of_support:
            self._warned_of_support = True
            needed = support_needed(largest, config.support_transform)
            self.observer.event(
                f"warning: values or rewards of {largest:.4g} do not fit on the support, which ends at "
                f"{config.support_reach:.4g}, and are cut: --support-size {needed} would hold them"
            )

    def _say_guarded(self, now: Guarded, step: int) -> None:
        """Says when updates are left out for the first time, and each time that training has gone back."""
        before, self._guarded = self._guarded, now
        if now.skipped > before.skipped and not self._warned_of_skipped:
            self._warned_of_skipped = True
            self.observer.event(
                f"warning: an update is left out: {now.reason}; more of them are counted, not said "
                "(training/skipped_updates)"
            )
        if now.returns > before.returns:
            self.observer.event(
                f"warning: updates were not finite: training went back from update {step} to the weights of "
                f"update {now.returned_to}, and goes on with {now.rate_factor:g} of the learning rate"
            )

    def evaluated(self, job: Job, result: EvaluationResult, weights: Weights) -> Judgement:
        """Judges an evaluation of `weights`, and keeps them if they are the best so far."""
        judgement = self.judge.read(job, result)
        self.log.evaluated(result)
        self.lost(result.lost, EVALUATOR.name)
        if self.judge.fall is not None:
            self.observer.event(self.judge.fall)
        if judgement.best:
            self._unwritten_best = self._checkpoint(weights, {}, result.mean)
            self.attempt(self._write_best)
        if judgement.solved:
            counters = self.log.counters
            self.observer.event(
                f"solved: mean of {len(result.returns)} greedy games {result.mean:.1f} "
                f"(target {self.config.target_reward:g}) after {counted(counters.training_step, 'update')}, "
                f"{counters.played_steps} played steps, {self.log.seconds:.1f} s of training"
            )
        return judgement

    def _write_best(self) -> None:
        """Writes the best checkpoint if it is new. Raises `CheckpointError`."""
        if self._unwritten_best is not None:
            save_best(self.folder / BEST_NAME, self._unwritten_best)
            self._unwritten_best = None

    def _checkpoint(
        self,
        weights: Weights,
        parts: dict[str, Snapshot],
        evaluation: float | None = None,
        measured: bool = False,
    ) -> Checkpoint:
        self._measure(measured)  # reading takes a tenth of a second: not for every checkpoint
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

        A line says as which version, or why that was not possible. Raises `CheckpointError` if a best
        checkpoint can still not be written.
        """
        self.insist(self._write_best)
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
        """How this sitting ended. Raises `GameError` where it did because the game breaks again and again."""
        self.lost_games.close()
        if reason == "lost_games":
            kept = f"; {self.kept}" if self.progressed else ""
            raise GameError(f"{self.lost_games.verdict()}{kept}")
        evaluation = next(iter(self.judge.evaluations), None)
        return TrainingOutcome(reason, self.log.counters, evaluation, self.spec, self.folder)

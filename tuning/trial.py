"""A trial as processes: `muzero.py train` in a process group of its own, then `muzero.py evaluate`.

Every trial starts a Ray of its own, so that one that runs out of memory or crashes takes nothing with it.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil

from config import MuZeroConfig
from core.errors import INTERRUPTED
from core.project import PROJECT, command_line
from games.api.files import game_name
from runs.reports.metrics_log import MetricPoint, read_metrics
from saving.files import write_whole
from saving.reading import OUTPUT, SCORE, read_json, read_text
from saving.run_folder import BEST_NAME, GENERATIONS, METRICS_NAME, RUN_CONFIG, best_of, in_runs

OPTIONS_NAME = "options.json"
TETHER = "tether.py"
OUTPUT_NAME = "output.txt"
SCORE_NAME = "score.json"
GRACE_SECONDS = 30.0
"""In which a training that is told to end must have saved and left."""
READ_SECONDS = 1.0
READ_SHARE = 0.01
"""The metrics are read every second, and less often in long trainings: every hundredth of the time so far."""
BEST = "reward/evaluation_best"
MEMORY = "memory/total_mib"


@dataclass(frozen=True)
class Plan:
    """What a trial is to do."""

    game: str
    config: MuZeroConfig  # complete, budget and seed included
    folder: Path  # of this trial
    games: int  # that score it
    scoring_seed: int


class TrialProgress(NamedTuple):
    """How far a trial has come."""

    share: float  # of its budget, from its first update on, up to 1
    evaluation: float | None  # the best of the training's own
    memory_mib: float | None  # of all its processes
    scoring: bool = False  # the training is over


class ProcessIdentity(NamedTuple):
    """A process; its number alone may be given again."""

    number: int
    created: float  # seconds since the epoch


class Scored(NamedTuple):
    """A trial that ran in full."""

    score: float
    error: float | None
    seconds: float
    updates: int
    played_steps: int
    checkpoint: Path


class Died(NamedTuple):
    """A trial whose process ended badly, and its last words."""

    reason: str


class RunningTrial(Protocol):
    """A trial that has been started."""

    @property
    def identity(self) -> ProcessIdentity:
        """The process that works on it now."""
        ...

    def progress(self) -> TrialProgress:
        """How far it has come."""
        ...

    def evaluation_at(self, share: float) -> float | None:
        """Its best evaluation when it had used `share` of its budget; None if it is not yet there."""
        ...

    def outcome(self) -> Scored | Died | None:
        """How it ended; None while it runs."""
        ...

    def interrupt(self) -> None:
        """Tells it to end."""
        ...

    def close(self) -> None:
        """Waits until it has ended, and then removes what nobody needs any more."""
        ...


class Runner(Protocol):
    """Starts trials."""

    def __call__(self, plan: Plan) -> RunningTrial:
        """A trial that has just been started."""
        ...


class TrialProcess:
    """A `RunningTrial` in processes of its own. What an earlier attempt has left is removed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        shutil.rmtree(plan.folder, ignore_errors=True)
        plan.folder.mkdir(parents=True)
        options = plan.folder / OPTIONS_NAME
        write_whole(options, (plan.config.to_json() + "\n").encode())
        self._points: list[MetricPoint] = []
        self._waited = 0.0  # seconds before the first update
        self._next_read = self._started = time.monotonic()
        self._told = False  # to end
        self._scoring = False
        self._process = self._run("train", plan.game, "--config", str(options))

    @property
    def identity(self) -> ProcessIdentity:
        """See `RunningTrial`."""
        with suppress(psutil.Error):
            return ProcessIdentity(self._process.pid, psutil.Process(self._process.pid).create_time())
        return ProcessIdentity(self._process.pid, 0.0)  # it has ended and been waited for

    def progress(self) -> TrialProgress:
        """See `RunningTrial`."""
        self._read()
        share = max((self._share(point) for point in self._points), default=0.0)
        memory = newest(self._points, MEMORY)
        return TrialProgress(min(share, 1.0), newest(self._learned, BEST), memory, self._scoring)

    def evaluation_at(self, share: float) -> float | None:
        """See `RunningTrial`."""
        learned = self._learned
        for number, point in enumerate(learned):
            if self._share(point) >= share:
                best = newest(learned[: number + 1], BEST)
                if best is not None:
                    return best
        return None

    def outcome(self) -> Scored | Died | None:
        """See `RunningTrial`."""
        status = self._process.poll()
        if status is None:
            return None
        if status != 0:
            return Died(self._last_words(status))
        if self._scoring:
            return self._scored()
        run = self._run_folder()
        if run is None:
            return Died("the training has left no run folder")
        self._read(now=True)
        if not self._learned:
            return Died(self._never_learned())
        self._scoring = True
        end_group(self._process)  # what the training may have left
        self._process = self._evaluate(run)
        return None

    def interrupt(self) -> None:
        """See `RunningTrial`."""
        self._told = True
        with suppress(ProcessLookupError):
            self._process.terminate()

    def close(self) -> None:
        """See `RunningTrial`."""
        end_group(self._process, self._told)
        run = self._run_folder()
        if run is not None and (run / BEST_NAME).exists():
            shutil.rmtree(run / GENERATIONS, ignore_errors=True)  # replay buffers are large

    # --- processes ---

    def _run(self, *arguments: str, output: str = OUTPUT_NAME) -> subprocess.Popen[bytes]:
        """Starts `muzero.py`, in a process group of its own; it prints into the trial's folder."""
        folder = self.plan.folder
        tether = [sys.executable, str(PROJECT / "tuning" / TETHER), str(os.getpid())]
        command = [*tether, *command_line(), *arguments]
        with (folder / OUTPUT_NAME).open("ab") as errors, (folder / output).open("ab") as printed:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=printed, stderr=errors, start_new_session=True
            )

    def _evaluate(self, run: Path) -> subprocess.Popen[bytes]:
        plan = self.plan
        arguments = ["evaluate", plan.game, "--checkpoint", str(best_of(run)), "--json"]
        arguments += ["--games", str(plan.games), "--seed", str(plan.scoring_seed)]
        if plan.config.players == 2:
            arguments += ["--opponent", plan.config.opponents[0]]
        return self._run(*arguments, output=SCORE_NAME)

    def _last_words(self, status: int) -> str:
        """The last line that the process printed, or what killed it."""
        if status < 0:
            killer = signal.Signals(-status).name
            return f"killed by {killer}" + (" (out of memory?)" if killer == "SIGKILL" else "")
        if status == INTERRUPTED:
            return "interrupted by somebody else than the search"
        text = read_text(self.plan.folder / OUTPUT_NAME, OUTPUT, errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return (lines[-1] if lines else f"exit status {status}")[:LONGEST_REASON]

    # --- files ---

    def _run_folder(self) -> Path | None:
        """The folder of the training; None as long as it has made none."""
        configs = in_runs(self.plan.folder, game_name(self.plan.game), RUN_CONFIG)
        return next((path.parent for path in configs), None)

    def _read(self, now: bool = False) -> None:
        """Reads the training's metrics if it is time."""
        clock, run = time.monotonic(), self._run_folder()
        if run is None or not (now or clock >= self._next_read):
            return
        self._next_read = clock + max(READ_SECONDS, READ_SHARE * (clock - self._started))
        with suppress(OSError):  # there is none yet
            self._points = read_metrics(run / METRICS_NAME)
            before = itertools.takewhile(lambda point: point.updates == 0, self._points)
            self._waited = max((point.seconds for point in before), default=0.0)

    @property
    def _learned(self) -> list[MetricPoint]:
        """What was measured of weights that have learned: evaluations before the first update say nothing."""
        return [point for point in self._points if point.updates > 0]

    def _share(self, point: MetricPoint) -> float:
        """How much of the budget was used; what passed before the first update is no part of it."""
        config = self.plan.config
        if point.updates == 0:
            return 0.0
        budget = 60 * config.training_minutes - self._waited
        by_time = (point.seconds - self._waited) / budget if budget > 0 else 0.0
        return max(by_time, point.updates / config.training_steps)

    def _never_learned(self) -> str:
        config = self.plan.config
        played = max((point.played_steps for point in self._points), default=0)
        return (
            f"its budget ended before the first update: {played} of learning_starts={config.learning_starts} "
            "steps were played; give more --minutes, or fewer --learning-starts"
        )

    def _scored(self) -> Scored | Died:
        run = self._run_folder()
        assert run is not None
        try:
            result = read_json(self.plan.folder / SCORE_NAME, SCORE)
        except ValueError as error:
            return Died(f"the evaluation printed no JSON: {error}")
        last = self._points[-1] if self._points else MetricPoint(0, 0, 0.0, {})
        score, deviation = score_of(result)
        updates = max((point.updates for point in self._points), default=0)
        return Scored(score, deviation, last.seconds, updates, last.played_steps, best_of(run))


LONGEST_REASON = 300


def score_of(result: dict[str, float]) -> tuple[float, float | None]:
    """The score in the output of `evaluate --json`, and its standard error.

    The mean return; in a game for two the share of points, wins and half the draws.
    """
    if "score" not in result:
        return result["mean"], result["standard_error"]
    width = result["score_high"] - result["score_low"]
    return result["score"], width / (2 * NORMAL_95)


NORMAL_95 = 1.96
"""Standard errors on either side in an interval of 95 %."""


def newest(points: list[MetricPoint], tag: str) -> float | None:
    """The newest value of a metric."""
    return next((point.scalars[tag] for point in reversed(points) if tag in point.scalars), None)


def trial_config(
    base: MuZeroConfig, values: dict[str, object], *, seed: int, minutes: float, steps: int, folder: Path
) -> MuZeroConfig:
    """The configuration of a trial: the whole budget is used, and nothing is saved before its end.

    Raises `ConfigurationError` when the values do not go together.
    """
    return base.replace(
        **values,
        seed=seed,
        results_path=str(folder),
        training_minutes=minutes,
        training_steps=steps or base.training_steps,
        target_reward=None,  # reaching it would end the training early, and hide who gets further
        checkpoint_interval=NEVER_SECONDS,
        keep_checkpoints=1,
        log_interval=READ_SECONDS,
    )


NEVER_SECONDS = 1e9


def end_group(process: subprocess.Popen[bytes], told: bool = False) -> None:
    """Ends a process that leads a group, and what is left of the group.

    One that was `told` to end is not told again: it would take that for impatience, and save nothing.
    """
    if not told:
        process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        kill_group(process.pid)
        process.wait()
    kill_group(process.pid)


def kill_group(number: int) -> None:
    """Kills whatever there is in process group `number`."""
    with suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)


def end_orphan(identity: ProcessIdentity, folder: Path) -> bool:
    """Ends the process of the trial in `folder` whose search has died; whether it was still there.

    A ledger may say anything: nothing is told to end but a process of this user that was started at that
    moment, leads a group of its own, and is the project's command, told to work in the trial's folder.
    """
    with suppress(psutil.Error, ValueError, OverflowError):  # also of numbers that no process has
        process = psutil.Process(identity.number)
        if process.create_time() != identity.created or not _works_in(process, folder):
            return False
        process.terminate()
        psutil.wait_procs([process], GRACE_SECONDS)
        kill_group(identity.number)
        return True
    return False


def _works_in(process: psutil.Process, folder: Path) -> bool:
    """Whether a process is one that `TrialProcess` has started for the trial in `folder`."""
    number, own = process.pid, process.uids().real == os.getuid()
    arguments = [Path(argument) for argument in process.cmdline()[1:]]
    inside = any(folder in argument.parents for argument in arguments) and _is_command(arguments)
    return own and inside and number != os.getpid() and _group_of(number) == number


def _is_command(arguments: Sequence[Path]) -> bool:
    """Whether an interpreter with these `arguments` runs the project, wherever that is, or is about to."""
    names, ours = ([Path(one).name for one in some] for some in (arguments, command_line()[1:]))
    return names[: len(ours)] == ours or names[:1] == [TETHER]


def _group_of(number: int) -> int | None:
    """The group of a process; None if there is no such process."""
    with suppress(ProcessLookupError):
        return os.getpgid(number)
    return None

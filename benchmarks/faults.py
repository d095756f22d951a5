"""What becomes of a training whose processes are killed, stopped or paused: `python -m benchmarks.faults`.

    python -m benchmarks.faults --kills 30 --minutes 20 --seed 0 --json
    python -m benchmarks.faults --kills 6 --minutes 6 --who gcs,raylet,driver --how kill --json
    python -m benchmarks.faults --kills 8 --minutes 8 --how stop,pause --deadline 20 --json

A real run, `python muzero.py GAME` in a process of its own. What is done, to whom and when is drawn by the
seed, so that it can be done again; kinds of actors take their turns. A fault that ends the run is followed by
`resume`. Printed is a line for each fault (how long until it was noticed, until updates went on, and how many
had to be made again), and one for the whole run.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.common import called, report
from core.actor_kinds import ACTOR_KINDS, DRIVER
from core.json_text import parse_json
from core.project import PROJECT
from saving.files import open_own
from saving.reading import LOG, METRICS, read_lines, read_text
from saving.run_folder import LOG_NAME, METRICS_NAME

ACTORS = tuple(kind.name for kind in ACTOR_KINDS)
DAEMONS = {"gcs": "gcs_server", "raylet": "raylet"}
ENDING = (*DAEMONS, DRIVER)
"""Without these a run ends, and is resumed."""
FAULTS = ("kill", "stop", "pause")
PAUSE_SECONDS = 10.0
"""A paused process goes on after these: slow is not hung."""
QUIET_SECONDS = 15.0
"""Before the first fault, at least between two, and after the last."""
LIMIT = 240.0
"""Seconds in which a fault has to be got over."""
POLL_SECONDS = 0.1
LOG_SECONDS = 0.5
"""Between two lines of the run's metrics."""
STATE = "progress/played_games"
"""What metrics of the run's state have, and those of an evaluation have not."""
LEFT_SECONDS = 20.0
"""After which nothing is left of a run that has ended."""


class Fault(NamedTuple):
    """Something that is done to one process, or to two at the same time."""

    at: float  # seconds after the first update
    how: str  # of `FAULTS`
    who: tuple[str, ...]  # of `ACTORS` and `ENDING`
    draw: float  # which of several processes of a kind: in [0, 1)


@dataclass(frozen=True)
class Got:
    """How a run has got over a fault."""

    fault: str
    who: str
    at: float
    noticed_s: float | None  # until an actor was started again or the run had ended; None: never
    going_on_s: float | None  # until there were more updates than ever before; None: never
    updates_before: int
    made_again: int  # updates that were lost with the trainer, or lie after the checkpoint that was resumed
    exit_status: int | None  # of a run that has ended by it
    left: int  # processes of that run, some time afterwards


@dataclass(frozen=True)
class Whole:
    """What became of the run."""

    faults: int
    got_over: int
    updates: int
    played_steps: int
    restarts: int
    lost_games: int
    evaluation: float | None  # the newest
    went_back: int  # times that a counter was lower than before, but after a resumption
    exit_status: int | None
    left: int
    seconds: float


def planned(seed: int, kills: int, seconds: float, who: Sequence[str], how: Sequence[str]) -> list[Fault]:
    """So many faults at random moments of a run of so many `seconds`; every third one hits two actors."""
    draw = random.Random(seed)
    room = max(seconds - (kills + 1) * QUIET_SECONDS, 0.0)
    moments = sorted(draw.uniform(0.0, room) for _ in range(kills))
    turns = [name for _ in range(kills) for name in draw.sample(list(who), len(who))]
    faults = []
    for number, moment in enumerate(moments):
        victims = [turns.pop(0)]
        if number % 3 == 2 and {victims[0], turns[0]} <= set(ACTORS) and turns[0] != victims[0]:
            victims.append(turns.pop(0))
        at = moment + (number + 1) * QUIET_SECONDS
        faults.append(Fault(at, draw.choice(list(how)), tuple(victims), draw.random()))
    return faults


class Progress(NamedTuple):
    """How far a run has come."""

    updates: int
    played_steps: int
    restarts: int
    lost_games: int


class Training:
    """A run on Ray, which is resumed when it has ended; all of its processes, and what they have written."""

    def __init__(self, results: Path, options: Sequence[str], game: str) -> None:
        self.results, self._options = results, options
        self._log = open_own(results / "out", os.O_APPEND)
        self._begin([game, *options, f"--results-path={results}"])
        self.folder = self._until_there(f"{game}/*")
        self.resumptions = 0

    def _begin(self, arguments: Sequence[str]) -> None:
        self._seen: set[psutil.Process] = set()
        self.process = subprocess.Popen(
            [sys.executable, "muzero.py", *arguments],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def resume(self) -> None:
        """Goes on from the newest checkpoint."""
        self.resumptions += 1
        self._begin(["resume", str(self.folder)])

    def _until_there(self, pattern: str) -> Path:
        until = time.monotonic() + LIMIT
        while not (found := list(self.results.glob(pattern))):
            assert time.monotonic() < until, "the run does not begin"
            time.sleep(POLL_SECONDS)
        return found[0]

    def processes(self) -> list[psutil.Process]:
        """The driver and all below it."""
        with suppress(psutil.Error):
            driver = psutil.Process(self.process.pid)
            self._seen |= {driver, *driver.children(recursive=True)}
        return [process for process in self._seen if process.is_running()]

    def of_kind(self, who: str) -> list[psutil.Process]:
        """Those of actors of a kind, or of Ray's daemon, or the driver."""
        found = []
        for process in sorted(self.processes(), key=lambda process: process.pid):
            with suppress(psutil.Error):
                if called(process, self.process.pid) == DAEMONS.get(who, who):
                    found.append(process)
        return found

    def left(self) -> int:
        """Processes of a run that has ended, after a while."""
        _, alive = psutil.wait_procs(self.processes(), timeout=LEFT_SECONDS)
        return len(alive)

    # --- what it has written ---

    def points(self) -> list[dict[str, float]]:
        """All metrics so far."""
        points = []
        with suppress(OSError):
            for line in read_lines(self.folder / METRICS_NAME, METRICS):
                with suppress(ValueError):
                    points.append(parse_json(line, constants=True))
        return points

    def progress(self) -> Progress:
        """How far it has come."""
        states = [point for point in self.points() if STATE in point]
        last = states[-1] if states else {}
        newest = [last.get(name, 0) for name in ("updates", "played_steps")]
        faults = [last.get(f"progress/{name}", 0) for name in ("restarts", "lost_games")]
        return Progress(*map(int, newest + faults))

    def log(self) -> str:
        """What the run has said."""
        return read_text(self.folder / LOG_NAME, LOG, "replace")

    def started_again(self) -> int:
        """Actors that were, so far."""
        return self.log().count("was lost and is started again")

    def made_again(self) -> int:
        """Updates that had to be, so far."""
        return sum(
            int(n.replace(",", "")) for n in re.findall(r"([\d,]+) updates? to be made again", self.log())
        )

    def close(self) -> None:
        """Ends all that is there."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self.process.wait()
        os.close(self._log)


class Injector:
    """Does one fault after another to a training."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self._going_on(0)
        self._started = time.monotonic()
        self.most = 0  # updates that there ever were

    def do(self, fault: Fault) -> Got:
        """Waits for the moment of `fault`, does it, and waits until it has been got over."""
        training = self.training
        self.rest(fault.at)
        self.most = max(self.most, training.progress().updates)
        before, again, restarts = self.most, training.made_again(), training.started_again()
        began = time.monotonic()
        victims = self._strike(fault)
        ends = bool(set(fault.who) & set(ENDING)) and fault.how != "pause"
        noticed, status, left = None, None, 0
        if ends:
            noticed, status, left = self._ended(began, fault)
        elif fault.how != "pause":
            noticed = self._noticed(began, restarts + len(victims))
        time.sleep(2 * LOG_SECONDS)  # until what was done before it has been told of
        going_on = self._going_on(max(before, training.progress().updates))
        resumed_behind = self._behind(before) if ends else 0
        return Got(
            fault.how,
            " ".join(fault.who),
            round(fault.at, 1),
            noticed,
            going_on and round(time.monotonic() - began, 1),
            before,
            training.made_again() - again + resumed_behind,
            status,
            left,
        )

    def rest(self, until: float) -> None:
        """Leaves the run alone until so many seconds after its first update."""
        while time.monotonic() - self._started < until and self.training.process.poll() is None:
            time.sleep(POLL_SECONDS)
            self.training.processes()

    def _strike(self, fault: Fault) -> list[psutil.Process]:
        """Sends the signals; the processes that were hit."""
        number = signal.SIGKILL if fault.how == "kill" else signal.SIGSTOP
        victims = []
        for who in fault.who:
            if found := self.training.of_kind(who):
                victims.append(found[int(fault.draw * len(found))])
        for victim in victims:
            victim.send_signal(number)
        if fault.how == "pause":
            time.sleep(PAUSE_SECONDS)
            for victim in victims:
                with suppress(psutil.Error):
                    victim.send_signal(signal.SIGCONT)
        return victims

    def _noticed(self, began: float, restarts: int) -> float | None:
        """The seconds until so many actors had been started again."""
        while time.monotonic() - began < LIMIT and self.training.process.poll() is None:
            if self.training.started_again() >= restarts:
                return round(time.monotonic() - began, 1)
            time.sleep(POLL_SECONDS)
        return None

    def _ended(self, began: float, fault: Fault) -> tuple[float | None, int | None, int]:
        """Waits for the end of a run and goes on with it; how long that took, how it ended, what was left."""
        training = self.training
        try:
            status = training.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            training.process.kill()
            status = None
        seconds = None if status is None else round(time.monotonic() - began, 1)
        left = training.left()
        training.resume()
        return seconds, status, left

    def _going_on(self, before: int) -> bool:
        """Whether there are more updates than `before`, in time."""
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            if self.training.progress().updates > before:
                return True
            if self.training.process.poll() is not None:
                return False
            time.sleep(POLL_SECONDS)
        return False

    def _behind(self, before: int) -> int:
        """The updates between the checkpoint that was gone on from and `before`."""
        names = [path.name for path in (self.training.folder / "checkpoints").glob("*-step-*")]
        steps = [int(name.rpartition("-")[2]) for name in names]
        return max(before - max((step for step in steps if step <= before), default=0), 0)


def went_back(points: Sequence[dict[str, float]]) -> int:
    """How often a counter is lower than in the line before."""
    names = ("updates", "played_steps", "seconds", STATE, "progress/reanalysed_steps")
    known = [point for point in points if STATE in point]
    return sum(later[name] < earlier[name] for earlier, later in pairwise(known) for name in names)


def whole(training: Training, got: Sequence[Got], began: float) -> Whole:
    """The run, once it has been told to end."""
    with suppress(ProcessLookupError):
        training.process.send_signal(signal.SIGINT)
    try:
        status = training.process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        status = None
    points, progress = training.points(), training.progress()
    evaluations = [point["reward/evaluation_mean"] for point in points if "reward/evaluation_mean" in point]
    return Whole(
        faults=len(got),
        got_over=sum(one.going_on_s is not None for one in got),
        updates=progress.updates,
        played_steps=progress.played_steps,
        restarts=progress.restarts,
        lost_games=progress.lost_games,
        evaluation=evaluations[-1] if evaluations else None,
        went_back=went_back(points),
        exit_status=status,
        left=training.left(),
        seconds=round(time.monotonic() - began, 1),
    )


def main() -> None:
    """Prints a line for each fault, and one for the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--game", default="cartpole")
    parser.add_argument("--kills", type=int, default=30, help="faults in all")
    parser.add_argument("--minutes", type=float, default=20.0, help="from the first update on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--who", default=",".join(ACTORS), help=f"of {', '.join((*ACTORS, *ENDING))}")
    parser.add_argument("--how", default="kill", help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--deadline", type=float, default=0.0, help="the run's call_deadline")
    parser.add_argument("--option", action="append", default=[], help="another of the run's, as --name=value")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args()
    options = ["--target-reward=none", "--training-steps=1000000000", f"--log-interval={LOG_SECONDS}"]
    options += ["--num-reanalyse-workers=1", f"--call-deadline={parsed.deadline}", *parsed.option]
    who, how = parsed.who.split(","), parsed.how.split(",")
    faults = planned(parsed.seed, parsed.kills, 60 * parsed.minutes, who, how)
    with tempfile.TemporaryDirectory(prefix="faults-") as results:
        training = Training(Path(results), options, parsed.game)
        began = time.monotonic()
        try:
            injector, got = Injector(training), list[Got]()
            for fault in faults:
                got.append(injector.do(fault))
                report(asdict(got[-1]), parsed.json)
            injector.rest(60 * parsed.minutes)
            report(asdict(whole(training, got, began)), parsed.json)
        finally:
            training.close()


if __name__ == "__main__":
    main()

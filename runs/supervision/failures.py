"""What happens when an actor dies or its call fails: the run starts it again, or ends and says why.

What has gone wrong is told by the class of the error and never by its text. `runs/ray_run.py` carries it out.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

from ray import exceptions

from core.actor_kinds import Member
from core.errors import ConfigurationError
from data import LostGame
from playing.environment import GamesBreakError
from runs.actors.shell import NotStartedError
from saving.run_folder import LOG_NAME

MAX_RESTARTS = 30
"""Of one actor, within `RESTART_SECONDS`."""
RESTART_SECONDS = 3600.0


class RunError(ConfigurationError):
    """The failure of an actor ends the run; the message is one line that names the actor."""

    def __init__(self, message: str, actor: str = "", resume: str = "") -> None:
        """`resume`: what to do where nothing more can be saved."""
        super().__init__(f"{message}; {resume}" if resume else message)
        self.what = message
        self.actor = actor  # without which the others could go on; none if they could not
        self.nobody = False  # whether all actors could go on


class HeadLostError(RunError):
    """Ray's head process is gone, and no actor can be started any more."""

    def __init__(self, message: str, resume: str) -> None:
        super().__init__(message, resume=resume)
        self.nobody = True


class LateError(Exception):
    """An actor has not answered for so many seconds, and was ended."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer for {seconds:.0f} s (call_deadline)")
        self.seconds = seconds


class Failure(Enum):
    """What can have gone wrong with a call."""

    NOT_STARTED = "the actor's first call has failed, and its error says why"
    REFUSED = "the actor's code found that something cannot work, and says so in a line"
    RAISED = "the actor's code is wrong, or Ray itself says that it cannot go on"
    PROCESS_LOST = "the actor's process has died"
    LATE = "the actor has not answered in time"
    DATA_LOST = "what it was given or has returned cannot be had"


REPLACED = frozenset({Failure.PROCESS_LOST, Failure.LATE, Failure.DATA_LOST})
"""Another process may do better."""
DEAD = frozenset({Failure.PROCESS_LOST, Failure.LATE})
"""The process was in the middle of something."""

PROCESS_LOST = (
    exceptions.RayActorError,  # ActorDiedError, ActorUnavailableError
    exceptions.WorkerCrashedError,
    exceptions.OutOfMemoryError,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
)
DATA_LOST = (
    exceptions.ObjectLostError,  # OwnerDiedError, ObjectFetchTimedOutError, ObjectFreedError, ...
    exceptions.GetTimeoutError,
    exceptions.PlasmaObjectNotAvailable,
)


def cause_of(error: Exception) -> Exception:
    """What was raised in the first place, where Ray has wrapped it, be it several times."""
    while isinstance(error, exceptions.RayTaskError):
        error = error.cause
    return error


def failure_of(error: Exception) -> Failure:
    """What the `error` of a call means.

    A process that dies before it has run anything would die again: Ray then says what it raised.
    """
    cause = cause_of(error)
    if isinstance(cause, NotStartedError):
        return Failure.NOT_STARTED
    if isinstance(cause, ConfigurationError):
        return Failure.REFUSED
    if isinstance(cause, LateError):
        return Failure.LATE
    if isinstance(cause, DATA_LOST):
        return Failure.DATA_LOST
    if isinstance(cause, PROCESS_LOST) and not getattr(cause, "actor_init_failed", False):
        return Failure.PROCESS_LOST
    return Failure.RAISED


def described(error: Exception) -> str:
    """Kind and message of what was raised, in one line."""
    cause = cause_of(error)
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__


def evidence_of(error: Exception) -> str:
    """All that is known of it: the remote traceback, or Ray's reason; without Ray's colours."""
    return re.sub(r"\x1b\[\d+m", "", f"{type(error).__name__}: {error}")


def lost_with(error: Exception) -> Sequence[LostGame]:
    """The games that an actor has lost which gave up by `error`, and of which it has told nobody yet."""
    cause = cause_of(error)
    return cause.lost if isinstance(cause, GamesBreakError) else ()


def died_of(error: Exception) -> str:
    """How an actor's process has ended, as the line of a game says it that was lost with it."""
    cause = cause_of(error)
    if isinstance(cause, LateError):
        return f"its process gave no answer for {cause.seconds:.0f} s and was ended"
    return f"its process was lost ({described(error)})"


def dead_actor(error: Exception) -> str:
    """Ray's number of the actor that has died, whoever's call says so; nothing if Ray does not say."""
    return getattr(cause_of(error), "actor_id", None) or ""


REASONS = (
    (
        r"node (?:\w+ )?(?:has )?(?:died|was terminated|is dead)|node failure|its node has died",
        "its node died",
    ),
    (r"memory monitor|low on memory|OutOfMemory", "out of memory: Ray has ended it"),
    (r"exit code (\d+)", r"exit code {}"),
    (r"receives a SIGTERM", "SIGTERM"),
    (r"connection error code 2", "it crashed or was killed; by the kernel, if memory ran out"),
)
"""What Ray's texts come down to, for people: nothing is decided by them. The first that fits counts."""


def reason_of(error: Exception) -> str:
    """Why an actor was lost, in a few words; nothing if that is not known."""
    cause = cause_of(error)
    if isinstance(cause, LateError):
        return str(cause)
    if isinstance(cause, exceptions.NodeDiedError | exceptions.LocalRayletDiedError):
        return "its node died"
    if isinstance(cause, exceptions.OutOfMemoryError):
        return "out of memory: Ray has ended it"
    text = str(cause).removeprefix(exceptions.ActorDiedError.BASE_ERROR_MSG)
    found = ((re.search(pattern, text), words) for pattern, words in REASONS)
    return next((words.format(*match.groups()) for match, words in found if match), "")


class Restarts:
    """Decides whether the run in `folder` goes on after a failure, and counts the actors started again.

    `clock` gives seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self.made = folder, 0
        self._clock = clock
        self._times: dict[str, deque[float]] = {}  # of the newest restarts, by actor

    def another(self, member: Member, error: Exception) -> None:
        """`member` is to be started again after `error`. Raises `RunError` if that is no remedy."""
        failure, log = failure_of(error), self.folder / LOG_NAME
        without = member.name if member.kind.restarted else ""
        if failure is Failure.REFUSED:
            raise RunError(f"actor {member.name!r}: {cause_of(error)}", without) from error
        if failure is Failure.RAISED:
            why = f"{described(error)} (its traceback is in {log})"
            raise RunError(f"actor {member.name!r}: {why}", without) from error
        self.made += 1
        if not (member.kind.replaced and self._within_rate(member.name)):
            raise RunError(self._what(member, error), member.name, self._resume)

    def _within_rate(self, name: str) -> bool:
        """Whether actor `name`, which is lost once more, is not lost too often."""
        times, now = self._times.setdefault(name, deque()), self._clock()
        times.append(now)
        while times[0] <= now - RESTART_SECONDS:
            times.popleft()
        return len(times) <= MAX_RESTARTS

    def _what(self, member: Member, error: Exception) -> str:
        """What has happened, and why if that is known, and how often if that is why the run ends."""
        what = {
            Failure.PROCESS_LOST: f"the process of actor {member.name!r} died",
            Failure.LATE: f"actor {member.name!r} was late",
        }.get(failure_of(error), f"data of actor {member.name!r} was lost")
        reason = reason_of(error)
        often = f", {MAX_RESTARTS + 1} times within an hour" if member.kind.replaced else ""
        return f"{what}{often}" + (f" ({reason})" if reason else "")

    @property
    def _resume(self) -> str:
        return f"'python muzero.py resume {self.folder}' goes on from the newest checkpoint"

    def without_daemon(self) -> RunError:
        """What ends a run where Ray's daemon on this machine is gone, and with it all that it kept."""
        return RunError("Ray's daemon on this machine (raylet) has died", resume=self._resume)

    def headless(self) -> HeadLostError:
        """What ends a run whose head process is gone."""
        return HeadLostError("Ray's head process (GCS) has died", self._resume)

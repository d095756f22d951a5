"""What happens when an actor dies or its call fails: the run starts it again, or ends and says why.

What has gone wrong is told by the class of the error and never by its text. `runs/ray_run.py` carries it out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from ray import exceptions

from core.actor_kinds import Member
from core.errors import ConfigurationError
from data import LostGame
from playing.environment import GamesBreakError
from runs.actors.shell import NotStartedError
from saving.run_folder import LOG_NAME

MAX_RESTARTS = 10
"""Of all actors of a run."""


class RunError(ConfigurationError):
    """The failure of an actor ends the run; the message is one line that names the actor."""

    def __init__(self, message: str, actor: str = "") -> None:
        super().__init__(message)
        self.actor = actor  # without which the others could go on; none if they could not


class Failure(Enum):
    """What can have gone wrong with a call."""

    NOT_STARTED = "the actor's first call has failed, and its error says why"
    REFUSED = "the actor's code found that something cannot work, and says so in a line"
    RAISED = "the actor's code is wrong, or Ray itself says that it cannot go on"
    PROCESS_LOST = "the actor's process has died"
    DATA_LOST = "what it was given or has returned cannot be had"


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


class Restarts:
    """Decides whether the run in `folder` goes on after a failure, and counts the actors started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, 0

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
        if self.made > MAX_RESTARTS or not member.kind.restarted:
            died = failure is Failure.PROCESS_LOST
            what = f"the process of actor {member.name!r} died (out of memory?)"
            raise RunError(
                f"{what if died else f'data of actor {member.name!r} was lost'}; "
                f"'python muzero.py resume {self.folder}' goes on from the newest checkpoint"
            )

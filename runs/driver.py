"""What drives the actors, with Ray (`runs/ray_run.py`) and without (`runs/local_run.py`).

A `Role` says all of one kind of actors: its row of numbers (`core/actor_kinds.py`), its class, and its
`Duty`, which is what the driver has it do over and over. The driver knows no kind; it goes through its roles.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from core.actor_kinds import TRAINER, ActorKind, check_names, members
from data import Snapshot, Weights
from runs.handles import Handle, Pending
from runs.pacing import Pacing

if TYPE_CHECKING:
    from runs.session import Reason, Session

Actor = TypeVar("Actor")
R = TypeVar("R")


@dataclass(frozen=True)
class Role(Generic[Actor]):
    """All there is to say of a kind of actors.

    `kind`: its name, how many there are, on what; whether checkpoints keep its `state()`; whether a lost one
    is replaced, or ends the run. `shell`: how one is made, and what can be asked of it; it is given the state
    to go on from, and after a loss the number of the attempt. `duty`: what is asked of it over and over, what
    becomes of the answers, and what to forget when one is lost. Raises `ValueError` where `kind` and `shell`
    do not belong together.
    """

    kind: ActorKind
    shell: type[Actor]  # mostly a `runs/actors/shell.py:Shell`; its constructor takes no arguments
    duty: Callable[[Driver, Sequence[str]], Duty[Actor]]

    def __post_init__(self) -> None:
        if self.shell.__name__ != self.kind.actor:
            raise ValueError(f"{self.kind.name}: its class is {self.shell.__name__}, not {self.kind.actor}")
        if self.kind.saved and not callable(getattr(self.shell, "state", None)):
            raise ValueError(
                f"{self.kind.name}: {self.shell.__name__} has no state() for checkpoints to keep"
            )


def kinds_of(roles: Sequence[Role[Any]]) -> list[ActorKind]:
    """The rows of numbers. Raises `ConfigurationError` where two kinds would go by one name."""
    kinds = [role.kind for role in roles]
    check_names(kinds)
    return kinds


class Duty(Generic[Actor]):
    """What the driver has the actors of one kind do over and over, and what becomes of their answers.

    Its methods return at once; each call is of well under a second, and an actor has few in flight.
    """

    def __init__(self, driver: Driver, names: Sequence[str]) -> None:
        self.driver, self.names = driver, names

    def actor(self, name: str) -> Handle[Actor]:
        """The actor of this kind that is called so: another one once it has been lost."""
        return self.driver.actors[name]

    def begin(self) -> None:
        """All actors have been launched."""

    def issue(self) -> None:
        """Starts every call that may be started now."""

    def lost(self, name: str) -> None:
        """Actor `name` is gone; all its calls have been dropped, and a new one has taken its place.

        It has the newest state that was known if its kind is `restored`, else none.
        """

    def reported(self) -> None:
        """The state of the run has been shown to its observers."""


class Rhythm(NamedTuple):
    """How much is asked of an actor at a time."""

    moves: int  # in each game of a player's call
    call_seconds: float  # after which a call of a player or of the evaluation returns in any case
    training_calls: int  # in flight
    training_seconds: float  # what one of them is to take
    weights_interval: float  # seconds between publications
    first_evaluation: float  # seconds after the start
    in_rounds: bool  # every actor once, one after another


class Publication(NamedTuple):
    """One version of the weights."""

    version: int  # updates that made them
    weights: Pending[Weights]


class Input(NamedTuple):
    """What one actor returns and another one is given, without passing through the driver's process."""

    actor: str  # whose result it is
    result: Pending[Any]


class Stateful(Protocol):
    """An actor whose state checkpoints keep."""

    def state(self) -> Snapshot:
        """What it takes to go on."""
        ...


class Learner(Protocol):
    """The actor whose weights a checkpoint is of."""

    def published(self) -> tuple[int, Weights]:
        """The number of updates made, and the weights."""
        ...


def forgotten() -> None:
    """A call has come to nothing, and nobody minds."""


class Driver(ABC):
    """The actors of a run, their duties, and what one duty has to know of another."""

    def __init__(self, session: Session, roles: Sequence[Role[Any]], rhythm: Rhythm) -> None:
        self.session, self.config, self.rhythm = session, session.config, rhythm
        self.pacing = Pacing(self.config, session.log.counters)
        self.actors: dict[str, Handle[Any]] = {}
        self.reason: Reason | None = None
        self.published: Publication | None = None  # the newest
        self.updates_in_flight: list[int] = []  # by calls of the trainer
        self.again = 0  # updates that were counted, and have to be made again since their trainer was lost
        self.least_steps = 1  # in the buffer, before it is drawn from
        self.shells = {role.kind.name: role.shell for role in roles}
        self.deciding = (
            False  # an evaluation that may end the run: what is played meanwhile may be for nothing
        )
        kinds = kinds_of(roles)
        session.consists_of(kinds)
        self.members = {member.name: member for member in members(self.config, kinds)}
        self.duties = {role.kind.name: role.duty(self, self._names(role.kind)) for role in roles}

    def _names(self, kind: ActorKind) -> list[str]:
        """Of all actors of this kind."""
        return [name for name, member in self.members.items() if member.kind is kind]

    def only(self, role: Role[Actor]) -> Handle[Actor]:
        """The actor of a kind of which there is one."""
        return self.actors[role.kind.name]

    @property
    def updates_made(self) -> int:
        """Those that the trainer's weights have seen: fewer than are counted when it was lost."""
        return self.session.log.counters.training_step - self.again

    def updates_due(self, claimed: int) -> int:
        """Updates that are paid for by steps in the buffer, beyond the `claimed` ones."""
        log = self.session.log
        # whole histories leave: a small buffer may never hold all that it could
        enough = log.buffer.steps >= max(1, min(self.least_steps, log.buffer.capacity_steps // 2))
        return self.pacing.updates_allowed(log.counters.added_steps, claimed) if enough else 0

    def begin(self) -> None:
        """Has all duties begin, once their actors have been launched."""
        for duty in self.duties.values():
            duty.begin()

    def issue(self) -> None:
        """Starts every call that may be started now."""
        for duty in self.duties.values():
            duty.issue()

    def report(self) -> None:
        """Shows the observers how the run stands."""
        self.session.report()
        for duty in self.duties.values():
            duty.reported()

    def save(self, without: Collection[str] = ()) -> None:
        """Lets the calls in flight end and writes a checkpoint of what the actors then are."""
        self.drain()
        parts: dict[str, Snapshot] = {}
        saved = [name for name, member in self.members.items() if member.kind.saved]
        for name in (name for name in saved if name not in without):
            self.call(name, self.actors[name].call(Stateful.state), partial(parts.__setitem__, name))
        trained: list[tuple[int, Weights]] = []
        self.call(TRAINER.name, self.actors[TRAINER.name].call(Learner.published), trained.append)
        self.drain()  # a player that is lost now is missing from the checkpoint, and starts anew from it
        ((_, weights),) = trained
        self.session.save(weights, parts)

    @abstractmethod
    def call(
        self,
        actor: str,
        result: Pending[R],
        done: Callable[[R], object],
        queue: str | None = None,
        inputs: tuple[Input, ...] = (),
        awaited: bool = True,
        dropped: Callable[[], object] = forgotten,
    ) -> None:
        """Has `done` take the `result` of a call of `actor`, once it is there, or calls `dropped` if it never
        will be.

        The call takes its turn in `queue`, mostly the same actor's. `inputs` are those that it was given, in
        the order in which they are made. Unless `awaited`, it changes nothing that a checkpoint keeps.
        """

    @abstractmethod
    def busy(self, queue: str) -> bool:
        """Whether a call is in flight that took its turn in `queue`."""

    @abstractmethod
    def value(self, result: Pending[R]) -> R:
        """A result that is there, in this process."""

    @abstractmethod
    def drain(self) -> None:
        """Waits until no call is in flight that changes what a checkpoint keeps."""


def nothing(_: object) -> None:
    """The result is of no interest, only that the call went well."""

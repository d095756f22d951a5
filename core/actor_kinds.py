"""The kinds of actors that a run consists of: what each is called, how many there are, and what they work on.

What an actor is made of and what it does is in its role, which holds its row (`runs/driver.py:Role`, listed
in `runs/actors/table.py`). The rows of the usual kinds stand on the ground floor and bring nothing heavy,
because costs and memory are kept by kind; the row of another kind stands beside its role.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from core.errors import ConfigurationError


class Sizes(Protocol):
    """What of a configuration decides how many actors there are."""

    @property
    def num_workers(self) -> int:
        """Self-play actors; 0: not decided yet."""
        ...

    @property
    def num_reanalyse_workers(self) -> int:
        """Reanalysis actors."""
        ...

    @property
    def evaluation_interval(self) -> float:
        """Seconds between evaluations; 0: none."""
        ...


class GpuUse(Enum):
    """When a kind of actor works on a GPU."""

    NEVER = "never"
    TRAINING = "where there is one"
    PLAYING = "where there is one and the configuration wants the players on it"


@dataclass(frozen=True)
class ActorKind:
    """What a run has to know of one kind of actors."""

    name: str  # in checkpoints, metrics, costs and messages
    actor: str  # its role's class, after which Ray names its process
    count: Callable[[Sizes], int]  # how many a configuration asks for
    launched: int  # place in the order of launching: what takes longest first, but after what it is given
    numbered: bool = False  # whether there may be several of them
    saved: bool = False  # whether a checkpoint keeps its state()
    restarted: bool = False  # whether a lost one is replaced by one that begins anew
    restored: bool = False  # or by one in its newest state that is known; if neither, the run ends
    cpus: int = 1
    gpu: GpuUse = GpuUse.NEVER

    def members(self, config: Sizes) -> list[Member]:
        """The actors of this kind that `config` asks for."""
        numbers = range(self.count(config))
        return [Member(f"{self.name}_{n}" if self.numbered else self.name, self, n) for n in numbers]

    @property
    def replaced(self) -> bool:
        """Whether another one takes the place of a lost one."""
        return self.restarted or self.restored

    def device(self, training: str, playing: str) -> str:
        """Where actors of this kind compute, in a run that trains and plays on these devices."""
        return {GpuUse.TRAINING: training, GpuUse.PLAYING: playing}.get(self.gpu, "cpu")


class Member(NamedTuple):
    """One actor of a run."""

    name: str  # in checkpoints and messages
    kind: ActorKind
    number: int  # among those of its kind


def _one(_: Sizes) -> int:
    return 1


SELF_PLAY = ActorKind(
    "self_play",
    "SelfPlayActor",
    lambda config: max(config.num_workers, 1),  # 0 is resolved when a run starts, see runs/machine.py
    launched=2,
    numbered=True,
    saved=True,
    restarted=True,
    gpu=GpuUse.PLAYING,
)
TRAINER = ActorKind(
    "trainer", "TrainerActor", _one, launched=0, saved=True, restored=True, gpu=GpuUse.TRAINING
)
REANALYSE = ActorKind(
    "reanalyse",
    "ReanalyseActor",
    lambda config: config.num_reanalyse_workers,
    launched=5,
    numbered=True,
    restarted=True,
    gpu=GpuUse.PLAYING,
)
EVALUATOR = ActorKind(
    "evaluator",
    "EvaluatorActor",
    lambda config: int(config.evaluation_interval > 0),
    launched=4,
    restarted=True,
    gpu=GpuUse.PLAYING,
)
BUFFER = ActorKind("buffer", "BufferActor", _one, launched=3, saved=True, restored=True)
STORAGE = ActorKind("storage", "SharedStorage", _one, launched=1, restored=True, cpus=0)

ACTOR_KINDS = (SELF_PLAY, TRAINER, REANALYSE, EVALUATOR, BUFFER, STORAGE)
"""In the order in which files list them."""
DRIVER, RAY = "driver", "ray"
PROCESS_KINDS = (DRIVER, *(kind.name for kind in ACTOR_KINDS), RAY)
"""The process that was started, without Ray all of it; the actors; Ray's daemons and all else."""


JUDGE = "judge"
"""The part of a checkpoint that is no actor's."""


def members(config: Sizes, kinds: Sequence[ActorKind] = ACTOR_KINDS) -> list[Member]:
    """All actors that a run of `config` consists of, in the order of launching."""
    in_order = sorted(kinds, key=lambda kind: kind.launched)
    return [member for kind in in_order for member in kind.members(config)]


def check_names(kinds: Sequence[ActorKind]) -> None:
    """Raises `ConfigurationError` where files could not tell two kinds apart, or one from something else."""
    taken = {DRIVER, RAY, JUDGE}
    for name in (name for kind in kinds for name in (kind.name, kind.actor)):
        if name in taken:
            raise ConfigurationError(f"actors cannot be called {name!r}, which is taken: choose another name")
        taken.add(name)

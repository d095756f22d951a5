"""The kinds of actors that a run consists of: the one table from which everything else about them is read.

A new kind is a row here and a class in `runs/actors.py`. The table stands on the ground floor and brings
nothing heavy, because costs and memory are kept by kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol


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
    actor: str  # class in runs/actors.py, after which Ray names its process
    count: Callable[[Sizes], int]  # how many a configuration asks for
    launched: int  # place in the order of launching: what takes longest first, but after what it is given
    numbered: bool = False  # whether there may be several of them
    saved: bool = False  # whether a checkpoint keeps its state
    restarted: bool = False  # whether a lost one is replaced; the run ends otherwise
    cpus: int = 1
    gpu: GpuUse = GpuUse.NEVER

    def members(self, config: Sizes) -> list[Member]:
        """The actors of this kind that `config` asks for."""
        numbers = range(self.count(config))
        return [Member(f"{self.name}_{n}" if self.numbered else self.name, self, n) for n in numbers]


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
TRAINER = ActorKind("trainer", "TrainerActor", _one, launched=0, saved=True, gpu=GpuUse.TRAINING)
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
BUFFER = ActorKind("buffer", "BufferActor", _one, launched=3, saved=True)
STORAGE = ActorKind("storage", "SharedStorage", _one, launched=1, cpus=0)

ACTOR_KINDS = (SELF_PLAY, TRAINER, REANALYSE, EVALUATOR, BUFFER, STORAGE)
"""In the order in which files list them."""
DRIVER, RAY = "driver", "ray"
PROCESS_KINDS = (DRIVER, *(kind.name for kind in ACTOR_KINDS), RAY)
"""The process that was started, without Ray all of it; the actors; Ray's daemons and all else."""


def members(config: Sizes) -> list[Member]:
    """All actors that a run of `config` consists of, in the order of launching."""
    kinds = sorted(ACTOR_KINDS, key=lambda kind: kind.launched)
    return [member for kind in kinds for member in kind.members(config)]

"""What a training takes: time, processor time by kind of process, steps, network evaluations, memory."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from core.actor_kinds import PROCESS_KINDS
from core.errors import require

Number = TypeVar("Number", int, float)


if TYPE_CHECKING:

    class _ByProcess:
        """One number of seconds for each of `PROCESS_KINDS`, 0 unless it is given."""

        def __init__(self, *in_order: float, **by_kind: float) -> None: ...

        def __getattr__(self, kind: str) -> float: ...

else:
    _ByProcess = dataclasses.make_dataclass(
        "_ByProcess", [(kind, float, 0.0) for kind in PROCESS_KINDS], frozen=True
    )


@dataclass(frozen=True, init=False)
class CpuSeconds(_ByProcess):
    """Processor time (user and system) by kind of process, of processes that have ended, too.

    It has a field for each of `PROCESS_KINDS`, which is 0 unless it is given.
    """

    @property
    def total(self) -> float:
        """Of all kinds."""
        return float(sum(dataclasses.astuple(self)))


@dataclass(frozen=True)
class NetworkEvaluations:
    """Positions and moves that networks evaluated, by purpose; the trainer's updates are not among them.

    A search of one position is one evaluation of the root and one per simulation. What values the last
    positions of truncated games belongs to no search and is not counted.
    """

    self_play: int = 0
    reanalysis: int = 0
    evaluation: int = 0  # both players, where both are networks; evaluations that came to their end

    @property
    def total(self) -> int:
        """For all purposes."""
        return self.self_play + self.reanalysis + self.evaluation


def facts_of(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `dataclasses.asdict`: what files keep of a cost, without added kinds where there are none."""
    return {name: value for name, value in fields if value or name != "added_cpu_seconds"}


@dataclass(frozen=True)
class Cost:
    """What a training took up to a moment, all sittings of the run together. None: not measured.

    Raises `ConfigurationError` on numbers that are negative or not finite.
    """

    seconds: float  # wall time
    cpu_seconds: CpuSeconds | None = None
    gpu_seconds: float | None = None  # wall time of the calls of trainer and self-play that use a GPU
    played_steps: int | None = None  # environment steps of self-play
    evaluation_steps: int | None = None  # environment steps of evaluations that came to their end
    network_evaluations: NetworkEvaluations | None = None
    updates: int | None = None
    peak_memory: int | None = None  # bytes, of all processes together (proportional set size)
    added_cpu_seconds: dict[str, float] | None = None  # of kinds beside `PROCESS_KINDS`; None: no such kinds

    def __post_init__(self) -> None:
        parts = [dataclasses.astuple(part) for part in (self.cpu_seconds, self.network_evaluations) if part]
        others = (self.seconds, self.gpu_seconds, self.played_steps, self.evaluation_steps, self.updates)
        added = (self.added_cpu_seconds or {}).values()
        for value in (*others, self.peak_memory, *added, *(value for part in parts for value in part)):
            possible = value is None or 0 <= value < math.inf
            require(possible, "cost", f"is {value} and must be finite and not negative")

    def plus(self, later: Cost) -> Cost:
        """The cost of this sitting and a `later` one; what was not measured in both is not known."""
        cpu_seconds = _summed(self.cpu_seconds, later.cpu_seconds)
        added = _summed_by_name(self.added_cpu_seconds or {}, later.added_cpu_seconds or {})
        return Cost(
            seconds=self.seconds + later.seconds,
            cpu_seconds=cpu_seconds,
            gpu_seconds=_sum(self.gpu_seconds, later.gpu_seconds),
            played_steps=_sum(self.played_steps, later.played_steps),
            evaluation_steps=_sum(self.evaluation_steps, later.evaluation_steps),
            network_evaluations=_summed(self.network_evaluations, later.network_evaluations),
            updates=_sum(self.updates, later.updates),
            peak_memory=_larger(self.peak_memory, later.peak_memory),
            added_cpu_seconds=(added or None) if cpu_seconds is not None else None,
        )

    @property
    def all_cpu_seconds(self) -> float | None:
        """Processor time of all kinds of processes."""
        added = sum((self.added_cpu_seconds or {}).values())
        return None if self.cpu_seconds is None else self.cpu_seconds.total + added

    @property
    def environment_steps(self) -> int | None:
        """Of self-play and evaluations."""
        return _sum(self.played_steps, self.evaluation_steps)

    def to_facts(self) -> dict[str, Any]:
        """What JSON can hold."""
        return dataclasses.asdict(self, dict_factory=facts_of)

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Cost:
        """The cost that `to_facts` wrote. Raises `TypeError` or `ConfigurationError` on anything else."""
        cpu, networks = facts.get("cpu_seconds"), facts.get("network_evaluations")
        parts = {
            "cpu_seconds": None if cpu is None else CpuSeconds(**cpu),
            "network_evaluations": None if networks is None else NetworkEvaluations(**networks),
        }
        return cls(**facts | parts)


NOTHING = Cost(0.0, CpuSeconds(), 0.0, 0, 0, NetworkEvaluations(), 0, 0)
"""The cost of a run that has not begun."""

Parts = TypeVar("Parts", CpuSeconds, NetworkEvaluations)


def _summed(first: Parts | None, second: Parts | None) -> Parts | None:
    if first is None or second is None:
        return None
    sums = map(sum, zip(dataclasses.astuple(first), dataclasses.astuple(second), strict=True))
    return type(first)(*sums)


def _sum(first: Number | None, second: Number | None) -> Number | None:
    return None if first is None or second is None else first + second


def _summed_by_name(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in first | second}


def _larger(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else max(first, second)

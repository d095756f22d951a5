"""Typed handles of actors: the type checker knows the method that is called, its arguments and its result.

`buffer.call(BufferActor.sample, 4)` asks the actor behind `buffer` for what `BufferActor.sample` returns, and
`trainer.call(TrainerActor.train, batches)` gives what has not come yet to another actor. A duty says both in
the same words with Ray (`RemoteHandle`) and without (`DirectHandle`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, overload

from data import Weights

Actor_contra = TypeVar("Actor_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)
R = TypeVar("R")
R2 = TypeVar("R2")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")


@dataclass(frozen=True)
class Pending(Generic[Result_co]):
    """What a call will have returned. Given to another call as an argument, it is its result there."""

    where: Any  # Ray's reference; without Ray the result itself


Kept: TypeAlias = list[Pending[Weights]]
"""What a storage holds: a reference to weights; in a list, as Ray would send the weights in its place."""


class Handle(ABC, Generic[Actor_contra]):
    """An actor, as those see it who ask something of it.

    A method is named by its class, `Class.method`, so that a wrong one, wrong arguments, and a result that
    is taken for another are found by mypy. Keyword arguments are not passed on.
    """

    @overload
    def call(self, method: Callable[[Actor_contra], R], /) -> Pending[R]: ...
    @overload
    def call(self, method: Callable[[Actor_contra, T1], R], a: T1 | Pending[T1], /) -> Pending[R]: ...
    @overload
    def call(
        self, method: Callable[[Actor_contra, T1, T2], R], a: T1 | Pending[T1], b: T2 | Pending[T2], /
    ) -> Pending[R]: ...
    @overload
    def call(
        self,
        method: Callable[[Actor_contra, T1, T2, T3], R],
        a: T1 | Pending[T1],
        b: T2 | Pending[T2],
        c: T3 | Pending[T3],
        /,
    ) -> Pending[R]: ...
    def call(self, method: Callable[..., R], /, *arguments: Any) -> Pending[R]:
        """Asks for what `method` returns."""
        return self._asked(method.__name__, arguments, 1)[0]

    @overload
    def call_pair(
        self, method: Callable[[Actor_contra], tuple[R, R2]], /
    ) -> tuple[Pending[R], Pending[R2]]: ...
    @overload
    def call_pair(
        self, method: Callable[[Actor_contra, T1], tuple[R, R2]], a: T1 | Pending[T1], /
    ) -> tuple[Pending[R], Pending[R2]]: ...
    @overload
    def call_pair(
        self,
        method: Callable[[Actor_contra, T1, T2], tuple[R, R2]],
        a: T1 | Pending[T1],
        b: T2 | Pending[T2],
        /,
    ) -> tuple[Pending[R], Pending[R2]]: ...
    def call_pair(
        self, method: Callable[..., tuple[R, R2]], /, *arguments: Any
    ) -> tuple[Pending[R], Pending[R2]]:
        """Asks for both of what `method` returns, each of which can be had without the other."""
        first, second = self._asked(method.__name__, arguments, 2)
        return first, second

    @abstractmethod
    def _asked(self, method: str, arguments: tuple[Any, ...], results: int) -> list[Pending[Any]]:
        """The so many results of the actor's method of that name."""


@dataclass(frozen=True)
class RemoteHandle(Handle[Actor_contra]):
    """An actor in a process of its own. It is asked at once, and nobody waits for its answer."""

    actor: Any  # Ray's handle

    def _asked(self, method: str, arguments: tuple[Any, ...], results: int) -> list[Pending[Any]]:
        remote = getattr(self.actor, method)
        if results == 1:
            return [Pending(remote.remote(*map(_where, arguments)))]
        return [Pending(ref) for ref in remote.options(num_returns=results).remote(*map(_where, arguments))]


@dataclass(frozen=True)
class DirectHandle(Handle[Actor_contra]):
    """An actor's object in this process: what is asked of it is done before the call returns."""

    part: Any

    def _asked(self, method: str, arguments: tuple[Any, ...], results: int) -> list[Pending[Any]]:
        done = getattr(self.part, method)(*map(_where, arguments))
        return [Pending(done)] if results == 1 else [Pending(one) for one in done]


def _where(argument: Any) -> Any:
    return argument.where if isinstance(argument, Pending) else argument

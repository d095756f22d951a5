"""The calls that actors on Ray are working on, and what can be told from them: who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import ray

from runs.driver import Input, forgotten


class Call(NamedTuple):
    """A remote call in flight."""

    actor: str  # whose it is
    queue: str  # whose turn it takes: mostly the same actor's
    done: Callable[[Any], object]  # what to do with its result
    inputs: tuple[Input, ...] = ()  # in the order in which they are made
    awaited: bool = True  # before a checkpoint
    dropped: Callable[[], object] = forgotten  # what to do if it never has a result

    def origin(self, error: Exception) -> tuple[str, Exception]:
        """The actor whose failure `error` is, and what happened to it: an input may have failed before."""
        for actor, result in self.inputs:
            try:
                if ray.wait([result.where], timeout=0)[0]:
                    ray.get(result.where)
            except ray.exceptions.RayError as earlier:
                return actor, earlier
        return self.actor, error

    def waits_for(self) -> str:
        """Whose answer it waits for first: of who makes the first input that is not there, or its own."""
        for actor, result in self.inputs:
            if not ray.wait([result.where], timeout=0, fetch_local=False)[0]:
                return actor
        return self.actor

    def concerns(self, names: Collection[str]) -> bool:
        """Whether it has to do with one of these actors."""
        return self.actor in names or self.queue in names


def at_work(calls: Iterable[tuple[Any, Call]]) -> dict[str, object]:
    """Who is on what: of each actor's `calls` the first, or whoever that one is waiting for.

    `calls` are those in flight in the order in which they were made, each with Ray's reference to its result.
    """
    first: dict[str, tuple[Any, Call]] = {}
    for ref, call in calls:
        first.setdefault(call.actor, (ref, call))
    waits = {actor: call.waits_for() for actor, (_, call) in first.items()}
    on = {_last(waits, actor): ref for actor, (ref, _) in reversed(first.items())}
    return on | {actor: ref for actor, (ref, _) in first.items() if waits[actor] == actor}


def _last(waits: Mapping[str, str], actor: str) -> str:
    """Whom `actor` waits for in the end, where everybody in `waits` waits for another one or for itself."""
    seen: set[str] = set()
    while actor not in seen and waits.get(actor, actor) != actor:
        seen.add(actor)
        actor = waits[actor]
    return actor

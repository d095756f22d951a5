"""Games played and kept exactly as the game presented them, for those who check a game.

Nothing is normalised and nothing refused: that is `Environment`'s task, which training goes through.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.randomness import Stream, make_generator, one_of
from games.api.spec import RAISES, Capabilities, GameSpec, capabilities_of, game_maker


class Seen(NamedTuple):
    """A position as the game presented it."""

    observation: Any  # the object that was returned
    copy: Any  # of that, made at once
    legal: Any  # None where the game is over, or has no `legal_actions`
    player: Any  # 0 where the game has no `to_play`


class Made(NamedTuple):
    """A move as the game answered it."""

    action: int
    values: int  # that `step` returned
    reward: Any
    terminated: Any
    truncated: Any


class Failure(NamedTuple):
    """An exception that a game raised."""

    call: str
    move: int  # moves made before
    error: BaseException

    def __str__(self) -> str:
        return f"{self.call} after {self.move} move(s) raised {type(self.error).__name__}: {self.error}"


class Trace:
    """One game from `seed`, and what was seen of it; `game` is used again if its `reset` takes a seed.

    Raises `ConfigurationError` where the game's constructor does, as games do that lack a dependency.
    """

    def __init__(self, spec: GameSpec, seed: int, game: Any = None) -> None:
        self.spec, self.seed, self.game = spec, seed, game
        self.seen: list[Seen] = []
        self.made: list[Made] = []
        self.failure: Failure | None = None
        self.can = Capabilities()  # known once the game has been started
        self.over = False
        self._start()

    def _start(self) -> None:
        seed, make = self.seed, game_maker(self.spec, self.spec.config)
        try:
            reseeds = self.spec.can.reseed
            if self.game is None or not reseeds:
                self.game = make(seed)
        except ConfigurationError:
            raise
        except RAISES as error:
            self.failure = Failure(f"Game({seed})", 0, error)
            return
        observation = self._attempt("reset", lambda: self.game.reset(**({"seed": seed} if reseeds else {})))
        self.can = capabilities_of(self.game)
        self._look(observation)

    @property
    def actions(self) -> list[int]:
        """Played so far."""
        return [move.action for move in self.made]

    @property
    def terminated(self) -> bool:
        """Whether the game has come to an end of its own, which is no truncation."""
        return bool(self.made) and is_true(self.made[-1].terminated)

    @property
    def running(self) -> bool:
        """Whether another move can be made."""
        within = len(self.made) < self.spec.config.max_moves
        return self.failure is None and not self.over and within and bool(self.choices())

    def choices(self) -> list[int]:
        """The actions that the game says are legal and that exist."""
        space = range(self.spec.config.num_actions)
        legal = self.seen[-1].legal
        if legal is None:
            return list(space)
        listed = array_of(legal).ravel()
        return [int(a) for a in listed if a in space] if listed.dtype.kind in "iu" else []

    def play(self, action: int) -> None:
        """Makes a move."""
        returned = self._attempt(f"step({action})", lambda: self.game.step(action))
        if self.failure is not None:
            return
        parts = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
        self.over = len(parts) not in (3, 5)
        observation, reward, terminated, truncated = (*parts, None, None, None)[:4]
        truncated = truncated if len(parts) == 5 else False
        self.made.append(Made(action, len(parts), reward, terminated, truncated))
        self.over = self.over or is_true(terminated) or is_true(truncated)
        self._look(observation)

    def play_on(self, generator: np.random.Generator) -> Trace:
        """Plays at random until the game ends, fails, or has had `max_moves` moves; returns itself."""
        while self.running:
            self.play(one_of(generator, self.choices()))
        return self

    def repeat(self, actions: Sequence[int]) -> Trace:
        """Plays `actions` as far as the game goes; returns itself."""
        for action in actions:
            if self.failure is None and not self.over:
                self.play(action)
        return self

    def _look(self, observation: Any) -> None:
        """Notes the position that the game has reached."""
        legal, player = None, 0
        if self.can.mask_actions and not self.over:
            legal = self._attempt("legal_actions()", lambda: copy.deepcopy(self.game.legal_actions()))
        if self.can.say_whose_turn:
            player = self._attempt("to_play()", self.game.to_play)
        self.seen.append(Seen(observation, copy.deepcopy(observation), legal, player))

    def _attempt(self, call: str, function: Callable[[], Any]) -> Any:
        """What `function` returns; an exception is kept as the trace's failure."""
        if self.failure is not None:
            return None
        try:
            return function()
        except RAISES as error:
            self.failure = Failure(call, len(self.made), error)
            return None


def record(spec: GameSpec, seed: int) -> Trace:
    """A random game from `seed`, which also determines the moves."""
    return Trace(spec, seed).play_on(make_generator(seed, Stream.CHECK))


def array_of(value: Any) -> NDArray[Any]:
    """`value` as an array; what is ragged becomes an array of objects without elements."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.zeros(0, object)


def is_true(value: Any) -> bool:
    """Whether `value` is one truth, if only in an array, and that true."""
    return bool(value is not None and np.size(value) == 1 and np.ravel(value)[0])


def difference(first: Trace, second: Trace) -> str | None:
    """The first thing in which two traces of the same actions differ; `None` if in nothing."""
    if str(first.failure) != str(second.failure):
        return f"{second.failure or first.failure}"
    for number, (one, other) in enumerate(zip(first.seen, second.seen, strict=False)):
        for name in ("copy", "legal", "player"):
            if not same(getattr(one, name), getattr(other, name)):
                return f"{WORDS[name]} after {number} move(s)"
    for number, (move, again) in enumerate(zip(first.made, second.made, strict=False), 1):
        for name in ("reward", "terminated", "truncated"):
            if not same(getattr(move, name), getattr(again, name)):
                return f"{WORDS[name]} of move {number}"
    return None if len(first.made) == len(second.made) else "the number of moves"


WORDS = {
    "copy": "the observation",
    "legal": "legal_actions",
    "player": "to_play",
    "reward": "the reward",
    "terminated": "whether the game is over",
    "truncated": "whether the game is cut short",
}


def same(one: Any, other: Any) -> bool:
    """Whether two values that a game returned are equal; NaN equals NaN."""
    first, second = array_of(one), array_of(other)
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    floats = first.dtype.kind in "fc"
    return bool(np.array_equal(first, second, equal_nan=floats))

"""What a player of the real game cannot know: chance that is still to come, and what is hidden.

A copy of a game holds the very generator that will throw the dice, and the cards that lie face down. Who
searches by copies would foresee them. So a copy is made uncertain again before it is played on: by the game's
own `resample(generator)` if it has one, which draws all anew that the player to move cannot know, or else by
seeding the random generators anew that are found in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from games.api.spec import GameSpec
from playing.environment import Environment

DEPTH = 4
"""How deep generators are looked for: attributes of attributes, and elements of lists and dictionaries."""
PROBED = 5
"""Games, and moves in each, by which it is seen whether a game knows chance at all."""


def make_uncertain(game: Any, resamples: bool, generator: np.random.Generator) -> bool:
    """Draws anew in `game` what the player to move cannot know; whether anything was found to draw from."""
    if resamples:
        game.resample(generator)
        return True
    found = list(generators_in(game))
    for reseed in found:
        reseed(int(generator.integers(2**31)))
    return bool(found)


def generators_in(game: Any, depth: int = DEPTH) -> Iterator[Callable[[int], None]]:
    """How to seed each of the random generators in `game`, once."""
    seen: set[int] = set()
    stack: list[tuple[Any, int]] = [(game, depth)]
    while stack:
        value, left = stack.pop()
        if id(value) in seen or isinstance(value, str | bytes | int | float | np.ndarray | type):
            continue
        seen.add(id(value))
        if isinstance(value, np.random.Generator):
            yield partial(_seed, value)
        elif isinstance(value, np.random.RandomState | random.Random):
            yield value.seed
        elif left:
            stack += [(inner, left - 1) for inner in _inside(value)]


def _seed(generator: np.random.Generator, seed: int) -> None:
    bits = type(generator.bit_generator)
    generator.bit_generator.state = bits(seed).state


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    return list(vars(value).values()) if hasattr(value, "__dict__") else []


def foresees(spec: GameSpec) -> bool:
    """Whether who searches copies of the game knows its chance beforehand.

    So it is if games differ from seed to seed, and there is neither `resample` nor a generator in them.
    """
    game = Environment(spec, spec.config)
    game.reset(0)
    if game.can.resample or any(True for _ in generators_in(game.game)):
        return False
    return any(_differ(spec, choice) for choice in range(min(spec.config.num_actions, PROBED)))


def _differ(spec: GameSpec, choice: int) -> bool:
    """Whether games differ from seed to seed in which always legal action number `choice` is played."""
    games = [Environment(spec, spec.config) for _ in range(PROBED)]
    seen = [[game.reset(seed).tolist()] for seed, game in enumerate(games)]
    for game, reached in zip(games, seen, strict=True):
        for _ in range(PROBED):
            legal = np.flatnonzero(game.legal_mask())
            step = game.step(int(legal[choice % len(legal)]))
            reached += [step.observation.tolist(), step[1:]]
            if step.terminated or step.truncated:
                break
    return any(reached != seen[0] for reached in seen)

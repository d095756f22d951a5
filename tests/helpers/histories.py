"""Histories made for tests, in which every step can be told from every other."""

from __future__ import annotations

from typing import Any

import numpy as np

from data import GameHistory


def make_history(rewards: list[float], root_values: list[float], **changes: Any) -> GameHistory:
    """A one-player game that terminates, with A = 3 and 1x1x2 observations (seed, step), unless `changes`."""
    known = len(rewards)
    seed = changes.get("seed", 0)
    policies = 1.0 + np.arange(3 * known, dtype=np.float32).reshape(known, 3)
    fields = {
        "observations": np.array([[[[seed, t]]] for t in range(known + 1)], np.float32),
        "actions": np.arange(known, dtype=np.int32) % 3,
        "rewards": np.array(rewards, np.float32),
        "policies": policies / policies.sum(axis=1, keepdims=True),
        "root_values": np.array(root_values, np.float32),
        "to_play": np.zeros(known + 1, np.int8),
        "legal_actions": np.packbits(np.ones((known + 1, 3), np.bool_), axis=1),
        "steps": known,
        "past": 0,
        "terminated": True,
        "truncated": False,
        "seed": seed,
        "versions": np.zeros(known + 1, np.int64),
        "first_step": 0,
        "game_return": sum(rewards),
        "game_length": known,
    }
    return GameHistory(**(fields | changes))


def random_history(generator: np.random.Generator, steps: int, **changes: Any) -> GameHistory:
    """A terminated game of `steps` steps with random rewards, values and actions."""
    history = make_history(
        list(generator.normal(size=steps)),
        [*generator.normal(size=steps), 0.0],
        actions=generator.integers(3, size=steps, dtype=np.int32),
    )
    return GameHistory(**(vars(history) | changes))


def cut(game: GameHistory, length: int, look_ahead: int, stacked: int) -> list[GameHistory]:
    """`game` in segments of `length` own steps, with look-ahead and past observations as self-play sends."""
    total = game.steps
    segments = []
    for start in range(0, total, length):
        steps = min(length, total - start)
        past, stop = min(stacked, start), min(start + steps + look_ahead, total)
        last, over = start + steps == total, stop == total
        changes = {
            "observations": game.observations[start - past : stop + 1],
            "actions": game.actions[start - past : stop],
            "steps": steps,
            "past": past,
            "terminated": game.terminated and over,
            "truncated": game.truncated and over,
            "first_step": start,
            "game_return": game.game_return if last else None,
            "game_length": total if last else None,
        }
        for name in ("rewards", "policies"):
            changes[name] = getattr(game, name)[start:stop]
        for name in ("root_values", "to_play", "legal_actions", "versions"):
            changes[name] = getattr(game, name)[start : stop + 1]
        if game.exploratory is not None:
            changes["exploratory"] = game.exploratory[start:stop]
        segments.append(GameHistory(**(vars(game) | changes)))
    return segments

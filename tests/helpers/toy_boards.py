"""Board games made for tests: small enough to be solved, as `games/boards/rules.py:Rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from games.boards.rules import (
    DRAWN,
    EVALUATE,
    LEGAL,
    MOVES,
    OBSERVE,
    OUTCOME,
    OWN,
    PLAY,
    RUNNING,
    TO_PLAY,
    WON_BY_0,
    WON_BY_1,
    BoardState,
    Rules,
    compiled,
    reward_to,
)


@compiled(EVALUATE)
def no_guess(state: Any) -> Any:
    return 0.0


@compiled(OBSERVE)
def no_view(state: Any, planes: Any) -> None:
    planes[:] = 0


def nim_start() -> BoardState:
    return np.array([0, RUNNING, 0, 9], np.int64)


@compiled(LEGAL)
def nim_legal(state: Any, mask: Any) -> Any:
    count = 0
    for a in range(3):
        mask[a] = state[OUTCOME] == RUNNING and a < state[OWN]
        count += mask[a]
    return count


@compiled(PLAY)
def nim_play(state: Any, action: Any) -> None:
    state[OWN] -= action + 1
    state[MOVES] += 1
    if state[OWN] == 0:
        state[OUTCOME] = WON_BY_0 + state[TO_PLAY]
    state[TO_PLAY] = 1 - state[TO_PLAY]


NIM = Rules(nim_start, nim_legal, nim_play, no_guess, no_view)
"""Players take one to three (action + 1) of nine sticks in turn; who takes the last one wins."""

BOXES = 3
EDGES = 3 * BOXES + 1
SCORE, FIRST_EDGE = OWN, OWN + 1


def boxes_start() -> BoardState:
    return np.zeros(FIRST_EDGE + EDGES, np.int64)


@compiled(LEGAL)
def boxes_legal(state: Any, mask: Any) -> Any:
    count = 0
    for a in range(EDGES):
        mask[a] = state[OUTCOME] == RUNNING and state[FIRST_EDGE + a] == 0
        count += mask[a]
    return count


@compiled(PLAY)
def boxes_play(state: Any, action: Any) -> None:
    state[FIRST_EDGE + action] = 1
    state[MOVES] += 1
    completed = 0
    for box in range(BOXES):
        left = 3 * box  # a box's edges: left, top, bottom, right; the right one is the next box's left one
        touched = left <= action <= left + 3
        drawn = state[FIRST_EDGE + left : FIRST_EDGE + left + 4].sum()
        completed += touched and drawn == 4
    player = state[TO_PLAY]
    state[SCORE] += completed if player == 0 else -completed
    if completed == 0:
        state[TO_PLAY] = 1 - player
    if state[MOVES] == EDGES:
        score = state[SCORE]
        state[OUTCOME] = WON_BY_0 if score > 0 else (WON_BY_1 if score < 0 else DRAWN)


BOXES_GAME = Rules(boxes_start, boxes_legal, boxes_play, no_guess, no_view)
"""Dots and boxes in a strip: who draws a box's last edge scores it and moves again; most boxes win."""


def moves(rules: Rules, state: BoardState, num_actions: int) -> list[int]:
    """The legal actions."""
    mask = np.zeros(num_actions, np.bool_)
    rules.legal(state, mask)
    return np.flatnonzero(mask).tolist()


def after(rules: Rules, state: BoardState, action: int) -> BoardState:
    """The position that an action leads to."""
    child = state.copy()
    rules.play(child, action)
    return child


class Solver:
    """Exact play by exhaustive search: what positions are worth to the player to move."""

    def __init__(self, rules: Rules, num_actions: int) -> None:
        self.rules, self.num_actions = rules, num_actions
        self._known: dict[tuple[bytes, int], float] = {}

    def value(self, state: BoardState, depth: int = 1000) -> float:
        """1, 0 or -1; 0 where the game is still open `depth` moves ahead."""
        if state[OUTCOME] != RUNNING:
            return reward_to(int(state[TO_PLAY]), state)
        if depth == 0:
            return 0.0
        key = state.tobytes(), depth
        if key not in self._known:
            self._known[key] = max(self._moves(state, depth))
        return self._known[key]

    def _moves(self, state: BoardState, depth: int) -> Iterator[float]:
        """The values of the moves, up to the first that wins."""
        for action in moves(self.rules, state, self.num_actions):
            value = self.action_value(state, action, depth)
            yield value
            if value == 1.0:
                return

    def action_value(self, state: BoardState, action: int, depth: int = 1000) -> float:
        """The value of a legal move to the player who makes it."""
        child = after(self.rules, state, action)
        value = self.value(child, depth - 1)
        return value if child[TO_PLAY] == state[TO_PLAY] else -value

    def best_actions(self, state: BoardState, depth: int = 1000) -> list[int]:
        """All legal moves of the best value."""
        legal = moves(self.rules, state, self.num_actions)
        values = [self.action_value(state, action, depth) for action in legal]
        return [action for action, value in zip(legal, values, strict=True) if value == max(values)]


def reachable(rules: Rules, num_actions: int) -> list[BoardState]:
    """Every position that can be reached and is not over, each once, the first one first."""
    found = {rules.start().tobytes(): rules.start()}
    queue = [rules.start()]
    for state in queue:
        for action in moves(rules, state, num_actions):
            child = after(rules, state, action)
            if child[OUTCOME] == RUNNING and child.tobytes() not in found:
                found[child.tobytes()] = child
                queue.append(child)
    return queue

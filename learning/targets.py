"""The steps that are stored, and the training targets that are computed from them.

Policy targets are those that the search has found (`search/mcts.py:read`); here lie value and reward targets.
Histories lie as runs of rows in arrays that are used as a ring; the same functions take one history's
own rows, which are a ring of just its length.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.kernels import cached_njit
from core.zero_sum import seen_by
from data import BoolArray, FloatArray, GameHistory, IntArray

PAST, OWN, AHEAD = 0, 1, 2
"""Kinds of a row: before the history's own steps, one of them, or behind them."""

FINAL = np.iinfo(np.int32).max
"""The version of a position whose value is a fact: newer than all weights, so that none replace it."""


class StepRows(NamedTuple):
    """n rows, one for each position of the histories; a history's rows follow one another.

    A history has H + T + L rows, and one more for its last position unless the game terminated there:
    of a terminal position nothing is ever needed.
    """

    observations: NDArray[Any]  # [n, C, H, W] unstacked
    actions: NDArray[np.int32]  # [n]
    exploratory: BoolArray  # [n] the action was drawn at random, whatever the search found
    rewards: NDArray[np.float32]  # [n] to the player who moved
    policies: NDArray[np.float32]  # [n, A]; 0 where a step teaches none
    root_values: NDArray[np.float32]  # [n] to the player to move
    to_play: NDArray[np.int8]  # [n]
    legal_actions: NDArray[np.uint8]  # [n, ceil(A / 8)] packed
    remaining: NDArray[np.int32]  # [n] known moves from this position on; 0 at the last one
    terminated: BoolArray  # [n] the game terminates after the last of them
    kind: NDArray[np.uint8]  # [n] PAST, OWN or AHEAD
    past: NDArray[np.uint8]  # [n] earlier positions of the run that its stacked observation shows
    ends_game: BoolArray  # [n] the history is its game's last
    versions: NDArray[np.int32]  # [n] of the weights that the root value and policy come from, or `FINAL`
    frequency: NDArray[np.float32]  # [n] factor of the priority by which a step is drawn, 1 on average


class Targets(NamedTuple):
    """The fields of `data.Batch` that follow from the steps, as described there."""

    actions: NDArray[np.int32]  # [S, K]
    value: NDArray[np.float32]  # [S, K + 1]
    reward: NDArray[np.float32]  # [S, K]
    policy: NDArray[np.float32]  # [S, K + 1, A]
    value_mask: NDArray[np.float32]  # [S, K + 1]
    reward_mask: NDArray[np.float32]  # [S, K]
    policy_mask: NDArray[np.float32]  # [S, K + 1]


def row_layout(
    config: MuZeroConfig, observations: np.dtype[Any]
) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of one row of every column of `StepRows`; observations take at most four bytes."""
    return [
        (config.observation_shape, observations if observations.itemsize <= 4 else np.dtype(np.float32)),
        ((), np.dtype(np.int32)),
        ((), np.dtype(np.bool_)),
        ((), np.dtype(np.float32)),
        ((config.num_actions,), np.dtype(np.float32)),
        ((), np.dtype(np.float32)),
        ((), np.dtype(np.int8)),
        (((config.num_actions + 7) // 8,), np.dtype(np.uint8)),
        ((), np.dtype(np.int32)),
        ((), np.dtype(np.bool_)),
        ((), np.dtype(np.uint8)),
        ((), np.dtype(np.uint8)),
        ((), np.dtype(np.bool_)),
        ((), np.dtype(np.int32)),
        ((), np.dtype(np.float32)),
    ]


def row_count(history: GameHistory) -> int:
    """The rows that `history` takes."""
    return len(history.actions) + (not history.terminated)


def history_rows(history: GameHistory, stacked_observations: int, policy_surprise: float = 0.0) -> StepRows:
    """`history` as rows; `policy_surprise` is the share of `sampling_frequency` that follows surprise."""
    rows, past = row_count(history), history.past
    own = slice(past, past + history.steps)
    kind = np.full(rows, AHEAD, np.uint8)
    kind[:past], kind[own] = PAST, OWN
    frequency = np.ones(rows, np.float32)
    frequency[own] = sampling_frequency(history, policy_surprise)

    def column(values: NDArray[Any], start: int = past) -> NDArray[Any]:
        padded = np.zeros((rows, *values.shape[1:]), values.dtype)
        padded[start : start + len(values)] = values[: rows - start]
        return padded

    versions = column(history.versions.astype(np.int32))
    if history.resigned:
        versions[-1] = FINAL
    return StepRows(
        observations=history.observations[:rows],
        actions=column(history.actions, 0),
        exploratory=column(np.zeros(0, np.bool_) if history.exploratory is None else history.exploratory),
        rewards=column(history.rewards),
        policies=column(history.policies),
        root_values=column(history.root_values),
        to_play=column(history.to_play),
        legal_actions=column(history.legal_actions),
        remaining=(len(history.actions) - np.arange(rows)).astype(np.int32),
        terminated=np.full(rows, history.terminated),
        kind=kind,
        past=np.minimum(np.arange(rows), stacked_observations).astype(np.uint8),
        ends_game=np.full(rows, history.game_return is not None),
        versions=versions,
        frequency=frequency,
    )


def sampling_frequency(history: GameHistory, share: float) -> NDArray[np.float32]:
    """How often each own step [T] is to be drawn compared with the history's average (policy surprise).

    Each step gets (1 - share), and `share` of the total of T goes to the steps in proportion to
    KL(search policy || prior), as in KataGo's policy surprise weighting. A step that teaches no policy
    surprises nobody; a history without any surprise is drawn evenly.
    """
    even = np.ones(history.steps, np.float32)
    if history.surprises is None:
        return even
    surprises = history.surprises[: history.steps].astype(np.float64)
    total = surprises.sum()
    if total <= 0:
        return even
    return np.asarray(1.0 - share + share * history.steps * surprises / total, np.float32)


def compute_targets(
    steps: StepRows, rows: NDArray[np.int64], random_actions: IntArray, td_steps: int, discount: float
) -> Targets:
    """The targets of the positions `rows` [S], unrolled K steps; `random_actions` [S, K] act past the end.

    In absorbing states, from a game's termination on, value and reward are known to be 0 and there is no
    policy. Past the end of a history that did not terminate nothing is known, except the value at its
    last position. A step without a policy (a fast search, see `full_search_probability`) teaches the rest.
    """
    ahead = np.arange(random_actions.shape[1] + 1)
    at = (rows[:, None] + ahead) % len(steps.actions)
    remaining, terminated = steps.remaining[rows][:, None], steps.terminated[rows][:, None]
    moved = ahead < remaining
    valued = moved | (ahead == remaining) & ~terminated
    value = np.zeros(at.shape, np.float32)
    value[valued] = n_step_returns(steps, at[valued], td_steps, discount)
    policy = steps.policies[at]
    taught = moved & policy.any(axis=2)
    policy[~taught] = 1.0 / policy.shape[2]
    moves, at = moved[:, :-1], at[:, :-1]
    return Targets(
        actions=np.where(moves, steps.actions[at], random_actions).astype(np.int32, copy=False),
        value=value,
        reward=np.where(moves, steps.rewards[at], np.float32(0)),
        policy=policy,
        value_mask=(valued | terminated).astype(np.float32),
        reward_mask=(moves | terminated).astype(np.float32),
        policy_mask=taught.astype(np.float32),
    )


def n_step_returns(
    steps: StepRows, rows: NDArray[np.int64], td_steps: int, discount: float
) -> NDArray[np.float32]:
    """The n-step returns [n] of the positions `rows` [n].

    z_t = sum_{i<n} discount^i r_{t+i} + discount^n v_{t+n} (MuZero paper, section 3), from the view of the
    player to move at t: what the other player gets counts negative. Where fewer than n moves are known,
    the return bootstraps from the last position, or ends with the game. It also bootstraps from the first
    position whose move is exploratory, as Watkins's Q(lambda) does (Sutton & Barto, section 12.10): what
    follows a random move says little about the value of the position before it.
    """
    returns = np.empty(len(rows), np.float32)
    _n_step_returns(
        steps.rewards,
        steps.root_values,
        steps.to_play,
        steps.exploratory,
        steps.remaining,
        steps.terminated,
        rows,
        td_steps,
        discount,
        returns,
    )
    return returns


@cached_njit()
def _n_step_returns(
    rewards: FloatArray,
    root_values: FloatArray,
    to_play: IntArray,
    exploratory: BoolArray,
    remaining: IntArray,
    terminated: BoolArray,
    rows: NDArray[np.int64],
    td_steps: int,
    discount: float,
    returns: NDArray[np.float32],
) -> None:
    size = len(rewards)
    for i in range(len(rows)):
        row = rows[i]
        player = to_play[row]
        moves = min(td_steps, remaining[row])
        total, scale = 0.0, 1.0
        for step in range(moves):
            at = (row + step) % size
            if exploratory[at]:
                moves = step
                break
            total += seen_by(player, to_play[at], scale * rewards[at])
            scale *= discount
        if moves < remaining[row] or not terminated[row]:
            at = (row + moves) % size
            total += seen_by(player, to_play[at], scale * root_values[at])
        returns[i] = total

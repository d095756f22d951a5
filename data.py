"""What travels between the stages of the system, one type each.

Letters in shapes: A actions, B rows of a batched search, K unrolled steps, N nodes of a search tree
(simulations + 1), P components of a value (1 for one player and for two-player zero-sum games, else
one for each player), S samples of a training batch, T steps of a game (or of a segment of one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.signedinteger]
BoolArray = NDArray[np.bool_]
Weights = dict[str, NDArray[np.float32]]
"""A network's parameters and buffers by name, as `MuZeroNetwork.state_dict()` names them."""


class VersionedWeights(NamedTuple):
    """A network's weights, and the number of updates that made them."""

    version: int
    weights: Weights


class WeightsSource(Protocol):
    """Where a player finds new weights."""

    def newer_than(self, version: int) -> VersionedWeights | None:
        """The newest weights if they are newer than `version`; returns at once in any case."""
        ...


CHANCE_PLAYER = -1
"""Whose turn it is where chance decides; `policy_logits` are then its logarithmic probabilities."""


class Evaluation(NamedTuple):
    """One evaluation of B nodes by the model, as the search needs it: numpy, scalars decoded.

    The arrays may be views of the model's own buffers: they hold until its next call.
    """

    value: FloatArray  # [B, P] with P = 1 to the player to move at the node (who moved, if it is chance)
    reward: FloatArray  # [B, P] of the edge into the node, to the player who moved; 0 at a root
    discount: FloatArray  # [B] of the edge into the node; 1 at a root
    to_play: IntArray  # [B] int32, player to move at the node, or `CHANCE_PLAYER`
    policy_logits: FloatArray  # [B, A]


class Model(Protocol):
    """What the search sees of a model: two callables. Latents stay on the model's side."""

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """Evaluates B observations [B, C, H, W] (stacked, float32) and keeps their latents as node 0."""
        ...

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """Takes `actions` [B] int32 in the nodes `parents` [B] int32 and keeps the latents as node `node`."""
        ...


class InferenceModel(Model, Protocol):
    """A `Model` that takes new weights and also values single positions."""

    name: str  # of the path, for people

    def load(self, weights: Weights) -> None:
        """Copies `weights`. The model answers only after the first call."""
        ...

    def evaluate(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """The values [n] of stacked observations [n, C, H, W], n at will; leaves the search's nodes alone."""
        ...


class SearchResult(NamedTuple):
    """What one search over B roots found. Fresh arrays, not views of the tree."""

    action: IntArray  # [B] int32, the action chosen
    policy: FloatArray  # [B, A] the policy target: visit distribution (PUCT) or improved policy (Gumbel)
    value: FloatArray  # [B, P] of playing on by this search: for people, resignation and metrics
    target_value: FloatArray  # [B, P] to learn from: what targets bootstrap on
    root_value: FloatArray  # [B, P] the tree's own statistic: the mean of what was backed up to the root
    visit_counts: IntArray  # [B, A] int32
    depth: IntArray  # [B] int32, deepest node reached, in moves


@dataclass(frozen=True)
class GameHistory:
    """One finished game, or one segment of a longer or still running game, of T own steps.

    A segment that is not the game's last carries L further steps of look-ahead (L <= td_steps +
    num_unroll_steps) behind its own T, which repeat the first steps of the segment after it, so that all
    targets of its own steps can be computed from it alone. Only the first T steps may be sampled as
    roots. A first observation may be preceded by H earlier ones of the same game, for stacking.

    `terminated` and `truncated` speak of the last of the T + L steps; both are false for a segment that
    ends inside a game. A player who resigns makes no move: the game is truncated at the position where it
    resigned, whose value is the loss, -1, for good. The moves that would have followed are not known.
    """

    observations: NDArray[Any]  # [H + T + L + 1, C, H, W] unstacked, in the game's own dtype
    actions: NDArray[np.int32]  # [H + T + L]
    rewards: NDArray[np.float32]  # [T + L], rewards[t] follows actions[H + t]; to the player who moved
    policies: NDArray[np.float32]  # [T + L, A] search policies, each row sums to 1, or is 0: teaches none
    root_values: NDArray[
        np.float32
    ]  # [T + L + 1], to the player to move; the last is the bootstrap (0 if terminated)
    to_play: NDArray[np.int8]  # [T + L + 1]
    legal_actions: NDArray[np.uint8]  # [T + L + 1, ceil(A / 8)] numpy.packbits of the legal masks
    steps: int  # T
    past: int  # H, observations and actions before the first own step
    terminated: bool
    truncated: bool
    seed: int  # of the game's environment
    versions: NDArray[np.int64]  # [T + L + 1] updates made to the weights that the root values come from
    first_step: int  # number of the first own step within its game
    game_return: float | None  # sum of rewards (of player 0) over the whole game, if it ends here
    game_length: int | None  # moves of the whole game, if it ends here
    resigned: bool = False  # by the player to move at the last position
    surprises: NDArray[np.float32] | None = None  # [T + L] KL(policy || network's prior), nats; None: unknown
    exploratory: BoolArray | None = None  # [T + L] moves drawn at random, not by the search; None: none


class Batch(NamedTuple):
    """One training batch of S positions, each unrolled K steps. Contiguous arrays."""

    observations: NDArray[np.float32]  # [S, C, H, W] stacked, of step 0
    actions: NDArray[np.int32]  # [S, K]; random past the end of a game
    target_value: NDArray[np.float32]  # [S, K + 1] n-step returns, not transformed; 0 in absorbing states
    target_reward: NDArray[np.float32]  # [S, K] of actions[:, k]; 0 in absorbing states
    target_policy: NDArray[np.float32]  # [S, K + 1, A]; uniform where policy_mask is 0
    value_mask: NDArray[
        np.float32
    ]  # [S, K + 1] 1 where the target is known (always, except past a truncation)
    reward_mask: NDArray[np.float32]  # [S, K] likewise
    policy_mask: NDArray[np.float32]  # [S, K + 1] 1 before the game's end, where a policy is known
    weights: NDArray[np.float32]  # [S] importance weights, largest 1
    positions: NDArray[np.int64]  # [S] step ids in the buffer, for priorities (never reused)
    next_observations: NDArray[np.float32]  # [S, K, C, H, W] stacked; K 0 without consistency loss
    next_mask: NDArray[np.float32]  # [S, K] 1 where there is that step


class ReanalyseRequest(NamedTuple):
    """Stored positions whose root values (and policies) are to be computed again."""

    positions: NDArray[np.int64]  # [n] step ids in the buffer
    observations: NDArray[np.float32]  # [n, C, H, W] stacked
    to_play: NDArray[np.int32]  # [n]
    legal_actions: NDArray[np.bool_]  # [n, A]


class ReanalyseResult(NamedTuple):
    """What newer weights make of the positions of a `ReanalyseRequest`."""

    positions: NDArray[np.int64]  # [n] step ids in the buffer
    root_values: NDArray[np.float32]  # [n] to the player to move
    policies: NDArray[np.float32] | None  # [n, A] if they were searched again
    version: int  # updates made to the weights


class TermLoss(NamedTuple):
    """A term of the loss, before it is weighed."""

    name: str
    loss: float


class LossStatistics(NamedTuple):
    """What the loss says of a batch, or of a part of one: the numbers of the parts add up to the batch's."""

    losses: tuple[float, ...]  # of the terms, in their order, before they are weighed
    value_entropy: float  # of the predicted value distributions at the root, nats
    policy_entropy: float  # of the predicted policies at the root, nats
    root_values: NDArray[np.float32]  # [S] decoded predictions at the root


Gradients = Callable[["Batch", float], LossStatistics]
"""Overwrites the gradients with those of a scale times the sum of a batch's losses; says what those were."""


class Guarded(NamedTuple):
    """What became of updates that were not finite, over the whole run (`learning/guard.py`)."""

    skipped: int = 0  # updates that were left out
    returns: int = 0  # times that training went back to an earlier state, with a lower learning rate
    returned_to: int = 0  # optimiser steps that had made the state last gone back to
    rate_factor: float = 1.0  # by which the configured learning rate is multiplied since
    reason: str = ""  # of the newest in this sitting

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Guarded:
        """What a trainer's snapshot keeps of them."""
        return cls(facts.get("skipped", 0), facts.get("returns", 0))


class TrainingMetrics(NamedTuple):
    """What a number of updates did: means over them, and the state after the last."""

    training_step: int  # optimiser steps since the start of the run
    loss: float
    terms: tuple[TermLoss, ...]  # that it is the weighted sum of
    value_entropy: float  # of the predicted value distributions at the root, nats
    policy_entropy: float  # of the predicted policies at the root, nats
    gradient_norm: float  # before clipping
    learning_rate: float
    updates: int
    seconds: float  # wall time of these updates
    gpu_memory: int | None = None  # peak bytes allocated on the trainer's GPU, where there is one
    clipped_targets: float = 0.0  # share of the value and reward targets that lie beyond the support
    largest_target: float = 0.0  # absolute, of a value or reward
    guarded: Guarded = Guarded()

    def term(self, name: str) -> float:
        """The loss of a term; 0 if there is none of that name."""
        return sum(term.loss for term in self.terms if term.name == name)


@dataclass(frozen=True)
class Counters:
    """How far a run has come."""

    training_step: int = 0
    played_steps: int = 0
    played_games: int = 0
    reanalysed_steps: int = 0
    simulations: int = 0
    seconds: float = 0.0  # wall time of training, earlier sittings of a resumed run included
    # when the configured ratio was last changed, from which on it is kept
    ratio_since_update: int = 0
    ratio_since_step: int = 0  # of those added
    added_steps: int = 0  # to the replay buffer, whether they are still there or not
    lost_games: int = 0  # that broke, see `LostGame`
    restarts: int = 0  # of actors that were lost


@dataclass(frozen=True)
class Snapshot:
    """What one part of the system needs to go on later: arrays, and facts that survive JSON."""

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]


class TrainingResult(NamedTuple):
    """What one call of the trainer made of its batches."""

    metrics: TrainingMetrics
    positions: NDArray[np.int64]  # [updates * S] step ids, as in the batches
    priorities: NDArray[np.float32]  # [updates * S] |predicted value - target value| at the root


class LostGame(NamedTuple):
    """A game that was not played to its end, as it raised, broke its contract, or took its process along."""

    game: str  # name
    seed: int  # from which it starts
    moves: int  # made before
    reason: str
    actions: tuple[int, ...] | None = None  # those moves; None: not known
    fatal: bool = False  # whether its process was lost with it


class PlayReport(NamedTuple):
    """What one call of a self-play worker did."""

    steps: int  # environment steps played
    games: int  # games finished
    simulations: int
    seconds: float  # wall time
    environment_seconds: float  # of which stepping environments
    returns: NDArray[np.float32]  # [games] of the finished games, to player 0
    lengths: NDArray[np.int32]  # [games] in moves
    mean_depth: float  # of the searches, in moves; nan if none
    mean_root_value: float
    policy_entropy: float  # mean entropy of the search policies, nats
    version: int  # updates made to the weights in use at the end of the call
    resigned: int = 0  # games that ended by resignation
    resign_checked: int = 0  # games played out though a player would have resigned
    wrong_resignations: int = 0  # of those, games that this player did not lose
    anew: int = 0  # games begun anew since they came out otherwise when a resumed worker played them again
    lost: tuple[LostGame, ...] = ()  # which have been replaced by others


class BufferStatus(NamedTuple):
    """What the replay buffer holds."""

    steps: int
    games: int
    bytes: int
    capacity_steps: int
    capacity_bytes: int
    added: int = 0  # steps that came in since the buffer was made, or its state was loaded


class EvaluationResult(NamedTuple):
    """Greedy games of one player: with one version of the weights, if it is a network.

    In a game for two a positive return is a win, 0 a draw and a negative one a loss. In a game for more, who
    has the highest return of all has won, those who share the highest have drawn, and all others have lost,
    whatever their returns are.
    """

    returns: NDArray[np.float32]  # [games] to the player who is judged
    lengths: NDArray[np.int32]  # [games] in moves
    version: int  # updates made to those weights
    seats: NDArray[np.int32]  # [games] which player it was
    opponent: str | None = None  # in the other seats, as `arena/players.py` reads it; several by ", "
    network_evaluations: int = 0  # of the searches in all games, by networks of all seats
    shares: NDArray[np.float32] | None = None  # [games] of the win; None: as the signs of the returns say
    lost: tuple[LostGame, ...] = ()  # which are left out of all of this

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(self.returns.mean())

    @property
    def wins(self) -> int:
        """Games that were won, alone."""
        return int((self._won == 1).sum())

    @property
    def draws(self) -> int:
        """Games that were drawn with one other or more, or cut short at `max_moves` before anybody led."""
        return int(((self._won > 0) & (self._won < 1)).sum())

    @property
    def losses(self) -> int:
        """Games that were lost: somebody else had more."""
        return int((self._won == 0).sum())

    @property
    def score(self) -> float:
        """The share of the wins, from 0 to 1: a draw of two counts a half, one of k players 1/k.

        So the scores of all seats add up to 1, and equals at P seats score 1/P each.
        """
        return float(self._won.sum() / len(self.returns))

    @property
    def _won(self) -> FloatArray:
        """What of each game was won, [games] float64: 1 all, 0 nothing."""
        won = np.sign(self.returns) / 2 + 0.5 if self.shares is None else self.shares
        return won.astype(np.float64)

    def in_seat(self, player: int) -> EvaluationResult:
        """The games in which it was `player`."""
        own = self.seats == player
        shares = None if self.shares is None else self.shares[own]
        returns, lengths, seats = self.returns[own], self.lengths[own], self.seats[own]
        return self._replace(returns=returns, lengths=lengths, seats=seats, shares=shares)


class Video(NamedTuple):
    """A film of one greedy game."""

    version: int  # updates made to the weights that played it
    gif: bytes
    width: int  # pixels
    height: int

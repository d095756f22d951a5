"""Fully connected networks evaluated for the search without torch: one numba kernel per call.

What an eager framework spends on a small network is overhead per operator. Here one kernel gathers the
parents' latents, runs every layer (products by BLAS), scales, and decodes the supports.

Inside the kernels arrays are [features, B], rows last: every loop over features then is over whole
vectors of rows, whatever the sizes of the layers. Only stored latents are [B, D], to be gathered by row.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.kernels import cached_njit
from core.supports import EPSILON
from data import Evaluation, IntArray, Weights
from networks.perceptrons import PerceptronSizes, linear_name, perceptron_sizes

SCALING_EPSILON = 1e-5
"""Added to the range that a latent is divided by, as in `models.py`."""

VALUE, REWARD, POLICY, REPRESENTATION, DYNAMICS = range(5)
"""The parts, as `PerceptronSizes` orders them."""

LOWEST = np.float32(-3e38)

NO_OBSERVATIONS = np.zeros((0, 0), np.float32)
NO_ROWS = np.zeros(0, np.int32)

fast_njit = cached_njit(fastmath=True, error_model="numpy")


@fast_njit
def exponential(x):  # type: ignore[no-untyped-def]
    """e^x in single precision for x <= 0, without the library call that keeps a loop from vectorising.

    x = n ln 2 + f with |f| <= ln 2 / 2; e^f is its Taylor polynomial (error 2e-7) and 2^n is made of bits.
    """
    x = max(x, np.float32(-87))
    n = np.floor(x * np.float32(1 / np.log(2)) + np.float32(0.5))
    f = x - n * np.float32(np.log(2))
    p = np.float32(1 / 720)
    p = p * f + np.float32(1 / 120)
    p = p * f + np.float32(1 / 24)
    p = p * f + np.float32(1 / 6)
    p = p * f + np.float32(1 / 2)
    p = p * f + np.float32(1)
    p = p * f + np.float32(1)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@fast_njit
def dense(weights, layer, x):  # type: ignore[no-untyped-def]
    """One layer (a row of the layout) on x [inputs, B]: a fresh array [outputs, B]."""
    inputs, outputs, start, hidden = layer
    end = start + inputs * outputs
    y = np.dot(weights[start:end].reshape(outputs, inputs), x)
    bias = weights[end : end + outputs]
    floor = np.float32(0) if hidden else LOWEST
    for o in range(outputs):
        row, b = y[o], bias[o]
        for k in range(row.size):
            row[k] = max(row[k] + b, floor)
    return y


@fast_njit
def perceptron(weights, layers, x):  # type: ignore[no-untyped-def]
    """All layers of one part on x [inputs, B]; absent ones have no outputs."""
    y = dense(weights, layers[0], x)
    for layer in layers[1:]:
        if layer[1] > 0:
            y = dense(weights, layer, y)
    return y


@fast_njit
def scale(z):  # type: ignore[no-untyped-def]
    """Brings every column of z [D, B] to [0, 1] in place."""
    low, high = z[0].copy(), z[0].copy()
    for d in range(1, len(z)):
        row = z[d]
        for k in range(row.size):
            low[k] = min(low[k], row[k])
            high[k] = max(high[k], row[k])
    for k in range(low.size):
        high[k] = np.float32(1) / (high[k] - low[k] + np.float32(SCALING_EPSILON))
    for d in range(len(z)):
        row = z[d]
        for k in range(row.size):
            row[k] = (row[k] - low[k]) * high[k]


@fast_njit
def decode(logits, transformed, scalars):  # type: ignore[no-untyped-def]
    """Expectation of the distributions with `logits` [F, B], transformed back if so, into `scalars` [B]."""
    peak = logits[0].copy()
    for f in range(1, len(logits)):
        row = logits[f]
        for k in range(row.size):
            peak[k] = max(peak[k], row[k])
    total, mean = np.zeros_like(peak), np.zeros_like(peak)
    for f in range(len(logits)):
        row, atom = logits[f], np.float32(f - len(logits) // 2)
        for k in range(row.size):
            weight = exponential(row[k] - peak[k])
            total[k] += weight
            mean[k] += weight * atom
    for k in range(peak.size):
        x = mean[k] / total[k]
        scalars[k] = x
        if not transformed:
            continue
        shifted = abs(x) + np.float32(1 + EPSILON)
        root = 2 * shifted / (1 + np.sqrt(1 + np.float32(4 * EPSILON) * shifted))
        scalars[k] = np.sign(x) * (root * root - 1)


@fast_njit
def transpose(source, target):  # type: ignore[no-untyped-def]
    """Copies `source` [X, B] to `target` [B, X]."""
    for d in range(source.shape[0]):
        for k in range(source.shape[1]):
            target[k, d] = source[d, k]


@fast_njit
def take(parents, actions, latents, players, turns, node, x):  # type: ignore[no-untyped-def]
    """Fills x [B, D + A] with the parents' latents and the actions, and moves the turn on."""
    D = latents.shape[2]
    for k in range(len(parents)):
        for d in range(D):  # assigning slices would compile for a second longer
            x[k, d] = latents[parents[k], k, d]
        for d in range(D, x.shape[1]):
            x[k, d] = 0
        x[k, D + actions[k]] = 1
        turns[node, k] = turns[-1, k] = (turns[parents[k], k] + 1) % players


@fast_njit
def add_latents(x, z):  # type: ignore[no-untyped-def]
    """Adds the latents in x [B, D + A] to z [D, B] in place."""
    for d in range(len(z)):
        row = z[d]
        for k in range(row.size):
            row[k] += x[k, d]


@fast_njit
def evaluate(  # type: ignore[no-untyped-def]
    observations,
    parents,
    actions,
    node,
    weights,
    layout,
    residual,
    transformed,
    latents,
    players,
    turns,
    answers,
):
    """Evaluates a root (node 0) or edges; all of `FullyConnectedModel` in one compiled function.

    observations [B, O] at a root, else not looked at; parents and actions [B] of edges, likewise
    residual: whether the dynamics' output is added to the parents' latents
    transformed: whether values and rewards are, on their supports
    latents [N, capacity, D]: read at the parents, written at `node`
    turns [N + 1, capacity]: player to move at each node; the last row takes those of this one
    answers [B * (2 + A)]: takes the values, the rewards (not written at a root), the policy logits
    """
    root = node == 0
    part = REPRESENTATION if root else DYNAMICS
    x = observations
    if not root:
        x = np.empty((len(parents), layout[DYNAMICS, 0, 0]), np.float32)
        take(parents, actions, latents, players, turns, node, x)
    B = len(x)
    z = perceptron(weights, layout[part], x.T)
    if residual and not root:
        add_latents(x, z)
    scale(z)
    transpose(z, latents[node])
    for head in range(3):
        if head == REWARD and root:
            continue
        logits = perceptron(weights, layout[head], z)
        if head == POLICY:
            transpose(logits, answers[2 * B :].reshape(B, -1))
        else:
            decode(logits, transformed, answers[head * B : head * B + B])


def make_layout(sizes: PerceptronSizes) -> tuple[NDArray[np.int64], int]:
    """Where the flat weights hold each layer, and how many weights there are.

    The layout is [5, L, 4]: inputs, outputs, start of the matrix (the bias follows it), and whether ReLU
    follows; zeros where a part has fewer than L layers.
    """
    layout = np.zeros((len(sizes), max(map(len, sizes)) - 1, 4), np.int64)
    start = 0
    for part, widths in enumerate(sizes):
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            layout[part, index] = inputs, outputs, start, index < len(widths) - 2
            start += (inputs + 1) * outputs
    return layout, start


class FullyConnectedModel:
    """Evaluates a fully connected network on the CPU for the search; owns the latents of all nodes, which its
    kernel reads and writes itself.

    Rows may be fewer than `batch`. The arrays of an `Evaluation` are reused by the next call.
    """

    def __init__(self, config: MuZeroConfig, batch: int, simulations: int) -> None:
        self.config = config
        self.name = "numba (cpu)"
        self._layout, weights = make_layout(perceptron_sizes(config))
        self._weights = np.zeros(weights, np.float32)
        self._latents = np.zeros((simulations + 1, batch, config.encoding_size), np.float32)
        self._turns = np.zeros((simulations + 2, batch), np.int32)
        self._make_answers(batch)

    def load(self, weights: Weights) -> None:
        """Copies `weights`. Raises `ValueError` when a shape differs and `KeyError` when one is missing."""
        for part, name in enumerate(PerceptronSizes._fields):
            for index, (inputs, outputs, start, _) in enumerate(self._layout[part]):
                if outputs:
                    end, layer = start + inputs * outputs, linear_name(name, index)
                    matrix, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
                    self._weights[start:end].reshape(outputs, inputs)[...] = checked(
                        matrix, (outputs, inputs)
                    )
                    self._weights[end : end + outputs] = checked(bias, (outputs,))

    def root(self, observations: NDArray[Any], to_play: IntArray) -> Evaluation:
        """Evaluates B stacked observations [B, C, H, W] and keeps their latents as node 0."""
        B = len(observations)
        if len(self._edge.value) != B:
            self._make_answers(B)
        self._turns[0, :B] = self._turns[-1, :B] = to_play
        self._edge.reward[:] = 0
        self._evaluate(self._rows(observations), NO_ROWS, NO_ROWS, 0, self._latents, self._answers)
        return self._root

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """Takes `actions` [B] int32 in the nodes `parents` [B] int32 and keeps the latents as node `node`."""
        self._evaluate(NO_OBSERVATIONS, parents, actions, node, self._latents, self._answers)
        return self._edge

    def evaluate(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """The values [n] of any number of stacked observations [n, C, H, W]."""
        n = len(observations)
        latents = np.empty((1, n, self.config.encoding_size), np.float32)
        answers = np.empty(n * (2 + self.config.num_actions), np.float32)
        self._evaluate(self._rows(observations), NO_ROWS, NO_ROWS, 0, latents, answers)
        return answers[:n]

    def _evaluate(
        self,
        observations: NDArray[np.float32],
        parents: IntArray,
        actions: IntArray,
        node: int,
        latents: NDArray[np.float32],
        answers: NDArray[np.float32],
    ) -> None:
        evaluate(
            observations,
            parents,
            actions,
            node,
            self._weights,
            self._layout,
            self.config.fc_residual_dynamics,
            self.config.support_transform,
            latents,
            self.config.players,
            self._turns,
            answers,
        )

    def _rows(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        inputs = self._layout[REPRESENTATION, 0, 0]
        return np.ascontiguousarray(observations, np.float32).reshape(len(observations), inputs)

    def _make_answers(self, B: int) -> None:
        """Makes the arrays in which B rows are answered."""
        self._answers = np.zeros(B * (2 + self.config.num_actions), np.float32)
        value, reward = self._answers[: 2 * B].reshape(2, B, 1)
        logits = self._answers[2 * B :].reshape(B, -1)
        turns = self._turns[-1, :B]
        self._root = Evaluation(value, reward, np.ones(B, np.float32), turns, logits)
        discount = np.full(B, self.config.discount, np.float32)
        self._edge = Evaluation(value, reward, discount, turns, logits)


def checked(array: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`array`, if it has that shape. Raises `ValueError` otherwise."""
    if array.shape != shape:
        raise ValueError(f"weights of shape {array.shape} where the configuration asks for {shape}")
    return array

"""The loss of fully connected networks and its gradients, derived by hand: numpy and numba, no torch.

Equal to what autograd makes of `learning/loss.py:unrolled_loss`, several times faster for small networks,
whose updates are otherwise mostly per-operator overhead: buffers are allocated once, every head is evaluated
for all unrolled steps in one matrix product, and each elementwise rule is one kernel.

Buffers are time-major: [K + 1, S, ...] or [K, S, ...]. S samples, K unrolled steps, A actions, D latent
features, F atoms of a support, R rows of a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.kernels import cached_njit
from core.supports import scalar_to_support, support_to_scalar
from data import Batch, LossStatistics
from learning.statistics import LATENT_GRADIENT_SCALE, FloatMatrix, loss_scales

Parameters = Mapping[str, NDArray[np.float32]]

SCALING_EPSILON = 1e-5
"""Added to the range that a latent is divided by, as in `models.py:scale_latent`."""


# --- kernels ---


@cached_njit()
def _add_bias(matrix: FloatMatrix, bias: FloatMatrix, floor: float) -> None:
    """matrix[R, n] = max(matrix + bias, floor) in place: ReLU with floor 0. Keeps NaN."""
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            value = matrix[row, column] + bias[column]
            matrix[row, column] = floor if value < floor else value


@cached_njit()
def _relu_backward(gradient: FloatMatrix, activation: FloatMatrix) -> None:
    """gradient[R, n] = 0 where the ReLU's output `activation` is 0, in place."""
    for row in range(gradient.shape[0]):
        for column in range(gradient.shape[1]):
            value = gradient[row, column]
            gradient[row, column] = value if activation[row, column] > 0 else np.float32(0)


@cached_njit()
def _scale_latent(
    raw: FloatMatrix, latent: FloatMatrix, width: NDArray[np.float32], ends: NDArray[np.int64]
) -> None:
    """latent[R, D] = (raw - min) / (max - min + epsilon) by rows.

    Keeps what the way back needs: the divisor in width[R], and the features that hold the minimum and the
    maximum in ends[R, 2].
    """
    for row in range(raw.shape[0]):
        low, high = 0, 0
        minimum = maximum = raw[row, 0]
        for column in range(1, raw.shape[1]):  # selections, which do not branch, not ifs
            value = raw[row, column]
            lower, higher = value < minimum, value > maximum
            low, minimum = column if lower else low, value if lower else minimum
            high, maximum = column if higher else high, value if higher else maximum
        ends[row, 0], ends[row, 1] = low, high
        divisor = maximum - minimum + np.float32(SCALING_EPSILON)
        width[row] = divisor
        for column in range(raw.shape[1]):
            latent[row, column] = (raw[row, column] - minimum) / divisor


@cached_njit(fastmath={"reassoc", "contract"})
def _scale_latent_backward(
    gradient: FloatMatrix,
    latent: FloatMatrix,
    width: NDArray[np.float32],
    ends: NDArray[np.int64],
    raw_gradient: FloatMatrix,
) -> None:
    """raw_gradient[R, D] of `_scale_latent`'s input from the `gradient` of its output."""
    for row in range(gradient.shape[0]):
        inverse = np.float32(1) / width[row]
        total, weighted = np.float32(0), np.float32(0)
        for column in range(gradient.shape[1]):
            total += gradient[row, column]
            weighted += gradient[row, column] * latent[row, column]
            raw_gradient[row, column] = gradient[row, column] * inverse
        raw_gradient[row, ends[row, 0]] += (weighted - total) * inverse
        raw_gradient[row, ends[row, 1]] -= weighted * inverse


@cached_njit()
def _subtract_maximum(logits: FloatMatrix) -> None:
    """Subtracts each row's maximum in place, so that no exponential overflows."""
    for row in range(logits.shape[0]):
        highest = logits[row, 0]
        for column in range(1, logits.shape[1]):
            highest = max(highest, logits[row, column])
        for column in range(logits.shape[1]):
            logits[row, column] -= highest


@cached_njit(fastmath={"reassoc", "contract"})
def _cross_entropy(
    logits: FloatMatrix,
    gradient: FloatMatrix,
    targets: FloatMatrix,
    scales: NDArray[np.float32],
    weight: float,
) -> float:
    """The sum of scales[R] times the cross entropy of softmax(logits[R, n]) under targets[R, n].

    `gradient` holds exp(logits) and becomes the gradient of `weight` times that sum.
    """
    loss = 0.0
    for row in range(logits.shape[0]):
        total, mass, aligned = np.float32(0), np.float32(0), np.float32(0)
        for column in range(logits.shape[1]):
            total += gradient[row, column]
            mass += targets[row, column]
            aligned += targets[row, column] * logits[row, column]
        loss += scales[row] * (mass * math.log(total) - aligned)
        scale = np.float32(scales[row] * weight)
        factor = scale * mass / total
        for column in range(logits.shape[1]):
            gradient[row, column] = gradient[row, column] * factor - scale * targets[row, column]
    return loss


def mean_entropy(logits: FloatMatrix) -> float:
    """The mean entropy in nats of the distributions softmax(logits[S, n]); their maxima are 0."""
    exponentials = np.exp(logits)
    totals = exponentials.sum(1)
    return float(np.mean(np.log(totals) - np.einsum("sn,sn->s", exponentials, logits) / totals))


# --- the network ---


class _Layer:
    """One linear layer with its ReLU, its rows' activations, and its gradients."""

    def __init__(
        self, name: str, parameters: Parameters, gradients: Parameters, inputs: FloatMatrix, last: bool
    ) -> None:
        self.weight, self.bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
        self.weight_gradient, self.bias_gradient = gradients[f"{name}.weight"], gradients[f"{name}.bias"]
        self.inputs = inputs
        self.outputs = np.zeros((len(inputs), len(self.bias)), np.float32)
        self.output_gradient = np.zeros_like(self.outputs)
        self.floor = -math.inf if last else 0.0
        self._ones = np.ones(len(inputs), np.float32)

    def forward(self, rows: slice) -> None:
        """Fills the outputs of `rows`."""
        outputs = self.outputs[rows]
        np.matmul(self.inputs[rows], self.weight.T, out=outputs)
        _add_bias(outputs, self.bias, self.floor)

    def backward(self, rows: slice, input_gradient: FloatMatrix) -> None:
        """Fills input_gradient[R, n] from the output gradient, of the first n inputs."""
        weight = self.weight[:, : input_gradient.shape[1]]
        np.matmul(self.output_gradient[rows], weight, out=input_gradient)

    def finish(self) -> None:
        """Fills the parameters' gradients from all rows."""
        np.matmul(self.output_gradient.T, self.inputs, out=self.weight_gradient)
        np.matmul(self._ones, self.output_gradient, out=self.bias_gradient)


class _Perceptron:
    """The layers of one module of the network, on the rows of `inputs` [R, n]."""

    def __init__(self, name: str, parameters: Parameters, gradients: Parameters, inputs: FloatMatrix) -> None:
        prefix = f"{name}."
        names = [
            n.removesuffix(".weight") for n in parameters if n.startswith(prefix) and n.endswith("weight")
        ]
        self.layers: list[_Layer] = []
        for layer in names:
            last = layer == names[-1]
            self.layers.append(_Layer(layer, parameters, gradients, inputs, last))
            inputs = self.layers[-1].outputs
        self.outputs = inputs
        self.output_gradient = self.layers[-1].output_gradient

    def forward(self, rows: slice) -> None:
        """Fills the outputs of `rows`."""
        for layer in self.layers:
            layer.forward(rows)

    def backward(self, rows: slice) -> None:
        """Carries the output gradient of `rows` back to the first layer's output."""
        for below, layer in zip(self.layers[-2::-1], self.layers[:0:-1], strict=True):
            gradient = below.output_gradient[rows]
            layer.backward(rows, gradient)
            _relu_backward(gradient, below.outputs[rows])

    def backward_to_input(self, rows: slice, input_gradient: FloatMatrix) -> None:
        """`backward`, and on to the gradient of the first n inputs, input_gradient[R, n]."""
        self.backward(rows)
        self.layers[0].backward(rows, input_gradient)

    def finish(self) -> None:
        """Fills the gradients of all parameters."""
        for layer in self.layers:
            layer.finish()


class _Head:
    """A prediction head on all rows [R, D] of the latents, and its loss."""

    def __init__(
        self, name: str, parameters: Parameters, gradients: Parameters, latents: FloatMatrix
    ) -> None:
        self.perceptron = _Perceptron(name, parameters, gradients, latents)
        self.logits = self.perceptron.outputs
        self.latent_gradient = np.zeros_like(latents)
        self._rows = slice(0, len(latents))

    def forward(self) -> None:
        """Fills the logits, the maximum of every row being 0."""
        self.perceptron.forward(self._rows)
        _subtract_maximum(self.logits)

    def backward(self, targets: FloatMatrix, scales: FloatMatrix, weight: float) -> float:
        """The loss for targets [..., n] and scales [...]; fills all gradients of `weight` times that loss."""
        gradient = self.perceptron.output_gradient
        np.exp(self.logits, out=gradient)
        loss: float = _cross_entropy(
            self.logits, gradient, targets.reshape(gradient.shape), scales.reshape(-1), weight
        )
        self.perceptron.backward_to_input(self._rows, self.latent_gradient)
        self.perceptron.finish()
        return loss


class FusedUpdate:
    """Gradients of the unrolled loss of the fully connected network `config` describes.

    `parameters` and `gradients` are float32 arrays by `state_dict` name, which are read and filled in place;
    they must stay the same arrays. A batch of another size than the last costs new buffers.
    """

    def __init__(self, config: MuZeroConfig, parameters: Parameters, gradients: Parameters) -> None:
        self.config = config
        self._parameters = parameters
        self._gradients = gradients
        self._samples = 0

    def __call__(self, batch: Batch, scale: float) -> LossStatistics:
        """Overwrites the gradients with those of `scale` times the sum of the samples' losses."""
        self._allocate(len(batch.actions))
        self._forward(batch)
        losses = self._backward_heads(batch, scale)
        self._backward_latents()
        roots = slice(0, self._samples)
        value_logits, policy_logits = self._value.logits[roots], self._policy.logits[roots]
        share = scale * self._samples
        return LossStatistics(
            losses,
            share * mean_entropy(value_logits),
            share * mean_entropy(policy_logits),
            support_to_scalar(value_logits, self.config.support_transform),
        )

    def _allocate(self, samples: int) -> None:
        """Makes the buffers for batches of S samples, unless they are there."""
        if samples == self._samples:
            return
        config, S = self.config, samples
        K, D, A = config.num_unroll_steps, config.encoding_size, config.num_actions
        self._samples = S
        self._blocks = [slice(k * S, (k + 1) * S) for k in range(K + 1)]
        self._latents = np.zeros(((K + 1) * S, D), np.float32)
        self._latent_gradient = np.zeros_like(self._latents)
        self._width = np.ones((K + 1) * S, np.float32)
        self._ends = np.zeros(((K + 1) * S, 2), np.int64)
        self._input_gradient = np.zeros((S, D), np.float32)
        self._observations = np.zeros(
            (S, math.prod(self._parameters["representation.0.weight"].shape[1:])), np.float32
        )
        self._joined = np.zeros((K * S, D + A), np.float32)
        self._representation = self._perceptron("representation", self._observations)
        self._dynamics = self._perceptron("dynamics", self._joined)
        self._value, self._reward, self._policy = (
            _Head(name, self._parameters, self._gradients, latents)
            for name, latents in (
                ("value", self._latents),
                ("reward", self._latents[S:]),
                ("policy", self._latents),
            )
        )

    def _perceptron(self, name: str, inputs: FloatMatrix) -> _Perceptron:
        return _Perceptron(name, self._parameters, self._gradients, inputs)

    def _forward(self, batch: Batch) -> None:
        """Fills the latents of all steps, then the logits of all heads."""
        D = self.config.encoding_size
        np.copyto(self._observations, batch.observations.reshape(self._observations.shape))
        self._joined[:, D:] = 0
        self._joined[np.arange(len(self._joined)), D + batch.actions.T.reshape(-1)] = 1
        everything = self._blocks[0]
        self._representation.forward(everything)
        self._scale(self._representation.outputs, everything)
        for rows, following in zip(self._blocks[:-1], self._blocks[1:], strict=True):
            self._joined[rows, :D] = self._latents[rows]
            self._dynamics.forward(rows)
            raw = self._dynamics.outputs[rows]
            if self.config.fc_residual_dynamics:
                raw += self._latents[rows]
            self._scale(raw, following)
        for head in (self._value, self._reward, self._policy):
            head.forward()

    def _scale(self, raw: FloatMatrix, rows: slice) -> None:
        _scale_latent(raw, self._latents[rows], self._width[rows], self._ends[rows])

    def _backward_heads(self, batch: Batch, scale: float) -> tuple[float, float, float]:
        """The three losses; fills the heads' gradients and adds up the latents'."""
        weights = batch.weights
        scalars = np.concatenate([batch.target_value.T, batch.target_reward.T])
        supports = scalar_to_support(scalars, self.config.support_size, self.config.support_transform)
        value_supports, reward_supports = np.split(supports, [batch.target_value.shape[1]])
        value_loss = self._value.backward(
            value_supports,
            loss_scales(batch.value_mask, weights, scale, 0),
            self.config.value_loss_weight,
        )
        reward_loss = self._reward.backward(
            reward_supports,
            loss_scales(batch.reward_mask, weights, scale, 1),
            self.config.reward_loss_weight,
        )
        policy_loss = self._policy.backward(
            np.ascontiguousarray(batch.target_policy.swapaxes(0, 1)),
            loss_scales(batch.policy_mask, weights, scale, 0),
            1.0,
        )
        np.add(self._value.latent_gradient, self._policy.latent_gradient, out=self._latent_gradient)
        self._latent_gradient[self._samples :] += self._reward.latent_gradient
        return value_loss, reward_loss, policy_loss

    def _backward_latents(self) -> None:
        """Carries the latents' gradients back through the dynamics, last step first, to the observations."""
        for rows, following in zip(self._blocks[-2::-1], self._blocks[:0:-1], strict=True):
            raw_gradient = self._dynamics.output_gradient[rows]
            self._unscale(following, raw_gradient)
            self._dynamics.backward_to_input(rows, self._input_gradient)
            if self.config.fc_residual_dynamics:
                self._input_gradient += raw_gradient
            self._input_gradient *= LATENT_GRADIENT_SCALE
            self._latent_gradient[rows] += self._input_gradient
        self._dynamics.finish()
        roots = self._blocks[0]
        self._unscale(roots, self._representation.output_gradient)
        self._representation.backward(roots)
        self._representation.finish()

    def _unscale(self, rows: slice, raw_gradient: FloatMatrix) -> None:
        _scale_latent_backward(
            self._latent_gradient[rows],
            self._latents[rows],
            self._width[rows],
            self._ends[rows],
            raw_gradient,
        )

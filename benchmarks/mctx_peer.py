"""mctx on the nets of `benchmarks.search`, in a process of its own: the network again, in jax.

    python -m benchmarks.mctx_peer NET BATCH SECONDS

For every line that it reads it searches for about SECONDS and prints the seconds per move.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mctx
import numpy as np

from benchmarks.common import seconds
from benchmarks.search import NETS, random_observations, random_weights
from config import MuZeroConfig
from core.supports import EPSILON
from data import Weights
from networks.fast_inference import SCALING_EPSILON
from networks.perceptrons import linear_name


def perceptron(weights: Any, part: str, x: Any) -> Any:
    """Linear layers of one part on x [B, inputs], ReLU between them."""
    layers = sum(name.startswith(f"{part}.") for name in weights) // 2
    for index in range(layers):
        layer = linear_name(part, index)
        x = x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
        x = jax.nn.relu(x) if index < layers - 1 else x
    return x


def scaled(x: Any) -> Any:
    """Rows of x brought to [0, 1]."""
    low, high = x.min(1, keepdims=True), x.max(1, keepdims=True)
    return (x - low) / (high - low + SCALING_EPSILON)


def decoded(logits: Any) -> Any:
    """Scalars [B] of support logits [B, F]."""
    size = logits.shape[-1] // 2
    x = jax.nn.softmax(logits) @ jnp.arange(-size, size + 1, dtype=jnp.float32)
    shifted = jnp.abs(x) + 1 + EPSILON
    return jnp.sign(x) * ((2 * shifted / (1 + jnp.sqrt(1 + 4 * EPSILON * shifted))) ** 2 - 1)


def make_search(config: MuZeroConfig) -> Callable[[Any, Any, Any], Any]:
    """The compiled search: (weights, random key, observations [B, O]) to mctx's output."""

    def recurrent(weights: Any, _: Any, actions: Any, latent: Any) -> Any:
        actions = jax.nn.one_hot(actions, config.num_actions)
        latent = scaled(perceptron(weights, "dynamics", jnp.concatenate([latent, actions], 1)))
        value = decoded(perceptron(weights, "value", latent))
        output = mctx.RecurrentFnOutput(
            reward=decoded(perceptron(weights, "reward", latent)),
            discount=jnp.full_like(value, config.discount),
            prior_logits=perceptron(weights, "policy", latent),
            value=value,
        )
        return output, latent

    @jax.jit
    def search(weights: Any, key: Any, observations: Any) -> Any:
        latent = scaled(perceptron(weights, "representation", observations))
        root = mctx.RootFnOutput(
            prior_logits=perceptron(weights, "policy", latent),
            value=decoded(perceptron(weights, "value", latent)),
            embedding=latent,
        )
        return mctx.muzero_policy(
            weights,
            key,
            root,
            recurrent,
            config.num_simulations,
            dirichlet_alpha=config.root_dirichlet_alpha,
            dirichlet_fraction=config.root_exploration_fraction,
            pb_c_init=config.pb_c_init,
            pb_c_base=config.pb_c_base,
        )

    return search  # type: ignore[no-any-return]


def seconds_per_move(
    config: MuZeroConfig, weights: Weights, batch: int, at_least: float
) -> Callable[[], float]:
    """A measurement: mean time of a search of B rows, over about `at_least` seconds."""
    search = make_search(config)
    on_device = {name: jnp.asarray(array) for name, array in weights.items()}
    observations = jnp.asarray(random_observations(config, batch).reshape(batch, -1))
    keys = iter(np.random.default_rng(2).integers(2**31, size=10_000_000))

    def move() -> None:
        output = search(on_device, jnp.array([0, next(keys)], jnp.uint32), observations)
        jax.block_until_ready(output)

    move()
    moves = 1 + int(at_least / seconds(move))
    return lambda: seconds(move, moves)


def main() -> None:
    net, batch, at_least = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    config = NETS[net]
    measurement = seconds_per_move(config, random_weights(config), batch, at_least)
    for _ in sys.stdin:
        print(measurement(), flush=True)


if __name__ == "__main__":
    main()

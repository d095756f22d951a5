"""Updates per second of the trainer, beside the plain eager reference, on the CartPole preset's network.

    python -m benchmarks.train --json --batch-sizes 128,256

One line per batch size and path (`fused`: the preset's hand-derived gradients; `autograd`: the trainer
without them). The reference is what one writes first: one loss per unrolled step and head, AdamW foreach.
All are measured in turns, in one process on one thread; figures are medians.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import medians_in_turns, numbers, report, run_on_one_core, seconds
from config import MuZeroConfig
from data import Batch
from games import cartpole
from models import MuZeroNetwork, make_network, scalar_to_support, scale_gradient, support_to_scalar
from trainer import Trainer

UPDATES = 20
"""Of each path in each round."""


class EagerReference:
    """The update written straightforwardly: one loss per unrolled step and head, AdamW foreach."""

    def __init__(self, config: MuZeroConfig) -> None:
        self.config = config
        self.network = make_network(config)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.lr_init, weight_decay=config.weight_decay, foreach=True
        )

    def update(self, batch: Batch) -> tuple[float, np.ndarray]:
        """One optimiser step; the loss and the priorities [S]."""
        loss, root_values = eager_loss(self.network, self.config, batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        return loss.item(), np.abs(root_values.numpy() - batch.target_value[:, 0])


def eager_loss(network: MuZeroNetwork, config: MuZeroConfig, batch: Batch) -> tuple[Tensor, Tensor]:
    """The mean loss of a batch and the root's decoded values [S], step by step and head by head."""
    K, support_size = config.num_unroll_steps, config.support_size
    observations, actions, target_value, target_reward, policies, *masks = map(torch.from_numpy, batch[:9])
    value_mask, reward_mask, policy_mask, weights = masks
    values, rewards = (scalar_to_support(t, support_size) for t in (target_value, target_reward))
    output = network.initial_inference(observations)
    root_values = support_to_scalar(output.value_logits.detach())
    loss = torch.zeros(())
    for k in range(K + 1):
        if k > 0:
            latent = scale_gradient(output.latent, 0.5)
            output = network.recurrent_inference(latent, actions[:, k - 1])
        step = cross_entropy(output.value_logits, values[:, k], value_mask[:, k] * weights)
        step = config.value_loss_weight * step
        step = step + cross_entropy(output.policy_logits, policies[:, k], policy_mask[:, k] * weights)
        if k > 0:
            reward_scale = reward_mask[:, k - 1] * weights
            step = step + cross_entropy(output.reward_logits, rewards[:, k - 1], reward_scale)
        loss = loss + (step if k == 0 else step / K)
    return loss, root_values


def cross_entropy(logits: Tensor, target: Tensor, scale: Tensor) -> Tensor:
    """The mean over S of scale [S] times the cross entropy of logits [S, n] under target [S, n]."""
    return (-(target * functional.log_softmax(logits, 1)).sum(1) * scale).mean()


def random_batch(config: MuZeroConfig, samples: int, generator: np.random.Generator) -> Batch:
    """A batch of S random positions with all kinds of masks and weights."""
    K, A = config.num_unroll_steps, config.num_actions
    _, height, width = config.observation_shape

    def mask(steps: int) -> np.ndarray:
        return (generator.random((samples, steps)) < 0.8).astype(np.float32)

    return Batch(
        observations=generator.normal(size=(samples, config.stacked_channels, height, width)).astype(
            np.float32
        ),
        actions=generator.integers(A, size=(samples, K), dtype=np.int32),
        target_value=generator.normal(scale=20, size=(samples, K + 1)).astype(np.float32),
        target_reward=generator.normal(size=(samples, K)).astype(np.float32),
        target_policy=generator.dirichlet(np.ones(A), (samples, K + 1)).astype(np.float32),
        value_mask=mask(K + 1),
        reward_mask=mask(K),
        policy_mask=mask(K + 1),
        weights=generator.uniform(0.1, 1, samples).astype(np.float32),
        positions=np.arange(samples, dtype=np.int64),
        next_observations=np.empty((samples, 0, config.stacked_channels, height, width), np.float32),
        next_mask=mask(0),
    )


def seconds_per_update(path: Callable[[], object]) -> float:
    """The mean over some updates."""
    return seconds(lambda: [path() for _ in range(UPDATES)]) / UPDATES


def measure(samples: int, repeats: int) -> Iterator[dict[str, object]]:
    """The measurements for batches of S samples: medians over `repeats` rounds."""
    config = cartpole.MuZeroConfig(batch_size=samples)
    batch = random_batch(config, samples, np.random.default_rng(0))
    reference = EagerReference(config)
    trainers = {
        "fused": Trainer(config, "cpu"),
        "autograd": Trainer(config.replace(fused_update=False), "cpu"),
    }
    paths: list[Callable[[], object]] = [partial(reference.update, batch)]
    paths += [partial(trainer.train, [batch]) for trainer in trainers.values()]
    for path in paths:
        path()  # compiles, allocates
    measurements: list[Callable[[], float]] = [partial(seconds_per_update, path) for path in paths]
    reference_seconds, *own = medians_in_turns(measurements, repeats)
    for name, own_seconds in zip(trainers, own, strict=True):
        yield {
            "name": name,
            "batch_size": samples,
            "updates_per_s": round(1 / own_seconds, 1),
            "reference_updates_per_s": round(1 / reference_seconds, 1),
            "ratio": round(reference_seconds / own_seconds, 2),
        }


def main() -> None:
    run_on_one_core("benchmarks.train")
    parser = argparse.ArgumentParser(description="updates per second of the trainer on one core")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--batch-sizes", type=numbers, default=[128, 256], help="numbers of samples")
    parser.add_argument("--repeats", type=int, default=15, help="rounds of which the median is taken")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for samples in arguments.batch_sizes:
        for result in measure(samples, arguments.repeats):
            report(result, arguments.json)


if __name__ == "__main__":
    main()

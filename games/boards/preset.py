"""The configuration that games on a board have in common; what was tried is in docs/experiments.md."""

from __future__ import annotations

import config


class BoardConfig(config.MuZeroConfig):
    """A residual network for two players, whose value target is the game's outcome.

    A game adds its shapes, and how large its network is. Convolutions see a line of four wherever it lies: a
    perceptron has to learn each by itself.
    """

    players = 2
    discount = 1.0
    q_transform = "bounds"

    network = "resnet"
    action_planes = "board"
    batch_norm = False  # its averages over the unrolled steps fit none of them
    latent_scaling = "none"
    inference_bfloat16 = True
    support_size = 1
    support_transform = False  # a win is the outermost atom

    PER = False
    num_unroll_steps = 2  # learning takes updates, and these cost half of those with 5
    consistency_loss_weight = 0.5
    value_loss_weight = 0.5
    autocast = True
    lr_init = 0.002

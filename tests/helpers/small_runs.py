"""A run of a second."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, Any] = {
    "training_steps": 50,
    "games_per_worker": 4,
    "num_simulations": 5,
    "encoding_size": 4,
    "fc_representation_layers": (4,),
    "fc_dynamics_layers": (4,),
    "fc_reward_layers": (4,),
    "fc_value_layers": (4,),
    "fc_policy_layers": (4,),
    "batch_size": 16,
    "learning_starts": 60,
    "ratio": 0.2,
    "td_steps": 5,
    "num_unroll_steps": 3,
    "PER": True,
    "target_update_interval": 8,
    "checkpoint_interval": 1000.0,
    "evaluation_interval": 0.0,
    "evaluation_games": 2,
    "evaluation_simulations": 3,
    "num_reanalyse_workers": 0,
    "num_workers": 1,
    "target_reward": None,
    "search": "puct",
    "seed": 3,
    "segment_length": 50,
    "replay_buffer_size": 5000,
    "max_moves": 100,
}

"""What the trainer and the replay buffer learn by: targets, losses, gradients, optimisers, symmetries.

Read `targets` first, then `loss` and `gradients`. `fused_update` computes the same gradients faster for one
kind of network; nothing else needs it.
"""

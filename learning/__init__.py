"""What the trainer and the replay buffer learn by: targets, losses, gradients, optimisers, symmetries.

Read `targets` first, then `loss` and `gradients`.
"""

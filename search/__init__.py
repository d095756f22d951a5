"""Batched tree search, and how it evaluates positions: by a network, or by the real game.

Read `mcts` first, with `tree`, `parameters` and `noise` beside it; then `planner`, which others call, and
`inference`, which chooses how the network is evaluated. `real_game` searches without a network.
"""

"""Batched tree search, and how it evaluates positions: by a network, or by the real game.

Read `mcts` first, with `tree`, `values`, `parameters` and `noise` beside it, and a rule in `rules`, which
`specialised` puts into the kernels; then `planner`, which others call, and
`inference`, which chooses how the network is evaluated. `real_game` searches without a network.
"""

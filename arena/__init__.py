"""Who can play, against whom, and how strong that makes them.

Read `player_kind`, `players` (the table of kinds, each in a file of its own: `simple_players`,
`minimax_player`, `mcts_player`, `network_player`) and `match` first. `evaluator` (during a training) and
`duel` (of any length) play matches; `registry` keeps versions of agents and their matches, `ratings` and
`standings` say what follows from those.
"""

"""Who can play, against whom, and how strong that makes them.

Read `players` and `match` first. `evaluator` (during a training) and `duel` (of any length) play matches;
`registry` keeps versions of agents and their matches, `ratings` and `standings` say what follows from those.
"""

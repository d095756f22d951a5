"""How far a learned model can be trusted: real games against what the model says of them.

`played` plays games as self-play does, `unrolling` lets the model imagine the same moves, `measures` compares
both, `verdict` judges the figures, `figures`, `tree_picture` and `report` show them; `diagnose` does it all.

Letters in shapes: A actions, H unrolled moves, N positions, S sampled positions.
"""

"""Parameters that a search refuses."""

from __future__ import annotations

BAD_PARAMETERS = [
    ("lr_init", "write NAME=uniform:LOW:HIGH"),
    ("lr_init=log", "write NAME=uniform:LOW:HIGH"),
    ("lr_initt=log:1:2", "unknown option 'lr_initt', did you mean 'lr_init'?"),
    ("lr_init=logg:1:2", "unknown scale 'logg', did you mean 'log'?"),
    ("lr_init=int:1:2", "lr_init is float, so its scale is uniform or log or choice"),
    ("num_simulations=log:1:2", "num_simulations is int, so its scale is int or logint or choice"),
    ("PER=uniform:0:1", "PER is bool, so its scale is choice"),
    ("optimizer=uniform:0:1", "so its scale is choice"),
    ("lr_init=log:1e-4", "needs two numbers"),
    ("lr_init=log:a:b", "needs two numbers"),
    ("num_simulations=int:8.5:9", "needs two whole numbers"),
    ("lr_init=log:0:1", "starts above 0"),
    ("lr_init=uniform:2:1", "LOW must be below HIGH"),
    ("lr_init=uniform:0:inf", "both finite"),
    ("lr_init=uniform:nan:1", "LOW must be below HIGH"),
    ("discount=uniform:0.9:1.5", "discount=1.5 is out of range [0, 1]"),
    ("num_simulations=int:0:9", "num_simulations=0 is out of range"),
    ("optimizer=choice:AdamW,Adam", "optimizer='Adam' must be AdamW|SGD"),
    ("optimizer=choice:SGD", "at least two different choices"),
    ("optimizer=choice:SGD,SGD", "at least two different choices"),
    ("seed=int:1:9", "seed is not searched: each trial gets its own"),
    ("training_steps=int:1:9", "given by --minutes or --steps"),
    ("evaluation_games=int:1:9", "would change how trials are compared"),
    ("players=int:1:2", "it would change the game"),
]

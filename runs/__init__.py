"""A training: the actors, who drives them, and what is kept of it.

Eighteen files. Read `launch` first, then `local_run`: the whole loop in one process. `actors` and `ray_run`
are the same on Ray; `session` keeps what either leaves behind, `judge` reads evaluations, `pacing` keeps the
ratio.
"""

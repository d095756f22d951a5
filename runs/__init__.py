"""A training: the actors, who drives them, and what is kept of it.

Twenty-three files. Read `launch` first, then `driver` and `local_run`: the whole loop in one process; what
each kind of actors does in it is in `actors/`. `ray_run` and `cluster` are the same on Ray; `session` keeps
what either leaves behind, `judge` reads evaluations, `pacing` keeps the ratio, `memory_watch` saves in time.
"""

"""A training: the actors, who drives them, and what is kept of it.

Twenty-six files. Read `launch` first, then `driver` and `local_run`: the whole loop in one process; what
each kind of actors does in it is in `actors/`. `ray_run` and `cluster` are the same on Ray, `background_save`
its checkpoints; `session` keeps what either leaves behind, `judge` reads evaluations, `pacing` keeps the
ratio, `lost_games` lists games that broke, `memory_watch` saves in time, `resumable` says whether the parts
of a checkpoint fit. What becomes of actors that die or hang is in `supervision/`.
"""

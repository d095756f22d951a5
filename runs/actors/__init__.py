"""The kinds of actors of a run, one file each: its class, its duty, and its role, which says all of it.

Read `shell` first, then `self_play`, `buffer` and `trainer`, which is the way of a game: each duty calls the
next actor through a typed handle (`runs/handles.py`). `table` lists the roles. What actors do their work with
are plain classes, which know nothing of Ray and lie below.
"""

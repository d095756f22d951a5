"""What keeps a run on Ray going when its processes die, hang, or are told to end (docs/reliability.md).

`failures` decides what becomes of a failed call, `deadlines` who is late; `snapshots` keeps what a lost actor
goes on from, `head_watch` sees whether Ray is there, `places` ends processes. `runs/ray_run.py` carries out
what they say.
"""

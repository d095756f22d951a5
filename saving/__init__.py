"""What is on disk: a run's folder, its checkpoints, and how files are written whole.

Read `checkpoint` first; `run_folder` names, finds and locks, `files` writes whole files, `appending` those
that grow, `rows` the buffer's rows.
"""

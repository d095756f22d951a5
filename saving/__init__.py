"""What is on disk: a run's folder, its checkpoints, and how files are read and written.

Read `checkpoint` first; `run_folder` names, finds and locks, `files` writes whole files, `appending` those
that grow, `rows` the buffer's rows. Whatever somebody else may have written is opened by `reading`;
`archives` has the arrays in a file, `signed` compares digests; `facts`, `fitting` and `room` say what cannot
be true of a checkpoint.
"""

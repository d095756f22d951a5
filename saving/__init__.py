"""What is on disk: a run's folder, its checkpoints, and how files are read and written.

Read `checkpoint` first; `run_folder` names and finds, `files` writes. Whatever somebody else may have written
is opened by `reading`; `archives` has the arrays in a file; `facts`, `fitting` and `room` say what cannot be
true of a checkpoint.
"""

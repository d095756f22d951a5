"""What is on disk: a run's folder, its checkpoints, and how files are written whole.

Read `checkpoint` first; `run_folder` names and finds, `files` writes.
"""

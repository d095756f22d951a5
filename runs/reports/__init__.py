"""What is said of a running training: on the terminal, in TensorBoard, in files.

Read `scalars` first: every figure and its tag. The logs and `panel` are observers of a run; `curves` reads
several runs again.
"""

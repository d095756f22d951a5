"""Measurements of the system's parts, seventeen files; each module runs by `python -m benchmarks.NAME`."""

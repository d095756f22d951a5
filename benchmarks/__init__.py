"""Measurements of the system's parts, eighteen files; each module runs by `python -m benchmarks.NAME`."""

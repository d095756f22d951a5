"""Measurements of the system's parts; each module runs by `python -m benchmarks.NAME`."""

"""Measurements of the system's parts, sixteen files; each module runs by `python -m benchmarks.NAME`."""

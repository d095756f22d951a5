"""The commands: one file for each word typed after `python muzero.py`, for parsing and printing.

Seventeen files: as many words, the menu, and what they share (`_common`, `_options`, `_launching`).
"""

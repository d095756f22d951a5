"""The commands: one file for each word typed after `python muzero.py`, for parsing and printing only.

Read `train` first. Sixteen files: twelve words, the menu, and what they share (`_common`, `_options`,
`_launching`).
"""

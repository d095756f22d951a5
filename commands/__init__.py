"""The commands: one file for each word typed after `python muzero.py`, for parsing and printing only.

Read `train` first. Seventeen files: twelve words, the menu, and what they share: `_options` (options of
several commands), `_config_options` (one for each field of the configuration), `_finding`, `_launching`.
"""

NAMES = (
    *("train", "resume", "evaluate", "models", "play", "watch", "diagnose", "tune", "plot"),
    *("games", "new-game", "check-game"),
)
"""Of the commands."""

"""The commands: one file for each word typed after `python muzero.py`, for parsing and printing only.

Read `train` first. Twenty-one files: a file for each word, the menu, the help of all (`_overview`), and what
they share: `_options` (of several commands), `_config_options` (one for each field of the configuration),
`_finding`, `_launching`.
"""

from core.interpreter import require_python

require_python()

DESCRIPTIONS = {
    "train": "train an agent; the word may be left out",
    "resume": "go on with a training that was stopped",
    "play": "play against an agent, at the terminal or in the browser",
    "watch": "watch an agent play, or record a film of it",
    "evaluate": "let an agent play many games, and count",
    "diagnose": "see how far an agent's learned model can be trusted",
    "models": "register agents, compare them, and choose the one in use",
    "tune": "search for better options by many trainings",
    "runs": "list the trainings, name them, see where they come from, delete them",
    "doctor": "say what happened to a run, what this machine lacks, and what to do",
    "plot": "draw the learning curves of runs",
    "games": "list the games",
    "new-game": "write a game's file to start from",
    "check-game": "check that a game keeps its contract",
    "completion": "have the shell complete what you type",
}
"""What each command does."""
NAMES = tuple(DESCRIPTIONS)
"""Of the commands."""

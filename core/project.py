"""Where the project's own files lie."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parent.parent
"""The folder of `muzero.py`."""
PRETRAINED = PROJECT / "results" / "pretrained"
"""Checkpoints that ship with the project, by game."""

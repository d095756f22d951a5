"""The roles of a run: another kind of actors is a file that makes one, listed here or given to a training."""

from __future__ import annotations

from typing import Any

from runs.actors.buffer import BUFFER
from runs.actors.evaluator import EVALUATOR
from runs.actors.reanalyse import REANALYSE
from runs.actors.self_play import SELF_PLAY
from runs.actors.storage import STORAGE
from runs.actors.trainer import TRAINER
from runs.driver import Role

ROLES: tuple[Role[Any], ...] = (SELF_PLAY, TRAINER, REANALYSE, EVALUATOR, BUFFER, STORAGE)
"""In the order in which the driver looks after them: games are played, learned from, and judged."""

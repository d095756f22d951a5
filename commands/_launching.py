"""What the two commands that train have in common: how a run is launched, and the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands._options import Parser
from core.errors import INTERRUPTED

if TYPE_CHECKING:
    from runs.session import TrainingOutcome


def add_launch_options(parser: Parser) -> None:
    """`--local` and `--address`: where a run's parts work."""
    parser.add_argument(
        "--local", action="store_true", help="one process without Ray, repeatable bit for bit"
    )
    parser.add_argument("--address", metavar="ADDRESS", help="Ray cluster to join; default: start one here")


def exit_status(outcome: TrainingOutcome) -> int:
    """Of the process whose training ended like this."""
    return INTERRUPTED if outcome.reason == "interrupted" else 0

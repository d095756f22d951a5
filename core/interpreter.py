"""Whether the Python that runs this is new enough: asked before anything is imported that needs it."""

from __future__ import annotations

import sys

from core.errors import BAD_INPUT

OLDEST = (3, 11)


def require_python() -> None:
    """Ends the program with one line where Python is too old for it."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        wanted = ".".join(map(str, OLDEST))
        print(f"error: this needs Python {wanted} or newer, and runs on {found}", file=sys.stderr)
        raise SystemExit(BAD_INPUT)

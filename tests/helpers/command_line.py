"""The command line, as a process and without one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from core.project import PROJECT


def python(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """`python muzero.py` with these arguments, in the project's folder."""
    return run([sys.executable, "muzero.py", *arguments], **settings)


def program(code: str) -> subprocess.CompletedProcess[str]:
    """`code` in a Python of its own, in the project's folder."""
    return run([sys.executable, "-c", code])


def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
    """A command in the project's folder; what it prints is kept, unless it is sent elsewhere."""
    kept: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120}
    finished: subprocess.CompletedProcess[str] = subprocess.run(
        command, cwd=PROJECT, text=True, check=False, **kept | settings
    )
    return finished

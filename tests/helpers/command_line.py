"""The command line, as a process and without one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from core.project import PROJECT


def python(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """`python muzero.py` with these arguments, in the project's folder."""
    command = [sys.executable, "muzero.py", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, text=True, capture_output=True, timeout=60, check=False, **settings
    )

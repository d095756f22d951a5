"""Runs a command that does not outlive the process that started it: `python tether.py PARENT COMMAND...`.

On Linux the kernel sends it SIGTERM, on which a training saves and leaves, when process PARENT has died in
whatever way. Elsewhere it runs on, until the search is resumed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Becomes the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before it could be bound to
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()

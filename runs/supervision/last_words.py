"""What is said of a training whose process is ended without a chance to say anything itself.

By SIGKILL, by the kernel for want of memory; and by Ray, which ends the driver at once when its daemon on
this machine (raylet) is gone. A shell waits for that: it is the smallest process that can.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saving.run_folder import GENERATIONS, MANIFEST

SCRIPT = f"""
read -r over && exit
ls "$1"/{GENERATIONS}/*/{MANIFEST} >/dev/null 2>&1 && next=$3 || next="nothing was saved"
echo "$2; $next" >&2
"""
"""Nothing to read is there only once the process is gone, whatever has ended it."""
ENDED = "error: the training's process was killed, or Ray ended it since its daemon (raylet) had died"


@contextmanager
def last_words(folder: Path) -> Iterator[None]:
    """Has it said on stderr, should this process end meanwhile, and how to go on with the run in `folder`."""
    shell = shutil.which("sh")
    if shell is None:
        yield
        return
    resume = f"'python muzero.py resume {folder}' goes on from the newest checkpoint"
    command = [shell, "-c", SCRIPT, "sh", str(folder), ENDED, resume]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=nowhere, start_new_session=True) as waiting:
        try:
            yield
        finally:
            assert waiting.stdin is not None
            with suppress(OSError):  # somebody has ended it
                waiting.stdin.write(b"over\n")
                waiting.stdin.close()

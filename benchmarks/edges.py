"""What a training does at the edges of a machine: a table for docs/reliability.md.

    python -m benchmarks.edges [NAME...]

Each row trains CartPole for some updates where something is scarce: in one process and on Ray. Some rows need
root, for file systems and other users; without it they say so. A row has held if the process ended in time,
without a traceback, and said in its last line why, if it could not train.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from core.project import PROJECT

LIMIT = 150.0
"""Seconds after which a training counts as hanging."""
NOBODY = 65534
SMALL = ("--training-steps", "300", "--checkpoint-interval", "5", "--num-workers", "1", "--seed", "1")
CLOCK = """
import random, sys, time
true, draw = time.time, random.Random(1)
time.time = lambda: true() + draw.choice((-1, 1)) * 3600 * 24
import muzero
sys.argv = ["muzero.py", *sys.argv[1:]]
muzero.main()
"""


class Edge(NamedTuple):
    """Something that a machine may be short of."""

    name: str
    text: str
    command: Callable[[Sequence[str], Path], list[str]]  # of a training with these arguments, in a folder
    root: bool = False  # whether it takes root


class Outcome(NamedTuple):
    """How a training ended."""

    status: int | None  # None: it had to be killed
    seconds: float
    said: str  # the last line of what it wrote to stderr, or else to stdout
    traceback: bool
    saved: bool


# --- edges ---


def training(arguments: Sequence[str], folder: Path) -> list[str]:
    """As the user who measures."""
    return [sys.executable, "muzero.py", *arguments, "--results-path", str(folder / "results")]


def as_nobody(arguments: Sequence[str], folder: Path, home: bool = True) -> list[str]:
    """As a user who is not root, by the interpreter outside the virtual environment, which may be hidden."""
    folder.chmod(0o777)
    packages = os.pathsep.join((str(PROJECT), sysconfig.get_path("purelib")))
    own = (f"HOME={folder}",) if home else ("-u", "HOME", "-u", "XDG_CACHE_HOME")
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = shutil.which(version, path="/usr/local/bin:/usr/bin:/bin") or sys.executable
    return [*user, "env", *own, f"PYTHONPATH={packages}", python, *training(arguments, folder)[1:]]


def limited(limit: str, nobody: bool) -> Callable[[Sequence[str], Path], list[str]]:
    """Below a limit of the shell."""

    def command(arguments: Sequence[str], folder: Path) -> list[str]:
        whole = as_nobody(arguments, folder) if nobody else training(arguments, folder)
        return ["bash", "-c", f"ulimit {limit} && exec {shlex.join(whole)}"]

    return command


def mounted(place: str, size: str) -> Callable[[Sequence[str], Path], list[str]]:
    """With a small file system at `place`, which only this training sees."""

    def command(arguments: Sequence[str], folder: Path) -> list[str]:
        at = shlex.quote(place.format(folder))
        mount = f"mkdir -p {at} && mount -t tmpfs -o size={size} tmpfs {at}"
        return [
            "unshare",
            "--mount",
            "sh",
            "-c",
            f"{mount} && exec {shlex.join(training(arguments, folder))}",
        ]

    return command


def read_only(arguments: Sequence[str], folder: Path) -> list[str]:
    """With results that belong to somebody else."""
    (folder / "results").mkdir(mode=0o755, exist_ok=True)
    return as_nobody(arguments, folder)


def homeless(arguments: Sequence[str], folder: Path) -> list[str]:
    """Without a home, and with a project that belongs to somebody else."""
    return as_nobody(arguments, folder, home=False)


def jumping(arguments: Sequence[str], folder: Path) -> list[str]:
    """With a clock that jumps by a day, in the process that was started."""
    return [sys.executable, "-c", CLOCK, *training(arguments, folder)[2:]]


EDGES = (
    Edge("disk", "the disk of the results has 1 MiB", mounted("{}/results", "1m"), root=True),
    Edge("read-only", "the results cannot be written", read_only, root=True),
    Edge("no-home", "no HOME, and the project cannot be written", homeless, root=True),
    Edge("descriptors", "64 open files a process", limited("-n 64", nobody=False)),
    Edge("40-processes", "40 processes and threads", limited("-u 40", nobody=True), root=True),
    Edge("200-processes", "200 processes and threads", limited("-u 200", nobody=True), root=True),
    Edge("shm", "/dev/shm of 64 MiB", mounted("/dev/shm", "64m"), root=True),
    Edge("clock", "time.time() jumps by a day, to and fro", jumping),
)


# --- measuring ---


def tried(edge: Edge, local: bool) -> Outcome:
    """A training at `edge`; nothing of it is left behind."""
    with scratch() as folder:
        arguments = ("cartpole", *SMALL, *(("--local",) if local else ()))
        out, err = folder / "out", folder / "err"
        started = time.monotonic()
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                edge.command(arguments, folder),
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            status = ended(process)
        seconds = time.monotonic() - started
        texts = [path.read_text("utf-8", "replace") for path in (out, err)]
        saved = any((folder / "results").glob("cartpole/*/checkpoints/*/manifest.json"))
        saved = saved or "registered as" in texts[0]  # on a file system that only the training has seen
        return Outcome(status, seconds, last_line(texts), "Traceback" in "".join(texts), saved)


def ended(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status; None where it had to be killed."""
    try:
        return process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one training."""
    folder = Path(tempfile.mkdtemp(prefix="edge-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def last_line(texts: Sequence[str]) -> str:
    """Of an error if there is one, else of what was printed; without folders that are another each time."""
    lines = next((lines for text in reversed(texts) if (lines := text.strip().splitlines())), [""])
    return re.sub(r"\S*/edge-\w+", "...", " ".join(lines[-1].split()))[:220]


def row(edge: Edge, local: bool) -> str:
    """A line of the table."""
    where = "one process" if local else "Ray"
    if edge.root and os.geteuid() != 0:
        return f"| {edge.text} | {where} | takes root | | | |"
    outcome = tried(edge, local)
    status = "hangs" if outcome.status is None else str(outcome.status)
    said = "trains to the end" if outcome.status == 0 else outcome.said.replace("|", "/")
    said = f"a traceback: {said}" if outcome.traceback else said
    saved = "yes" if outcome.saved else "no"
    return f"| {edge.text} | {where} | {status} | {outcome.seconds:.0f} | {saved} | {said} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="what a training does at the edges of a machine")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(e.name for e in EDGES))
    parser.add_argument("--where", choices=("local", "ray", "both"), default="both")
    arguments = parser.parse_args()
    print("| where this is so | in | exit | seconds | saved | its last line |")
    print("| --- | --- | --- | --- | --- | --- |")
    for edge in EDGES:
        if arguments.names and edge.name not in arguments.names:
            continue
        for local in (True, False):
            if arguments.where in ("both", "local" if local else "ray"):
                print(row(edge, local), flush=True)


if __name__ == "__main__":
    main()

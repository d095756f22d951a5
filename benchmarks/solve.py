"""How long CartPole takes, as a person sees it: from the command to the line that says it is solved.

    python -m benchmarks.solve --json --seeds 101,102,103,104,105
    python -m benchmarks.solve --json --seeds 1,2,3 --stay 600      # does it stay solved?

Each seed is one `python muzero.py cartpole --seed S` in a process of its own, the interpreter's and Ray's
start included. Every solved run's best checkpoint is then judged again by `evaluate` on other games. With
`--stay` the target is switched off, and the mean of the evaluations after `--stay-from` seconds is reported.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import numbers, report
from core.project import PROJECT
from runs.process_meter import memory_below

LIMIT_SECONDS = 300.0
SOLVED = re.compile(r"solved: mean of (\d+) greedy games ([\d.]+) .* (\d+) updates, (\d+) played steps")


class Training(NamedTuple):
    """One training as seen from outside."""

    seconds: float  # to the line that says solved, or to the end
    line: re.Match[str] | None  # that line
    peak_bytes: int  # proportional set size, all processes
    folder: Path


def train(seed: int, results: Path, options: list[str], limit: float) -> Training:
    """Trains CartPole in a process of its own until it says solved, ends, or has run for `limit` seconds."""
    command = [sys.executable, "muzero.py", "cartpole", "--seed", str(seed), "--results-path", str(results)]
    started = time.perf_counter()
    peak = 0
    solved, solved_at = None, None
    with subprocess.Popen(
        [*command, *options], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        timer = threading.Timer(limit, process.send_signal, [signal.SIGINT])
        timer.start()
        next_look = started + 5
        for line in process.stdout:
            if solved is None and (solved := SOLVED.search(line)) is not None:
                solved_at = time.perf_counter()
            if time.perf_counter() >= next_look:
                peak = max(peak, sum(memory_below(process.pid).values()))
                next_look = time.perf_counter() + 5
        timer.cancel()
    folder = max((results / "cartpole").iterdir(), key=lambda path: path.stat().st_mtime)
    return Training((solved_at or time.perf_counter()) - started, solved, peak, folder)


def judged_again(folder: Path, seed: int) -> float:
    """The mean of 100 greedy games of the run's best checkpoint, from starts that the run has not seen."""
    command = [sys.executable, "muzero.py", "evaluate", "cartpole", "--json", "--games", "100"]
    options = ["--checkpoint", str(folder / "best.checkpoint"), "--seed", str(1_000_000 + seed)]
    output = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True, check=True)
    return float(json.loads(output.stdout)["mean"])


def solve(seed: int, results: Path, options: list[str], limit: float) -> dict[str, Any]:
    """One training to solved, measured."""
    run = train(seed, results, options, limit)
    solved = run.line is not None
    return {
        "name": "solve",
        "seed": seed,
        "solved": solved,
        "seconds": round(run.seconds, 1),
        "mean": float(run.line[2]) if run.line else None,
        "updates": int(run.line[3]) if run.line else None,
        "played_steps": int(run.line[4]) if run.line else None,
        "judged_again": judged_again(run.folder, seed) if solved else None,
        "peak_gb": round(run.peak_bytes / 1e9, 2),
    }


def stay(seed: int, results: Path, options: list[str], until: float, since: float) -> dict[str, Any]:
    """One training with the target off: the mean of its evaluations between two times."""
    run = train(seed, results, [*options, "--target-reward", "none"], until)
    evaluations = evaluations_of(run.folder)
    late = [mean for seconds, mean in evaluations if since <= seconds <= until]
    return {
        "name": "stay",
        "seed": seed,
        "evaluations": len(late),
        "mean": round(statistics.mean(late), 1) if late else None,
        "lowest": min(late, default=None),
        "peak_gb": round(run.peak_bytes / 1e9, 2),
    }


def evaluations_of(folder: Path) -> list[tuple[float, float]]:
    """All evaluations of a run: seconds since its first event, mean return."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    start = events.FirstEventTimestamp()
    return [(event.wall_time - start, event.value) for event in events.Scalars("reward/evaluation_mean")]


def main() -> None:
    """Runs all seeds and prints a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=numbers, default=[101, 102, 103, 104, 105])
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds for one seed")
    parser.add_argument("--stay", type=float, metavar="SECONDS", help="train this long with the target off")
    parser.add_argument("--stay-from", type=float, default=180.0, metavar="SECONDS")
    parser.add_argument("--results-path", type=Path, help="keep the runs here (default: a temporary folder)")
    parsed, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        results = parsed.results_path or Path(temporary)
        rows = []
        for seed in parsed.seeds:
            if parsed.stay:
                rows.append(stay(seed, results, options, parsed.stay, parsed.stay_from))
            else:
                rows.append(solve(seed, results, options, parsed.limit))
            report(rows[-1], parsed.json)
    if not parsed.stay:
        report(summary(rows), parsed.json)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the seeds have in common."""
    steps = [row["played_steps"] for row in rows if row["solved"]]
    return {
        "name": "solve summary",
        "seeds": len(rows),
        "solved": len(steps),
        "median_seconds": statistics.median(row["seconds"] for row in rows),
        "max_seconds": max(row["seconds"] for row in rows),
        "median_played_steps": statistics.median(steps) if steps else None,
    }


if __name__ == "__main__":
    main()

"""How many updates and steps a preset with a target takes to reach it. Repeats exactly: no clock decides.

    python -m benchmarks.learning --json --seeds 1,2,3,4,5,6,7,8,9,10 --random-opening-moves 0

Each seed is one training in this process (the parts of `--local`, in the same order), evaluated every
`--every` updates until the target is reached or `--limit` updates are made. Other options go to the
configuration. Runs of several settings at the same time do not change each other's figures.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import numbers, report
from commands._config_options import add_config_options, canonical, config_values, shown_fields
from commands._options import Parser
from config import MuZeroConfig
from games.api.sources import load_game
from games.api.spec import GameSpec
from runs.actors.evaluator import EVALUATOR, EvaluatorDuty
from runs.local_run import LocalRun
from runs.machine import fitted_here
from runs.reports.panel import Observers
from runs.session import Session


def learn(spec: GameSpec, config: MuZeroConfig, every: int, limit: int) -> dict[str, Any]:
    """One training, measured."""
    with tempfile.TemporaryDirectory() as folder:
        config = config.replace(evaluation_interval=1e9)  # it evaluates when it is asked to
        session = Session(spec, config, Path(folder), Observers(()), None)
        run = LocalRun(session, "cpu")
        evaluation = run.duties[EVALUATOR.kind.name]
        assert isinstance(evaluation, EvaluatorDuty)
        solved, seconds = False, 0.0
        means: list[int] = []
        while not solved and session.log.counters.training_step < limit:
            started = time.process_time()
            while session.log.counters.training_step < every * (len(means) + 1):
                run.issue()
            seconds += time.process_time() - started
            evaluation.evaluate()
            solved = run.reason is not None
            means.append(round(session.judge.evaluations[0].mean))
    counters = session.log.counters
    return {
        "name": "learning",
        "game": spec.name,
        "seed": config.seed,
        "solved": solved,
        "updates": counters.training_step,
        "played_steps": counters.played_steps,
        "cpu_ms_per_update": round(seconds / counters.training_step * 1e3, 2),
        "evaluations": means,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All seeds in one line; those that did not reach the target count with the updates that they made."""
    updates = [row["updates"] for row in rows]
    return {
        "name": "learning summary",
        "seeds": len(rows),
        "solved": sum(row["solved"] for row in rows),
        "median_updates": statistics.median(updates),
        "max_updates": max(updates),
        "median_played_steps": statistics.median(row["played_steps"] for row in rows),
    }


def main() -> None:
    """Trains all seeds, one after another."""
    parser = Parser(
        usage="python -m benchmarks.learning [options]", description="updates until the target is reached"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--game", default="cartpole")
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3, 4, 5])
    parser.add_argument("--every", type=int, default=150, help="updates between two evaluations")
    parser.add_argument("--limit", type=int, default=9000, help="updates after which a seed is given up")
    add_config_options(parser, MuZeroConfig(), shown_fields(sys.argv))
    parsed = parser.parse(canonical(sys.argv[1:]))
    torch.set_num_threads(1)
    spec = load_game(parsed.game)
    config = spec.config.replace(**config_values(parsed))
    config = fitted_here(config, local=True, address=None).config
    rows = []
    for seed in parsed.seeds:
        rows.append(learn(spec, config.replace(seed=seed), parsed.every, parsed.limit))
        report(rows[-1], parsed.json)
    report(summary(rows), parsed.json)


if __name__ == "__main__":
    main()

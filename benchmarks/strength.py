"""How strong a preset becomes: trains it on several seeds and plays each run's best checkpoint.

    python -m benchmarks.strength --json --game tictactoe --opponents minimax,random --games 1000
    python -m benchmarks.strength --json --game connect4 --seeds 1 --opponents expert,mcts:1000

Other options go to the training (`--training-minutes 5`). `--simulations 50,0` judges with 50 simulations per
move and by the policy alone. A game for one is judged without opponents: give no `--opponents`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import numbers, report
from core.project import PROJECT


def train(game: str, seed: int, results: Path, options: list[str]) -> tuple[Path, float]:
    """Trains in a process of its own; the run's folder, and the seconds from the command to its end."""
    command = [sys.executable, "muzero.py", game, "--seed", str(seed), "--results-path", str(results)]
    started = time.perf_counter()
    subprocess.run([*command, *options], cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - started
    return max((results / game).iterdir(), key=lambda path: path.stat().st_mtime), seconds


def judged(folder: Path, game: str, opponent: str | None, simulations: int, games: int) -> dict[str, Any]:
    """What `evaluate` says of the run's best checkpoint."""
    command = [sys.executable, "muzero.py", "evaluate", game, "--json", "--games", str(games)]
    options = ["--checkpoint", str(folder / "best.checkpoint"), "--simulations", str(simulations)]
    against = ["--opponent", opponent] if opponent else []
    output = subprocess.run([*command, *options, *against], cwd=PROJECT, capture_output=True, check=True)
    result: dict[str, Any] = json.loads(output.stdout)
    return result


def main() -> None:
    """Trains and judges all seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--game", required=True)
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3])
    parser.add_argument("--opponents", default="", help="comma-separated")
    parser.add_argument("--simulations", type=numbers, default=[50], help="per move; 0: the policy alone")
    parser.add_argument("--games", type=int, default=1000)
    parser.add_argument("--results-path", type=Path, help="keep the runs here (default: a temporary folder)")
    parsed, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        for seed in parsed.seeds:
            folder, seconds = train(parsed.game, seed, parsed.results_path or Path(temporary), options)
            for opponent in parsed.opponents.split(",") if parsed.opponents else [None]:
                for simulations in parsed.simulations:
                    found = judged(folder, parsed.game, opponent, simulations, parsed.games)
                    facts = {"name": "strength", "game": parsed.game, "seed": seed}
                    against = {"opponent": opponent, "simulations": simulations}
                    report({**facts, "seconds": round(seconds, 1), **against, **found}, parsed.json)


if __name__ == "__main__":
    main()

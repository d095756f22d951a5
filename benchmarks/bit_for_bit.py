"""Whether two versions of the project compute the same, bit for bit.

    python -m benchmarks.bit_for_bit --json > before.jsonl       in the one version
    python -m benchmarks.bit_for_bit --json > after.jsonl        in the other, on the same machine
    diff before.jsonl after.jsonl

Trains each kind of game in one process (`--local`) with a fixed seed and prints the digest of the weights,
and of everything else that a checkpoint keeps but times. Then every shipped checkpoint searches 1,000
positions; with `--positions FOLDER` these are kept in that folder, or taken from there, so that both
versions search the same ones.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import report, run_on_one_core
from core.project import PRETRAINED
from core.randomness import one_of
from games.api.sources import load_game
from playing.make_table import make_table
from saving.checkpoint import Checkpoint, load_checkpoint
from search.planner import Planner, Positions

UPDATES = 500
POSITIONS = 1000
SEARCHED_AT_ONCE = 50
SIMULATIONS = 50
SEED = 11
SMALL_RESNET = "--channels 16 --blocks 1 --num-simulations 16 --games-per-worker 16 --batch-size 32"
TRAININGS = {
    "cartpole": "cartpole",
    "cartpole, gumbel": "cartpole --search gumbel",
    "cartpole, uniform replay": "cartpole --no-per",
    "cartpole, by autograd": "cartpole --no-fused-update --training-steps 100",
    "cartpole, two workers": "cartpole --num-workers 2",
    "tictactoe": "tictactoe",
    "tictactoe, gumbel": "tictactoe --search gumbel",
    "tictactoe, reanalysis": "tictactoe --num-reanalyse-workers 1 --reanalyse-policy",
    "connect4, residual network": f"connect4 {SMALL_RESNET} --learning-starts 500",
    "connect4, gumbel, consistency": f"connect4 {SMALL_RESNET} --learning-starts 500 --search gumbel "
    "--consistency-loss-weight 2 --training-steps 100",
    "twentyone": "twentyone",
    "gridworld": "gridworld",
    "gridworld, reanalysis": "gridworld --num-reanalyse-workers 1",
}
TIMES = ("seconds",)


def digest(arrays: Iterable[tuple[str, NDArray[Any]]]) -> str:
    """Of names, types, shapes and bytes."""
    summed = hashlib.sha256()
    for name, array in arrays:
        summed.update(f"{name} {array.dtype} {array.shape}".encode())
        summed.update(np.ascontiguousarray(array).tobytes())
    return summed.hexdigest()[:16]


def digest_of_parts(checkpoint: Checkpoint) -> str:
    """Of what a checkpoint keeps beside the weights: optimiser, buffer, running games, random numbers."""
    arrays = (
        (f"{part}/{name}", array)
        for part, state in sorted(checkpoint.parts.items())
        if part not in ("judge", "log")
        for name, array in sorted(state.arrays.items())
        if not any(word in name for word in TIMES)
    )
    return digest(arrays)


def train(name: str, options: str) -> dict[str, Any]:
    """Trains as `options` say, without evaluations; the digests of what came of it."""
    steps = [] if "--training-steps" in options else ["--training-steps", str(UPDATES)]
    with tempfile.TemporaryDirectory() as results:
        settings = ["--seed", str(SEED), "--evaluation-interval", "0", "--target-reward", "none"]
        where = ["--results-path", results, "--local", "--checkpoint-interval", "100000"]
        command = [sys.executable, "muzero.py", *options.split(), *steps, *settings, *where]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        checkpoint = load_checkpoint(next(path.parent for path in Path(results).glob("*/*/config.json")))
    counters = checkpoint.counters
    return {
        "training": name,
        "updates": checkpoint.training_step,
        "steps": counters.played_steps,
        "weights": digest(sorted(checkpoint.weights.items())),
        "rest": digest_of_parts(checkpoint),
    }


def random_positions(checkpoint: Checkpoint) -> Positions:
    """Positions of random games, the same in each call."""
    table = make_table(load_game(checkpoint.game), checkpoint.config, 1)
    generator = np.random.default_rng(SEED)
    found: list[Positions] = []
    game = 0
    while len(found) < POSITIONS:
        table.reset(0, seed=game)
        game, over = game + 1, False
        while not over and len(found) < POSITIONS:
            found.append(Positions(table.stacks[0].copy(), table.to_play[0].copy(), table.legal[0].copy()))
            action = one_of(generator, np.flatnonzero(table.legal[0]))
            moves = table.move(0, action)
            over = bool(moves.terminated[0] or moves.truncated[0])
    return Positions(*(np.stack(column) for column in zip(*found, strict=True)))


def stored_positions(path: Path | None, checkpoint: Checkpoint) -> Positions:
    """The positions in the file `path`, which is made if there is none."""
    if path is None:
        return random_positions(checkpoint)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **random_positions(checkpoint)._asdict())
    with np.load(path) as stored:
        return Positions(**stored)


def search(path: Path, folder: Path | None) -> dict[str, Any]:
    """The digest of the moves, values and visits that a shipped checkpoint finds in its positions."""
    checkpoint = load_checkpoint(path)
    name = "-".join(path.relative_to(PRETRAINED).parts[:-1])
    positions = stored_positions(folder and folder / f"{name}.npz", checkpoint)
    planner = Planner(checkpoint.config, SEARCHED_AT_ONCE, SIMULATIONS)
    planner.load(checkpoint.weights, 0)
    found = []
    for first in range(0, POSITIONS, SEARCHED_AT_ONCE):
        found.append(planner.plan(positions.at(slice(first, first + SEARCHED_AT_ONCE))))
    columns = ((name, np.concatenate([getattr(f, name) for f in found])) for name in found[0]._fields)
    actions = [("action", np.concatenate([result.action for result in found]))]
    return {"checkpoint": name, "moves": digest(actions), "search": digest(columns)}


def main() -> None:
    """Prints a line for each training and each shipped checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument("--only", default="", metavar="TEXT", help="only what has this text in its name")
    parser.add_argument("--positions", type=Path, metavar="FOLDER", help="where the positions are kept")
    parsed = parser.parse_args()
    for name, options in TRAININGS.items():
        if parsed.only in name:
            report(train(name, options), parsed.json)
    for path in sorted(PRETRAINED.glob("**/best.checkpoint")):
        if parsed.only in str(path):
            report(search(path, parsed.positions), parsed.json)


if __name__ == "__main__":
    run_on_one_core("benchmarks.bit_for_bit")  # sums depend on how many threads share them
    main()

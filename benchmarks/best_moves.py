"""How often an agent plays a best move in Connect Four, by the exact solver.

    python -m benchmarks.best_moves --json
    python -m benchmarks.best_moves --json --checkpoint results/connect4/RUN --simulations 0,50

The positions come from games of random and expert moves mixed, the same number after each count of moves;
those in which all moves are worth the same are left out. With 0 simulations the policy plays. "chance" is
the share of best moves among the legal ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import numbers, report
from benchmarks.connect4_solver import ILLEGAL, Connect4Solver
from core.project import PRETRAINED
from core.randomness import one_of
from games.boards.rules import TO_PLAY
from games.connect4 import SQUARES, STONES, Game
from saving.checkpoint import load_checkpoint
from saving.run_folder import best_of
from search.planner import Planner, Positions


class Solved(NamedTuple):
    """P positions and what their moves are worth."""

    observations: NDArray[np.float32]  # [P, 2, 6, 7]
    to_play: NDArray[np.int32]  # [P]
    values: NDArray[np.int64]  # [P, 7], see `Solver.values`


def solved_positions(each: int, first: int, last: int, seed: int) -> Solved:
    """`each` positions after every count of moves from `first` to `last`."""
    generator, solver, game = np.random.default_rng(seed), Connect4Solver(), Game(0)
    observations, to_play, values = [], [], []
    for moves in range(first, last + 1):
        found = 0
        while found < each:
            if not wandered(game, moves, generator):
                continue
            player = int(game.state[TO_PLAY])
            worth = solver.values(int(game.state[STONES + player]), int(game.state[STONES + 1 - player]))
            if len(set(worth[worth != ILLEGAL].tolist())) > 1:
                observations.append(game.observation())
                to_play.append(player)
                values.append(worth)
                found += 1
    return Solved(np.array(observations, np.float32), np.array(to_play, np.int32), np.array(values))


def wandered(game: Game, moves: int, generator: np.random.Generator) -> bool:
    """Plays so many moves from the start, every second one at random; False if the game ended."""
    game.reset()
    for _ in range(moves):
        at_random = generator.random() < 0.5
        action = one_of(generator, game.legal_actions()) if at_random else game.expert_agent()
        if game.step(action)[2]:
            return False
    return True


def main() -> None:
    """Solves the positions and judges the agent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--checkpoint", type=Path, default=PRETRAINED / "connect4" / "best.checkpoint")
    parser.add_argument("--simulations", type=numbers, default=[0, 50])
    parser.add_argument("--positions", type=int, default=20, help="after each count of moves")
    parser.add_argument("--first", type=int, default=12, help="moves made at least")
    parser.add_argument("--last", type=int, default=37, choices=range(SQUARES - 2), metavar="INT")
    parser.add_argument("--seed", type=int, default=5)
    parsed = parser.parse_args()
    path = parsed.checkpoint
    checkpoint = load_checkpoint(best_of(path) if path.is_dir() else path)
    solved = solved_positions(parsed.positions, parsed.first, parsed.last, parsed.seed)
    positions = Positions(solved.observations, solved.to_play, solved.values != ILLEGAL)
    best = solved.values == solved.values.max(axis=1, keepdims=True)
    rows = np.arange(len(best))
    for simulations in parsed.simulations:
        planner = Planner(checkpoint.config, len(best), simulations)
        planner.load(checkpoint.weights, 0)
        share = best[rows, planner.plan(positions).action].mean()
        facts = {"name": "best_moves", "positions": len(best), "simulations": simulations}
        chance = (best.sum(axis=1) / positions.legal.sum(axis=1)).mean()
        report({**facts, "best": round(float(share), 4), "chance": round(float(chance), 4)}, parsed.json)


if __name__ == "__main__":
    main()

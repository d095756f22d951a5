"""Self-play on one core: moves per second, and what they spend their time on.

    python -m benchmarks.selfplay --json
    python -m benchmarks.selfplay --json --games tictactoe,connect4,gomoku,othello --rows 64

The limit is the same calls of the network alone, at the same batch: one at each root and one per simulation.
"Search" is the tree, "environment" the games' own code, "rest" all else: noise, records, observations.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.common import medians_in_turns, numbers, report, run_on_one_core
from config import MuZeroConfig
from data import Evaluation, InferenceModel, IntArray, Weights
from games.api.sources import load_game
from models import get_weights, make_network
from search.planner import self_play_planner
from self_play import SelfPlay
from shared_storage import LocalSource, SharedStorage

MOVES = 24


class TimedModel:
    """Passes calls on to `model`, counts the seconds that they take and notes them."""

    def __init__(self, model: InferenceModel) -> None:
        self.model = model
        self.seconds = 0.0
        self.roots: list[tuple[np.ndarray, IntArray]] = []
        self.calls: list[tuple[IntArray, IntArray, int]] = []

    def root(self, observations: np.ndarray, to_play: IntArray) -> Evaluation:
        """See `data.Model`."""
        self.roots.append((observations.copy(), to_play.copy()))
        started = time.perf_counter()
        evaluation = self.model.root(observations, to_play)
        self.seconds += time.perf_counter() - started
        return evaluation

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """See `data.Model`."""
        self.calls.append((parents.copy(), actions.copy(), node))
        started = time.perf_counter()
        evaluation = self.model.recurrent(parents, actions, node)
        self.seconds += time.perf_counter() - started
        return evaluation

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


class Measured:
    """A self-play worker of one game, and its network alone."""

    def __init__(self, game: str, rows: int) -> None:
        spec = load_game(game)
        self.config: MuZeroConfig = spec.config.replace(games_per_worker=rows)
        storage: SharedStorage[Weights] = SharedStorage()
        storage.publish(0, get_weights(make_network(self.config)))
        self.planner = self_play_planner(self.config, "cpu")
        self.player = SelfPlay(
            spec, self.config, 0, LocalSource(storage, lambda weights: weights), self.planner
        )
        self.model = self.planner.model
        self.player.play(rows * MOVES, float("inf"))
        self.searches, self.environment = [0.0], [0.0]
        self._time_searches()
        self.recorded = TimedModel(self.model)
        self.planner.model = self.recorded
        self.player.play(rows * MOVES, float("inf"))
        self.planner.model = self.model

    def _time_searches(self) -> None:
        run = self.planner.search.run

        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = run(*arguments)
            self.searches[-1] += time.perf_counter() - started
            return result

        self.planner.search.run = timed  # type: ignore[assignment, method-assign]

    def playing(self) -> float:
        """Seconds per move of all rows."""
        self.searches.append(0.0)
        started = time.perf_counter()
        report, _ = self.player.play(self.config.games_per_worker * MOVES, float("inf"))
        self.environment.append(report.environment_seconds / MOVES)
        self.searches[-1] /= MOVES
        return (time.perf_counter() - started) / MOVES

    def network(self) -> float:
        """Seconds per move of the calls of the network alone."""
        started = time.perf_counter()
        for observations, to_play in self.recorded.roots:
            self.model.root(observations, to_play)
        for parents, actions, node in self.recorded.calls:
            self.model.recurrent(parents, actions, node)
        return (time.perf_counter() - started) / len(self.recorded.roots)


def measure(game: str, rows: int, repeats: int) -> dict[str, Any]:
    """The result line of one game."""
    one = Measured(game, rows)
    playing, network = medians_in_turns([one.playing, one.network], repeats)
    search, environment = (
        float(np.median(one.searches[-repeats:])),
        float(np.median(one.environment[-repeats:])),
    )
    return {
        "name": "selfplay",
        "game": game,
        "rows": rows,
        "simulations": one.config.num_simulations,
        "path": one.model.name,
        "moves_per_s": round(rows / playing),
        "limit_per_s": round(rows / network),
        "share_of_limit": round(network / playing, 3),
        "search_share": round((search - network) / playing, 3),
        "environment_share": round(environment / playing, 3),
        "rest_share": round((playing - search - environment) / playing, 3),
    }


def main() -> None:
    run_on_one_core("benchmarks.selfplay")
    parser = argparse.ArgumentParser(description="moves per second of self-play on one core")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--games", default="connect4", help="comma-separated")
    parser.add_argument("--rows", type=numbers, default=[64], help="games in lock-step, comma-separated")
    parser.add_argument("--repeats", type=int, default=9, help="rounds of which the median is taken")
    arguments = parser.parse_args()
    for game in arguments.games.split(","):
        for rows in arguments.rows:
            report(measure(game, rows, arguments.repeats), arguments.json)


if __name__ == "__main__":
    main()

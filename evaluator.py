"""Plays greedy games, side by side, to judge a player."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from data import EvaluationResult, Weights
from game_table import GameTable
from games import load_game
from mcts import RootNoise
from planner import Planner
from randomness import Stream, make_generator


@dataclass
class Match:
    """Games being played by an `Evaluator`."""

    table: GameTable
    planner: Planner
    live: NDArray[np.intp]  # rows whose games have not ended


class Evaluator:
    """Plays a number of greedy games side by side: no noise, most visited actions, one game per row."""

    def __init__(self, game: str, config: MuZeroConfig, device: str, simulations: int | None = None) -> None:
        self.spec = load_game(game)
        self.config = config
        self.device = device
        self.simulations = simulations or config.evaluation_simulations
        self._match: Match | None = None

    def start(self, games: int, seed: int, version: int, weights: Weights) -> None:
        """Sets up `games` fresh games, whose starts `seed` determines, to be played with `weights`."""
        if self._match is None or len(self._match.table.environments) != games:
            planner = Planner(self.config, games, self.simulations, self.device)
            self._match = Match(GameTable(self.spec, self.config, games), planner, np.arange(0))
        self._match.planner.load(weights, version)
        seeds = make_generator(seed, Stream.EVALUATION).integers(2**31, size=games)
        for row in range(games):
            self._match.table.reset(row, int(seeds[row]))
        self._match.live = np.arange(games)

    def play(self, seconds: float = 0.5) -> EvaluationResult | None:
        """Plays on for about `seconds`; the result once all games have ended, None before."""
        match = self._match
        assert match is not None, "start() comes first"
        began = time.perf_counter()
        while match.live.size:
            if time.perf_counter() - began > seconds:
                return None
            noise = RootNoise.none(match.live.size, self.config.num_actions)
            result = match.planner.plan(match.table, match.live, noise)
            moves = match.table.step(match.live, result.action)
            match.live = match.live[~(moves.terminated | moves.truncated)]
        lengths = np.array([len(actions) for actions in match.table.played], np.int32)
        return EvaluationResult(match.table.returns.astype(np.float32), lengths, match.planner.version)


def evaluate(
    game: str,
    config: MuZeroConfig,
    weights: Weights,
    games: int,
    seed: int,
    simulations: int | None = None,
    version: int = 0,
) -> EvaluationResult:
    """The result of `games` greedy games with `weights` on the CPU, whose starts `seed` determines."""
    evaluator = Evaluator(game, config, "cpu", simulations)
    evaluator.start(games, seed, version, weights)
    result = evaluator.play(seconds=float("inf"))
    assert result is not None, "unlimited play ends with a result"
    return result

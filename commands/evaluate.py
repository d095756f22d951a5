"""`python muzero.py evaluate GAME`: greedy games with a checkpoint, alone or against an opponent."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from typing import NamedTuple

from arena.players import PlayerSpec, parse_player
from arena.ratings import wilson_interval
from commands._common import add_agent_options, best_checkpoint, command_parser, known_game
from commands._options import Parser, whole_number
from core.errors import ConfigurationError
from data import EvaluationResult
from games.api.sources import OWN_GAMES, GameFolder
from games.api.spec import GameSpec

GAMES = 100


class ReturnSummary(NamedTuple):
    """Returns of a game for one."""

    games: int
    mean: float
    standard_error: float | None  # of the mean; None for one game
    min: float
    max: float

    def __str__(self) -> str:
        error = "-" if self.standard_error is None else f"{self.standard_error:.2f}"
        return (
            f"{self.games} games, mean {self.mean:.2f}, standard error {error}, "
            f"min {self.min:g}, max {self.max:g}"
        )


class SeatSummary(NamedTuple):
    """Games in one seat."""

    games: int
    wins: int
    draws: int
    losses: int

    def __str__(self) -> str:
        return f"{self.games} games: {self.wins} wins, {self.draws} draws, {self.losses} losses"


class MatchSummary(NamedTuple):
    """Games for two, seen by the player that is judged."""

    games: int
    wins: int
    draws: int
    losses: int
    distinct_games: int  # by their actions, whoever made them
    score: float  # wins and half the draws, as a share
    score_low: float  # 95 % Wilson interval
    score_high: float
    mean_length: float  # moves
    by_seat: tuple[SeatSummary, ...]

    def __str__(self) -> str:
        seats = "\n".join(f"  as player {seat + 1}: {summary}" for seat, summary in enumerate(self.by_seat))
        return (
            f"score {self.score:.1%} (95 % interval {self.score_low:.1%} to {self.score_high:.1%}) in "
            f"{self.games} games{self._distinct()}: {self.wins} wins, {self.draws} draws, "
            f"{self.losses} losses, {self.mean_length:.1f} moves on average\n{seats}"
        )

    def _distinct(self) -> str:
        """A remark on games that were played more than once."""
        if self.distinct_games == self.games:
            return ""
        return ", all the same" if self.distinct_games == 1 else f", {self.distinct_games} different ones"

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self._asdict() | {"by_seat": [seat._asdict() for seat in self.by_seat]})


def evaluate_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    from arena.duel import Duel, judging_openings, play_batches, total

    parsed = _parser().parse(arguments)
    game = games.load(known_game(parsed.game, games))
    player = _player(game, parsed, games)
    opponent = _opponent(game, parsed.opponent, parsed.opponent_simulations)
    openings = judging_openings(player, opponent) if parsed.openings is None else parsed.openings
    batches = list(play_batches(Duel(game, player, opponent, parsed.seed, openings), parsed.games))
    result = total([batch.result for batch in batches])
    if opponent is None:
        returns = return_summary(result)
        print(json.dumps(returns._asdict()) if parsed.json else f"{game.name}, {player}: {returns}")
    else:
        match = match_summary(result, len({actions for batch in batches for actions in batch.actions}))
        print(match.to_json() if parsed.json else f"{game.name}, {player} against {opponent}: {match}")
    return 0


def _player(game: GameSpec, parsed: argparse.Namespace, games: GameFolder) -> PlayerSpec:
    if parsed.player is not None:
        return parse_player(parsed.player, parsed.simulations)
    path = parsed.checkpoint or best_checkpoint(game.name, parsed.results_path, games)
    return PlayerSpec("checkpoint", parsed.simulations, path)


def _opponent(game: GameSpec, name: str | None, simulations: int | None) -> PlayerSpec | None:
    if name is None and game.config.players == 2:
        name = game.config.opponents[0]
    if name is None and simulations is not None:
        raise ConfigurationError("--opponent-simulations needs an --opponent")
    return parse_player(name, simulations) if name is not None else None


def return_summary(result: EvaluationResult) -> ReturnSummary:
    """Mean, standard error of the mean, min and max of the returns."""
    returns = result.returns.astype(float)
    games = len(returns)
    error = float(returns.std(ddof=1)) / math.sqrt(games) if games > 1 else None
    return ReturnSummary(games, float(returns.mean()), error, float(returns.min()), float(returns.max()))


def match_summary(result: EvaluationResult, distinct_games: int) -> MatchSummary:
    """Wins, draws and losses, in all and by seat, and the score with its interval."""
    games = len(result.returns)
    interval = wilson_interval(result.score, games)
    return MatchSummary(
        *_counts(result),
        distinct_games,
        result.score,
        interval.low,
        interval.high,
        float(result.lengths.mean()),
        tuple(_counts(result.in_seat(player)) for player in range(2)),
    )


def _counts(result: EvaluationResult) -> SeatSummary:
    return SeatSummary(len(result.returns), result.wins, result.draws, result.losses)


def _parser() -> Parser:
    parser = command_parser(
        "evaluate GAME",
        "Play greedy games with a checkpoint; print their returns or, in a game for two, wins and losses.",
    )
    players = "random, expert, minimax[:DEPTH], mcts[:SIMULATIONS] or a checkpoint"
    parser.add_argument("game", metavar="GAME")
    add_agent_options(parser)
    parser.add_argument("--player", metavar="PLAYER", help=f"instead of a checkpoint: {players}")
    parser.add_argument("--opponent", metavar="PLAYER", help=f"{players}; default: the game's own")
    parser.add_argument("--games", metavar="INT", type=whole_number(1), default=GAMES)
    parser.add_argument(
        "--opponent-simulations", metavar="INT", type=whole_number(0), help="the same for the opponent"
    )
    parser.add_argument(
        "--openings",
        metavar="INT",
        type=whole_number(0),
        help="random first moves of each game, the same for both seats of a pair; default: between two "
        "checkpoints a third of the longest game, at most 6, else 0",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser

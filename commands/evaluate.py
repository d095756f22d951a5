"""`python muzero.py evaluate GAME`: greedy games with a checkpoint, alone or against an opponent."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from arena.agents import chosen_agent
from arena.players import PlayerSpec, parse_player
from commands._finding import game_and_agent
from commands._options import (
    Parser,
    add_agent_options,
    add_game_argument,
    command_parser,
    whole_number,
)
from core.errors import ConfigurationError
from core.progress import Progress
from games.api.sources import OWN_GAMES, GameFolder
from games.api.spec import GameSpec

GAMES = 100


def evaluate_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    game = game_and_agent(parsed, games)
    _check(game, parsed)
    opponent = _opponent(game, parsed.opponent, parsed.opponent_simulations)
    player = _player(game, parsed, games)
    with Progress("evaluating", parsed.games) as shown:
        from arena.duel import Duel
        from arena.summaries import summarised

        duel = Duel(game, player, opponent, parsed.seed, parsed.openings)
        summary = summarised(duel, parsed.games, shown.played)
    against = "" if opponent is None else f" against {opponent}"
    print(summary.to_json() if parsed.json else f"{game.name}, {player}{against}: {summary}")
    return 0


def _check(game: GameSpec, parsed: argparse.Namespace) -> None:
    """Raises `ConfigurationError` on options of which one would be ignored."""
    if parsed.player is not None and parsed.checkpoint is not None:
        raise ConfigurationError("give either --checkpoint or --player")
    if parsed.openings and game.config.players == 1:
        raise ConfigurationError(f"--openings are for games for two, {game.name} is a game for one")
    if (parsed.openings or 0) >= game.config.max_moves:
        most = game.config.max_moves - 1
        raise ConfigurationError(f"--openings {parsed.openings}: nothing would be left; give at most {most}")


def _player(game: GameSpec, parsed: argparse.Namespace, games: GameFolder) -> PlayerSpec:
    if parsed.player is not None:
        return parse_player(parsed.player, parsed.simulations)
    agent = chosen_agent(parsed.checkpoint, game.name, parsed.results_path, games, parsed.board_size)
    agent.say()
    return PlayerSpec("checkpoint", parsed.simulations, agent.path)


def _opponent(game: GameSpec, name: str | None, simulations: int | None) -> PlayerSpec | None:
    if name is None and game.config.players == 2:
        name = game.config.opponents[0]
    if name is None and simulations is not None:
        raise ConfigurationError("--opponent-simulations needs an --opponent")
    return parse_player(name, simulations) if name is not None else None


def _parser() -> Parser:
    parser = command_parser(
        "evaluate GAME",
        "Play greedy games with a checkpoint; print their returns or, in a game for two, wins and losses.",
        "evaluate cartpole",
        "evaluate connect4 --opponent mcts:1000 --games 200",
        "evaluate tictactoe --checkpoint v0002 --opponent expert --simulations 100",
    )
    players = "random, expert, minimax[:DEPTH], mcts[:SIMULATIONS] or a checkpoint"
    add_game_argument(parser, with_agent=True)
    add_agent_options(parser)
    parser.add_argument("--player", metavar="PLAYER", help=f"instead of a checkpoint: {players}")
    parser.add_argument("--opponent", metavar="PLAYER", help=f"{players}; default: the game's own")
    parser.add_argument(
        "--games", metavar="INT", type=whole_number(1), default=GAMES, help=f"to play; default: {GAMES}"
    )
    parser.add_argument(
        "--opponent-simulations",
        metavar="INT",
        type=whole_number(0),
        help="per move of an opponent that searches; default: its own",
    )
    parser.add_argument(
        "--openings",
        metavar="INT",
        type=whole_number(0),
        help="random first moves of each game, the same for both seats of a pair; default: between "
        "checkpoints and experts, who vary little, a third of the longest game, at most 6, else 0",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser

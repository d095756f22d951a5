"""`python muzero.py evaluate GAME`: greedy games with a checkpoint, alone or against opponents."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from arena.agents import chosen_agent, named_player
from arena.player_kind import PlayerSpec
from arena.players import checkpoint_player, names_of, seated
from commands._finding import game_and_agent
from commands._options import (
    Parser,
    add_agent_options,
    add_game_argument,
    add_opponent_option,
    command_parser,
    players_or,
    whole_number,
)
from core.errors import ConfigurationError
from core.progress import Progress
from games.api.sources import OWN_GAMES, GameFolder
from games.api.spec import GameSpec, check_learnable

GAMES = 100


def evaluate_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    game = game_and_agent(parsed, games)
    _check(game, parsed)
    opponents = _opponents(game, parsed, games)
    player = _player(game, parsed, games)
    with Progress("evaluating", parsed.games) as shown:
        from arena.duel import Duel
        from arena.summaries import summarised

        duel = Duel(game, player, opponents, parsed.seed, parsed.openings)
        summary = summarised(duel, parsed.games, shown.played)
    against = f" against {names_of(opponents)}" if opponents else ""
    print(summary.to_json() if parsed.json else f"{game.name}, {player}{against}: {summary}")
    return 0


def _check(game: GameSpec, parsed: argparse.Namespace) -> None:
    """Raises `ConfigurationError` on options of which one would be ignored."""
    if parsed.player is not None and parsed.checkpoint is not None:
        raise ConfigurationError("give either --checkpoint or --player")
    if parsed.openings and game.config.players == 1:
        raise ConfigurationError(f"--openings are for games for two or more, {game.name} is a game for one")
    if (parsed.openings or 0) >= game.config.max_moves:
        most = game.config.max_moves - 1
        raise ConfigurationError(f"--openings {parsed.openings}: nothing would be left; give at most {most}")


def _player(game: GameSpec, parsed: argparse.Namespace, games: GameFolder) -> PlayerSpec:
    if parsed.player is not None:
        return named_player(parsed.player, parsed.simulations, game.name, parsed.results_path, games)
    check_learnable(game.config)
    agent = chosen_agent(parsed.checkpoint, game.name, parsed.results_path, games, parsed.board_size)
    agent.say()
    return checkpoint_player(agent.path, parsed.simulations)


def _opponents(game: GameSpec, parsed: argparse.Namespace, games: GameFolder) -> tuple[PlayerSpec, ...]:
    """Who is in the other seats: whom the person names, else whom the game's configuration names first."""
    usual = game.config.opponents[:1] if game.config.players > 1 else ()
    names, simulations = parsed.opponent or usual, parsed.opponent_simulations
    if not names and simulations is not None:
        raise ConfigurationError("--opponent-simulations needs an --opponent")
    agents = game.name, parsed.results_path, games
    return seated(game, [named_player(name, simulations, *agents) for name in names])


def _parser() -> Parser:
    parser = command_parser(
        "evaluate GAME",
        "Play greedy games with a checkpoint; print returns or, in a game for two or more, wins and losses.",
        "evaluate cartpole",
        "evaluate connect4 --opponent mcts:1000 --games 200",
        "evaluate tictactoe --checkpoint v0002 --opponent v0001 --simulations 100",
    )
    players = players_or("an agent")
    add_game_argument(parser, with_agent=True)
    add_agent_options(parser)
    parser.add_argument("--player", metavar="PLAYER", help=f"instead of a checkpoint: {players}")
    add_opponent_option(parser, f"{players}; default: the game's own")
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
        help="random first moves of each game, the same in every seat; default: between "
        "checkpoints and experts, who vary little, a third of the longest game, at most 6, else 0",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser

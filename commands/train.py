"""`python muzero.py [train] GAME [JSON] [options]`: trains an agent in a new run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arena.agents import named_agent
from commands._config_options import (
    add_config_options,
    asks_help,
    canonical,
    config_values,
    file_values,
    say_without_effect,
    shown_fields,
)
from commands._finding import find_run, known_game
from commands._launching import add_launch_options, exit_status
from commands._options import Parser, command_parser
from config import MuZeroConfig
from core.options import parse_json_object
from games.api.sources import OWN_GAMES, GameFolder
from runs.facade import MuZero


def train_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """`python muzero.py [train] GAME [JSON] [options]`."""
    named = [text for text in arguments if games.knows(text)]
    defaults = games.load(named[0]).config if asks_help(arguments) and named else MuZeroConfig()
    parsed = _parser(defaults, shown_fields(arguments), games).parse(canonical(arguments))
    game = games.load(known_game(parsed.game, games, commands=True))
    given = {} if parsed.overrides is None else parse_json_object(parsed.overrides, "the JSON argument")
    given |= config_values(parsed)
    trainer = MuZero(game, file_values(parsed.config) | given)
    say_without_effect(trainer.config, given, local=parsed.local)
    results = Path(trainer.config.results_path)
    outcome = trainer.train(
        local=parsed.local,
        address=parsed.address,
        say_idle=False,
        games_from=parsed.games_from and find_run(parsed.games_from, results, games),
        weights_from=parsed.weights_from and named_agent(parsed.weights_from, game.name, results, games).path,
    )
    return exit_status(outcome)


def _parser(defaults: MuZeroConfig, shown: Sequence[str], games: GameFolder = OWN_GAMES) -> Parser:
    parser = command_parser(
        "[train] GAME [JSON]",
        "Train MuZero on a game, in a new folder under results/, until its target or limit is reached, or "
        "Ctrl-C. Options that are true or false are written --per, --no-per or --per false.",
        "cartpole",
        "cartpole --lr-init 0.01 --seed 7",
        "connect4 --training-minutes 30 --opponents mcts:1000",
    )
    parser.add_argument("game", metavar="GAME", help=f"one of: {', '.join(games.names())}")
    parser.add_argument("overrides", metavar="JSON", nargs="?", help="options as '{\"lr_init\": 0.01}'")
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="JSON file with options: a search's best.json or a run's config.json; others override it",
    )
    parser.add_argument(
        "--games-from",
        metavar="RUN",
        help="begin with the games in this run's replay buffer, to learn from them first: another network "
        "need not play them again",
    )
    parser.add_argument(
        "--weights-from",
        metavar="CHECKPOINT",
        help="begin with what fits of another agent's weights, by name and shape: a version, 'shipped', a "
        "run or a path, also of another game",
    )
    add_launch_options(parser)
    add_config_options(parser, defaults, shown)
    return parser

"""`python muzero.py [train] GAME [JSON] [options]`: trains an agent in a new run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from commands._common import NAMES, command_parser, find_run, known_game
from commands._launching import add_launch_options, exit_status
from commands._options import Parser, add_config_options, canonical, config_values, file_values
from config import MuZeroConfig
from core.options import parse_json_object
from runs.facade import MuZero


def train_command(arguments: Sequence[str]) -> int:
    """`python muzero.py [train] GAME [JSON] [options]`."""
    from games.api.sources import game_names

    arguments = canonical(arguments)
    asks_help = bool({"-h", "--help"} & set(arguments))
    named = [game for game in game_names() if game in arguments]
    parser = _parser(_defaults(named[0] if asks_help and named else None))
    parsed = parser.parse(arguments)
    game = known_game(parsed.game)
    overrides = {} if parsed.overrides is None else parse_json_object(parsed.overrides, "the JSON argument")
    trainer = MuZero(game, file_values(parsed.config) | overrides | config_values(parsed))
    games_from = parsed.games_from and find_run(parsed.games_from, Path(trainer.config.results_path))
    return exit_status(trainer.train(local=parsed.local, address=parsed.address, games_from=games_from))


def _defaults(game: str | None) -> MuZeroConfig:
    from games.api.sources import load_game

    return MuZeroConfig() if game is None else load_game(game).config


def _parser(defaults: MuZeroConfig) -> Parser:
    from games.api.sources import game_names

    parser = command_parser(
        "[train] GAME [JSON]",
        "Train MuZero on a game. Without arguments there is a menu. Other commands, each with its own "
        f"--help: {', '.join(name for name in NAMES if name != 'train')}. Options that are true or false are "
        "written --per, --no-per or --per false.",
    )
    parser.add_argument("game", metavar="GAME", help=f"one of: {', '.join(game_names())}")
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
    add_launch_options(parser)
    add_config_options(parser, defaults)
    return parser

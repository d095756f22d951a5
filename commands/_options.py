"""The parser of the command line, and the options that several commands take."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean
from games.api.sources import GameFolder


class Parser(argparse.ArgumentParser):
    """An `argparse` parser whose errors are `ConfigurationError`s and which takes whole option names only."""

    def __init__(self, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **settings)
        self._examples = tuple(examples)

    def format_help(self) -> str:
        """The help, with the examples at its end."""
        lines = "".join(f"  python muzero.py {example}\n" for example in self._examples)
        return super().format_help() + (f"\nfor example:\n{lines}" if lines else "")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Prints help, and raises `OSError` where it cannot be written: argparse would be silent."""
        print(message, end="", file=file, flush=True)

    def error(self, message: str) -> NoReturn:
        """Raises `ConfigurationError`."""
        raise ConfigurationError(f"{message} (see --help)")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parses `arguments`. Raises `ConfigurationError`; an unknown option gets a suggestion."""
        self._refuse_unknown(arguments)
        parsed, extra = self.parse_known_args(arguments)
        if extra:
            raise ConfigurationError(f"unexpected argument {extra[0]!r} (see --help)")
        return parsed

    def _refuse_unknown(self, arguments: Sequence[str]) -> None:
        known = [name for name in self._option_string_actions if name.startswith("--")]
        for argument in arguments:
            name = argument.split("=")[0]
            if name.startswith("--") and name not in known:
                raise ConfigurationError(f"unknown option {name!r}{did_you_mean(name, known)} (see --help)")


PLAYERS = ("random", "expert", "minimax[:DEPTH]", "mcts[:SIMULATIONS]")
"""How players are written that are no agents: those of `arena/players.py:KINDS`, which brings numpy."""


def players_or(another: str) -> str:
    """`PLAYERS` and another possibility, in words."""
    return f"{', '.join(PLAYERS)} or {another}"


def add_opponent_option(parser: Parser, whom: str) -> None:
    """`--opponent PLAYER`, which may be given once for each other seat; `whom` says what it may be."""
    parser.add_argument(
        "--opponent",
        metavar="PLAYER",
        action="append",
        default=[],
        help=f"{whom}; in games for more than two in all other seats, or give it once for each of them",
    )


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32)


def command_parser(usage: str, description: str, *examples: str) -> Parser:
    """A parser for `python muzero.py <usage>`, whose help ends with the `examples`."""
    return Parser(examples, usage=f"python muzero.py {usage} [options]", description=description)


Action = Callable[[Sequence[str], GameFolder], int]
"""What a word behind a command does; returns the exit status."""


def carry_out(
    command: str, actions: dict[str, Action], usage: str, arguments: Sequence[str], games: GameFolder
) -> int:
    """Carries out `command WORD ...`, or shows the `usage`; returns the exit status.

    Raises `ConfigurationError` on an unknown word.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage)
        return 0
    action = actions.get(arguments[0])
    if action is None:
        suggestion = did_you_mean(arguments[0], list(actions))
        raise ConfigurationError(
            f"unknown command '{command} {arguments[0]}'{suggestion} (one of {', '.join(actions)})"
        )
    return action(arguments[1:], games)


def add_game_argument(parser: Parser, with_agent: bool = False) -> None:
    """`GAME`: what a command is about; where it takes an agent, the agent's may do."""
    parser.add_argument(
        "game",
        metavar="GAME",
        nargs="?" if with_agent else None,
        help="its name, or the path of its file; python muzero.py games lists all"
        + "; default: that of --checkpoint PATH" * with_agent,
    )


def add_board_size_option(parser: Parser) -> None:
    """`--board-size INT`: the board, where a game lets one choose."""
    parser.add_argument(
        "--board-size",
        metavar="INT",
        type=whole_number(1),
        default=0,
        help="side of the board, in games that let one choose it; default: the agent's, or the game's own",
    )


def add_checkpoint_option(parser: Parser) -> None:
    """`--checkpoint AGENT`: the agent that a command is about."""
    parser.add_argument(
        "--checkpoint",
        metavar="AGENT",
        help="a version (v0003), 'shipped', a run by name, or a path; default: the promoted version, else "
        "the best registered or shipped one, else the newest run's best",
    )


def add_simulations_option(parser: Parser) -> None:
    """`--simulations INT`: how the agent searches."""
    parser.add_argument(
        "--simulations",
        metavar="INT",
        type=whole_number(0),
        help="per move; 0: the network's policy alone; default: the checkpoint's own",
    )


def add_seed_option(parser: Parser) -> None:
    """`--seed INT`, by default 0."""
    parser.add_argument(
        "--seed",
        metavar="INT",
        type=whole_number(0),
        default=0,
        help="of all that is random; the same seed repeats; default: 0",
    )


def add_results_path_option(parser: Parser) -> None:
    """`--results-path PATH`: where runs are looked for."""
    usual = MuZeroConfig().results_path
    parser.add_argument(
        "--results-path", metavar="PATH", type=Path, default=Path(usual), help=f"of runs; default: {usual}"
    )


def add_agent_options(parser: Parser) -> None:
    """What a command takes that lets an agent play: which, how it searches, the seed, where runs are."""
    add_checkpoint_option(parser)
    add_simulations_option(parser)
    add_seed_option(parser)
    add_results_path_option(parser)
    add_board_size_option(parser)


def whole_number(low: int) -> Callable[[str], int]:
    """An argument type: an integer of at least `low`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?\d+", text) or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {low}")
        return int(text)

    return parse

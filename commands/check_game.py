"""`python muzero.py check-game GAME`: whether a game keeps the contract, and what to change where not."""

from __future__ import annotations

from collections.abc import Sequence

from commands._finding import known_game
from commands._options import (
    Parser,
    add_board_size_option,
    add_game_argument,
    command_parser,
    whole_number,
)
from core.errors import ConfigurationError, did_you_mean
from core.progress import Progress
from core.wording import counted, grouped
from games.api.sources import OWN_GAMES, GameFolder

FAULTY = 1


def check_game_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns 0, or 1 when faults were found."""
    parsed = _parser().parse(arguments)
    from checking.conformance import GAMES, check_names
    from checking.in_child import DEADLINE, Order, check_in_child

    names = check_names()
    for name in parsed.ignore:
        if name not in names:
            raise ConfigurationError(
                f"there is no check {name!r}{did_you_mean(name, names)} (checks: {', '.join(names)})"
            )
    game = known_game(parsed.game, games)
    deadline = parsed.deadline or DEADLINE
    ignored = tuple(parsed.ignore)
    order = Order(games, game, parsed.games or GAMES, ignored, deadline, parsed.board_size)
    with Progress(
        "checking", 1, at_first=f"{counted(order.games, 'random game')} and what follows from them"
    ):
        report = check_in_child(order)
    speed = f", {report.moves_per_second:,.0f} moves a second" if report.moves_per_second else ""
    print(f"{game}: {counted(report.games, 'random game')}, {grouped(report.moves, 'move')}{speed}")
    for finding in report.findings:
        print(finding)
    if not report.faults:
        print(f"the game keeps the contract: {len(report.passed)} checks passed")
        return 0
    later = f"; {len(report.left_out)} more will be made then" if report.left_out else ""
    print(f"{len(report.passed)} checks passed; mend what is at fault and run this again{later}")
    return FAULTY


def _parser() -> Parser:
    parser = command_parser(
        "check-game GAME",
        "Play random games and check that the game keeps the contract; the exit status is 1 if it does not.",
        "check-game mygame",
        "check-game mygame --games 200 --ignore seeding",
    )
    add_game_argument(parser)
    parser.add_argument(
        "--games", metavar="INT", type=whole_number(1), help="to play; more find rarer faults"
    )
    parser.add_argument(
        "--ignore", metavar="CHECK", action="append", default=[], help="leave out a check; may be repeated"
    )
    parser.add_argument(
        "--deadline",
        metavar="SECONDS",
        type=whole_number(1),
        help="a call of the game that takes longer hangs (default 60)",
    )
    add_board_size_option(parser)
    return parser

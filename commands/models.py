"""`python muzero.py models ...`: versions of a game's agents, matches between them, and ratings."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from arena.duel import Stronger, stronger_side
from arena.ratings import Sprt, elo_difference, json_number, wilson_interval
from arena.registry import MatchRecord, Registry
from arena.standings import (
    Entrant,
    KnownVersion,
    Standing,
    compare,
    entrants,
    known_of,
    match_between,
    standings,
)
from arena.summaries import openings_text
from commands._finding import known_game
from commands._options import (
    Action,
    Parser,
    add_game_argument,
    add_results_path_option,
    add_seed_option,
    carry_out,
    command_parser,
    whole_number,
)
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.progress import Progress
from core.wording import counted, grouped, judged, record
from games.api.files import game_name
from games.api.sources import OWN_GAMES, GameFolder

GAMES = 2000


def models_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    return carry_out("models", ACTIONS, USAGE, arguments, games)


USAGE = """usage: python muzero.py models COMMAND GAME [options]

  list GAME                    all versions, with ratings
  show GAME VERSION            one version: origin, cost, ratings, configuration, matches
  add GAME CHECKPOINT          register a best.checkpoint file or a run's folder
  compare GAME FIRST SECOND    a match between two versions, or with random, expert, minimax, mcts:N
  promote GAME VERSION         make a version the one in use, once it has beaten the one that is

Each takes --help.

for example:
  python muzero.py models add connect4 results/connect4/2026-01-31--12-00-00
  python muzero.py models compare connect4 v0002 v0001
  python muzero.py models promote connect4 v0002"""


# --- list ---


def list_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`models list GAME`."""
    parsed = _parser(
        "list GAME",
        "All versions of a game's agents, with ratings from the recorded matches. Players who have not met, "
        "not even through others, are listed apart.",
    ).parse(arguments)
    registry = _registry(parsed, games)
    rows = standings(registry)
    if parsed.json:
        print(json.dumps([row._asdict() for row in rows]))
        return 0
    if not rows:
        print(f"no versions of {registry.game} yet: train, or add a checkpoint")
    for line in listing_text(rows, games.load(parsed.game).config.players):
        print(line)
    return 0


def listing_text(rows: Sequence[Standing], players: int) -> Iterator[str]:
    """The lines of `models list`; with several groups, each under its heading."""
    several = len({row.group for row in rows} - {None}) > 1
    for group, members in itertools.groupby(rows, key=lambda row: row.group):
        if several:
            yield (
                "no matches with others yet:"
                if group is None
                else f"group {group + 1}, Elo among its own players only:"
            )
        for row in members:
            yield _row_text(row, players)


def _row_text(row: Standing, players: int) -> str:
    rating = "      -       " if row.elo is None else f"{row.elo:+7.0f} ± {row.error or 0:<4.0f}"
    steps = "built in" if row.training_steps is None else grouped(row.training_steps, "update")
    evaluation = "" if row.evaluation is None else judged(row.evaluation, players)
    mark = "*" if row.promoted else " "
    games = counted(row.games, "game")
    start = f"{mark} {Entrant(row.name, row.simulations)!s:24} {rating} {games:>12}  {steps:>18}"
    return f"{start}  {evaluation:17} {row.date} {row.note}".rstrip()


# --- show ---


def show_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`models show GAME VERSION`."""
    parser = _parser("show GAME VERSION", "What is known of one version.")
    parser.add_argument("version", metavar="VERSION", nargs="?", help="default: the promoted one")
    parsed = parser.parse(arguments)
    registry = _registry(parsed, games)
    version = registry.version(parsed.version) if parsed.version else registry.promoted
    if version is None:
        raise ConfigurationError(f"no version of {registry.game} is promoted: name one")
    shown = known_of(registry, version)
    if parsed.json:
        print(json.dumps(_shown_json(shown)))
        return 0
    for line in _shown_text(shown, games.load(parsed.game).config):
        print(line)
    return 0


def changed_options(config: MuZeroConfig, preset: MuZeroConfig) -> dict[str, Any]:
    """The options in which `config` is not the game's preset, by name."""
    own, usual = dataclasses.asdict(config), dataclasses.asdict(preset)
    return {name: value for name, value in own.items() if value != usual[name]}


def _shown_text(shown: KnownVersion, preset: MuZeroConfig) -> Iterator[str]:
    facts = dataclasses.asdict(shown.version) | {"file": shown.file}
    for name, value in facts.items():
        yield f"{name:15} {value}"
    for player, rating in shown.ratings.items():
        yield (
            f"{'rating':15} {rating.elo:+.0f} ± {rating.error:.0f} Elo in "
            f"{counted(rating.games, 'game')} with {player.simulations} simulations "
            f"(group {rating.group + 1} of {shown.groups})"
        )
    if not shown.ratings:
        yield f"{'rating':15} none: no matches with others yet"
    for name, value in changed_options(shown.config, preset).items():
        yield f"{name:15} {value}"
    yield from map(match_text, shown.matches)


def _shown_json(shown: KnownVersion) -> dict[str, Any]:
    ratings = [
        {
            "simulations": player.simulations,
            "elo": json_number(rating.elo),
            "error": json_number(rating.error),
            "group": rating.group,
            "games": rating.games,
        }
        for player, rating in shown.ratings.items()
    ]
    return dataclasses.asdict(shown.version) | {
        "ratings": ratings,
        "configuration": dataclasses.asdict(shown.config),
        "matches": [_match_json(match) for match in shown.matches],
    }


# --- add and promote ---


def add_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`models add GAME CHECKPOINT`."""
    parser = _parser("add GAME CHECKPOINT", "Register a checkpoint as the next version.")
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", type=Path, help="best.checkpoint file or run folder"
    )
    parser.add_argument("--note", metavar="TEXT", default="", help="what to remember of it")
    parsed = parser.parse(arguments)
    version = _registry(parsed, games).add(parsed.checkpoint, note=parsed.note)
    print(
        json.dumps(dataclasses.asdict(version)) if parsed.json else f"{parsed.checkpoint} is {version.name}"
    )
    return 0


def promote_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`models promote GAME VERSION`."""
    parser = _parser("promote GAME VERSION", "Make a version the one in use.")
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("--force", action="store_true", help="even if it has not beaten the promoted one")
    parsed = parser.parse(arguments)
    version = _registry(parsed, games).promote(parsed.version, parsed.force)
    print(json.dumps({"promoted": version.name}) if parsed.json else f"{version.name} is promoted")
    return 0


# --- compare ---


def compare_command(arguments: Sequence[str], games: GameFolder) -> int:
    """`models compare GAME FIRST SECOND`."""
    parsed = _compare_parser().parse(arguments)
    registry = _registry(parsed, games)
    game = games.load(parsed.game)
    sprt = None if parsed.all_games else Sprt()
    players = parsed.first, parsed.second
    wanted = match_between(registry, game, players, parsed.games, parsed.seed, parsed.simulations, sprt)
    progress = None if parsed.json else lambda so_far: print(match_text(so_far))
    with Progress("playing", parsed.games) as shown:
        match = compare(registry, game, wanted, progress, shown.played)
    print(json.dumps(_match_json(match)) if parsed.json else _verdict(match))
    return 0


def match_text(match: MatchRecord) -> str:
    """A match in one line."""
    tally = match.tally
    elo, interval = elo_difference(match.told), wilson_interval(tally.score, match.different)
    first, second = entrants(match)
    openings = "" if match.openings is None else f"; {openings_text(match.openings)}"
    different = "" if match.different == tally.games else f" ({match.different} different ones)"
    return (
        f"{first} against {second}: {tally.games} of {counted(match.games, 'game')}{different}, "
        f"{record(tally.wins, tally.draws, tally.losses)}, "
        f"score {tally.score:.1%} ({interval.low:.1%} to {interval.high:.1%}), "
        f"Elo {elo.difference:+.0f} ({elo.low:+.0f} to {elo.high:+.0f}){openings}"
    )


def _verdict(match: MatchRecord) -> str:
    words: dict[Stronger, str] = {
        "first": f"{match.first} is stronger",
        "second": f"{match.second} is stronger",
        "neither": "neither is much stronger",
        "undecided": "the sequential test has not decided",
    }
    verdict = "" if match.sprt is None else f"\n{words[stronger_side(match.sprt, match.told)]}"
    return match_text(match) + verdict


def _match_json(match: MatchRecord) -> dict[str, Any]:
    tally = match.tally
    interval, elo = wilson_interval(tally.score, match.different), elo_difference(match.told)
    return {
        "first": match.first,
        "second": match.second,
        "simulations": match.simulations,
        "games": tally.games,
        "different_games": match.different,
        "openings": match.openings,
        "wins": tally.wins,
        "draws": tally.draws,
        "losses": tally.losses,
        "score": tally.score,
        "score_low": interval.low,
        "score_high": interval.high,
        **{name: json_number(value) for name, value in zip(("elo", "elo_low", "elo_high"), elo, strict=True)},
        "by_seat": [seat._asdict() for seat in match.seats],
        "finished": match.finished,
        "stronger": stronger_side(match.sprt, match.told) if match.sprt is not None else None,
    }


def _compare_parser() -> Parser:
    parser = _parser(
        "compare GAME FIRST SECOND",
        "Play a match; interrupted, the same command goes on with it. Games come in pairs: the same opening, "
        "once in each seat.",
        "compare connect4 v0002 v0001",
        "compare connect4 v0002 mcts:1000 --games 400",
    )
    players = "a version, or random, expert, minimax[:DEPTH], mcts[:SIMULATIONS]"
    parser.add_argument("first", metavar="FIRST", help=players)
    parser.add_argument("second", metavar="SECOND", help=players)
    parser.add_argument(
        "--games", metavar="INT", type=whole_number(1), default=GAMES, help=f"at most; default: {GAMES}"
    )
    parser.add_argument(
        "--simulations", metavar="INT", type=whole_number(0), default=50, help="per move; default: 50"
    )
    add_seed_option(parser)
    parser.add_argument(
        "--all-games", action="store_true", help="do not stop when a sequential test (SPRT) has decided"
    )
    return parser


def _parser(usage: str, description: str, *examples: str) -> Parser:
    parser = command_parser(f"models {usage}", description, *(f"models {example}" for example in examples))
    add_game_argument(parser)
    add_results_path_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _registry(parsed: Any, games: GameFolder) -> Registry:
    parsed.game = known_game(parsed.game, games)
    return Registry(parsed.results_path, game_name(parsed.game))


ACTIONS: dict[str, Action] = {
    "list": list_command,
    "show": show_command,
    "add": add_command,
    "compare": compare_command,
    "promote": promote_command,
}

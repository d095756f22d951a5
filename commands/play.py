"""`python muzero.py play GAME`: a person plays against an agent, or tries a game by hand."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from arena.agents import ANY, find_agent
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
from core.wording import counted, in_words
from games.api.sources import OWN_GAMES, GameFolder
from games.api.spec import MOST_LEARNED, GameSpec
from showing.web import PORT

if TYPE_CHECKING:
    from showing.agent import Agent
    from showing.terminal import Opponent
    from showing.web.rooms import Seat

HUMAN = "human"
BOTH, NONE = "both", "none"
WEB_SEATS: dict[str, Seat] = {"1": "first", "2": "second", BOTH: "both", NONE: "none"}
PAUSE_ALONE, PAUSE = 0.1, 0.5
"""Seconds before each move on a terminal when no person plays, in a game for one and in others."""
AT_THE_TERMINAL = ("view",)
IN_THE_BROWSER = ("port", "no_browser")
"""Options that need, or exclude, `--web`."""


def play_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    _check(parsed)
    spec = game_and_agent(parsed, games)
    agent = _agent(spec, parsed, games)
    return (
        _in_the_browser(spec, agent, parsed, games) if parsed.web else _at_the_terminal(spec, agent, parsed)
    )


def _check(parsed: argparse.Namespace) -> None:
    """Raises `ConfigurationError` on a number too large, or an option that means nothing in this place."""
    from showing import agent, web

    if parsed.web and len(parsed.opponent) > 1:
        raise ConfigurationError("--web: name one --opponent")
    if parsed.web and parsed.seat not in (None, *WEB_SEATS):
        raise ConfigurationError(f"--web: --seat {parsed.seat} is none of {', '.join(WEB_SEATS)}")
    most = web.MOST_SIMULATIONS if parsed.web else agent.MOST_SIMULATIONS
    if (parsed.simulations or 0) > most:
        raise ConfigurationError(f"--simulations must be at most {most}" + " with --web" * parsed.web)
    for name in AT_THE_TERMINAL if parsed.web else IN_THE_BROWSER:
        if getattr(parsed, name):
            option = "--" + name.replace("_", "-")
            raise ConfigurationError(
                f"{option} is chosen on the page" if parsed.web else f"{option} needs --web"
            )


def _agent(spec: GameSpec, parsed: argparse.Namespace, games: GameFolder) -> Agent | None:
    """The agent to play against and to ask; none where there is no checkpoint, or none is wanted.

    Raises `ConfigurationError` where a checkpoint is named and cannot be used.
    """
    if spec.config.players > MOST_LEARNED and parsed.checkpoint is None:
        return None
    if parsed.checkpoint is None and parsed.opponent == [HUMAN]:
        return None
    return _agent_in_use(spec, parsed.checkpoint, parsed, games, parsed.board_size)


def _agent_in_use(
    spec: GameSpec, checkpoint: str | None, parsed: argparse.Namespace, games: GameFolder, board_size: int
) -> Agent | None:
    """The agent of a `checkpoint`, by default the one in use on such a board; None where there is none."""
    from showing.agent import Agent

    found = find_agent(checkpoint, spec.name, parsed.results_path, games, board_size)
    if found is None:
        return None
    found.say()
    agent = Agent.load(found.path, spec, parsed.simulations)
    agent.name = found.name
    return agent


def _in_the_browser(
    spec: GameSpec, agent: Agent | None, parsed: argparse.Namespace, games: GameFolder
) -> int:
    from showing.web.rooms import Rooms
    from showing.web.server import serve

    port = PORT if parsed.port is None else parsed.port
    people = parsed.opponent == [HUMAN]

    def open_game(name: str) -> Rooms:
        other = games.load(name)
        rooms = Rooms(other, _agent_in_use(other, None, parsed, games, ANY), parsed.seed)
        rooms.warm()
        return rooms

    serve(
        spec,
        agent,
        port=port,
        open_browser=not parsed.no_browser,
        seed=parsed.seed,
        seat="both" if people else WEB_SEATS.get(parsed.seat or ""),
        opponent=None if people or not parsed.opponent else parsed.opponent[0],
        others=games.names(),
        open_game=open_game,
    )
    return 0


def _at_the_terminal(spec: GameSpec, agent: Agent | None, parsed: argparse.Namespace) -> int:
    from rich.console import Console

    from showing.interactive import InteractiveGame
    from showing.screen import Screen
    from showing.terminal import TerminalPlay, TerminalSettings, View

    opponents = _opponents(spec, agent, parsed)
    alone = not opponents and (agent is None or parsed.opponent == [HUMAN])
    people = _people(spec, parsed, alone=alone)
    default = View.ALL if agent is not None and len(people) == 2 else View.OWN
    settings = TerminalSettings(
        people,
        opponents,
        View(parsed.view) if parsed.view else default,
        (PAUSE_ALONE if spec.config.players == 1 else PAUSE) if sys.stdout.isatty() else 0.0,
    )
    game = InteractiveGame(spec, agent, parsed.seed)
    try:
        screen = Screen(Console(highlight=False))
        TerminalPlay(game, settings, screen).run(_welcome(spec, agent, opponents, parsed))
    finally:
        game.close()
    return 0


def _opponents(spec: GameSpec, agent: Agent | None, parsed: argparse.Namespace) -> tuple[Opponent, ...]:
    """Those who play against the person instead of the agent, one for each other seat, if anybody does."""
    from arena.players import make_player, parse_player, seated
    from core.randomness import game_seed
    from showing.terminal import Opponent

    if parsed.opponent in ([], [HUMAN]):
        return ()
    named = seated(spec, [parse_player(name) for name in parsed.opponent])
    if any(player.path is not None for player in named):
        raise ConfigurationError("name a checkpoint by --checkpoint, it is the opponent then")
    game = spec if agent is None else dataclasses.replace(spec, config=agent.config)
    seeds = [game_seed(parsed.seed, number) for number in range(len(named))]
    return tuple(
        Opponent(str(player), make_player(player, game, 1, seed))
        for player, seed in zip(named, seeds, strict=True)
    )


def _people(spec: GameSpec, parsed: argparse.Namespace, *, alone: bool) -> frozenset[int]:
    """The players whom a person moves: all of them where nobody else is there (`alone`)."""
    everybody = frozenset(range(spec.config.players))
    if parsed.seat == NONE:
        if alone:
            raise ConfigurationError(f"nobody is there to play {spec.name}: name a --checkpoint")
        return frozenset()
    seat = 0 if parsed.seat in (None, BOTH) else int(parsed.seat) - 1
    if seat not in everybody:
        raise ConfigurationError(f"--seat: {spec.name} is a game for {in_words(spec.config.players)}")
    return everybody if alone or parsed.seat == BOTH else frozenset({seat})


def _welcome(
    spec: GameSpec, agent: Agent | None, opponents: tuple[Opponent, ...], parsed: argparse.Namespace
) -> str:
    """Who plays, and how to find out more."""
    if agent is None and not opponents:
        missing = parsed.opponent != [HUMAN]
        who = f"No checkpoint of {spec.name} was found: play by hand." if missing else "Play by hand."
    elif agent is None:
        play = "plays" if len(opponents) == 1 else "play"
        names = " and ".join(opponent.name for opponent in opponents)
        who = f"{names} {play} against you; no checkpoint to ask for hints was found."
    else:
        who = f"MuZero: {agent.name}\n{counted(agent.simulations, 'simulation')} per move."
    return f"{who} ? lists what you can type."


def _seat(text: str) -> str:
    """An argument type: `both`, `none`, or a player's number from 1."""
    if text not in (BOTH, NONE) and not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither {BOTH} nor {NONE} nor the number of a player")
    return text


def _parser() -> Parser:
    parser = command_parser(
        "play GAME",
        "Play against an agent, with its view of the game beside the board. Without a checkpoint, try the "
        "game by hand.",
        "play connect4",
        "play connect4 --seat 2 --simulations 400",
        "play tictactoe --web",
    )
    add_game_argument(parser, with_agent=True)
    add_agent_options(parser)
    add_opponent_option(parser, f"instead of the agent: {players_or(HUMAN)}")
    parser.add_argument(
        "--seat",
        metavar="{1,2,both,none}",
        type=_seat,
        help="which player you are, in games for more also 3 and so on; both: all of them; none: the agent "
        "plays alone; default: 1",
    )
    parser.add_argument(
        "--view",
        choices=("own", "all", "none"),
        help="the agent's view: before its own moves, of every position, or never; default: own, and all "
        "where you play both sides",
    )
    parser.add_argument("--web", action="store_true", help="in the browser, on this machine only")
    parser.add_argument(
        "--port", metavar="INT", type=whole_number(0), help=f"of --web; 0: any free one; default: {PORT}"
    )
    parser.add_argument("--no-browser", action="store_true", help="with --web: open no browser")
    return parser

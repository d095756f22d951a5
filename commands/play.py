"""`python muzero.py play GAME`: a person plays against an agent, or tries a game by hand."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from arena.agents import ANY, find_agent
from commands._finding import game_and_agent
from commands._options import (
    Parser,
    add_agent_options,
    add_game_argument,
    command_parser,
    whole_number,
)
from core.errors import ConfigurationError
from core.wording import counted
from games.api.sources import OWN_GAMES, GameFolder
from games.api.spec import GameSpec
from showing.web import PORT

if TYPE_CHECKING:
    from arena.players import Player
    from showing.agent import Agent
    from showing.web.rooms import Seat

HUMAN = "human"
SEATS = ("1", "2", "both", "none")
WEB_SEATS: dict[str | None, Seat] = {"1": "first", "2": "second", "both": "both", "none": "none"}
PAUSES = {1: 0.1, 2: 0.5}
"""Seconds before each move on a terminal when no person plays, by the number of players."""
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
    if parsed.checkpoint is None and parsed.opponent == HUMAN:
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
    people = parsed.opponent == HUMAN

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
        seat="both" if people else WEB_SEATS.get(parsed.seat),
        opponent=None if people else parsed.opponent,
        others=games.names(),
        open_game=open_game,
    )
    return 0


def _at_the_terminal(spec: GameSpec, agent: Agent | None, parsed: argparse.Namespace) -> int:
    from rich.console import Console

    from showing.interactive import InteractiveGame
    from showing.screen import Screen
    from showing.terminal import AGENT, TerminalPlay, TerminalSettings, View

    opponent = _opponent(spec, agent, parsed)
    people = _people(spec, parsed, alone=opponent is None and (agent is None or parsed.opponent == HUMAN))
    default = View.ALL if agent is not None and len(people) == 2 else View.OWN
    settings = TerminalSettings(
        people,
        opponent,
        AGENT if opponent is None else parsed.opponent,
        View(parsed.view) if parsed.view else default,
        PAUSES[spec.config.players] if sys.stdout.isatty() else 0.0,
    )
    game = InteractiveGame(spec, agent, parsed.seed)
    try:
        screen = Screen(Console(highlight=False))
        TerminalPlay(game, settings, screen).run(_welcome(spec, agent, opponent, parsed))
    finally:
        game.close()
    return 0


def _opponent(spec: GameSpec, agent: Agent | None, parsed: argparse.Namespace) -> Player | None:
    """Who plays against the person instead of the agent, if anybody."""
    from arena.players import make_player, parse_player

    if parsed.opponent in (None, HUMAN):
        return None
    if spec.config.players == 1:
        raise ConfigurationError(f"{spec.name} is a game for one: leave out --opponent")
    named = parse_player(parsed.opponent)
    if named.kind == "checkpoint":
        raise ConfigurationError("name a checkpoint by --checkpoint, it is the opponent then")
    return make_player(
        named, spec if agent is None else dataclasses.replace(spec, config=agent.config), 1, parsed.seed
    )


def _people(spec: GameSpec, parsed: argparse.Namespace, *, alone: bool) -> frozenset[int]:
    """The players whom a person moves: all of them where nobody else is there (`alone`)."""
    everybody = frozenset(range(spec.config.players))
    if parsed.seat == "none":
        if alone:
            raise ConfigurationError(f"nobody is there to play {spec.name}: name a --checkpoint")
        return frozenset()
    if alone or parsed.seat == "both":
        return everybody
    seat = int(parsed.seat or 1) - 1
    if seat not in everybody:
        raise ConfigurationError(f"--seat: {spec.name} is a game for one")
    return frozenset({seat})


def _welcome(spec: GameSpec, agent: Agent | None, opponent: Player | None, parsed: argparse.Namespace) -> str:
    """Who plays, and how to find out more."""
    if agent is None and opponent is None:
        missing = parsed.opponent != HUMAN
        who = f"No checkpoint of {spec.name} was found: play by hand." if missing else "Play by hand."
    elif agent is None:
        who = f"{parsed.opponent} plays against you; no checkpoint to ask for hints was found."
    else:
        who = f"MuZero: {agent.name}\n{counted(agent.simulations, 'simulation')} per move."
    return f"{who} ? lists what you can type."


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
    parser.add_argument(
        "--opponent",
        metavar="PLAYER",
        help="instead of the agent: human, random, expert, minimax[:DEPTH] or mcts[:SIMULATIONS]",
    )
    parser.add_argument(
        "--seat", choices=SEATS, help="which player you are; none: the agent plays alone; default: 1"
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

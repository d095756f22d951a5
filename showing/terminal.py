"""One game after another at the terminal: a person types moves and commands, the agent answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from rich.panel import Panel

from core.errors import ConfigurationError
from core.progress import Progress
from core.prompts import listed, read_line
from core.randomness import game_seed
from playing.player import Player
from showing.agent import MOST_SIMULATIONS
from showing.analysis import Analysis
from showing.interactive import InteractiveGame
from showing.screen import Screen, analysis_picture

AGENT = "MuZero"


class View(Enum):
    """When the agent's view stands beside the board."""

    OWN = "own"  # what the agent thought before its own newest move
    ALL = "all"  # of every position, the person's too
    NONE = "none"


class Opponent(NamedTuple):
    """Who plays against a person, instead of the agent."""

    name: str
    player: Player


@dataclass(frozen=True)
class TerminalSettings:
    """Who plays, and how the game is shown."""

    people: frozenset[int]  # the players whom a person moves
    opponents: tuple[
        Opponent, ...
    ] = ()  # move the others, in the order of moves behind a person; (): the agent
    view: View = View.OWN
    pause: float = 0.0  # seconds before each move when no person plays


class TerminalPlay:
    """Plays at the terminal until the person leaves, or the game's end if no person plays."""

    def __init__(self, game: InteractiveGame, settings: TerminalSettings, screen: Screen) -> None:
        self.game, self.screen = game, screen
        self.people, self.settings, self.view = settings.people, settings, settings.view
        self.simulations: int | None = None  # the agent's own number
        self._panel: Panel | None = None  # the agent's view
        self._seed, self._games = game.seed, 0
        self._left = False

    def run(self, welcome: str = "") -> None:
        """Plays; shows `welcome` first. Ctrl-D leaves; Ctrl-C is passed on as `KeyboardInterrupt`."""
        self._arrive(welcome)
        while not self._left and (self.people or not self.game.over):
            if self.game.over or self.game.to_play in self.people:
                self._ask()
            else:
                self._reply()

    # --- moves ---

    def _reply(self) -> None:
        """The agent, or whoever plays against the person, makes a move."""
        if not self.people:
            time.sleep(self.settings.pause)
        game, opponent = self.game, self._opponent()
        if opponent is not None:
            with self._thinking(opponent.name):
                action = game.choice_of(opponent.player)
        else:
            analysis = self._analyse()
            action = analysis.action
            shown = self.view is View.OWN
            self._panel = analysis_picture(game, analysis, f"{AGENT} before its move") if shown else None
        name = game.action_name(action)
        game.play(action)
        self._arrive(f"{AGENT if opponent is None else opponent.name} plays {name}")

    def _opponent(self) -> Opponent | None:
        """Who has the seat of the player to move; None: the agent."""
        opponents = self.settings.opponents
        if not opponents:
            return None
        behind = self.game.to_play - min(self.people, default=-1) - 1
        return opponents[behind % self.game.players % len(opponents)]

    def _arrive(self, message: str = "") -> None:
        """Shows the position that the game has reached."""
        if self.view is View.ALL:
            self._panel = None if self.game.over or self.game.agent is None else self._analysed()
        self.screen.show(self.game, self.people, self._panel, message)

    def _analysed(self) -> Panel:
        return analysis_picture(self.game, self._analyse(), AGENT)

    def _analyse(self) -> Analysis:
        with self._thinking(AGENT):
            return self.game.analyse(self.simulations)

    def _thinking(self, who: str) -> Progress:
        """Says so where it takes long: a large search, or the first one, for which code is compiled."""
        return Progress(who, 1, at_first="thinking")

    # --- the person ---

    def _ask(self) -> None:
        try:
            text = read_line(self._question())
        except EOFError:
            print()
            self._left = True
            return
        try:
            self._obey(text)
        except ConfigurationError as error:
            self.screen.say(f"{error} (? for help)")

    def _question(self) -> str:
        if self.game.over:
            return "new, undo or quit: "
        names = [self.game.action_name(action) for action in self.game.legal_actions]
        words = self.game.shown.move_help
        moves = listed(names) if words is None else words
        return f"your move ({moves}; ? for help): "

    def _obey(self, text: str) -> None:
        """Carries out a command or makes a move. Raises `ConfigurationError` if it is neither."""
        name, _, argument = text.lower().partition(" ")
        moves = [self.game.action_name(action).lower() for action in self.game.legal_actions]
        if name in COMMANDS and text.lower() not in moves:
            COMMANDS[name].function(self, argument.strip())
        elif text:
            self.game.play(self.game.action_named(text))
            self._panel = None
            self._arrive()

    def help(self, _: str) -> None:
        """This list."""
        for name, command in COMMANDS.items():
            if name == command.name:
                self.screen.say(f"  {name:12} {command.help}")

    def hint(self, _: str) -> None:
        """What the agent would play here, and why."""
        analysis = self._analyse()
        self._panel = analysis_picture(self.game, analysis, f"{AGENT}'s hint")
        best = self.game.action_name(analysis.action)
        self.screen.show(self.game, self.people, self._panel, f"{AGENT} would play {best}")

    def undo(self, _: str) -> None:
        """Take back your last move, and what followed it."""
        movers = self.game.movers
        own = [number for number, mover in enumerate(movers) if mover in self.people]
        if not own and not self.game.resigned:
            raise ConfigurationError("there is no move of yours to take back")
        self.game.undo(0 if self.game.resigned else len(movers) - own[-1])
        self._panel = None
        self._arrive("taken back")

    def change_view(self, argument: str) -> None:
        """Which analyses you see: view own, view all or view none."""
        choices = [view.value for view in View]
        if argument not in choices:
            raise ConfigurationError(f"write one of: {', '.join(f'view {choice}' for choice in choices)}")
        if View(argument) is View.ALL and self.game.agent is None:
            self.game.analyse()  # which says why it cannot
        self.view, self._panel = View(argument), None
        self._arrive(f"view: {argument}")

    def change_simulations(self, argument: str) -> None:
        """The agent's per move: simulations 200; 0: its network alone."""
        if not argument.isdecimal() or int(argument) > MOST_SIMULATIONS:
            raise ConfigurationError(f"write a number from 0 to {MOST_SIMULATIONS}, such as: simulations 200")
        self.simulations = int(argument)
        self._arrive(f"{AGENT} searches {argument} simulations from now on")

    def swap(self, _: str) -> None:
        """Change seats: the agent goes on with your side, you with its.

        Of more than two, you go on with the next one's.
        """
        if self.game.players == 1 or len(self.people) != 1:
            raise ConfigurationError("there is nobody to change seats with")
        self.people = frozenset((seat + 1) % self.game.players for seat in self.people)
        self._arrive("seats changed")

    def resign(self, _: str) -> None:
        """Give up this game."""
        self.game.resign()
        self._panel = None
        self._arrive()

    def new(self, _: str) -> None:
        """Begin another game."""
        self._games += 1
        self.game.restart(game_seed(self._seed, self._games))
        self._panel = None
        self._arrive("a new game")

    def quit(self, _: str) -> None:
        """Leave."""
        self._left = True


class TypedCommand(NamedTuple):
    """What a person can type beside moves."""

    name: str
    function: Callable[[TerminalPlay, str], None]

    @property
    def help(self) -> str:
        """One line, from the function's docstring."""
        return (self.function.__doc__ or "").splitlines()[0]


_ALL = (
    TypedCommand("help", TerminalPlay.help),
    TypedCommand("hint", TerminalPlay.hint),
    TypedCommand("undo", TerminalPlay.undo),
    TypedCommand("view", TerminalPlay.change_view),
    TypedCommand("simulations", TerminalPlay.change_simulations),
    TypedCommand("swap", TerminalPlay.swap),
    TypedCommand("resign", TerminalPlay.resign),
    TypedCommand("new", TerminalPlay.new),
    TypedCommand("quit", TerminalPlay.quit),
)
COMMANDS = {command.name: command for command in _ALL} | {"?": _ALL[0], "q": _ALL[-1]}
"""By what is typed."""

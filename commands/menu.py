"""The menu: choose a game, then what to do with it. All that it does, the commands do as well.

It imports none of them: it is handed a function that carries a command out.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from arena.agents import agent_in_use
from config import MuZeroConfig
from core.errors import BAD_INPUT, ConfigurationError, did_you_mean
from core.prompts import meant, read_line
from core.wording import counted, judged
from games.api.sources import OWN_GAMES, GameFolder
from saving.run_folder import best_of, newest_run

CarryOut = Callable[[str, Sequence[str]], int]
"""Carries out the command of this name with these arguments; says on its own what is wrong with them.

Returns the exit status.
"""
RUNS_LISTED = 8


LEAVE = ("q", "quit", "exit", "bye")
HELP = ("?", "help", "h")
"""What people type at any question to leave the program, or to be told what is possible."""


class BackError(Exception):
    """One level back, as Ctrl-C and Ctrl-D ask for."""


class LeaveError(Exception):
    """Out of the program."""


def menu(carry_out: CarryOut, games: GameFolder = OWN_GAMES) -> int:
    """Asks for a game and what to do with it, until told to exit; returns the exit status."""
    names = games.names()
    with contextlib.suppress(BackError, LeaveError):
        while (choice := choose("Which game?", [*names, "exit"])) < len(names):
            try:
                GameMenu(names[choice], carry_out, games).run()
            except ConfigurationError as error:  # the game's file is not as it should be
                print(error)
    return 0


# --- prompts ---


def read(prompt: str) -> str:
    """What is typed, stripped. Raises `BackError` on Ctrl-C and at the input's end."""
    try:
        return read_line(prompt)
    except (KeyboardInterrupt, EOFError):
        print()
        raise BackError from None


def read_or_back(prompt: str) -> str:
    """As `read`; words that mean to leave raise `BackError`."""
    answer = read(prompt)
    if answer.lower() in LEAVE:
        raise BackError
    return answer


def choose(question: str, choices: Sequence[str]) -> int:
    """The index of the one of `choices` that was typed, by number or name.

    Raises `BackError`, or `LeaveError` where a person wants to leave.
    """
    _list_choices(question, choices)
    while True:
        answer = read("> ")
        if answer.lower() in HELP:
            _list_choices(HOW_TO_CHOOSE, choices)
            continue
        if answer.lower() in LEAVE:
            raise LeaveError
        number_typed = whole(answer)
        index = meant(answer, choices) if number_typed is None else number_typed - 1
        if index is not None and 0 <= index < len(choices):
            return index
        suggestion = did_you_mean(answer, list(choices))
        typed = (
            f"{answer!r} is none of 1 to {len(choices)}, nor a name above" if answer else "nothing was typed"
        )
        print(f"{typed}{suggestion}: type a number or a name")


HOW_TO_CHOOSE = "Type a number or a name, or its beginning; Ctrl-D: one level back; q: leave."


def _list_choices(question: str, choices: Sequence[str]) -> None:
    print(f"\n{question}")
    for number, choice in enumerate(choices, 1):
        print(f"{number:4}. {choice}")


def whole(text: str) -> int | None:
    """The whole number from 0 that `text` is, if it is one and not endless."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def read_number(prompt: str, most: int) -> int | None:
    """A whole number from 0 to `most`, or `None` for nothing typed. Raises `BackError`."""
    while answer := read_or_back(prompt):
        number = whole(answer)
        if number is not None and number <= most:
            return number
        print(f"{answer!r} is not a whole number from 0 to {most}: try again")
    return None


# --- checkpoints ---


class Loaded(NamedTuple):
    """The checkpoint in use."""

    path: Path
    updates: int  # that made it
    evaluation: float | None  # mean return, where known
    players: int
    simulations: int  # per move, by default

    def __str__(self) -> str:
        known = "" if self.evaluation is None else f", {judged(self.evaluation, self.players)}"
        return f"{shown(self.path)} ({counted(self.updates, 'update')}{known})"


def look_into(path: Path, game: str) -> Loaded:
    """What is at `path`. Raises `CheckpointError` unless that is a checkpoint of `game`."""
    from saving.checkpoint import load_checkpoint

    found = load_checkpoint(path, expect_game=game)
    config = found.config
    return Loaded(path, found.training_step, found.evaluation, config.players, config.evaluation_simulations)


def checkpoints(game: str, results_path: Path, games: GameFolder) -> dict[str, Path]:
    """The game's checkpoints by name: the one that ships with the project, then the newest runs'."""
    from saving.checkpoint import newest_generation

    shipped = games.shipped(game)
    runs = sorted((results_path / game).glob("*/"), reverse=True)
    found = {run.name: best_of(run) for run in runs if best_of(run) != run or newest_generation(run)}
    newest = dict(list(found.items())[:RUNS_LISTED])
    return ({"pretrained": shipped} if shipped.exists() else {}) | newest


def shown(path: Path) -> str:
    """`path` as a person wants to read it: from here, where it is not far."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


# --- one game ---


class GameMenu:
    """What can be done with one game, and the checkpoint that it is done with."""

    def __init__(self, game: str, carry_out: CarryOut, games: GameFolder) -> None:
        self.game, self.games = game, games
        self.players = games.load(game).config.players
        self.results_path = Path(MuZeroConfig().results_path)
        self.loaded: Loaded | None = None
        self._carry_out = carry_out
        self._load_used()

    def run(self) -> None:
        """Asks what to do and does it, again and again, until the person goes back. Raises `LeaveError`."""
        entries = [
            ("Train", self.train),
            ("Resume the newest training", self.resume),
            ("Load pretrained model, or another checkpoint", self.load),
            ("Evaluate", self.evaluate),
            ("Diagnose model", self.diagnose),
            ("Render some self-play games", self.render),
            ("Play against MuZero", self.play),
            ("Test the game manually", self.test),
            ("Hyperparameter search", self.tune),
        ]
        choices = [*(label for label, _ in entries), "Back to the games", "Exit"]
        while True:
            try:
                choice = choose(f"{self.game}, {self._state()}", choices)
            except BackError:
                return
            if choices[choice] == "Exit":
                raise LeaveError
            if choice >= len(entries):
                return
            with contextlib.suppress(BackError):
                entries[choice][1]()

    def _state(self) -> str:
        return (
            f"loaded: {self.loaded}" if self.loaded else "nothing loaded: train first, or load a checkpoint"
        )

    # --- the entries ---

    def train(self) -> None:
        """A new training; then the newest checkpoint is in use."""
        self._with_options("train", [self.game], "--training-steps 5000")
        self._load_newest()

    def resume(self) -> None:
        """Goes on with the newest training; then its checkpoint is in use."""
        self._with_options("resume", [self.game], "--training-steps 50000")
        self._load_newest()

    def load(self) -> None:
        """Asks for a checkpoint until there is one that can be used."""
        found = checkpoints(self.game, self.results_path, self.games)
        print(f"\nWhich checkpoint of {self.game}?")
        for number, (name, path) in enumerate(found.items(), 1):
            print(f"{number:4}. {name:22} {shown(path)}")
        print("      or the path of a best.checkpoint file or of a run's folder; q: back")
        while True:
            try:
                self.loaded = look_into(_checkpoint_meant(read_or_back("> "), found), self.game)
                return
            except ConfigurationError as error:
                print(f"{error}: try again")

    def evaluate(self) -> None:
        """Plays greedy games."""
        self._with_options("evaluate", self._with_checkpoint(), "--games 20")

    def diagnose(self) -> None:
        """How far the learned model can be trusted."""
        self._with_options("diagnose", self._with_checkpoint(), "--games 10")

    def render(self) -> None:
        """Shows games that the agent plays."""
        self._with_options("watch", self._with_checkpoint(), "--games 2 --explore")

    def play(self) -> None:
        """Asks where and how, and plays."""
        from showing import agent, web

        loaded = self._needed()
        browser = choose("Where?", ["here", "in the browser"]) == 1
        most = web.MOST_SIMULATIONS if browser else agent.MOST_SIMULATIONS
        seat = [] if browser else ["--seat", self._seat()]
        simulations = read_number(f"How many simulations per move? (Enter: {loaded.simulations}) ", most)
        amount = [] if simulations is None else ["--simulations", str(simulations)]
        self._run("play", [*self._with_checkpoint(), *(["--web"] if browser else seat), *amount])

    def _seat(self) -> str:
        if self.players == 1:
            return ("1", "none")[choose("Who plays?", ["you play, with hints", "watch MuZero play"])]
        seats = ["you play first", "you play second", "you play both sides", "watch MuZero play itself"]
        return ("1", "2", "both", "none")[choose("Who plays?", seats)]

    def test(self) -> None:
        """Plays without an agent."""
        self._run("play", [self.game, "--opponent", "human"])

    def tune(self) -> None:
        """Searches hyperparameters."""
        self._with_options("tune", [self.game], "--budget 8 --minutes 1 --param lr_init=log:1e-4:1e-1")

    # --- carrying them out ---

    def _load_used(self) -> None:
        """Takes the agent that commands take when none is named, if there is one."""
        try:
            found = agent_in_use(self.game, self.results_path, self.games)
            self.loaded = None if found is None else look_into(found.path, self.game)
        except ConfigurationError:
            self.loaded = None

    def _load_newest(self) -> None:
        """Takes the best checkpoint of the newest run, else the agent in use."""
        try:
            run = newest_run(self.results_path, self.game)
            self.loaded = look_into(best_of(run), self.game)
        except ConfigurationError:
            self._load_used()

    def _needed(self) -> Loaded:
        """The checkpoint in use. Raises `BackError` without one, and says what to do."""
        if self.loaded is None:
            print(f"no model of {self.game} is loaded: train one, or load a checkpoint")
            raise BackError
        return self.loaded

    def _with_checkpoint(self) -> list[str]:
        """The arguments of a command about the checkpoint in use. Raises `BackError` without one."""
        return [self.game, "--checkpoint", str(self._needed().path)]

    def _with_options(self, name: str, arguments: Sequence[str], example: str) -> None:
        """Asks for options and runs a command, again if they are refused. Raises `BackError`."""
        such = f", such as {example}" if example else ""
        while True:
            text = read_or_back(f"Options{such} (Enter: none, ?: list them, q: back): ")
            try:
                options = shlex.split(text)
            except ValueError as error:
                print(f"{text}: {error}: try again")
                continue
            status = self._run(name, [self.game, "--help"] if text in HELP else [*arguments, *options])
            if text not in HELP and (status != BAD_INPUT or not options):
                return

    def _run(self, name: str, arguments: Sequence[str]) -> int:
        try:
            return self._carry_out(name, arguments)
        except SystemExit:  # after --help
            return 0


def _checkpoint_meant(answer: str, found: dict[str, Path]) -> Path:
    """The path that a number, a name or a path stands for. Raises `ConfigurationError` on none of them."""
    paths, number = list(found.values()), whole(answer)
    if number is not None and 0 < number <= len(paths):
        return paths[number - 1]
    index = meant(answer, list(found))
    if index is not None:
        return paths[index]
    if not answer:
        raise ConfigurationError("nothing was typed")
    try:
        return Path(answer).expanduser()
    except RuntimeError as error:  # the home of a user who does not exist
        raise ConfigurationError(f"{answer}: {error}") from None

"""Checks a game in a process of its own, which a game that hangs, exits or crashes takes with it.

The child reports twice a second where the game is: which of its functions has been called, seen in the stack,
and for how long it has not returned. Only a call that is not back by the deadline counts as hanging; a slow
game makes many calls, each in time.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn

from checking.conformance import GAMES, Finding, Report, check_game, check_names
from core.errors import ConfigurationError
from core.project import ours
from games.api.sources import GameFolder
from games.api.spec import on_board

DEADLINE = 60.0
"""Seconds in which a game is to answer a call."""
PULSE = 0.5
"""Seconds between two looks at the stack."""
CALLERS = (ours("checking."), ours("games.api."))
"""Modules that call a game, and that no game is made of."""
_FRAME = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)')

HANGS = (
    "hangs",
    (
        "look for a loop that does not end, or a wait for what does not come; if the game is only slow, give "
        "it longer with --deadline SECONDS"
    ),
)
EXITS = "exits", "raise an exception instead: a game must not end the process that plays it"
CRASHES = "crashes", "look at the library that the game calls there, and at what it is given"
OUTSIDE = tuple(name for name, _ in (HANGS, EXITS, CRASHES))
"""Names of the faults that only show from outside the process."""


class Order(NamedTuple):
    """Which game is to be checked, and how."""

    folder: GameFolder
    name: str
    games: int = GAMES
    ignored: tuple[str, ...] = ()
    deadline: float = DEADLINE  # seconds for each call
    board_size: int = 0  # 0: the game's own

    @property
    def file(self) -> str:
        """The game's."""
        return str(self.folder.file(self.name))


class Place(NamedTuple):
    """A call of the game that has not returned."""

    function: str
    line: int  # in the game's file; 0: none of it is being run
    seconds: float  # since it was called

    def __str__(self) -> str:
        what = "reading its file" if self.function == "<module>" else self.function
        return f"{what}, line {self.line}," if self.line else what


def check_in_child(order: Order) -> Report:
    """What `check_game` reports of the game, or how it hung or ended the process.

    Raises `ConfigurationError` when the game cannot be loaded, or when its constructor does.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="check-game-") as temporary:
        stack = Path(temporary) / "stack.txt"
        child = context.Process(target=_work, args=(order, sender, stack))
        child.start()
        sender.close()
        try:
            return _watch(order, child, receiver, stack)
        finally:
            child.kill()
            child.join()


def _watch(order: Order, child: Any, receiver: Connection, stack: Path) -> Report:
    """The child's report, or one about the child's end."""
    place: Place | None = None
    started = False  # until then it imports our own modules
    while True:
        late = started and not receiver.poll(order.deadline)  # native code lets no other thread report
        if late or (place is not None and place.seconds > order.deadline):
            return _fault(HANGS, f"{place or 'the game'} did not return within {order.deadline:g} s")
        try:
            message = receiver.recv()
        except EOFError:
            child.join()
            return _ended(child.exitcode, place_in(stack, order.file) or place)
        started = True
        if isinstance(message, Report):
            return message
        if isinstance(message, str):
            raise ConfigurationError(message)
        place = message


def _ended(status: int, place: Place | None) -> Report:
    """The child has ended with `status` (negative: by a signal) and no report."""
    where = place or "the game"
    if status >= 0:
        return _fault(EXITS, f"{where} ended the process with exit status {status}")
    memory = "; was there enough memory?" if -status == signal.SIGKILL else ""
    return _fault(CRASHES, f"{where} was ended by {signal.Signals(-status).name}{memory}")


def _fault(kind: tuple[str, str], found: str) -> Report:
    name, change = kind
    return Report((Finding(name, "fault", found, change),), (), tuple(check_names()), 0, 0, 0.0)


# --- in the child ---


def _work(order: Order, sender: Connection, stack: Path) -> None:
    """Checks the game and sends the report, or the text of a `ConfigurationError`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    with stack.open("w") as file:
        faulthandler.enable(file, all_threads=False)
        _tell_of_exits(file)
        pulse = Pulse(sender, order.file, threading.get_ident())
        threading.Thread(target=pulse.run, daemon=True).start()
        try:
            spec = on_board(order.folder.load(order.name), order.board_size)
            answer: Report | str = check_game(spec, order.games, order.ignored)
        except ConfigurationError as error:
            answer = str(error)
        pulse.send(answer)


def _tell_of_exits(file: Any) -> None:
    """Has `os._exit`, which nothing can catch, leave the stack in `file`."""
    end = os._exit

    def told(status: int) -> NoReturn:
        faulthandler.dump_traceback(file, all_threads=False)
        end(status)

    os._exit = told


class Pulse:
    """Sends to the parent where thread `watched` is in the game's file, again and again."""

    def __init__(self, sender: Connection, file: str, watched: int) -> None:
        self._sender, self._file, self._watched = sender, file, watched
        self._sending = threading.Lock()
        self._call: FrameType | None = None
        self._since = 0.0

    def run(self) -> None:
        """Until the parent is gone, and this process with it."""
        while True:
            self.send(self.look(sys._current_frames()[self._watched], time.monotonic()))
            time.sleep(PULSE)

    def send(self, message: Place | Report | str | None) -> None:
        """Sends one message."""
        with self._sending:
            try:
                self._sender.send(message)
            except BrokenPipeError:
                signal.raise_signal(signal.SIGKILL)

    def look(self, frame: FrameType, now: float) -> Place | None:
        """The call of the game in whose course `frame` is running, if there is one."""
        inside = called(frame)
        call = inside[-1] if inside else None
        if call is not self._call:
            self._call, self._since = call, now
        if call is None:
            return None
        own = next((one for one in inside if one.f_code.co_filename == self._file), None)
        function, line = (own.f_code.co_name, own.f_lineno) if own else (call.f_code.co_name, 0)
        return Place(function, line, now - self._since)


def called(frame: FrameType) -> list[FrameType]:
    """The frames within the innermost call that our own code has made, the innermost first."""
    inside: list[FrameType] = []
    at: FrameType | None = frame
    while at is not None and not f"{at.f_globals.get('__name__')}.".startswith(CALLERS):
        inside.append(at)
        at = at.f_back
    return inside


def place_in(stack: Path, file: str) -> Place | None:
    """The innermost place of a game's `file` in a stack as `faulthandler` writes it."""
    for frame in _FRAME.finditer(stack.read_text(errors="replace")):
        if frame["file"] == file:
            return Place(frame["function"], int(frame["line"]), 0.0)
    return None

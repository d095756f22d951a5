"""What a person sees of a running training: a live panel on a terminal, plain lines anywhere else.

Both are observers of the run: `status` with its state a few times a second, `event` with a notable line,
`close` at the end. The run's log file is a third one, which also keeps the `evidence` of errors.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from core.output import Printer
from core.wording import counted, grouped, score_of_mean

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from data import EvaluationResult
    from runs.status import Observer, RunStatus
    from saving.appending import AppendedFile

Clock = Callable[[], float]
Rows = list[tuple[str, str]]


class Observers:
    """Several observers as one."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)

    def status(self, status: RunStatus) -> None:
        """Passes the state on."""
        for observer in self._observers:
            observer.status(status)

    def event(self, text: str) -> None:
        """Passes the line on."""
        for observer in self._observers:
            observer.event(text)

    def evidence(self, text: str) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.evidence(text)

    def close(self) -> None:
        """Closes all."""
        for observer in self._observers:
            observer.close()


class StatusLines(ABC):
    """One plain line every `interval` seconds; a subclass says where to."""

    def __init__(self, interval: float, clock: Clock = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._due = -math.inf
        self._newest: RunStatus | None = None  # not printed yet

    def status(self, status: RunStatus) -> None:
        """Prints the state if a line is due."""
        self._newest = status
        if self._clock() >= self._due:
            self._due = self._clock() + self._interval
            self._print_newest()

    def event(self, text: str) -> None:
        """Prints the line at once."""
        self._print(text)

    def evidence(self, text: str) -> None:
        """Is for the log file only."""
        return

    def close(self) -> None:
        """Prints the last state, if it has not been printed."""
        self._print_newest()

    def _print_newest(self) -> None:
        if self._newest is not None:
            self._print(status_line(self._newest))
            self._newest = None

    @abstractmethod
    def _print(self, line: str) -> None:
        """Writes the line."""


class Lines(StatusLines):
    """The lines on a stream that is no terminal."""

    def __init__(self, stream: TextIO, interval: float, clock: Clock = time.monotonic) -> None:
        super().__init__(interval, clock)
        self._printer = Printer(stream)

    def close(self) -> None:
        """See `StatusLines`; the stream stays open."""
        super().close()
        self._printer.close()

    def _print(self, line: str) -> None:
        self._printer.line(line)


class LogFile(StatusLines):
    """The same lines in the run's log, and what errors leave behind. The file stays open."""

    def __init__(self, log: AppendedFile, interval: float, clock: Clock = time.monotonic) -> None:
        super().__init__(interval, clock)
        self._log = log

    def evidence(self, text: str) -> None:
        """Writes it at once."""
        self._print(text)

    def _print(self, line: str) -> None:
        self._log.write((line + "\n").encode(errors="replace"))


class Panel:
    """A live panel on a terminal."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = title
        self._console = console
        self._live: Live | None = None

    def status(self, status: RunStatus) -> None:
        """Redraws the panel. A terminal that is gone is no reason to end."""
        with suppress(OSError):
            self._screen().update(render(self._title, status), refresh=True)

    def event(self, text: str) -> None:
        """Prints the line above the panel."""
        with suppress(OSError):
            self._screen().console.print(text, highlight=False, markup=False)

    def evidence(self, text: str) -> None:
        """Is for the log file only."""
        return

    def close(self) -> None:
        """Leaves the last panel on the screen and gives the terminal back."""
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()
            self._live = None

    def _screen(self) -> Live:
        if self._live is None:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, redirect_stderr=False)
            self._live.start()
        return self._live


def render(title: str, status: RunStatus) -> RenderableType:
    """The panel's content: a progress bar over a table of figures."""
    from rich.panel import Panel as Frame
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    bar = ProgressBar(total=status.training_steps, completed=status.counters.training_step, width=None)
    table = Table.grid(padding=(0, 2))
    for name, value in panel_rows(status):
        table.add_row(name, value)
    table.columns[0].style = "dim"
    lines = Table.grid(expand=True)  # a bar alone would not end its line
    for part in (bar, table):
        lines.add_row(part)
    return Frame(lines, title=title, width=100)


def panel_rows(status: RunStatus) -> Rows:
    """The panel's figures by name."""
    counters = status.counters
    return [
        ("training steps", f"{counters.training_step:,} of {status.training_steps:,}"),
        (
            "played",
            f"{grouped(counters.played_games, 'game')}, {grouped(counters.played_steps, 'step')}"
            + _lost(status, ", "),
        ),
        ("speed", _speed(status)),
        ("losses", _losses(status)),
        ("evaluation", _evaluation(status)),
        ("ratio", f"{status.ratio:.3f} updates per step{_age(status)}"),
        ("buffer", _buffer(status)),
        ("memory", _memory(status)),
        ("time", f"{duration(counters.seconds)} elapsed, {_remaining(status)}"),
    ]


def status_line(status: RunStatus) -> str:
    """The state as one plain line."""
    counters = status.counters
    fields = [
        f"{counters.seconds:7.1f} s",
        f"step {counters.training_step}/{status.training_steps}",
        f"played {counted(counters.played_games, 'game')} {counted(counters.played_steps, 'step')}"
        + _lost(status, " "),
        _speed(status),
        f"loss {_losses(status)}",
        f"evaluation {_evaluation(status)}",
        f"ratio {status.ratio:.3f}",
        f"buffer {_buffer(status)}",
        _remaining(status),
    ]
    return " | ".join(fields)


def duration(seconds: float | None) -> str:
    """`12 s`, `3:05` or `2:03:05`."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    whole = round(seconds)
    minutes, hours = whole // 60 % 60, whole // 3600
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}" if minutes else f"{whole} s"


def count(number: float) -> str:
    """`950`, `12.3k` or `1.2M`."""
    for divisor, letter in ((1e6, "M"), (1e3, "k")):
        if abs(number) >= divisor:
            return f"{number / divisor:.1f}{letter}"
    return f"{number:.0f}"


def mebibytes(size: float) -> str:
    """Bytes as MiB."""
    return f"{size / 2**20:.1f} MiB"


def _lost(status: RunStatus, before: str) -> str:
    lost, restarts = status.counters.lost_games, status.counters.restarts
    said = [f"{grouped(lost, 'game')} lost"] if lost else []
    said += [f"{grouped(restarts, 'actor')} started again"] if restarts else []
    return before + ", ".join(said) if said else ""


def _speed(status: RunStatus) -> str:
    return (
        f"{count(status.updates_per_second)} updates/s {count(status.steps_per_second)} steps/s "
        f"{count(status.simulations_per_second)} sims/s"
    )


def _losses(status: RunStatus) -> str:
    metrics = status.metrics
    if metrics is None:
        return "-"
    terms = " ".join(f"{term.name} {term.loss:.3f}" for term in metrics.terms)
    return f"{metrics.loss:.3f} ({terms})"


def _evaluation(status: RunStatus) -> str:
    newest, best, target = status.evaluation, status.best_evaluation, status.target_reward
    wanted = "" if target is None else f" target {target:g}"
    if status.players == 1:
        now = "-" if newest is None else f"{newest.mean:.1f}"
        return f"{now} best {'-' if best is None else f'{best:.1f}'}{wanted}"
    scores = [f"{match_text(result)} against {result.opponent}" for result in status.evaluations]
    return f"{', '.join(scores) or '-'}; best {'-' if best is None else score_of_mean(best)}{wanted}"


def match_text(result: EvaluationResult) -> str:
    """Games for two: the score, and wins, draws and losses."""
    return f"{result.score:.0%} ({result.wins} won, {result.draws} drawn, {result.losses} lost)"


def _buffer(status: RunStatus) -> str:
    buffer = status.buffer
    return f"{buffer.steps}/{buffer.capacity_steps} steps {mebibytes(buffer.bytes)}"


def _memory(status: RunStatus) -> str:
    if not status.memory:
        return "-"
    gpu = "" if status.gpu_memory is None else f", GPU {mebibytes(status.gpu_memory)}"
    return f"{mebibytes(sum(status.memory.values()))} in all processes{gpu}"


def _remaining(status: RunStatus) -> str:
    """With a target, the run may end before its last update."""
    known = status.remaining_seconds is not None
    at_most = "at most " if known and status.target_reward is not None else ""
    return f"{at_most}{duration(status.remaining_seconds)} remaining"


def _age(status: RunStatus) -> str:
    """Of the weights that self-play uses, if they have been seen."""
    return f", weights {status.weights_age:.0f} updates old" if math.isfinite(status.weights_age) else ""

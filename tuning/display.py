"""What a person sees of a running search: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, TextIO

from core.output import Printer
from runs.reports.panel import Clock
from tuning.ledger import Asked, Event, Failed, Finished, RungReached, Stopped
from tuning.space import listed, short
from tuning.study import Study, Trial
from tuning.trial import TrialProgress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

LINE_SECONDS = 30.0
"""Between two lines about running trials."""
ROWS_WITHOUT_TRIALS = 9
"""Of a terminal: title, head, frame and the lines above the table."""


class SearchLines:
    """A plain line for each event, and now and then one about the running trials."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._printer = Printer(stream)
        self._clock = clock
        self._due = clock() + LINE_SECONDS

    def happened(self, event: Event, state: Study) -> None:
        """Prints the event."""
        line = event_line(event, state)
        if line is not None:
            self._print(line)

    def progress(self, state: Study, running: dict[int, TrialProgress]) -> None:
        """Prints how far the running trials are, if it is time."""
        if running and self._clock() >= self._due:
            self._due = self._clock() + LINE_SECONDS
            self._print("; ".join(progress_text(number, progress) for number, progress in running.items()))

    def close(self) -> None:
        """Gives up what could not be printed."""
        self._printer.close()

    def _print(self, line: str) -> None:
        self._printer.line(line)


class SearchTable:
    """A live table on a terminal, with the events as lines above it."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.live import Live

        self._live: Live = Live(console=console, auto_refresh=False, redirect_stderr=False)
        self._live.start()

    def happened(self, event: Event, state: Study) -> None:
        """Prints the event above the table."""
        line = event_line(event, state)
        if line is not None:
            self._live.console.print(line, highlight=False, markup=False)

    def progress(self, state: Study, running: dict[int, TrialProgress]) -> None:
        """Redraws the table."""
        rows = max(self._live.console.height - ROWS_WITHOUT_TRIALS, 3)
        self._live.update(render(state, running, rows), refresh=True)

    def close(self) -> None:
        """Leaves the last table on the screen and gives the terminal back."""
        self._live.stop()


def event_line(event: Event, state: Study) -> str | None:
    """An event in one line; None if it is not worth one."""
    match event:
        case Asked():
            return f"trial {event.trial} of {state.budget}: {listed(event.values)}"
        case RungReached(goes_on=True):
            return (
                f"trial {event.trial} goes on after {fraction(event.share)} of its budget: "
                f"evaluation {short(event.score)}"
            )
        case Stopped():
            return (
                f"trial {event.trial} stopped after {fraction(event.share)} of its budget: evaluation "
                f"{short(event.score)} is not among the best 1/{state.opened.reduction} there"
            )
        case Finished():
            best = state.best is not None and state.best.number == event.trial
            return f"trial {event.trial} finished: score {score_text(event)}{', the best so far' * best}"
        case Failed():
            return f"trial {event.trial} failed: {event.reason}"
        case _:
            return None


def fraction(share: float) -> str:
    """`1/9`."""
    return str(Fraction(share).limit_denominator(1000))


def score_text(finished: Finished) -> str:
    """`431.5 ± 3.2`, with the standard error."""
    return short(finished.score) + ("" if finished.error is None else f" ± {short(finished.error)}")


def progress_text(number: int, progress: TrialProgress) -> str:
    """How far a trial is, in words."""
    if progress.scoring:
        return f"trial {number} is scored"
    evaluation = "-" if progress.evaluation is None else short(progress.evaluation)
    memory = "" if progress.memory_mib is None else f", {progress.memory_mib:.0f} MiB"
    return f"trial {number} at {progress.share:.0%}, evaluation {evaluation}{memory}"


def render(state: Study, running: dict[int, TrialProgress], rows: int) -> Table:
    """The trials as a table of at most `rows` rows: those that run, then the best."""
    from rich import box
    from rich.table import Table

    best = state.best
    record = "" if best is None else f", best {short(best.score)} by trial {best.number}"
    title = f"{state.opened.game}: {len(state.ended)} of {state.budget} trials ended{record}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("trial", no_wrap=True, justify="right", min_width=5)
    table.add_column("state", no_wrap=True, min_width=STATE_WIDTH)
    for parameter in state.space:
        table.add_column(heading(parameter.name), overflow="ellipsis", justify="right")  # these give way
    for name in ("eval", "score"):
        table.add_column(name, no_wrap=True, justify="right", min_width=NUMBER_WIDTH)
    for trial in shown_trials(state, rows):
        style = "bold green" if trial is best else "dim" if trial.phase in ("stopped", "failed") else ""
        table.add_row(*cells(trial, running.get(trial.number)), style=style)
    return table


def shown_trials(state: Study, rows: int) -> list[Trial]:
    """The running trials, the scored by their score, the stopped by how far they came, the failed."""

    def place(trial: Trial) -> tuple[bool, float, float, int]:
        scored = trial.score if trial.score is not None else float("-inf")
        share = trial.stopped.share if trial.stopped is not None else 0.0
        return trial.ended, -scored, -share, trial.number

    return sorted(state.trials.values(), key=place)[:rows]


def cells(trial: Trial, progress: TrialProgress | None) -> Iterator[str]:
    """A trial's row."""
    yield str(trial.number)
    yield phase_text(trial, progress)
    yield from (short(value, DIGITS) for value in trial.values.values())
    reached = [rung.score for rung in trial.rungs.values()]
    evaluation = progress.evaluation if progress is not None else (reached[-1] if reached else None)
    yield "" if evaluation is None else short(evaluation)
    yield "" if trial.score is None else short(trial.score)


def phase_text(trial: Trial, progress: TrialProgress | None) -> str:
    """What a trial is doing, or how it ended."""
    if trial.stopped is not None:
        return f"stopped {fraction(trial.stopped.share)}"
    if progress is None or trial.ended:
        return trial.phase
    if progress.scoring:
        return "scoring"
    filled = int(progress.share * BAR)
    return "━" * filled + "╌" * (BAR - filled) + f" {progress.share:4.0%}"


BAR = 5
"""Characters of a full progress bar."""
DIGITS = 3
"""Of a value in the table."""


def heading(name: str) -> str:
    """A column's name, a long one on several lines."""
    return name if len(name) <= LONGEST_HEADING else name.replace("_", "_\n")


LONGEST_HEADING = 7
STATE_WIDTH = len("stopped 1/9")
NUMBER_WIDTH = 5

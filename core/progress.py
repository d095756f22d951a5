"""How far something is that takes longer than a person waits without a word."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TextIO

SILENT_SECONDS = 3.0
"""What is over by then says nothing."""
LINE_SECONDS = 10.0
"""Between two lines where there is no terminal."""
REDRAW_SECONDS = 0.25


class Progress:
    """Says on stderr how many of `total` are done: a bar on a terminal, a line now and then elsewhere.

    A context manager. `done` and `remark` may be set at any time, by the thread that works; another one
    looks at them. Before the first is done, `at_first` says what goes on.
    """

    def __init__(
        self,
        what: str,
        total: int,
        unit: str = "games",
        at_first: str = "starting; the very first time, code is compiled (up to half a minute)",
        stream: TextIO | None = None,
        silent: float = SILENT_SECONDS,
    ) -> None:
        self.what, self.total, self.unit, self.at_first = what, total, unit, at_first
        self.done, self.remark = 0, ""
        self._stream = sys.stderr if stream is None else stream
        self._silent = silent
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        """Begins to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends, and removes the bar."""
        self._over.set()
        self._thread.join()

    def update(self, done: int, remark: str = "") -> None:
        """So many are done; `remark` says more."""
        self.done, self.remark = done, remark

    def played(self, ended: int, moves: int) -> None:
        """So many games have ended, and the longest has had so many moves."""
        self.update(ended, f"move {moves}")

    @property
    def text(self) -> str:
        """How far it is, in words."""
        if not self.done and not self.remark:
            return f"{self.what}: {self.at_first}"
        remark = f", {self.remark}" if self.remark else ""
        return f"{self.what}: {self.done} of {self.total} {self.unit}{remark}"

    def _watch(self) -> None:
        if self._over.wait(self._silent):
            return
        if self._stream.isatty():
            self._draw()
            return
        while True:
            print(self.text, file=self._stream, flush=True)
            if self._over.wait(LINE_SECONDS):
                return

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        shown = Console(file=self._stream)
        apart = sys.stdout.isatty()  # else what is printed goes where it was sent to, not above the bar
        with Bar(*columns, console=shown, transient=True, redirect_stdout=apart) as bar:
            task = bar.add_task(self.text, total=self.total)
            while not self._over.wait(REDRAW_SECONDS):
                bar.update(task, completed=self.done, description=self.text)

"""The actor that keeps the played steps."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core import actor_kinds
from core.randomness import Stream, make_generator
from data import Batch, BufferStatus, FloatArray, GameHistory, ReanalyseRequest, ReanalyseResult, Snapshot
from replay_buffer import ReplayBuffer
from runs.actors.shell import SavedShell, Setup
from runs.actors.writing import Place, Write
from runs.driver import Duty, Role
from saving.checkpoint import Written, write_arrays, write_part
from saving.rows import ROWS, Arrays, Cut, RowFile, RowPlan, plan, rest_of, written_rows

MOST_KNOWN = 4096
"""Files of rows that are remembered; more generations than are ever used have fewer."""


class BufferActor(SavedShell[ReplayBuffer]):
    """`ReplayBuffer` that takes what `ReanalyseActor` gives."""

    _row_files: tuple[RowFile, ...] = ()  # of this very buffer, in any generation

    def _build(self, setup: Setup) -> ReplayBuffer:
        buffer = ReplayBuffer(setup.config, make_generator(setup.config.seed, Stream.BUFFER))
        if setup.state is not None:
            buffer.load_state(setup.state)
        return buffer

    def add(self, histories: list[GameHistory]) -> BufferStatus:
        """See `ReplayBuffer`."""
        return self.part.add(histories)

    def status(self) -> BufferStatus:
        """See `ReplayBuffer`."""
        return self.part.status()

    def sample(self, num_batches: int) -> list[Batch]:
        """See `ReplayBuffer`."""
        return self.part.sample(num_batches)

    def update_priorities(self, positions: NDArray[np.int64], priorities: FloatArray) -> None:
        """See `ReplayBuffer`."""
        self.part.update_priorities(positions, priorities)

    def reanalyse_request(self, steps: int) -> ReanalyseRequest | None:
        """See `ReplayBuffer`."""
        return self.part.reanalyse_request(steps)

    def reanalyse_update_any(self, result: ReanalyseResult | None) -> int:
        """Writes a result back, if there is one; the number of its steps."""
        if result is None:
            return 0
        self.part.reanalyse_update(result)
        return len(result.positions)

    def state(self) -> Snapshot:
        """See `ReplayBuffer`."""
        return self.part.state()

    def shrink(self) -> BufferStatus:
        """See `ReplayBuffer`; but rows that are just being written stay where they are."""
        return self.part.status() if self._writer.busy else self.part.shrink()

    def expected_size(self) -> int:
        """Bytes of the rows that are written."""
        return self.part.status().bytes

    def _counted(self) -> int:
        """Steps added in this sitting."""
        return self.part.added

    def _write_of(self, place: Place) -> Write:
        """Rows are copied and written by and by, and those that an earlier generation has are left to it."""
        own = frozenset(self._row_files)
        cut = self.part.cut()
        planned = plan(cut, [file for file in place.base if file in own], self.part.row_bytes)
        return partial(self._write_rows, place.part, cut, planned)

    def _write_rows(self, name: str, cut: Cut, planned: RowPlan, folder: Path) -> Written:
        buffer = self.part

        def write(file: str, arrays: Arrays) -> str:
            return write_arrays(folder / file, arrays)

        files = written_rows(name, buffer, planned, write)
        rest = write_part(folder, name, rest_of(buffer, cut, files))
        self._row_files = (*self._row_files[-MOST_KNOWN:], *files)
        listed = {file for file, _, _ in rest.facts[ROWS]}
        digests = {file.name: file.digest for file in files if file.name in listed}
        return Written(rest.facts, rest.digests | digests)


class BufferDuty(Duty[BufferActor]):
    """Says what it holds when a run goes on; all else is asked of it by the duties of the others."""

    def begin(self) -> None:
        """Asks for what came out of the checkpoint; one without a buffer has it filled first."""
        driver = self.driver
        for name in self.names:
            if driver.session.part(name) is not None:
                self._ask(name)
            elif driver.session.log.counters.added_steps:
                driver.least_steps = driver.config.learning_starts

    def lost(self, name: str) -> None:
        """Has updates wait until the new one holds enough: they are not to be of a few games."""
        driver = self.driver
        held = driver.session.log.lost_buffer().steps  # 0, if one before it was lost just now
        driver.least_steps = max(driver.least_steps, min(held, driver.config.learning_starts))
        self._ask(name)

    def _ask(self, name: str) -> None:
        """Asks what it holds."""
        self.driver.call(name, self.actor(name).call(BufferActor.status), self.driver.session.log.stored)

    def issue(self) -> None:
        """Has it give memory back where that is scarce."""
        memory = self.driver.session.memory
        if memory.shrink_now:
            memory.shrink_now = False
            for name in self.names:
                smaller = self.actor(name).call(BufferActor.shrink)
                self.driver.call(name, smaller, self.driver.session.shrunk)


BUFFER = Role(actor_kinds.BUFFER, BufferActor, BufferDuty)

"""The actor that keeps the played steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core import actor_kinds
from core.randomness import Stream, make_generator
from data import Batch, BufferStatus, FloatArray, GameHistory, ReanalyseRequest, ReanalyseResult, Snapshot
from replay_buffer import ReplayBuffer
from runs.actors.shell import SavedShell, Setup
from runs.driver import Duty, Role


class BufferActor(SavedShell[ReplayBuffer]):
    """`ReplayBuffer` that takes what `ReanalyseActor` gives."""

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

    def expected_size(self) -> int:
        """Bytes of the rows that are written."""
        return self.part.status().bytes


class BufferDuty(Duty[BufferActor]):
    """Says what it holds when a run goes on; all else is asked of it by the duties of the others."""

    def begin(self) -> None:
        """Asks for what came out of the checkpoint."""
        for name in self.names:
            if self.driver.session.part(name) is not None:
                self._ask(name)

    def lost(self, name: str) -> None:
        """Has updates wait until the new one holds enough: they are not to be of a few games."""
        driver = self.driver
        held = driver.session.log.lost_buffer().steps
        driver.least_steps = max(1, min(held, driver.config.learning_starts))
        self._ask(name)

    def _ask(self, name: str) -> None:
        """Asks what it holds."""
        self.driver.call(name, self.actor(name).call(BufferActor.status), self.driver.session.log.stored)


BUFFER = Role(actor_kinds.BUFFER, BufferActor, BufferDuty)

"""A checkpoint of a run on Ray, made while the training goes on.

Every actor takes its state at one moment of its own, between two calls, and writes it itself, beside its
work (`runs/actors/writing.py`). The moments are chosen so that nothing is lost or kept twice. First the
players and whoever else is kept take theirs, each when its call in flight has ended, and are given no other
one until, with all games that they have sent, the buffer takes its own. So a game is either in the buffer or
a running one of its player. The trainer takes its moment meanwhile and is not held up at all.

The counters of the checkpoint are those of its parts: updates as the trainer has counted them, steps added as
the buffer has, all else as the driver knew it at the buffer's moment. The ratio is kept between the first
two, so that it is exact after a resumption, whichever part was a little ahead. Only of a trainer that was
lost and has not yet made again what was lost with it, the updates are those of the run: who goes on from
there makes them first.

An actor that is lost meanwhile is missing from the checkpoint, and so is a player that has its moment long
after the others. Without trainer and buffer there is none, but
at the end of a run, when no other one follows, what was known of them before takes their place.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import threading
import time
from abc import abstractmethod
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from core.actor_kinds import BUFFER, JUDGE, TRAINER, Member
from data import Snapshot
from runs.actors.shell import Shell
from runs.actors.trainer import weights_in
from runs.actors.writing import Done, Place, Refused
from runs.driver import Driver, Rhythm, Role, Stateful
from saving.checkpoint import (
    Checkpoint,
    Written,
    begin_generation,
    complete_generation,
    write_part,
    write_weights,
)
from saving.files import CheckpointError, sync_file
from saving.rows import ROWS, RowFile

if TYPE_CHECKING:
    from pathlib import Path

    from runs.session import Session

POLL_SECONDS = 0.1
"""Between two questions whether a part is written."""
SAVES = "saves"
"""The queue of the calls that ask so, and fetch files: they keep no actor from its work."""
HOLD_SECONDS = 10.0
"""So long players wait for each other's moments, or twice as long as an answer has ever taken."""
MOST_SECONDS = 900.0
"""In which all parts have to be written: an actor answers even where its disk does not."""


class BesideDriver(Driver):
    """A driver beside which its actors work on their calls."""

    def __init__(self, session: Session, roles: Sequence[Role[Any]], rhythm: Rhythm) -> None:
        super().__init__(session, roles, rhythm)
        self.gone: set[str] = set()  # actors that were lost while the run ends: none takes their place

    @abstractmethod
    def in_flight(self, actors: Collection[str]) -> bool:
        """Whether a call of one of these is."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Waits until a call has returned, and takes all results that are there."""

    @abstractmethod
    def slowest(self, name: str) -> float:
        """The seconds that an answer of an actor of this one's kind has taken at most."""

    @abstractmethod
    def known_state(self, name: str) -> Snapshot | None:
        """What was known of an actor before it was lost, fetched into this process."""


class Base(NamedTuple):
    """A generation of this sitting whose files of rows later ones may share."""

    folder: Path
    files: dict[str, tuple[RowFile, ...]]  # by part


class BackgroundSave:
    """One generation in the making; `go_on` is called again and again until it says that all is done.

    It is of all actors but those `without`. `base` is an earlier generation to share files with. The `last`
    one of a sitting is written as long as anything is known of every part that it needs. Raises
    `CheckpointError` if there can be no folder.
    """

    def __init__(self, run: BesideDriver, without: Collection[str], base: Base | None, last: bool) -> None:
        self.run, self.session, self.base = run, run.session, base
        self._last = last
        self.folder = begin_generation(self.session.folder, self.session.log.counters.training_step)
        self._mark = f".mark-{secrets.token_hex(8)}"
        kept = {name: member for name, member in run.members.items() if member.kind.saved}
        saved = {name: member for name, member in kept.items() if name not in without}
        self._members: dict[str, Member] = saved
        self.held = set(saved) - {BUFFER.name, TRAINER.name}
        self._counted: dict[str, int] = {}
        self._written: dict[str, Written] = {}
        self._states: dict[str, Snapshot] = {}  # of actors that cannot write
        self._known: dict[str, Snapshot] = {}  # of actors that are lost
        self._moment: Checkpoint | None = None
        self._next_poll = 0.0
        now, slowest = time.perf_counter(), max(map(run.slowest, self.held), default=0.0)
        self._until, self._hold_until = now + MOST_SECONDS, now + max(HOLD_SECONDS, 2 * slowest)
        self._asked_buffer = False
        self._error: Exception | None = None
        self._end: threading.Thread | None = None
        self._mark_folder()
        for name in set(kept) - set(saved):
            self._do_without(name)
        for name in saved:
            if name != BUFFER.name:
                self._begin(name)

    def _mark_folder(self) -> None:
        try:
            (self.folder / self._mark).touch()
        except OSError as error:
            self._refuse(error.strerror or str(error))

    # --- the moments ---

    def _begin(self, name: str) -> None:
        """Has an actor take its state and write it."""
        handle, member = self.run.actors[name], self._members[name]
        if issubclass(self.run.shells[member.kind.name], Shell):
            files = self.base.files.get(name, ()) if self.base is not None else ()
            counted = handle.call(Shell.save, Place(self.folder, self._mark, name, files))
            self.run.call(name, counted, partial(self._has_begun, name))
        else:
            self.run.call(name, handle.call(Stateful.state), partial(self._has_answered, name))

    def _has_begun(self, name: str, counted: int) -> None:
        log = self.session.log
        if name == BUFFER.name:  # what it has added is told in other answers, too
            counted += log.counters.added_steps - log.buffer.added
        elif name == TRAINER.name and self.run.again:
            counted = max(counted, log.counters.training_step)
        if name in self._members:
            self._counted[name] = counted

    def _has_answered(self, name: str, state: Snapshot) -> None:
        if name in self._members:
            self._counted[name] = 0
            self._states[name] = state

    def _ask_buffer(self) -> None:
        """Ends the cut, once the players have had their moments and all their games are on the way."""
        if self._asked_buffer:
            return
        late = {name for name in self.held if name not in self._counted or self.run.in_flight({name})}
        if late and (self._last or time.perf_counter() < self._hold_until):
            return
        for name in late:  # it is starting, or hangs
            self._leave_out(name)
        self._asked_buffer = True
        self._moment = self.session.moment(now=self._last)
        if BUFFER.name in self._members:
            self._begin(BUFFER.name)
        self.held = set()

    def lost(self, name: str) -> None:
        """An actor is gone: the checkpoint is written without it, or not at all."""
        if name in self._members and self._end is None:
            self._leave_out(name)
            self._do_without(name)

    def _leave_out(self, name: str) -> None:
        del self._members[name]
        self.held.discard(name)
        for found in (self._counted, self._written, self._states):
            found.pop(name, None)

    def _do_without(self, name: str) -> None:
        """What was known of an actor takes its place, if the run is to end; never is a trainer missing."""
        state = self.run.known_state(name) if self._last else None
        if state is not None:
            self._known[name] = state
        elif name == TRAINER.name or (name == BUFFER.name and not self._last):
            self._refuse(f"actor {name!r} was lost")

    # --- the parts ---

    def go_on(self) -> bool:
        """Does what can be done now, without waiting; whether the checkpoint is written, or has failed."""
        if self._error is not None:
            return self._end is None or not self._end.is_alive()
        self._ask_buffer()
        self._poll()
        missing = set(self._members) - set(self._written) - set(self._states)
        if missing and time.perf_counter() > self._until:
            self._refuse(f"{', '.join(sorted(missing))}: not written after {MOST_SECONDS:.0f} s")
        elif self._asked_buffer and not missing and self._end is None:
            self._end = threading.Thread(target=self._finish, daemon=True, name="saving")
            self._end.start()
        return self._end is not None and not self._end.is_alive()

    def _poll(self) -> None:
        if time.perf_counter() < self._next_poll or self.run.busy(SAVES):
            return
        self._next_poll = time.perf_counter() + POLL_SECONDS
        for name in set(self._counted) - set(self._written) - set(self._states):
            if name in self._members:
                outcome = self.run.actors[name].call(Shell.saved)
                self.run.call(name, outcome, partial(self._told, name), queue=SAVES, awaited=False)

    def _told(self, name: str, outcome: Done | Refused | None) -> None:
        if isinstance(outcome, Refused):
            self._refuse(outcome.reason)
        elif isinstance(outcome, Done) and name in self._members:
            if outcome.elsewhere:
                self._fetch(name, outcome.written, self._to_fetch(outcome.written))
            else:
                self._written[name] = outcome.written

    def _shared(self) -> dict[str, str]:
        """SHA-256 by name of the files that can be taken from the earlier generation."""
        files = self.base.files.values() if self.base is not None else ()
        return {file.name: file.digest for part in files for file in part}

    def _to_fetch(self, written: Written) -> list[str]:
        shared = self._shared()
        return [file for file, digest in written.digests.items() if shared.get(file) != digest]

    def _fetch(self, name: str, written: Written, files: list[str], offset: int = 0) -> None:
        """Asks for the next piece of the first of `files`."""
        if not files:
            self._written[name] = written
            return
        piece = self.run.actors[name].call(Shell.piece, files[0], offset)
        done = partial(self._fetched, name, written, files, offset)
        self.run.call(name, piece, done, queue=SAVES, awaited=False)

    def _fetched(self, name: str, written: Written, files: list[str], offset: int, piece: bytes) -> None:
        try:
            with (self.folder / files[0]).open("ab") as stream:
                stream.write(piece)
        except OSError as error:
            self._refuse(error.strerror or str(error))
            return
        if piece:
            self._fetch(name, written, files, offset + len(piece))
        else:
            self._fetch(name, written, files[1:])

    # --- the end ---

    def _finish(self) -> None:
        """Makes a generation of the parts; in a thread, as the disk may take long."""
        try:
            for name, state in (self._states | self._known | self._judge).items():
                self._written[name] = write_part(self.folder, name, state)
            trained = self._known.get(TRAINER.name)
            digests = {} if trained is None else write_weights(self.folder, weights_in(trained))
            (self.folder / self._mark).unlink(missing_ok=True)
            self._share()
            keep = self.session.config.keep_checkpoints
            complete_generation(self.folder, self._checkpoint(), self._written, digests, keep)
        except OSError as error:
            self._refuse(error.strerror or str(error))
        except Exception as error:  # raised again where the result is asked for
            self._error = error

    @property
    def _judge(self) -> dict[str, Snapshot]:
        assert self._moment is not None, "taken with the buffer's"
        return {JUDGE: self._moment.parts[JUDGE]}

    def _share(self) -> None:
        """Takes the files that are in the earlier generation already, and syncs those that were fetched."""
        shared = self._shared()
        for file, digest in ((f, d) for part in self._written.values() for f, d in part.digests.items()):
            path = self.folder / file
            if path.exists():
                sync_file(path)
            elif self.base is not None and shared.get(file) == digest:
                link_or_copy(self.base.folder / file, path)

    def _checkpoint(self) -> Checkpoint:
        """The run, with the counters of its parts."""
        assert self._moment is not None, "taken with the buffer's"
        moment, counters = self._moment, self._moment.counters
        counted = {"training_step": self._counted.get(TRAINER.name, counters.training_step)}
        if BUFFER.name in self._counted:
            counted["added_steps"] = self._counted[BUFFER.name]
        cost, more = moment.cost, counted["training_step"] - counters.training_step
        if cost.updates is not None:
            cost = dataclasses.replace(cost, updates=cost.updates + more)
        own = dataclasses.replace(counters, **counted)
        return dataclasses.replace(moment, counters=own, measured_cost=cost)

    def _refuse(self, reason: str) -> None:
        self._error = self._error or CheckpointError(f"cannot write the checkpoint {self.folder}: {reason}")
        self.held = set()

    def abandon(self) -> None:
        """Removes what is there of a generation, unless it is all but complete."""
        if self._end is not None:
            self._end.join()
            if self._error is None:
                return
        self._error = self._error or CheckpointError(f"the checkpoint {self.folder} was given up")
        self.held = set()
        shutil.rmtree(self.folder, ignore_errors=True)

    def result(self) -> Base:
        """The generation. Raises `CheckpointError` if it could not be written."""
        if self._error is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise self._error
        files = {name: row_files(part) for name, part in self._written.items() if ROWS in part.facts}
        return Base(self.folder, files)


def row_files(part: Written) -> tuple[RowFile, ...]:
    """The files of rows of a part."""
    return tuple(RowFile(name, start, stop, part.digests[name]) for name, start, stop in part.facts[ROWS])


def link_or_copy(source: Path, path: Path) -> None:
    """The same file under another name; where that is not possible, a copy. Raises `OSError`."""
    try:
        os.link(source, path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, path)
        sync_file(path)


class Saves:
    """The checkpoints of a sitting, one after another."""

    def __init__(self, run: BesideDriver) -> None:
        self._run = run
        self._now: BackgroundSave | None = None
        self._bases: list[Base] = []  # the newest two generations

    @property
    def held(self) -> Collection[str]:
        """The actors that are given no work for a moment."""
        return self._now.held if self._now is not None else ()

    def go_on(self) -> None:
        """Begins a checkpoint that is due, and does what can be done for the one in the making."""
        session = self._run.session
        if self._now is None and session.checkpoint_due and session.progressed:
            session.attempt(self._begin)
        if self._now is not None and self._now.go_on():
            session.attempt(self._end)

    def last(self, without: Collection[str]) -> None:
        """Writes a checkpoint of all actors but some, and waits for it.

        Raises `CheckpointError` if that is not possible, and `RunError` if an actor is lost.
        """
        self.abandon()
        self._run.drain()
        self._begin({*without, *self._run.gone}, last=True)
        while self._now is not None and not self._now.go_on():
            self._run.wait(POLL_SECONDS)
        self._end()

    def lost(self, name: str) -> None:
        """An actor is gone."""
        if self._now is not None:
            self._now.lost(name)

    def abandon(self) -> None:
        """Gives up what is in the making."""
        if self._now is not None:
            self._now.abandon()
            self._now = None

    def _begin(self, without: Collection[str] = (), last: bool = False) -> None:
        # not the newest one: where a shared file is damaged, the generation before is whole
        base = self._bases[0] if len(self._bases) > 1 else None
        self._now = BackgroundSave(self._run, without, base, last)

    def _end(self) -> None:
        assert self._now is not None, "it has been begun"
        ended, self._now = self._now, None
        self._bases = [*self._bases[-1:], ended.result()]
        self._run.session.saved()

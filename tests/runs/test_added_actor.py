"""A kind of actors that the project does not know: this file makes it, and trainings are given it.

It keeps how many steps the buffer had at one time and another, and checkpoints keep it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from config import MuZeroConfig
from core.actor_kinds import ActorKind
from core.errors import ConfigurationError
from data import BufferStatus, Snapshot
from games.api.sources import load_game
from runs.actors.buffer import BUFFER, BufferActor
from runs.actors.shell import Setup, Shell
from runs.actors.table import ROLES
from runs.cluster import Launcher, start_ray
from runs.driver import Duty, Input, Role, kinds_of
from runs.facade import MuZero
from runs.handles import RemoteHandle
from runs.launch import train
from runs.machine import processes_needed
from runs.ray_run import RayRun
from runs.session import Session
from saving.checkpoint import Checkpoint, load_checkpoint
from tests.helpers.small_runs import SMALL
from tests.helpers.toy_games import Watcher

# --- all that there is to say of the kind ---


class StepWatcher:
    """Keeps how many steps the buffer had, each time that it was told."""

    def __init__(self, attempt: int) -> None:
        self.held: list[int] = []
        self.attempt = attempt

    def look(self, status: BufferStatus) -> int:
        """Takes note of what the buffer has; the times that it has done so."""
        self.held.append(status.steps)
        return len(self.held)

    def state(self) -> Snapshot:
        return Snapshot({"held": np.array(self.held, np.int64)}, {"attempt": self.attempt})

    def load_state(self, state: Snapshot) -> None:
        self.held = state.arrays["held"].tolist()


class StepWatcherActor(Shell[StepWatcher]):
    def _build(self, setup: Setup) -> StepWatcher:
        watcher = StepWatcher(setup.attempt)
        if setup.state is not None:
            watcher.load_state(setup.state)
        return watcher

    def look(self, status: BufferStatus) -> int:
        return self.part.look(status)

    def state(self) -> Snapshot:
        return self.part.state()


class StepWatcherDuty(Duty[StepWatcherActor]):
    """Looks whenever updates have been made."""

    looks = 0
    _seen = 0

    def issue(self) -> None:
        step = self.driver.session.log.counters.training_step
        for name in self.names:
            if step > self._seen and not self.driver.busy(name):
                self._seen = step
                status = self.driver.only(BUFFER).call(BufferActor.status)
                looked = self.actor(name).call(StepWatcherActor.look, status)
                self.driver.call(name, looked, self._looked, inputs=(Input(BUFFER.kind.name, status),))

    def _looked(self, times: int) -> None:
        self.looks = times

    def lost(self, name: str) -> None:
        self.looks = 0


def one(_: object) -> int:
    return 1


STEP_WATCHER = Role(
    ActorKind("step_watcher", "StepWatcherActor", one, launched=6, saved=True, restarted=True),
    StepWatcherActor,
    StepWatcherDuty,
)

# --- and what comes of it ---

WITH_WATCHER = (*ROLES, STEP_WATCHER)


def config(**changes: Any) -> MuZeroConfig:
    small = SMALL | {"object_store_mb": 80, "training_steps": 100_000}
    return load_game("cartpole").config.replace(**small | changes)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    start_ray(config(), None, kinds_of(WITH_WATCHER))
    yield
    ray.shutdown()


def duty_of(run: RayRun) -> StepWatcherDuty:
    duty = run.duties["step_watcher"]
    assert isinstance(duty, StepWatcherDuty)
    return duty


def kill(run: RayRun, name: str) -> None:
    handle = run.actors[name]
    assert isinstance(handle, RemoteHandle)
    ray.kill(handle.actor)


def until(folder: Path, ends: Callable[[RayRun], bool], resumed: Checkpoint | None = None) -> Session:
    """Trains on Ray with the watcher until `ends`."""
    session = Session(load_game("cartpole"), config(), folder, Watcher(), resumed)
    run = RayRun(session, Launcher(load_game("cartpole"), config(), WITH_WATCHER))
    try:
        assert run.run(lambda: ends(run)) == "interrupted"
    finally:
        for name in run.actors:
            kill(run, name)
    return session


@pytest.mark.usefixtures("cluster")
def test_on_ray_it_is_measured_restarted_kept_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.process_meter.READ_SECONDS", 0.0)
    killed: list[int] = []

    def restarted(run: RayRun) -> bool:
        if duty_of(run).looks >= 3 and not killed:
            killed.append(duty_of(run).looks)
            kill(run, "step_watcher")
        return bool(killed and run.restarts.made and duty_of(run).looks >= 2)

    session = until(tmp_path, restarted)
    watcher = session.observer
    assert isinstance(watcher, Watcher)
    assert watcher.events == ["actor 'step_watcher' was lost and is started again"]
    cost = session.log.cost
    assert watcher.statuses[-1].memory["step_watcher"] > 2**20
    assert cost.added_cpu_seconds is not None
    assert list(cost.added_cpu_seconds) == ["step_watcher"], "the others are in their own columns"
    assert cost.added_cpu_seconds["step_watcher"] > 0

    first = load_checkpoint(tmp_path)
    kept = first.parts["step_watcher"]
    assert len(kept.arrays["held"]) >= 2
    assert kept.facts == {"attempt": 1}
    assert first.cost.added_cpu_seconds is not None

    went_on = until(tmp_path, lambda run: duty_of(run).looks > len(kept.arrays["held"]) + 1, first)
    again = load_checkpoint(tmp_path)
    held = again.parts["step_watcher"].arrays["held"]
    assert held[: len(kept.arrays["held"])].tolist() == kept.arrays["held"].tolist()
    assert len(held) > len(kept.arrays["held"]) + 1
    assert went_on.observer.events == []  # type: ignore[attr-defined]
    assert again.cost.added_cpu_seconds is not None
    assert again.cost.added_cpu_seconds["step_watcher"] > first.cost.added_cpu_seconds["step_watcher"]


def trained(folder: Path, resumed: Checkpoint | None, roles: Sequence[Role[Any]] | None) -> Checkpoint:
    """A training in this process, of as many updates more."""
    folder.mkdir(exist_ok=True)
    steps = 30 + (resumed.training_step if resumed else 0)
    own = config(training_steps=steps, results_path=str(folder / "results"))
    train(
        load_game("cartpole"),
        own,
        folder,
        local=True,
        address=None,
        resume_from=resumed,
        observer=Watcher(),
        roles=roles,
    )
    return load_checkpoint(folder)


def test_in_one_process_it_does_the_same_and_the_others_do_not_notice(tmp_path: Path) -> None:
    first = trained(tmp_path / "with", None, WITH_WATCHER)
    assert first.parts["step_watcher"].facts == {"attempt": 0}
    again = trained(tmp_path / "with", first, WITH_WATCHER)
    counts = [c.parts["step_watcher"].arrays["held"].tolist() for c in (first, again)]
    assert counts[1][: len(counts[0])] == counts[0]
    assert counts[1][-1] == len(again.parts["buffer"].arrays["observations"])
    assert len(counts[1]) > len(counts[0]) > 0

    plain = trained(tmp_path / "without", trained(tmp_path / "without", None, None), None)
    assert "step_watcher" not in plain.parts
    for name, array in plain.weights.items():
        np.testing.assert_array_equal(array, again.weights[name])
    np.testing.assert_array_equal(
        plain.parts["buffer"].arrays["observations"], again.parts["buffer"].arrays["observations"]
    )


def test_a_program_gives_it_to_its_training_and_goes_on_without_it(tmp_path: Path) -> None:
    options = SMALL | {"results_path": str(tmp_path), "training_steps": 10}
    outcome = MuZero("cartpole", options).train(local=True, roles=WITH_WATCHER)
    assert "step_watcher" in load_checkpoint(outcome.folder).parts
    MuZero.resume(outcome.folder, {"training_steps": 20}, local=True)
    assert "step_watcher" not in load_checkpoint(outcome.folder).parts


def test_processes_are_counted_with_it() -> None:
    assert processes_needed(config(), kinds_of(WITH_WATCHER)) > processes_needed(config())


@pytest.mark.parametrize("name", ["judge", "driver", "ray", "buffer"])
def test_names_that_files_could_not_tell_apart_are_refused(name: str, tmp_path: Path) -> None:
    kind = dataclasses.replace(STEP_WATCHER.kind, name=name)
    roles = (*ROLES, Role(kind, StepWatcherActor, StepWatcherDuty))
    with pytest.raises(ConfigurationError, match=rf"\Aactors cannot be called '{name}'[^\n]*\Z"):
        MuZero("cartpole", SMALL | {"results_path": str(tmp_path)}).train(local=True, roles=roles)
    assert list(tmp_path.iterdir()) == []


def test_a_row_and_a_class_that_do_not_belong_together_are_found_at_once() -> None:
    with pytest.raises(ValueError, match="its class is StepWatcherActor, not BufferActor"):
        Role(BUFFER.kind, StepWatcherActor, StepWatcherDuty)

    class Forgetful:
        pass

    kind = ActorKind("forgetful", "Forgetful", one, launched=7, saved=True)
    with pytest.raises(ValueError, match="has no state"):
        Role(kind, Forgetful, Duty)

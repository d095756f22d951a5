"""A run whose actors are killed, stopped or hang goes on, its counters never go back, and it is saved."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from data import Counters
from runs.cluster import start_ray
from runs.lost_games import LOST_GAMES
from runs.ray_run import RayRun
from runs.supervision import snapshots
from saving.checkpoint import load_checkpoint
from tests.helpers.breaking_games import FATAL_MOVE, RarelyHanging, breaking
from tests.helpers.toy_games import Watcher
from tests.runs.test_ray_run import RATIO, config, finish, started


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    start_ray(config(num_workers=3, num_reanalyse_workers=1), None)
    yield
    ray.shutdown()


def signalled(run: RayRun, name: str, number: int) -> None:
    """Sends a signal to an actor's process; nothing if it is starting yet."""
    place = run.launched[name].place
    assert place is not None
    if ray.wait([place.where], timeout=0)[0]:
        os.kill(ray.get(place.where).number, number)


class Killer:
    """Kills actors, alone or in pairs, each when the run has made some updates more; counters must grow."""

    def __init__(self, run: RayRun, actors: list[str], every: int = 20) -> None:
        self.run, self.actors, self.every = run, actors, every
        self.killed = 0
        self.before = Counters()
        self.next = every

    def __call__(self) -> bool:
        counters = self.run.session.log.counters
        for name in ("training_step", "played_steps", "played_games", "added_steps", "seconds"):
            assert getattr(counters, name) >= getattr(self.before, name), name
        self.before = counters
        idle = not self.run.busy("starts") and len(lost(self.run)) == self.killed
        if self.actors and idle and counters.training_step >= self.next:
            self.next = counters.training_step + self.every
            for name in self.actors.pop(0).split():
                self.killed += 1
                signalled(self.run, name, signal.SIGKILL)
        return False


def events(run: RayRun) -> list[str]:
    watcher = run.session.observer
    assert isinstance(watcher, Watcher)
    return watcher.events


def lost(run: RayRun) -> list[str]:
    """The actors that were started again, in order."""
    return [event.split("'")[1] for event in events(run) if "was lost and is started again" in event]


def test_every_kind_of_actor_may_be_killed_once_and_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_SECONDS", 0.5)
    killed = ["trainer", "buffer", "storage", "self_play_0", "reanalyse_0", "buffer", "trainer"]
    changes: dict[str, Any] = {"num_reanalyse_workers": 1, "reanalyse_batch": 32}
    with started(tmp_path, training_steps=300, **changes) as run:
        killer = Killer(run, list(killed))
        assert finish(run, killer) == "training_steps"
        assert not killer.actors
        assert lost(run) == killed
        counters = run.session.log.counters
    assert counters.training_step == 300
    assert counters.training_step / counters.added_steps == pytest.approx(RATIO, rel=0.25)
    saved = load_checkpoint(tmp_path)
    assert saved.parts["trainer"].facts["training_step"] == 300, "what was lost has been made again"
    assert saved.training_step == 300


def test_actors_may_be_killed_in_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_SECONDS", 0.5)
    pairs = ["storage self_play_0", "trainer buffer", "buffer self_play_0", "trainer storage"]
    with started(tmp_path, training_steps=200) as run:
        killer = Killer(run, list(pairs))
        assert finish(run, killer) == "training_steps"
        assert not killer.actors
        assert sorted(lost(run)) == sorted(" ".join(pairs).split())
    assert load_checkpoint(tmp_path).parts["trainer"].facts["training_step"] == 200


def test_a_trainer_without_a_snapshot_begins_with_the_newest_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(tmp_path, training_steps=40) as run:
        finish(run)
    monkeypatch.setattr(snapshots, "SHARE", 1 << 40)  # no room for any
    with started(tmp_path, resume=True, training_steps=80) as run:
        assert finish(run, Killer(run, ["trainer"], every=60)) == "training_steps"
        assert lost(run) == ["trainer"]
        assert any("from the newest checkpoint" in event for event in events(run))
    assert load_checkpoint(tmp_path).parts["trainer"].facts["training_step"] == 80


def test_a_player_that_hangs_in_its_game_is_replaced_and_the_game_is_named(tmp_path: Path) -> None:
    game = breaking(RarelyHanging)
    changes: dict[str, Any] = {"num_workers": 2, "max_moves": 25, "call_deadline": 8.0}
    with started(tmp_path, game, training_steps=100_000, checkpoint_interval=1.0, **changes) as run:
        counters: list[Counters] = []

        def replaced_and_goes_on() -> bool:
            now = run.session.log.counters
            if lost(run):
                counters.append(now)
            return bool(counters) and now.training_step > counters[0].training_step + 20

        assert finish(run, replaced_and_goes_on) == "interrupted"
        first = next(event for event in events(run) if event.startswith("actor "))
    assert re.fullmatch(
        r"actor 'self_play_[01]' was lost and is started again: no answer for \d+ s \(call_deadline\)", first
    )
    line = json.loads((tmp_path / LOST_GAMES).read_text().splitlines()[0])
    assert line["seed"] % RarelyHanging.every == 0
    assert (line["moves"], line["fatal"], line["actor"]) == (FATAL_MOVE, True, first.split("'")[1])
    assert re.search(r"move 2: its process gave no answer for \d+ s and was ended while", line["reason"])
    saved = load_checkpoint(tmp_path)
    assert saved.training_step > counters[0].training_step
    assert (saved.counters.restarts, saved.counters.lost_games) == (len(lost(run)), len(lost(run)))


@pytest.mark.parametrize("name", ["self_play_0", "trainer", "buffer"])
def test_a_run_is_saved_without_what_does_not_answer(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_SECONDS", 0.5)
    monkeypatch.setattr("runs.supervision.deadlines.ENDING_SECONDS", 3.0)
    with started(tmp_path, training_steps=100_000) as run:

        def stopped() -> bool:
            if run.session.log.counters.training_step < 30 or run.snapshots.of("buffer") is None:
                return False
            signalled(run, name, signal.SIGSTOP)
            return True

        assert finish(run, stopped) == "interrupted"
        assert lost(run) == [], "nobody is started for a run that ends"
    saved = load_checkpoint(tmp_path)
    assert saved.training_step >= 30
    assert {"trainer", "buffer"} <= saved.parts.keys()
    assert ("self_play_0" in saved.parts) == (name != "self_play_0")


def test_a_stopped_worker_behind_the_buffer_is_blamed_and_the_buffer_is_not(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"num_reanalyse_workers": 1, "reanalyse_batch": 32, "call_deadline": 8.0}
    with started(tmp_path, training_steps=100_000, **changes) as run:
        at: list[int] = []

        def stop() -> bool:
            counters = run.session.log.counters
            if counters.reanalysed_steps > 0 and not at:
                signalled(run, "reanalyse_0", signal.SIGSTOP)
                at.append(counters.training_step)
            return bool(lost(run)) and counters.training_step > at[0] + 20

        assert finish(run, stop) == "interrupted"
        assert set(lost(run)) == {"reanalyse_0"}

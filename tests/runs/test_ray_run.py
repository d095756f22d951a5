"""Training on Ray with the real actors: it ends, goes on, survives lost actors and says what is wrong.

One Ray is shared by the tests in this process; the command line starts its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import ray

from arena.registry import Registry
from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.spec import GameSpec
from playing.environment import GameError
from runs.actors.storage import STORAGE
from runs.actors.table import ROLES
from runs.cluster import Launcher, start_ray
from runs.driver import Role
from runs.handles import RemoteHandle
from runs.lost_games import LOST_GAMES
from runs.ray_run import RayRun
from runs.session import Reason, Session
from runs.status import RunStatus
from saving.checkpoint import load_checkpoint
from saving.run_folder import BEST_NAME
from shared_storage import SharedStorage
from tests.helpers.breaking_games import FATAL_MOVE, AlwaysExiting, Breaking, RarelyExiting, breaking
from tests.helpers.small_runs import SMALL
from tests.helpers.toy_games import Watcher, toy_game

TIMEOUT = 180.0
"""Seconds after which a run is taken to hang; much longer than any takes."""
RATIO = 0.1


def config(game: str | GameSpec = "cartpole", **changes: Any) -> MuZeroConfig:
    small = SMALL | {"ratio": RATIO, "num_reanalyse_workers": 0, "object_store_mb": 80}
    return spec_of(game).config.replace(**small | changes)


def spec_of(game: str | GameSpec) -> GameSpec:
    """The game that is meant."""
    return toy_game(game) if isinstance(game, str) else game


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    start_ray(config(num_workers=3, num_reanalyse_workers=1), None)
    yield
    ray.shutdown()


@contextmanager
def started(
    folder: Path,
    game: str | GameSpec = "cartpole",
    resume: bool = False,
    roles: Sequence[Role[Any]] = ROLES,
    **changes: Any,
) -> Iterator[RayRun]:
    """A run whose actors are ended with it, whatever happens."""
    folder.mkdir(exist_ok=True)
    own = config(game, **changes)
    session = Session(spec_of(game), own, folder, Watcher(), load_checkpoint(folder) if resume else None)
    run = RayRun(session, Launcher(spec_of(game), own, roles))
    try:
        yield run
    finally:
        for name in run.actors:
            kill_actor(run, name)


def kill_actor(run: RayRun, name: str) -> None:
    """Ends the process of an actor."""
    handle = run.actors[name]
    assert isinstance(handle, RemoteHandle)
    ray.kill(handle.actor)


def finish(run: RayRun, interrupted: Callable[[], bool] = lambda: False) -> Reason:
    """Runs to the end, which has to come."""
    deadline = time.monotonic() + TIMEOUT

    def watched() -> bool:
        assert time.monotonic() < deadline, f"no end in sight: {run.session.log.counters}"
        return interrupted()

    return run.run(watched)


def assert_trained(statuses: list[RunStatus], updates: int) -> None:
    """The last status knows every part of a run of so many updates that has played, learned and evaluated."""
    last = statuses[-1]
    counters = last.counters
    assert counters.training_step == updates
    assert last.metrics is not None
    assert last.metrics.training_step == updates
    assert counters.reanalysed_steps > 0
    assert counters.simulations == counters.played_steps * SMALL["num_simulations"]
    assert last.buffer.steps > 1000
    assert last.play is not None
    assert last.play.version > 0, "newer weights have reached self-play"
    assert {"driver", "self_play", "trainer", "buffer", "evaluator", "storage"} <= set(last.memory)


def assert_measured(last: RunStatus) -> None:
    """The cost is that of what was done, and no more processor time than there was."""
    cost, counters = last.cost, last.counters
    assert cost.cpu_seconds is not None
    seconds = dataclasses.asdict(cost.cpu_seconds)
    assert min(seconds.values()) > 0, "every kind of process has been measured"
    assert seconds["driver"] < cost.seconds * 1.1
    assert cost.cpu_seconds.total < cost.seconds * (os.cpu_count() or 1) * 1.1
    assert cost.peak_memory is not None
    assert cost.peak_memory >= sum(last.memory.values())
    done = (0.0, counters.training_step, counters.played_steps)
    assert (cost.gpu_seconds, cost.updates, cost.played_steps) == done
    networks = cost.network_evaluations
    assert networks is not None
    assert cost.evaluation_steps is not None
    assert networks.self_play == counters.played_steps * (1 + SMALL["num_simulations"])
    assert networks.reanalysis == counters.reanalysed_steps * (1 + SMALL["num_simulations"])
    assert networks.evaluation == cost.evaluation_steps * (1 + SMALL["evaluation_simulations"]) > 0


def assert_saved(folder: Path, statuses: list[RunStatus]) -> None:
    """The newest checkpoint is of the last status, the best one of the best evaluation."""
    checkpoint = load_checkpoint(folder)
    assert checkpoint.training_step == statuses[-1].counters.training_step
    assert checkpoint.cost.network_evaluations == statuses[-1].cost.network_evaluations
    assert {"trainer", "buffer", "self_play_0", "judge"} == set(checkpoint.parts)
    best = load_checkpoint(folder / BEST_NAME)
    assert best.evaluation == max(s.evaluation.mean for s in statuses if s.evaluation is not None)


def assert_gone_on(run: RayRun, last: RunStatus) -> None:
    """The resumed `run` has done more than `last` says of the run before, and counts all of it."""
    log = run.session.log
    assert log.counters.training_step > last.counters.training_step
    assert log.counters.played_steps > last.counters.played_steps
    assert log.counters.seconds > last.counters.seconds
    assert log.cost.cpu_seconds is not None
    assert last.cost.cpu_seconds is not None
    assert log.cost.cpu_seconds.self_play > last.cost.cpu_seconds.self_play
    assert log.cost.cpu_seconds.driver > last.cost.cpu_seconds.driver
    assert log.buffer.steps >= last.buffer.steps


def test_a_run_trains_keeps_the_ratio_and_goes_on_even_when_its_trainer_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the last status shows the actors however short the run is
    monkeypatch.setattr("runs.process_meter.READ_SECONDS", 0.0)
    ratios = []
    changes: dict[str, Any] = {"evaluation_interval": 0.5, "num_reanalyse_workers": 1, "reanalyse_batch": 64}
    with started(tmp_path, training_steps=220, **changes) as run:

        def watch() -> bool:
            counters = run.session.log.counters
            if counters.added_steps >= 2000:
                ratios.append(counters.training_step / counters.added_steps / RATIO)
            return False

        assert finish(run, watch) == "training_steps"
        statuses = run.session.observer.statuses  # type: ignore[attr-defined]
        counters = run.value(run.only(STORAGE).call(SharedStorage.counters))
        assert counters.played_steps > 0
    assert ratios
    assert max(abs(ratio - 1) for ratio in ratios) <= 0.1
    assert_trained(statuses, 220)
    assert_measured(statuses[-1])
    assert_saved(tmp_path, statuses)

    with started(tmp_path, resume=True, training_steps=280) as run:
        counters, played = run.session.log.counters, statuses[-1].counters.played_steps
        assert (counters.training_step, counters.played_steps) == (220, played)

        killed: list[int] = []

        def kill() -> bool:
            # the trainer may be ahead by what the ratio still owed it: players are waited for as well
            now = run.session.log.counters
            if now.training_step >= 230 and now.played_steps > played and not killed:
                killed.append(now.training_step)
                kill_actor(run, "trainer")
            return False

        assert finish(run, kill) == "training_steps"
        assert run.session.log.counters.training_step == 280 > killed[0]
        assert any("actor 'trainer' was lost" in event for event in run.session.observer.events)  # type: ignore[attr-defined]
        assert_gone_on(run, statuses[-1])


def test_a_game_is_filmed_beside_the_training(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"evaluation_interval": 0.1, "video_interval": 1, "max_moves": 10}
    with started(tmp_path, training_steps=1_000_000, **changes) as run:
        log = run.session.log
        updates: list[int] = []

        def filmed() -> bool:
            if log.video is not None and not updates:
                updates.append(log.counters.training_step)
            return bool(updates) and log.counters.training_step > updates[0]

        assert finish(run, filmed) == "interrupted"
        assert log.video is not None
        assert log.video.gif.startswith(b"GIF89a")


def test_lost_players_are_started_again(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "num_workers": 2,
        "num_reanalyse_workers": 1,
        "reanalyse_batch": 32,
        "evaluation_interval": 0.5,
    }
    with started(tmp_path, training_steps=120, **changes) as run:
        log, killed = run.session.log, []

        def kill() -> bool:
            due = {20: "self_play_0", 40: "evaluator", 60: "reanalyse_0"}
            for step, actor in due.items():
                if log.counters.training_step >= step and step not in killed:
                    killed.append(step)
                    kill_actor(run, actor)
            if log.counters.training_step >= 80 and 80 not in killed:
                killed.append(80)
                os.kill(process_of("SelfPlayActor"), signal.SIGKILL)
            return False

        assert finish(run, kill) == "training_steps"
        assert killed == [20, 40, 60, 80]
        events = run.session.observer.events  # type: ignore[attr-defined]
    assert "actor 'self_play_0' was lost and is started again" in events
    assert len(events) in (3, 4)  # an actor that was not asked again is not missed
    assert load_checkpoint(tmp_path).training_step == 120


def process_of(kind: str) -> int:
    """The number of a process of an actor of this class."""
    for process in psutil.Process().children(recursive=True):
        if process.name().startswith("ray::") and kind in " ".join(process.cmdline()):
            return int(process.pid)
    raise AssertionError(f"no process of {kind}")


@pytest.mark.parametrize("fault", ["nan_reward", "first_shape"])
def test_a_broken_game_ends_the_run_with_its_line(tmp_path: Path, fault: str) -> None:
    with (
        started(tmp_path, fault) as run,
        pytest.raises(
            ConfigurationError,
            match=rf"\Aactor 'self_play_0': game '{fault}', move \d: [^\n]+; expected [^\n]+\Z",
        ),
    ):
        finish(run)


def test_a_game_that_raises_late_loses_nothing(tmp_path: Path) -> None:
    with (
        started(tmp_path, "fragile", training_steps=100_000, num_workers=2) as run,
        pytest.raises(
            ConfigurationError,
            match=rf"\Aactor 'self_play_\d': game 'fragile', move \d+: step\(\d\) raised ZeroDivisionError: "
            rf"a bug of late \([^\n]+toy_games.py, line \d+\); what was learned is kept: [^\n]+{tmp_path}",
        ),
    ):
        finish(run)
    saved = load_checkpoint(tmp_path)
    assert saved.training_step > 10
    assert {"trainer", "buffer"} <= saved.parts.keys()


def test_long_games_and_interruption(tmp_path: Path) -> None:
    """Learning starts before anything has been sent on; what is interrupted is saved."""
    with started(tmp_path, "walk", learning_starts=8, max_moves=40, training_steps=10_000) as run:
        assert finish(run, lambda: run.session.log.counters.training_step > 0) == "interrupted"
        training_step = run.session.log.counters.training_step
    checkpoint = load_checkpoint(tmp_path)
    assert 0 < checkpoint.training_step == training_step < 10_000
    assert all(np.isfinite(array).all() for array in checkpoint.weights.values())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_trains_on_ray_until_it_is_told_to_end(sent: signal.Signals, tmp_path: Path) -> None:
    values = {n: json.dumps(v).replace('"', "") for n, v in SMALL.items() if v is not None}
    options = [f"--{name.replace('_', '-').lower()}={value}" for name, value in values.items()]
    line = ["cartpole", *options, "--target-reward=none", f"--results-path={tmp_path}"]
    line += ["--evaluation-interval=0.1", "--training-steps=1000000", "--log-interval=0.1"]
    endless = [sys.executable, "muzero.py", *line]
    with subprocess.Popen(endless, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        while "updates/s" not in (text := process.stdout.readline()) or "step 0/" in text or "best -" in text:
            assert process.poll() is None
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent)
        last_lines = process.stdout.read()
    assert process.returncode == 130
    folder = max((tmp_path / "cartpole").iterdir())
    (version,) = Registry(tmp_path, "cartpole").versions()
    assert version.source == str(folder / BEST_NAME)
    assert version.cost.cpu_seconds is not None
    assert version.cost.cpu_seconds.total > 0  # as it was measured last, some seconds before
    assert "registered as v0001; to use it: python muzero.py play cartpole --checkpoint v0001" in last_lines
    assert load_checkpoint(folder).training_step > 0
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


NETWORK = """
from torch import nn
from torch.nn import functional
from models import MuZeroNetwork, mlp
from muzero import MuZeroConfig, NetworkKind

class Small(NetworkKind[MuZeroConfig]):
    title = "small"
    def make(self, config):
        return SmallNetwork(config)
    def latent_shape(self, config):
        return (6,)

class SmallNetwork(MuZeroNetwork):
    def __init__(self, config):
        see = nn.Sequential(nn.Flatten(), nn.Linear(4, 6))
        super().__init__(config, see, nn.GRUCell(2, 6), lambda _, outputs: mlp([6, outputs]))
    def transition(self, latent, actions):
        return self.dynamics(functional.one_hot(actions.long(), 2).to(latent.dtype), latent)
"""


def test_actors_find_a_network_that_lies_beside_a_game(tmp_path: Path) -> None:
    (tmp_path / "small_network.py").write_text(NETWORK)
    own = {"network": "small_network:Small", "target_reward": None, "evaluation_interval": 0.0}
    fields = "".join(f"    {name} = {value!r}\n" for name, value in (SMALL | own).items())
    source = "from games.cartpole import Game, MuZeroConfig as Own\n\nclass MuZeroConfig(Own):\n"
    (tmp_path / "pole.py").write_text(source + fields)
    command = [sys.executable, "muzero.py", str(tmp_path / "pole.py"), f"--results-path={tmp_path / 'runs'}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert ran.returncode == 0, ran.stderr
    (folder,) = (tmp_path / "runs" / "pole").iterdir()
    assert load_checkpoint(folder).training_step == SMALL["training_steps"]
    assert "dynamics.weight_ih" in load_checkpoint(folder).weights


@pytest.mark.parametrize("how", ["raises", "exits"])
def test_a_run_goes_on_without_the_games_that_break(tmp_path: Path, how: str) -> None:
    game = breaking({"raises": Breaking, "exits": RarelyExiting}[how])
    with started(tmp_path, game=game, training_steps=100_000, num_workers=2, max_moves=25) as run:
        log = run.session.log

        def broken() -> bool:
            return log.counters.lost_games >= 2 and log.counters.training_step >= 30

        assert finish(run, broken) == "interrupted"
    found = [json.loads(line) for line in (tmp_path / LOST_GAMES).read_text().splitlines()]
    assert len(found) == load_checkpoint(tmp_path).counters.lost_games >= 2
    assert len({line["seed"] for line in found}) == len(found), "none of them was played again"
    for line in found:
        assert line["seed"] % game.game_class.every == 0  # type: ignore[attr-defined]
        assert (line["moves"], line["fatal"]) == (FATAL_MOVE, how == "exits")
        assert line["actor"] in ("self_play_0", "self_play_1")
        expected = {"raises": "raised ZeroDivisionError: by this seed", "exits": "process was lost (Actor"}
        assert expected[how] in line["reason"]


def test_a_game_that_always_ends_its_process_is_named(tmp_path: Path) -> None:
    with started(tmp_path, game=breaking(AlwaysExiting), training_steps=100_000, max_moves=25) as run:
        assert finish(run) == "lost_games"
        with pytest.raises(
            GameError, match=r"\A10 games took their process along[^\n]*game 'breaking', move 2"
        ):
            run.session.outcome("lost_games")

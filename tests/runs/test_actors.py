"""The actors' shells, without Ray: everybody who lists actors agrees with the table, and starting builds."""

from __future__ import annotations

import ast
import inspect
import os
import pickle
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import ray

from config import MuZeroConfig
from core.actor_kinds import ACTOR_KINDS, PROCESS_KINDS, REANALYSE, SELF_PLAY, TRAINER, ActorKind, members
from core.cost import NOTHING, CpuSeconds
from data import Batch, GameHistory, Snapshot
from games.api.objects import recipe_of
from games.api.sources import load_game
from runs import actors
from runs.actors import buffer, evaluator, reanalyse, self_play, storage, trainer
from runs.actors.buffer import BufferActor
from runs.actors.evaluator import EvaluatorActor
from runs.actors.reanalyse import ReanalyseActor
from runs.actors.self_play import SelfPlayActor
from runs.actors.shell import NotStartedError, Setup, Shell
from runs.actors.table import ROLES
from runs.actors.trainer import TrainerActor
from runs.cluster import start_ray
from runs.local_run import LocalRun
from runs.process_meter import process_kind
from runs.reports.scalars import status_scalars
from runs.reports.tensorboard_log import LAYOUT
from runs.session import Session
from saving.checkpoint import load_checkpoint
from tests.helpers.small_runs import SMALL
from tests.helpers.statuses import make_status
from tests.helpers.toy_games import Watcher


@pytest.mark.parametrize("kind", ACTOR_KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_class_after_which_its_process_is_named(kind: ActorKind) -> None:
    (shell,) = [role.shell for role in ROLES if role.kind is kind]
    assert shell.__name__ == kind.actor
    assert process_kind([f"ray::{kind.actor}.anything"]) == kind.name
    if kind.saved:
        assert callable(shell.state)


def made_of(kind: type[Any]) -> Iterator[type[Any]]:
    """The classes of that kind of which there are actors."""
    for shell in kind.__subclasses__():
        if not inspect.isabstract(shell):
            yield shell
        yield from made_of(shell)


def test_every_shell_is_in_the_table() -> None:
    own = f"{actors.__name__}."
    shells = {shell.__name__ for shell in made_of(Shell) if shell.__module__.startswith(own)}
    assert len(shells) == 5
    assert shells <= {kind.actor for kind in ACTOR_KINDS}
    assert tuple(role.kind for role in ROLES) == ACTOR_KINDS


def test_metrics_are_by_kind() -> None:
    memory = dict.fromkeys(PROCESS_KINDS, 2**20)
    cost = NOTHING.plus(NOTHING.__class__(1.0, CpuSeconds(**dict.fromkeys(PROCESS_KINDS, 1.0))))
    scalars = status_scalars(make_status(memory=memory, cost=cost))
    assert {f"memory/{kind}_mib" for kind in PROCESS_KINDS} <= set(scalars)
    assert {f"cost/cpu_seconds/{kind}" for kind in PROCESS_KINDS} <= set(scalars)
    work = {
        f"throughput/{k.name}_{what}_per_second"
        for k, what in zip((TRAINER, SELF_PLAY, REANALYSE), ("updates", "steps", "steps"), strict=True)
    }
    assert work == set(LAYOUT["Throughput"]["updates and steps"])
    assert work <= set(scalars)


def test_a_run_without_ray_keeps_the_same_parts(tmp_path: Path) -> None:
    config = load_game("cartpole").config.replace(**SMALL | {"num_workers": 2, "num_reanalyse_workers": 1})
    run = LocalRun(
        Session(load_game("cartpole"), config, tmp_path, Watcher(), None, this_machine=False), "cpu"
    )
    saved = {member.name for member in members(config) if member.kind.saved}
    run.save()
    parts = set(load_checkpoint(tmp_path).parts) - {"judge"}
    assert parts == saved == {"trainer", "buffer", "self_play_0", "self_play_1"}


def test_a_run_short_of_memory_makes_its_buffer_smaller_and_says_so(tmp_path: Path) -> None:
    config = load_game("cartpole").config.replace(**SMALL | {"num_workers": 1, "learning_starts": 8})
    watcher = Watcher()
    session = Session(load_game("cartpole"), config, tmp_path, watcher, None, this_machine=False)
    run = LocalRun(session, "cpu")
    while session.log.buffer.steps < 200:
        run.issue()
    held, session.memory.shrink_now = session.log.buffer, True
    run.issue()
    assert not session.memory.shrink_now
    assert session.log.buffer.capacity_bytes <= held.bytes / 2
    (line,) = [line for line in watcher.events if "memory is scarce" in line]
    assert f"keeps the newest {session.log.buffer.steps} steps" in line
    run.issue()
    assert session.log.counters.added_steps == session.log.buffer.added
    run.save()
    assert len(load_checkpoint(tmp_path).parts["buffer"].arrays["actions"]) <= held.steps


def test_constructors_take_nothing_that_could_fail() -> None:
    for shell in made_of(Shell):
        assert not inspect.signature(shell).parameters


def test_what_has_not_been_started_says_so() -> None:
    evaluator = EvaluatorActor()
    with pytest.raises(NotStartedError, match="EvaluatorActor") as raised:
        evaluator.play()
    assert isinstance(pickle.loads(pickle.dumps(raised.value)), NotStartedError)


def test_starting_goes_on_from_a_state() -> None:
    config = load_game("cartpole").config.replace(**SMALL | {"batch_size": 8})
    first, second = TrainerActor(), TrainerActor()
    first.start(Setup(recipe_of(load_game("cartpole")), config, "cpu"))
    state = first.state()
    changed = {
        name: array + 1 if name.startswith("weights/") else array for name, array in state.arrays.items()
    }
    second.start(Setup(recipe_of(load_game("cartpole")), config, "cpu", state=Snapshot(changed, state.facts)))
    for name, array in first.published()[1].items():
        np.testing.assert_array_equal(second.published()[1][name], array + 1)


def test_there_may_be_nothing_to_reanalyse() -> None:
    config = MuZeroConfig(observation_shape=(1, 1, 4), action_space=(0, 1), replay_buffer_mb=1)
    reanalyse, buffer = ReanalyseActor(), BufferActor()
    reanalyse.start(Setup(recipe_of(load_game("cartpole")), config, "cpu"))
    buffer.start(Setup(recipe_of(load_game("cartpole")), config, "cpu"))
    assert reanalyse.refresh_any(buffer.reanalyse_request(8)) is None
    assert buffer.reanalyse_update_any(None) == 0


@pytest.mark.parametrize("home", [True, False])
def test_with_and_without_a_home_ray_gets_a_token_of_its_own(
    home: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ray, "init", lambda **options: None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        os.environ.pop(name, None)
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(tmp_path if home else "/dev/null/home"))
    start_ray(load_game("cartpole").config, None)
    assert len(os.environ.get("RAY_AUTH_TOKEN", "")) == 64


def calls_in(module: ModuleType) -> list[str]:
    """The methods that a module asks of actors, in their order, as the code names them."""
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    asked = [
        ast.unparse(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("call", "call_pair")
    ]
    return [name for name in asked if re.fullmatch(r"[A-Z]\w+\.\w+", name)]  # others are the driver's


def test_a_game_can_be_followed_from_the_player_to_the_update_by_the_names_of_methods() -> None:
    """What one method returns is what the next one takes, and the duties say which is the next."""
    played = typing.get_args(typing.get_type_hints(SelfPlayActor.play)["return"])[1]
    assert typing.get_type_hints(BufferActor.add)["histories"] == played == list[GameHistory]
    drawn = typing.get_type_hints(BufferActor.sample)["return"]
    assert typing.get_type_hints(TrainerActor.train)["batches"] == drawn == list[Batch]
    assert {"SelfPlayActor.play", "BufferActor.add"} == set(calls_in(self_play))
    assert {"BufferActor.sample", "TrainerActor.train", "BufferActor.update_priorities"} <= set(
        calls_in(trainer)
    )


@pytest.mark.parametrize("module", [self_play, trainer, reanalyse, evaluator, buffer, storage])
def test_duties_name_methods_that_are_there(module: ModuleType) -> None:
    for name in calls_in(module):
        shell, method = name.split(".")
        assert callable(vars(vars(module)[shell])[method]), name

"""A run on actors whose calls have their results as soon as they are made, without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray import exceptions

from config import MuZeroConfig
from core.actor_kinds import Member
from games.api.sources import load_game
from runs import calls, ray_run
from runs.actors.table import ROLES
from runs.cluster import Launched
from runs.handles import Pending, RemoteHandle
from runs.ray_run import RayRun
from runs.session import Session
from tests.helpers.toy_games import Watcher


class FakeRay:
    """Calls have their results, or errors, as soon as they are made."""

    exceptions = exceptions

    def wait(
        self, refs: list[Any], num_returns: int = 1, timeout: float | None = None, fetch_local: bool = True
    ) -> tuple[Any, Any]:
        return refs, []

    def get(self, ref: FakeRef, timeout: float | None = None) -> Any:
        if isinstance(ref.result, Exception):
            raise ref.result
        return ref.result


class FakeRef:
    def __init__(self, result: Any) -> None:
        self.result = result


class FakeActor:
    """Whatever it is asked, it answers with None."""

    def __getattr__(self, method: str) -> FakeActor:
        return self

    def options(self, num_returns: int) -> FakeActor:
        return FakePair()

    def remote(self, *arguments: Any) -> Any:
        return FakeRef(None)


class FakePair(FakeActor):
    def remote(self, *arguments: Any) -> Any:
        return FakeRef(0), FakeRef(None)


class FakeLauncher:
    player_device = "cpu"
    roles = ROLES

    def __init__(self) -> None:
        self.launched: list[str] = []
        self.ended = 0

    def end(self, *_: Any) -> None:
        self.ended += 1

    def lack(self) -> str:
        return ""

    def launch(self, member: Member, *_: Any) -> Launched:
        self.launched.append(member.name)
        return Launched(RemoteHandle(FakeActor()), Pending(FakeRef(None)))


def fake_run(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> RayRun:
    """A run of cartpole of whose calls none is in flight."""
    for module in (ray_run, calls):
        monkeypatch.setattr(module, "ray", FakeRay())
    config = MuZeroConfig(num_workers=1, num_reanalyse_workers=1).replace(**changes)
    session = Session(load_game("cartpole"), config, folder, Watcher(), None, this_machine=False)
    started = RayRun(session, FakeLauncher())  # type: ignore[arg-type]
    started.calls.clear()
    started.launcher.launched.clear()  # type: ignore[attr-defined]
    return started

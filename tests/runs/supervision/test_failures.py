"""A failed call of an actor: what becomes of the run, what the terminal and the log file are told.

Ray is replaced by one whose calls have their results at once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from ray import exceptions

from config import MuZeroConfig
from core.actor_kinds import members
from core.errors import ConfigurationError
from playing.environment import GameError
from runs import facade
from runs.actors.shell import NotStartedError
from runs.driver import Input
from runs.handles import Pending
from runs.ray_run import RayRun
from runs.supervision.failures import (
    MAX_RESTARTS,
    Failure,
    Restarts,
    RunError,
    cause_of,
    described,
    evidence_of,
    failure_of,
    reason_of,
)
from tests.helpers.fake_ray import FakeRef, fake_run
from tests.helpers.toy_games import Watcher

TRACEBACK = 'Traceback (most recent call last):\n  File "games/mine.py", line 3, in step\nKeyError: 7'


def raised(cause: Exception, traceback: str = TRACEBACK) -> Exception:
    """What `ray.get` raises when an actor's code has raised `cause`."""
    error = exceptions.RayTaskError("play", traceback, cause, proctitle="ray::Some.play", pid=1, ip="here")
    return error.as_instanceof_cause()  # type: ignore[no-any-return]


LOST_PROCESSES: list[Exception] = [
    exceptions.RayActorError(),
    exceptions.ActorDiedError(),
    exceptions.ActorUnavailableError("no answer", None),
    exceptions.WorkerCrashedError(),
    exceptions.OutOfMemoryError("the node ran low on memory"),
    exceptions.NodeDiedError("the node is gone"),
    exceptions.LocalRayletDiedError(),
]
LOST_DATA: list[Exception] = [
    exceptions.ObjectLostError("ab", None, ""),
    exceptions.ObjectFetchTimedOutError("ab", None, ""),
    exceptions.ReferenceCountingAssertionError("ab", None, ""),
    exceptions.ObjectFreedError("ab", None, ""),
    exceptions.OwnerDiedError("ab", None, ""),
    exceptions.ObjectReconstructionFailedError("ab"),
    exceptions.GetTimeoutError("too late"),
    exceptions.PlasmaObjectNotAvailable("not there"),
]
NO_REMEDY: list[Exception] = [
    exceptions.ObjectStoreFullError("full"),
    exceptions.OutOfDiskError("full"),
    exceptions.RuntimeEnvSetupError("no such package"),
    exceptions.ActorUnschedulableError("no such node"),
    exceptions.TaskUnschedulableError("no such node"),
    exceptions.TaskCancelledError(),
    exceptions.RaySystemError("cannot be read"),
    exceptions.UnserializableException(TRACEBACK),
    exceptions.ActorDiedError(exceptions.RayTaskError("__init__", TRACEBACK, ImportError("numba"))),
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RayRun:
    """A run of whose calls none is in flight."""
    return fake_run(tmp_path, monkeypatch)


def fail(run: RayRun, actor: str, error: Exception, **call: Any) -> Watcher:
    """Has a call of `actor` fail with `error`; what the run's observer was told."""
    run.call(actor, Pending(FakeRef(error)), lambda _: pytest.fail("it has no result"), **call)
    run.wait(0.0)
    return run.session.observer  # type: ignore[return-value]


def named(errors: list[Exception]) -> dict[str, Any]:
    return {"argvalues": errors, "ids": [type(error).__name__ for error in errors]}


@pytest.mark.parametrize("error", **named(LOST_PROCESSES + LOST_DATA))
@pytest.mark.parametrize("actor", ["self_play_0", "reanalyse_0", "evaluator"])
def test_lost_players_are_started_again_with_rays_reason_in_the_log(
    run: RayRun, actor: str, error: Exception
) -> None:
    told = fail(run, actor, error)
    assert run.launcher.launched == [actor]  # type: ignore[attr-defined]
    why = f": {reason_of(error)}" if reason_of(error) else ""
    assert told.events == [f"actor {actor!r} was lost and is started again{why}"]
    assert told.evidences == [f"actor {actor!r}: {type(error).__name__}: {error}"]


@pytest.mark.parametrize("error", **named(LOST_PROCESSES + LOST_DATA))
@pytest.mark.parametrize("actor", ["trainer", "buffer", "storage"])
def test_so_are_the_others(run: RayRun, actor: str, error: Exception) -> None:
    told = fail(run, actor, error)
    whence = "" if actor == "storage" else " from nothing"
    why = f": {reason_of(error)}" if reason_of(error) else ""
    assert told.events == [f"actor {actor!r} was lost and is started again{whence}{why}"]
    assert told.evidences == [f"actor {actor!r}: {type(error).__name__}: {error}"]
    assert run.launcher.launched == [actor]  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", **named(LOST_PROCESSES + LOST_DATA))
def test_without_an_actor_that_nothing_replaces_the_run_ends(run: RayRun, error: Exception) -> None:
    kind = dataclasses.replace(run.members["trainer"].kind, restored=False)
    run.members["trainer"] = run.members["trainer"]._replace(kind=kind)
    died = "the process of actor 'trainer' died"
    what = died if error in LOST_PROCESSES else "data of actor 'trainer' was lost"
    why = f" ({reason_of(error)})" if reason_of(error) else ""
    with pytest.raises(RunError) as ended:
        fail(run, "trainer", error)
    assert str(ended.value) == (
        f"{what}{why}; 'python muzero.py resume {run.session.folder}' goes on from the newest checkpoint"
    )
    assert run.session.observer.evidences == [f"actor 'trainer': {type(error).__name__}: {error}"]  # type: ignore[attr-defined]
    assert run.launcher.launched == []  # type: ignore[attr-defined]


def test_a_run_whose_actors_are_lost_again_and_again_ends(run: RayRun) -> None:
    for _ in range(MAX_RESTARTS):
        fail(run, "self_play_0", exceptions.ActorDiedError())
    with pytest.raises(RunError, match=r"\Athe process of actor 'self_play_0' died"):
        fail(run, "self_play_0", exceptions.ActorDiedError())


@pytest.mark.parametrize("error", **named(NO_REMEDY))
def test_what_starting_again_does_not_mend_ends_the_run(run: RayRun, error: Exception) -> None:
    with pytest.raises(RunError) as ended:
        fail(run, "self_play_0", error)
    line, log = str(ended.value), run.session.folder / "log.txt"
    assert line == f"actor 'self_play_0': {described(error)} (its traceback is in {log})"
    assert "\n" not in line
    assert run.session.observer.evidences  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "error", [ConfigurationError("lr_init is too high"), GameError("game 'mine', move 3")]
)
def test_what_an_actor_refuses_is_said_in_its_words(run: RayRun, error: Exception) -> None:
    with pytest.raises(RunError, match=rf"\Aactor 'trainer': {error}\Z"):
        fail(run, "trainer", raised(error))
    (evidence,) = run.session.observer.evidences  # type: ignore[attr-defined]
    assert evidence.startswith(f"actor 'trainer': RayTaskError({type(error).__name__}): ray::Some.play()")
    assert 'File "games/mine.py", line 3, in step' in evidence


def test_a_mistake_in_an_actor_is_one_line_and_its_traceback_is_in_the_log(run: RayRun) -> None:
    log = run.session.folder / "log.txt"
    with pytest.raises(RunError) as ended:
        fail(run, "self_play_0", raised(KeyError(7)))
    assert str(ended.value) == f"actor 'self_play_0': KeyError: 7 (its traceback is in {log})"
    (evidence,) = run.session.observer.evidences  # type: ignore[attr-defined]
    assert evidence.endswith('File "games/mine.py", line 3, in step\nKeyError: 7')
    assert "\x1b" not in evidence


def test_evidence_goes_into_the_runs_log_and_not_onto_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with facade._held(tmp_path) as log:
        observer = facade._observer("title", MuZeroConfig(), tmp_path, log, None)
        observer.evidence(TRACEBACK)
        observer.close()
    assert (tmp_path / "log.txt").read_text() == TRACEBACK + "\n"
    assert capsys.readouterr().out == ""


def test_the_first_actor_that_failed_is_named(run: RayRun) -> None:
    error = raised(KeyError(7))
    fine, failed = Input("trainer", Pending(FakeRef(1))), Input("buffer", Pending(FakeRef(error)))
    with pytest.raises(RunError, match="actor 'buffer': KeyError"):
        fail(run, "reanalyse_0", raised(error), inputs=(fine, failed))
    with pytest.raises(RunError, match="actor 'reanalyse_0': KeyError"):
        fail(run, "reanalyse_0", error, inputs=(fine,))


def test_an_input_that_is_lost_on_the_way_is_the_loss_of_who_made_it(run: RayRun) -> None:
    lost = exceptions.ActorDiedError()
    told = fail(
        run,
        "buffer",
        raised(lost),
        queue="reanalyse_0",
        inputs=(Input("reanalyse_0", Pending(FakeRef(lost))),),
    )
    assert told.events == ["actor 'reanalyse_0' was lost and is started again"]
    fail(run, "trainer", raised(lost), inputs=(Input("buffer", Pending(FakeRef(lost))),))
    assert told.events[1:] == ["actor 'buffer' was lost and is started again from nothing"]


def test_calls_of_a_lost_actor_are_forgotten(run: RayRun) -> None:
    results: list[int] = []
    run.call("self_play_0", Pending(FakeRef(exceptions.ActorDiedError())), results.append)
    run.call("self_play_0", Pending(FakeRef(1)), results.append, dropped=lambda: results.append(-1))
    run.call("buffer", Pending(FakeRef(2)), results.append, queue="self_play_0")
    run.call("buffer", Pending(FakeRef(3)), results.append)
    run.wait(0.0)
    assert results == [-1, 3], "who has asked is told that nothing comes"
    assert [call.queue for call in run.calls.values()] == ["starts"]


def test_what_was_asked_of_an_actor_that_did_not_start_says_nothing_new(run: RayRun) -> None:
    run.call("self_play_0", Pending(FakeRef(raised(NotStartedError()))), lambda _: None)
    with pytest.raises(RunError, match="actor 'self_play_0': OSError: no level"):
        fail(run, "self_play_0", raised(OSError("no level\nfile")))
    assert len(run.session.observer.evidences) == 1  # type: ignore[attr-defined]


def test_a_result_that_cannot_be_had_later_on_is_a_failure_too(run: RayRun) -> None:
    """The weights that an evaluation was of."""

    def done(_: Any) -> None:
        raise exceptions.OwnerDiedError("ab", None, "")

    run.call("evaluator", Pending(FakeRef(1)), done)
    run.wait(0.0)
    assert run.session.observer.events == ["actor 'evaluator' was lost and is started again"]  # type: ignore[attr-defined]


def test_errors_are_known_by_their_class_however_often_they_are_wrapped() -> None:
    for error in LOST_PROCESSES:
        assert failure_of(raised(raised(error))) is Failure.PROCESS_LOST
        assert cause_of(raised(raised(error))) is error
    assert failure_of(raised(ValueError("ConfigurationError: the process died"))) is Failure.RAISED
    assert described(ValueError()) == "ValueError"
    assert evidence_of(ValueError("\x1b[36mblue\x1b[39m")) == "ValueError: blue"


def of_actor(identity: str) -> exceptions.ActorDiedError:
    """What Ray says of the death of the actor with this number."""
    error = exceptions.ActorDiedError()
    error.actor_id = identity
    return error


def test_the_actor_that_died_is_named_whoever_says_so(run: RayRun) -> None:
    run.launched["buffer"] = run.launched["buffer"]._replace(identity="b1")
    told = fail(run, "reanalyse_0", raised(of_actor("b1")))
    assert told.events == ["actor 'buffer' was lost and is started again from nothing"]
    run.calls.clear()  # what the new one is asked
    fail(run, "trainer", raised(of_actor("b1")))  # which has been replaced since
    fail(run, "reanalyse_0", raised(of_actor("b1")))
    assert len(told.events) == 1
    assert run.launcher.launched == ["buffer"]  # type: ignore[attr-defined]
    assert run.restarts.made == 1


def test_what_comes_to_nothing_is_no_longer_in_flight(run: RayRun) -> None:
    run.updates_in_flight += [3, 5]
    fail(run, "trainer", of_actor("gone"), dropped=lambda: run.updates_in_flight.remove(3))
    assert run.updates_in_flight == [5]


def test_an_actor_may_be_lost_so_often_in_an_hour_and_others_do_not_count(tmp_path: Path) -> None:
    seconds = [0.0]
    restarts = Restarts(tmp_path, lambda: seconds[0])
    player, other = members(MuZeroConfig(num_workers=2))[2:4]
    for _ in range(MAX_RESTARTS):
        restarts.another(player, exceptions.ActorDiedError())
        restarts.another(other, exceptions.ActorDiedError())
    seconds[0] = 3600.0
    for _ in range(MAX_RESTARTS):
        restarts.another(player, exceptions.ActorDiedError())
    with pytest.raises(RunError, match=f"died, {MAX_RESTARTS + 1} times within an hour .out of memory"):
        restarts.another(player, exceptions.OutOfMemoryError("the node ran low on memory"))


def test_rays_reason_is_said_in_a_few_words() -> None:
    texts = {
        "Worker exit detail: Worker exits with an exit code 7.": "exit code 7",
        "The process receives a SIGTERM.": "SIGTERM",
        "connection error code 2. End of file": "it crashed or was killed; by the kernel, if memory ran out",
        "killed by `ray.kill`": "",
    }
    for text, reason in texts.items():
        assert reason_of(exceptions.RayActorError(error_msg=text)) == reason
    assert reason_of(exceptions.NodeDiedError("gone")) == "its node died"

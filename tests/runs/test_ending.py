"""How a run on Ray ends from outside: by signals, a head process that dies, a cluster too small."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import ray

from core.errors import ConfigurationError
from runs.cluster import start_ray
from runs.supervision.head_watch import HeadWatch
from runs.supervision.last_words import ENDED
from saving.checkpoint import load_checkpoint
from saving.run_folder import GENERATIONS, MANIFEST
from tests.helpers.small_runs import SMALL
from tests.runs.test_ray_run import config

TIMEOUT = 120.0


class Training:
    """The command line, that trains for ever in a session of its own."""

    def __init__(self, results: Path, process: subprocess.Popen[str]) -> None:
        self.results, self.process = results, process
        assert process.stdout is not None
        while "updates/s" not in (text := process.stdout.readline()) or "step 0/" in text:
            assert process.poll() is None
        self.descendants = psutil.Process(process.pid).children(recursive=True)
        (self.session,) = {path for daemon in self.descendants for path in session_folders(daemon)}

    @property
    def folder(self) -> Path:
        """The run's."""
        return max((self.results / "cartpole").iterdir())

    def ended(self) -> tuple[int, str]:
        """The exit status and what is on stderr, but for notes on options; on stdout Ray says nothing."""
        output, error = self.process.communicate(timeout=TIMEOUT)
        assert "raylet" not in output
        said = [line for line in error.splitlines() if not line.startswith("note: ")]
        return self.process.returncode, "\n".join(said)

    def assert_saved(self) -> None:
        """There is a checkpoint with all parts."""
        saved = load_checkpoint(self.folder)
        assert saved.training_step > 0
        assert {"trainer", "buffer", "self_play_0"} <= saved.parts.keys()

    def assert_nothing_left(self) -> None:
        """None of the processes that there were is there, nor is what they kept in files."""
        _, alive = psutil.wait_procs(self.descendants, timeout=20)
        assert alive == []
        assert not self.session.exists()


def session_folders(process: psutil.Process) -> set[Path]:
    """Where Ray's daemons keep files, as their command says it."""
    command = " ".join(process.cmdline()) if process.name() in ("raylet", "gcs_server") else ""
    return {Path(found) for found in re.findall(r"(/[^\s=]*?/session_[\d_-]+)(?=[/\s])", command)}


@contextmanager
def training(results: Path, *more: str) -> Iterator[Training]:
    values = {n: json.dumps(v).replace('"', "") for n, v in SMALL.items() if v is not None}
    options = [f"--{name.replace('_', '-').lower()}={value}" for name, value in values.items()]
    line = [sys.executable, "muzero.py", "cartpole", *options, "--target-reward=none"]
    line += [f"--results-path={results}", "--training-steps=1000000", "--log-interval=0.1", *more]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            yield Training(results, process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_to_all_processes_of_the_group_saves_the_run(sent: signal.Signals, tmp_path: Path) -> None:
    with training(tmp_path) as run:
        daemons = [p for p in run.descendants if p.name() in ("raylet", "gcs_server")]
        assert daemons
        assert all(os.getpgid(daemon.pid) != run.process.pid for daemon in daemons), "it reaches none of them"
        os.killpg(run.process.pid, sent)
        status, error = run.ended()
        assert (status, error) == (130, "")
        run.assert_saved()
        run.assert_nothing_left()


def test_actors_outlive_what_a_terminal_sends_them(tmp_path: Path) -> None:
    with training(tmp_path) as run:
        actors = [p for p in run.descendants if p.name().startswith("ray::SelfPlay")]
        for actor in actors:
            for sent in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                actor.send_signal(sent)
        time.sleep(1.0)
        assert actors
        assert all(actor.is_running() for actor in actors)
        actors[0].kill()  # of whose death Ray has much to say
        assert run.process.stdout is not None
        while "was lost and is started again" not in (text := run.process.stdout.readline()):
            assert "raylet" not in text
            assert run.process.poll() is None
        run.process.send_signal(signal.SIGINT)
        assert run.ended()[0] == 130
        run.assert_nothing_left()


def test_sigquit_leaves_nothing_behind(tmp_path: Path) -> None:
    with training(tmp_path) as run:
        run.process.send_signal(signal.SIGQUIT)
        assert run.ended()[0] == -signal.SIGQUIT
        run.assert_nothing_left()


def test_a_run_whose_head_process_is_killed_is_saved_and_ends_with_a_line(tmp_path: Path) -> None:
    with training(tmp_path) as run:
        (head,) = (process for process in run.descendants if process.name().startswith("gcs_server"))
        head.kill()
        status, error = run.ended()
        assert status == 2, error
        line = "error: Ray's head process (GCS) has died; what was learned is kept: 'python muzero.py resume "
        assert error == f"{line}{run.folder}' goes on from it"
        run.assert_saved()
        run.assert_nothing_left()


def test_a_run_whose_daemon_is_killed_ends_with_a_line_that_says_so(tmp_path: Path) -> None:
    with training(tmp_path) as run:
        (daemon,) = (process for process in run.descendants if process.name() == "raylet")
        daemon.kill()
        status, error = run.ended()
        # Ray ends the driver at once, unless that is just asking it something, and notices first
        resume = f"'python muzero.py resume {run.folder}' goes on from the newest checkpoint"
        noticed = f"error: Ray's daemon on this machine (raylet) has died; {resume}"
        assert (status, error) in ((2, noticed), (1, f"{ENDED}; nothing was saved"))
        assert psutil.wait_procs(run.descendants, timeout=20)[1] == []


def test_of_a_run_that_is_killed_a_line_says_how_to_go_on(tmp_path: Path) -> None:
    with training(tmp_path, "--checkpoint-interval=1") as run:
        while not list(run.folder.glob(f"{GENERATIONS}/*/{MANIFEST}")):
            assert run.process.poll() is None
            time.sleep(0.1)
        run.process.kill()
        _, error = run.ended()
        assert error == f"{ENDED}; 'python muzero.py resume {run.folder}' goes on from the newest checkpoint"
        _, alive = psutil.wait_procs(run.descendants, timeout=20)
        agents = {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}  # which take longer
        assert {process.name() for process in alive if process.is_running()} <= agents


def test_a_head_is_lost_once_nobody_answers_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch = HeadWatch(f"127.0.0.1:{server.getsockname()[1]}")
        time.sleep(2.5)
        before = watch.lost
    watch._thread.join(TIMEOUT)
    assert (before, watch.lost) == (False, True)


def test_a_cluster_with_too_few_cpus_is_refused_in_a_line() -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        with pytest.raises(
            ConfigurationError,
            match=r"\Athe run asks for 6 CPUs, and the cluster has 2: add machines[^\n]+\Z",
        ):
            start_ray(config(num_workers=4), cluster.address)
        assert not ray.is_initialized()
    finally:
        cluster.shutdown()


def test_what_a_script_has_put_into_the_background_hears_an_interrupt_all_the_same(tmp_path: Path) -> None:
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell has it for `command &`
    try:
        with training(tmp_path) as run:
            run.process.send_signal(signal.SIGINT)
            assert run.ended()[0] == 130
    finally:
        signal.signal(signal.SIGINT, ignored)

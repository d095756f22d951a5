"""Who may use Ray: our own is for this machine and this run, and another one is shown its token."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.project import PROJECT
from runs.cluster_access import MODE, TOKEN, TOKEN_PATH, open_cluster, use_private_token

OWN = """
import os, psutil
from config import MuZeroConfig
from runs.cluster import start_ray
start_ray(MuZeroConfig(num_workers=1), None)
import ray

@ray.remote
class Actor:
    def answer(self): return 7

actor = Actor.remote()
assert ray.get(actor.answer.remote()) == 7
for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
    for connection in process.net_connections("inet"):
        if connection.status == psutil.CONN_LISTEN:
            print(connection.laddr.ip.removeprefix("::ffff:"))
"""


def started(home: Path, code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`code` in a Python of its own whose home is `home`, and in which nobody has chosen a token."""
    chosen = (MODE, TOKEN, TOKEN_PATH)
    environment = {name: value for name, value in os.environ.items() if name not in chosen}
    environment |= {"HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_our_own_ray_listens_on_loopback_only_and_leaves_no_token(tmp_path: Path) -> None:
    found = started(tmp_path, OWN)
    assert found.returncode == 0, found.stderr
    addresses = found.stdout.split()
    assert len(addresses) > 3
    assert set(addresses) == {"127.0.0.1"}
    assert not (tmp_path / ".ray").exists()


def test_every_process_has_another_token_and_who_has_chosen_one_keeps_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = set()
    for _ in range(2):
        for name in (MODE, TOKEN, TOKEN_PATH):
            monkeypatch.delenv(name, raising=False)
        use_private_token()
        tokens.add(os.environ[TOKEN])
        monkeypatch.delenv(TOKEN)
    assert {len(token) for token in tokens} == {64}
    assert len(tokens) == 2
    monkeypatch.setenv(MODE, "disabled")
    use_private_token()
    assert TOKEN not in os.environ


JOIN = """
import sys
from config import MuZeroConfig
from core.errors import ConfigurationError
from runs.cluster import start_ray
try:
    start_ray(MuZeroConfig(), sys.argv[1])
    print("joined")
except ConfigurationError as error:
    print(error)
"""


@contextmanager
def head(home: Path, token: str | None) -> Iterator[str]:
    """The address of a cluster that asks for `token`, or for none."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = str(Path(sys.executable).with_name("ray"))
    options = ("--head", "--block", f"--port={port}", "--num-cpus=4", "--include-dashboard=false")
    environment = {n: v for n, v in os.environ.items() if n not in (MODE, TOKEN, TOKEN_PATH)}
    environment |= {"HOME": str(home)}
    if token is not None:
        environment |= {MODE: "token", TOKEN: token}
    with subprocess.Popen(
        [ray, "start", *options, f"--temp-dir={home}/ray"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not answers(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_cluster_with_a_token_is_joined_with_it_and_refused_in_a_line_without() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mz") as short:  # Ray's sockets have short names
        home, token = Path(short), "token-of-the-cluster-of-this-test"
        with head(home, token) as address:
            without = started(home, JOIN, address)
            assert without.stdout.startswith(
                f"--address {address}: the cluster asks for its token, and there"
            )
            assert without.stdout.count("\n") == 1
            (home / ".ray").mkdir(exist_ok=True)
            path = home / ".ray" / "auth_token"
            path.write_text("another")
            other = started(home, JOIN, address)
            assert f"the token in {path} is another one: copy the head's" in other.stdout
            assert "InvalidAuthToken" not in other.stdout + other.stderr
            path.write_text(token)
            assert started(home, JOIN, address).stdout == "joined\n"


STARTS = JOIN.replace(
    'print("joined")',
    """
    import ray
    class Actor:
        def answer(self):
            return "started"
    print(ray.get(ray.remote(Actor).remote().answer.remote(), timeout=60))
""",
)


def test_a_cluster_without_a_token_is_shown_none_even_if_there_is_one() -> None:
    """It would start no actor of who shows one."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mz") as short:
        home = Path(short)
        with head(home, None) as address:
            (home / ".ray").mkdir(exist_ok=True)
            (home / ".ray" / "auth_token").write_text("of-another-cluster")
            assert started(home, STARTS, address).stdout == "started\n"


def test_what_listens_and_is_no_ray_is_left_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.cluster_access.PROBE_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ConfigurationError, match="what listens there answers no Ray"):
            open_cluster(f"127.0.0.1:{silent.getsockname()[1]}")

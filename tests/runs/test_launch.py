"""What is looked at before a training starts, and what a start that fails leaves behind."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from runs.interrupts import killable
from runs.launch import check_address
from saving.run_folder import discarded_if_empty, new_run_folder


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_address_at_which_somebody_answers(port: int) -> None:
    check_address(f"127.0.0.1:{port}")
    check_address(f"ray://localhost:{port}")
    check_address("auto")


@pytest.mark.parametrize(
    "address", ["1.2.3.4:99999", "1.2.3.4", ":6379", "1.2.3.4:", "ray://x", "host:port", "h:0"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConfigurationError, match="must be HOST:PORT, ray://HOST:PORT or auto"):
        check_address(address)


def test_an_address_at_which_nobody_answers(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    with pytest.raises(ConfigurationError, match=r"no Ray cluster can be reached there: Connection refused$"):
        check_address(f"127.0.0.1:{closed}")
    with pytest.raises(ConfigurationError, match="no Ray cluster can be reached there"):
        check_address(f"no-such-host.invalid:{port}")


def test_while_a_cluster_is_looked_for_signals_end_the_process() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with killable(True):
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    with killable(False):
        assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getsignal(signal.SIGTERM) is before


def failing(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError), discarded_if_empty(folder):
        raise ConfigurationError("Ray did not start")


def test_a_start_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    first = new_run_folder(tmp_path, "cartpole")
    failing(first)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("metrics.jsonl", "", False),
        ("metrics.jsonl", '{"updates": 1}\n', True),
        ("log.txt", "run folder: x\n", False),
        ("log.txt", "Traceback (most recent call last):\n", True),
        ("checkpoints/00000001", "", True),
    ],
)
def test_what_a_run_has_left_is_kept(tmp_path: Path, name: str, text: str, kept: bool) -> None:
    folder = new_run_folder(tmp_path, "cartpole")
    (folder / name).write_text(text)
    failing(folder)
    assert folder.exists() == kept

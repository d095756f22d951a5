"""Who may use Ray: a Ray of our own is for this machine and this run only, another one asks for its token.

Ray guards its ports by a token in the environment or in `~/.ray/auth_token`; whoever has it can run code.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ConfigurationError

ASKS = "InvalidAuthToken"
"""What Ray says where a token is missing or another one."""
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
PROBE_SECONDS = 5.0
PROBE = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1])
"""


def use_private_token() -> None:
    """Has a Ray that is started here guard itself by a random token of its own, which is in no file.

    It is in the environment of this process and its children, which only the same user can read. Whoever has
    chosen a mode or a token keeps it.
    """
    if not any(name in os.environ for name in (MODE, TOKEN, TOKEN_PATH)):
        os.environ[TOKEN] = secrets.token_hex(32)


@contextmanager
def on_loopback() -> Iterator[None]:
    """Has a Ray that is started meanwhile listen on 127.0.0.1 only, as it does where clusters cannot be."""
    from ray._private import ray_constants

    usual = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = usual


def use_token_if_there() -> str | None:
    """Shows Ray's token to the cluster that is joined next, if there is one; where it is from, in words.

    Without this, Ray shows none to a cluster that is named by its address. One that asks for none answers all
    the same, but never starts an actor of who shows one. None: there is none, or somebody has chosen a mode.
    """
    place = token_place()
    if MODE in os.environ or place is None:
        return None
    os.environ[MODE] = "token"
    from ray._private.authentication import authentication_token_setup as of_ray

    of_ray.Config.initialize("")  # what this process has read before is forgotten
    return place


def token_place() -> str | None:
    """Where Ray will find a token: the name of a variable or a file's path."""
    if os.environ.get(TOKEN):
        return TOKEN
    path = Path(os.environ.get(TOKEN_PATH) or os.path.expanduser("~/.ray/auth_token"))
    return str(path) if path.is_file() else None


def open_cluster(address: str) -> None:
    """Asks the cluster at `address` for its name, for some seconds; shows it Ray's token if it wants one.

    Raises `ConfigurationError` where it does not answer or refuses the token.
    """
    if address == "auto" or "://" in address:
        use_token_if_there()
        return
    refusal, token = _refusal(address), None
    if ASKS in refusal:
        token = use_token_if_there()
        refusal = _refusal(address) if token else refusal
    if ASKS in refusal:
        shown = f"the token in {token} is another one" if token else "there is none here"
        raise ConfigurationError(
            f"--address {address}: the cluster asks for its token, and {shown}: copy the head's "
            "~/.ray/auth_token, or set RAY_AUTH_TOKEN (docs/cluster.md)"
        )
    if refusal:
        why = refusal.strip().splitlines()[-1]
        raise ConfigurationError(f"cannot join the Ray cluster at {address}: {why[:200]}")


def _refusal(address: str) -> str:
    """What another process is told that asks the cluster for its name; nothing where it gets it."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", PROBE, address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"--address {address}: what listens there answers no Ray") from None
    return (asked.stderr.strip() or "it did not answer") if asked.returncode else ""

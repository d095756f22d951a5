"""Train, evaluate and resume MuZero agents: the command line and the `MuZero` class.

    python muzero.py                                    a menu
    python muzero.py cartpole --lr-init 0.01            train; --help lists every option
    python muzero.py resume                             go on with the newest run
    python muzero.py evaluate cartpole --checkpoint results/cartpole/<time>/best.checkpoint

All parts run at the same time as Ray actors and exchange arrays asynchronously:

      games/ ──observations──▶ self-play ──GameHistory──▶ replay buffer ──Batch──▶ trainer
        ▲                      │  ▲   ▲                    ▲    │  ▲                │  │
        └───────actions────────┘  │   └─mcts + models      │    │  └──priorities────┘  │
                                  │                   reanalyse◀┘◀─target network──────┤
                                  └──────────────── shared storage ◀─────weights───────┤
                                                                                       │
                                  best.checkpoint, target_reward ◀── evaluation ◀──────┘

This file knows everything and nothing of ours imports it: it runs as `__main__`, and people import `MuZero`
(`runs/facade.py`), `Callback` (`runs/callbacks.py`), `Agent` (`showing/agent.py`) and `MuZeroConfig`
(`config.py`) from it; for networks of their own `NetworkKind` (`core/network_kinds.py`) and `MuZeroNetwork`
(`models.py`), for rules of the search `SearchRule` (`search/rules/rule.py`) and what such rules call. A
command is found by its name, `commands/<word>.py`, and everything heavy is imported when it is needed, so
that `--help` answers at once.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from commands import NAMES
from config import MuZeroConfig
from core.errors import BAD_INPUT, INTERRUPTED, ConfigurationError
from core.network_kinds import NetworkKind
from core.output import say_plainly, silence
from core.project import INSTALLED, is_ours, own_module
from core.threads import use_one_thread
from games.api.sources import OWN_GAMES, GameFolder
from runs.facade import MuZero

if TYPE_CHECKING:
    from core.kernels import inlined_njit
    from models import MuZeroNetwork
    from runs.callbacks import Callback
    from search.rules.rule import SearchRule
    from search.rules.scoring import argmax_legal
    from showing.agent import Agent

__all__ = [
    "Agent",
    "Callback",
    "ConfigurationError",
    "MuZero",
    "MuZeroConfig",
    "MuZeroNetwork",
    "NetworkKind",
    "SearchRule",
    "argmax_legal",
    "inlined_njit",
]

LATER = {
    "Agent": "showing.agent",
    "Callback": "runs.callbacks",
    "MuZeroNetwork": "models",
    "SearchRule": "search.rules.rule",
    "argmax_legal": "search.rules.scoring",
    "inlined_njit": "core.kernels",
}
"""What is imported when it is asked for: it brings the search, or numpy or torch, with it."""


def __getattr__(name: str) -> Any:
    """What is in `LATER`."""
    if name not in LATER:
        raise AttributeError(f"module 'muzero' has no attribute {name!r}")
    return getattr(own_module(LATER[name]), name)


class Command(Protocol):
    """A command's implementation: takes what is behind its name, returns the exit status."""

    def __call__(self, arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
        """Carries the command out."""
        ...


def command(name: str) -> Command:
    """The command called `name`, one of `NAMES`; its module is imported now and not before."""
    word = name.replace("-", "_")
    found: Command = getattr(own_module(f"commands.{word}"), f"{word}_command")
    return found


def run(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries out a command line; returns its exit status. Raises `ConfigurationError` on bad input.

    It is about the games of the folder `games`, and the checkpoints that ship with them.
    """
    if not arguments:
        from commands.menu import menu

        return menu(lambda name, rest: _reported(lambda: command(name)(rest, games)), games)
    if tuple(arguments) in (("-h",), ("--help",), ("help",)):
        from commands._overview import overview

        print(overview(games))
        return 0
    if tuple(arguments) == ("--version",):
        from commands._overview import version

        print(version())
        return 0
    if arguments[0] in NAMES:
        return command(arguments[0])(arguments[1:], games)
    return command("train")(arguments, games)


INSTALL = "pip install -r requirements.txt"
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Of a disk that is full, or broken."""


def _reported(action: Callable[[], int]) -> int:
    """The action's exit status; bad input becomes one line on stderr, and Ctrl-C no traceback."""
    try:
        status = action()
        sys.stdout.flush()
        return status
    except ConfigurationError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except ModuleNotFoundError as error:
        if error.name is None or is_ours(error.name):
            raise
        install = f"pip install {error.name}" if INSTALLED else INSTALL
        print(f"error: {error.name} is not installed; run: {install}", file=sys.stderr)
        return BAD_INPUT
    except (KeyboardInterrupt, EOFError):
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has had enough of it: `... | head`
        silence(sys.stdout)
        return 0
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is not None:
            raise
        silence(sys.stdout)
        print(f"error: cannot write the output: {error.strerror}", file=sys.stderr)
        return BAD_INPUT


def main() -> None:
    """Runs the command line."""
    use_one_thread()
    say_plainly()
    sys.exit(_reported(lambda: run(sys.argv[1:])))


if __name__ == "__main__":
    main()

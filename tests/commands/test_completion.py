"""What the shell completes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import muzero
from arena.registry import Registry
from commands import NAMES
from commands.completion import candidates
from config import field_docs
from core.errors import ConfigurationError
from core.project import PROJECT
from games.api.sources import OWN_GAMES, load_game
from tests.helpers.checkpoints import saved


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Works in a folder with one run of cartpole, that has a name."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/cartpole/2026-01-01--00-00-00")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(load_game("cartpole").config.to_json())
    (folder / "name.txt").write_text("first-try\n")


GAMES = OWN_GAMES.names()
RUNS = ["2026-01-01--00-00-00", "first-try"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], [*GAMES, *NAMES]),
        (["ca"], ["cartpole"]),
        (["--"], ["--help", "--version"]),
        (["play", ""], GAMES),
        (["play", "conn"], ["connect4"]),
        (["play", "connect4", ""], []),
        (["play", "connect4", "--se"], ["--seat", "--seed"]),
        (["play", "connect4", "--seat", ""], ["1", "2", "both", "none"]),
        (["play", "cartpole", "--checkpoint", ""], ["shipped", *RUNS]),
        (["play", "tictactoe", "--checkpoint", ""], ["shipped"]),
        (["evaluate", "tictactoe", "--opponent", "e"], ["expert"]),
        (["cartpole", "--games-from", ""], RUNS),
        (["train", "cartpole", "--search", ""], ["gumbel", "puct"]),
        (["cartpole", "--lr-i"], ["--lr-init"]),
        (["cartpole", "--num-simulations", ""], []),
        (["resume", "f"], ["first-try"]),
        (["models", ""], ["add", "compare", "list", "promote", "show"]),
        (["models", "compare", "tic"], ["tictactoe"]),
        (["models", "compare", "tictactoe", "s"], ["shipped"]),
        (["models", "compare", "tictactoe", "--all"], ["--all-games"]),
        (["runs", "s"], ["show"]),
        (["runs", "show", "first"], ["first-try"]),
        (["runs", "delete", "--k"], ["--keep"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["nonsense", ""], []),
        (["nonsense", "--x"], []),
    ],
)
def test_candidates(words: list[str], expected: list[str]) -> None:
    assert candidates(words) == sorted(expected)


def test_all_options_of_a_training_are_offered() -> None:
    offered = set(candidates(["cartpole", "--"]))
    assert offered >= {"--" + name.lower().replace("_", "-") for name in field_docs()} - {
        *("--observation-shape", "--action-space", "--players"),
    }
    assert offered >= {"--weights-from", "--local"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["python", "muzero.py", "play", "conn"], ["connect4"]),
        (["python", "./muzero.py", "play", "connect4", "--sea"], ["--seat"]),
        (["./muzero.py", "gam"], ["games"]),
        (["python", "other.py", "gam"], []),
        (["python", ""], []),
    ],
)
def test_bash_asks_for_them(typed: list[str], expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3"):
        (tmp_path / "bin" / name).symlink_to(sys.executable)
    program = (
        f"PATH={tmp_path}/bin:$PATH; cd {PROJECT}; source <({sys.executable} muzero.py completion bash)\n"
        "COMPREPLY=(left over); COMP_WORDS=(" + " ".join(f"'{word}'" for word in typed) + ")\n"
        f"COMP_CWORD={len(typed) - 1}; _muzero; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    finished = subprocess.run(["bash", "-c", program], text=True, capture_output=True, check=True)
    assert finished.stdout.split() == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert muzero.run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "python" in script
    assert "completion words -- " in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_an_unknown_shell_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="csh"):
        muzero.run(["completion", "csh"])


def test_versions_are_offered() -> None:
    run = Path("results/tictactoe/run")
    run.mkdir(parents=True)
    version = Registry(Path("results"), "tictactoe").add(saved(run / "best.checkpoint"))
    for words in (["play", "tictactoe", "--checkpoint", "v"], ["models", "promote", "tictactoe", "v"]):
        assert candidates(words) == [version.name]

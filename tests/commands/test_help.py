"""What the command line says of itself: help, the version, suggestions, and options without effect."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from typing import Any

import pytest

import muzero
from commands import DESCRIPTIONS, NAMES
from commands._config_options import FACTS, FIRST, option_name
from config import MuZeroConfig, field_docs
from core.errors import ConfigurationError
from core.network_kinds import NETWORKS
from core.project import PROJECT
from games.api.sources import OWN_GAMES, load_game
from runs.facade import resumable
from runs.without_effect import RULES, without_effect
from tests.helpers.command_line import python


def test_help_shows_every_field() -> None:
    finished = python("--help", "all", env={**os.environ, "COLUMNS": "500"})
    assert finished.returncode == 0
    for name, doc in field_docs().items():
        assert (f"  {option_name(name)} " in finished.stdout) == (name not in FACTS)
        assert (doc.doc in finished.stdout) == (name not in FACTS)
        assert f"{doc.group} options:" in finished.stdout


def test_help_begins_with_what_can_be_done() -> None:
    finished = python("--help", env={**os.environ, "COLUMNS": "100"})
    assert (finished.returncode, finished.stderr) == (0, "")
    for name, text in DESCRIPTIONS.items():
        assert f"  {name:11} {text}" in finished.stdout
    shown = [name for name in field_docs() if f"  {option_name(name)} " in finished.stdout]
    assert set(shown) == set(FIRST)
    assert len(FIRST) == 20
    assert len(finished.stdout.splitlines()) < 80
    assert python("help").stdout == python("--help").stdout


@pytest.mark.parametrize("command", NAMES)
def test_every_command_says_what_it_does_and_how(command: str, capsys: pytest.CaptureFixture) -> None:
    helped(command, "--help")
    shown = capsys.readouterr().out
    assert "for example:\n  python muzero.py " in shown
    options = re.findall(r"^  (--[a-z-]+|[A-Z]+)( [A-Z[{]\S*)?(  +\S|$)", shown, re.MULTILINE)
    assert options or command in ("models", "runs")
    silent = re.findall(r"^  (?:-h, )?(--[a-z-]+)(?: [A-Z[{]\S*)?$(?!\n {10,}\S)", shown, re.MULTILINE)
    assert silent == []


def helped(*arguments: str) -> None:
    """A command that shows its help, and ends."""
    with suppress(SystemExit):
        muzero.run(arguments)


def test_resume_shows_what_it_takes(capsys: pytest.CaptureFixture) -> None:
    helped("resume", "--help", "all")
    shown = capsys.readouterr().out
    names = {name for name in field_docs() if re.search(rf"^  {option_name(name)} ", shown, re.MULTILINE)}
    assert names == {name for name in field_docs() if resumable(name)}
    assert "default the run's own" in " ".join(shown.split())


def test_the_version(capsys: pytest.CaptureFixture) -> None:
    assert muzero.run(["--version"]) == 0
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert capsys.readouterr().out == f"muzero {version}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cartpole", "--lr", "1"], "unknown option '--lr', did you mean '--lr-init'?"),
        (["cartpole", "--fc-value", "1"], "did you mean '--fc-value-layers'?"),
        (["chain"], "unknown game 'chain' (games: "),
        (["trian", "cartpole"], "unknown game 'trian', did you mean 'train'?"),
        (["play", "trian"], "unknown game 'trian' (games: "),
        (["diagnose", "cartpole", "--out", "x.pdf"], "--out x.pdf: a diagnosis is a .html page"),
        (["evaluate", "cartpole", "--openings", "3"], "cartpole is a game for one"),
        (["evaluate", "tictactoe", "--openings", "9"], "nothing would be left; give at most 8"),
        (
            ["evaluate", "tictactoe", "--player", "random", "--checkpoint", "x"],
            "either --checkpoint or --player",
        ),
        (
            ["tune", "cartpole", "--param", "lr_init=log:1e-4:1", "--rungs", "0", "--reduction", "2"],
            "--reduction needs --rungs",
        ),
    ],
)
def test_what_would_be_ignored_or_is_misspelt_is_said(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ConfigurationError) as caught:
        muzero.run(arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("game", "options", "notes"),
    [
        ("cartpole", {"opponents": ["random"]}, ["--opponents has no effect: this is a game for one"]),
        ("tictactoe", {"opponents": ["random"]}, []),
        (
            "cartpole",
            {"gumbel_scale": 1.0, "lr_init": 0.1},
            ["--gumbel-scale has no effect: the search is puct"],
        ),
        ("cartpole", {"search": "gumbel", "gumbel_scale": 1.0}, []),
        (
            "cartpole",
            {"search": "gumbel", "pb_c_init": 1.0},
            ["--pb-c-init has no effect: the search is gumbel"],
        ),
        ("cartpole", {"channels": 8}, ["--channels has no effect: the network is fully connected"]),
        ("cartpole", {"PER": False, "PER_alpha": 1.0}, ["--per-alpha has no effect: PER is off"]),
        (
            "cartpole",
            {"object_store_mb": 300},
            ["--object-store-mb has no effect: a --local run is one process"],
        ),
    ],
)
def test_options_without_effect_are_named(game: str, options: dict[str, Any], notes: list[str]) -> None:
    config = load_game(game).config.replace(**options)
    assert list(without_effect(config, options, local=True, called=option_name)) == notes


NOTES = {"fullyconnected": "the network is fully connected", "resnet": "the network is a resnet"}
SEARCHES = {"PUCT": "gumbel", "Gumbel": "puct"}
"""Searches that have nothing to do with options whose meaning begins so."""


@pytest.mark.parametrize("network", NETWORKS.names)
def test_all_options_of_networks_that_were_not_chosen_are_named(network: str) -> None:
    config = MuZeroConfig(network=network)
    others = [name for name in NETWORKS.names if name != network]
    idle = [option for other in others for option in NETWORKS.find(other).options]
    expected = [f"{option_name(option)} has no effect: {NOTES[network]}" for option in idle]
    given = [name for name in field_docs() if field_docs()[name].group == "network" or name in idle]
    assert set(without_effect(config, given, called=option_name)) == set(expected)
    assert list(without_effect(config, NETWORKS.find(network).options)) == []


@pytest.mark.parametrize("word", SEARCHES)
def test_all_options_of_searches_that_were_not_chosen_are_named(word: str) -> None:
    config = MuZeroConfig().replace(search=SEARCHES[word])
    idle = [name for name, doc in field_docs().items() if doc.doc.startswith(f"{word}:")]
    expected = [f"{option_name(name)} has no effect: the search is {config.search}" for name in idle]
    assert expected
    assert list(without_effect(config, idle, called=option_name)) == expected


def test_the_rules_hold_of_some_configurations_only() -> None:
    plain = load_game("cartpole").config.replace(
        evaluation_interval=0.0, target_reward=None, lr_decay_rate=1.0, num_reanalyse_workers=0
    )
    other = load_game("tictactoe").config.replace(
        search="gumbel", q_transform="bounds", network="resnet", optimizer="SGD", PER=False,
        resign_value=-0.9, full_search_probability=0.5, lr_decay_rate=0.9, num_reanalyse_workers=1,
        target_reward=1.0, move_temperature=((4.0, 1.0),),
    )  # fmt: skip
    for rule in RULES:
        assert set(rule.names) <= set(field_docs())
        gumbel = plain.replace(search="gumbel")
        uniform = plain.replace(PER=False)
        assert {rule.when(config) for config in (plain, other, gumbel, uniform)} == {True, False}, rule.why


def test_help_of_a_game_shows_its_defaults(capsys: pytest.CaptureFixture) -> None:
    for game in OWN_GAMES.names():
        with pytest.raises(SystemExit) as caught:
            muzero.run([game, "--help", "all"])
        assert caught.value.code == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert f"(int, at least 1; default {load_game(game).config.encoding_size})" in shown


@pytest.mark.parametrize("command", ["resume", "evaluate", "train"])
def test_commands_have_help(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        muzero.run([command, "--help"])
    assert caught.value.code == 0
    assert "usage: python muzero.py" in capsys.readouterr().out


HEAVY = {"torch", "ray", "matplotlib", "nevergrad", "tensorboard", "starlette", "rich"}
NUMERIC = {"numpy", "numba", "gymnasium"}


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        ([], HEAVY | NUMERIC),
        *(([name], HEAVY | NUMERIC) for name in NAMES if name not in ("evaluate", "models")),
        (["evaluate"], HEAVY),
        (["models"], HEAVY),
        (["cartpole"], HEAVY | {"numba"}),
        (["tune", "cartpole"], HEAVY | {"numba"}),
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str], heavy: set[str]) -> None:
    code = (
        "import sys, muzero\n"
        f"sys.argv = ['muzero.py', *{arguments}, '--help']\n"
        "try: muzero.main()\n"
        "except SystemExit: pass\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, text=True, capture_output=True, check=True
    )
    assert finished.stdout.splitlines()[-1] == "[]"
    assert "usage: python muzero.py" in finished.stdout

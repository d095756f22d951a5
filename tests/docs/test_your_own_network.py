"""The network of docs/your-own-network.md is one: it trains, and its options are its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import MuZeroConfig
from core.network_kinds import NetworkKind
from core.project import PROJECT
from runs.facade import MuZero
from saving.checkpoint import load_checkpoint
from tests.helpers.small_runs import SMALL

PAGE = (PROJECT / "docs" / "your-own-network.md").read_text(encoding="utf-8")


def test_the_pages_network_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "gated.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    named = re.findall(r"--network (?:\"(.*?)\"|(\S+))", PAGE)
    networks = [quoted or plain for quoted, plain in named]
    assert [MuZeroConfig(network=network).latent_shape for network in networks] == [(16,), (32,)]
    options = SMALL | {"network": networks[1], "results_path": str(tmp_path), "training_steps": 10}
    outcome = MuZero("cartpole", options).train(local=True)
    assert load_checkpoint(outcome.folder).weights["dynamics.weight_hh"].shape == (96, 32)


def test_the_page_names_what_a_kind_may_say() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    said = {name for row in rows for name in re.findall(r"`(\w+)", row)} | {"title", "make", "latent_shape"}
    there = {*vars(NetworkKind), *NetworkKind.__annotations__}
    assert said == {name for name in there if not name.startswith("_")}

"""The rule of docs/your-own-search.md is one: it trains, and its option is its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import MuZeroConfig
from core.project import PROJECT
from runs.facade import MuZero
from search.rules.rule import SearchRule
from tests.helpers.small_runs import SMALL

PAGE = (PROJECT / "docs" / "your-own-search.md").read_text(encoding="utf-8")


def test_the_pages_rule_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "optimistic.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    named = re.findall(r"--search (?:\"(.*?)\"|(\S+))", PAGE)
    searches = [quoted or plain for quoted, plain in named]
    rules = [MuZeroConfig(search=search).search_kind for search in searches]
    assert [rule.constants(MuZeroConfig())[0] for rule in rules if isinstance(rule, SearchRule)] == [1.0, 2.0]
    options = SMALL | {"search": searches[1], "results_path": str(tmp_path), "training_steps": 10}
    outcome = MuZero("cartpole", options).train(local=True)
    assert outcome.counters.training_step == 10


def test_the_page_names_what_a_rule_may_say() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    said = {name for row in rows for name in re.findall(r"`(\w+)", row)} | {"title"}
    there = {*vars(SearchRule), *SearchRule.__mro__[1].__annotations__}
    assert said == {name for name in there if not name.startswith("_")}

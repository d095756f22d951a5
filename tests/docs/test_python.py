"""The code of docs/python.md runs, from its first line to its last."""

from __future__ import annotations

import re
from typing import Any

import pytest

from core.project import PROJECT


def test_the_pages_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    page = (PROJECT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["actions"].shape == (2,)
    assert [action in row for action, row in zip(names["actions"], ([0, 1], [5, 6]), strict=True)] == [
        True
    ] * 2
    assert (len(names["both"]), names["length"]) == (2, 500), "the agent that ships keeps the pole upright"
    assert names["returns"] == [500.0, 500.0]
    assert (names["doubling"].counters.training_step, len(names["lake"].folder.name) > 0) == (20, True)
    assert (names["outcome"].reason, names["outcome"].counters.played_games >= 200) == ("callback", True)
    result = names["result"]
    assert result.wins + result.draws + result.losses == 10
    assert names["trained"].counters.training_step == 20

"""docs/experiments.md: its index by question leads to every entry."""

from __future__ import annotations

import re

from core.project import PROJECT
from tests.docs.test_how_it_works import slug

TEXT = (PROJECT / "docs" / "experiments.md").read_text(encoding="utf-8")


def test_every_entry_answers_a_question() -> None:
    index = TEXT.split("## By question")[1].split("\n## ")[0]
    entries = [slug(heading) for heading in re.findall(r"^## (\d{4}-.*)$", TEXT, re.M)]
    assert entries
    assert len(entries) == len(set(entries))
    assert set(re.findall(r"\]\(#([^)]+)\)", index)) == set(entries)


def test_entries_are_dated_newest_first() -> None:
    dates = re.findall(r"^## (\d{4}-\d\d-\d\d): ", TEXT, re.M)
    assert dates == sorted(dates, reverse=True)
    assert len(dates) == len(re.findall(r"^## ", TEXT, re.M)) - 1  # the index

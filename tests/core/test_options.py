"""Options that had other names."""

from __future__ import annotations

import pytest

from core.errors import ConfigurationError
from core.options import FieldDoc, renamed

DOCS = {"rate": FieldDoc("of learning", "run", formerly=("lr", "alpha")), "batch": FieldDoc("size", "run")}


def test_earlier_names_are_understood() -> None:
    assert renamed({"alpha": 0.1, "batch": 8}, DOCS) == {"rate": 0.1, "batch": 8}
    assert renamed({"rate": 0.2, "unknown": 1}, DOCS) == {"rate": 0.2, "unknown": 1}


def test_a_field_is_given_once() -> None:
    with pytest.raises(ConfigurationError, match=r"\Arate is given twice: lr is an earlier name of it\Z"):
        renamed({"rate": 0.2, "lr": 0.1}, DOCS)

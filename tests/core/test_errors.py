"""Messages stay readable whatever they quote."""

from __future__ import annotations

import pickle

from core.errors import LONGEST_MESSAGE, ConfigurationError, nearest


def test_a_message_that_quotes_a_megabyte_is_cut_in_the_middle() -> None:
    error = ConfigurationError(f"path: {'a' * 1_000_000}: use another")
    assert len(str(error)) < LONGEST_MESSAGE + 10
    assert str(error).startswith("path: aaa")
    assert str(error).endswith("aaa: use another")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_message_of_usual_length_stays_as_it_is() -> None:
    assert str(ConfigurationError("x" * LONGEST_MESSAGE)) == "x" * LONGEST_MESSAGE


def test_nothing_is_suggested_for_a_name_of_a_megabyte() -> None:
    assert nearest("cartpol" + "e" * 1_000_000, ["cartpole"]) is None
    assert nearest("cartpoel", ["cartpole"]) == "cartpole"

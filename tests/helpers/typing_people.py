"""A person at the terminal, for tests."""

from __future__ import annotations

import pytest


def type_lines(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    """Types `lines` into `input()`, then closes it."""
    waiting = iter(lines)

    def answer(prompt: str = "") -> str:
        typed = next(waiting, EOFError)
        if isinstance(typed, str):
            return typed
        raise typed

    monkeypatch.setattr("builtins.input", answer)

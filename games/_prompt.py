"""Asking a person for a move."""

from __future__ import annotations

from collections.abc import Sequence


def listed(words: Sequence[str], most: int = 12) -> str:
    """`words` in one line, which does not grow beyond `most` of them."""
    return ", ".join([*words[:most], *["..."] * (len(words) > most)])


def ask(question: str, answers: Sequence[str]) -> int:
    """Asks at the terminal until one of `answers` is typed; its index. Raises `EOFError`."""
    while (answer := input(question).strip().lower()) not in answers:
        print(f"{answer!r} is not possible; type one of {listed(answers)}")
    return answers.index(answer)

"""Asking a person at the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress


def listed(words: Sequence[str], most: int = 12) -> str:
    """`words` in one line, which does not grow beyond `most` of them."""
    return ", ".join([*words[:most], *["..."] * (len(words) > most)])


def meant(answer: str, names: Sequence[str]) -> int | None:
    """The index of the one of `names` that `answer` means; `None` if there is none, or more than one.

    A name without digits may be shortened, and may be meant by the beginning of any of its words: `l` or
    `left` for `push left`.
    """
    answer = answer.strip().lower()
    lowered = [name.lower() for name in names]
    if answer in lowered:
        return lowered.index(answer)
    found = [i for i, name in enumerate(lowered) if answer and _shortens(answer, name)]
    return found[0] if len(found) == 1 else None


def _shortens(answer: str, name: str) -> bool:
    plain = not any(letter.isdigit() for letter in name)
    return plain and any(part.startswith(answer) for part in (name, *name.split()))


def read_line(prompt: str) -> str:
    """What a person types, stripped; with arrow keys to edit it, and to find what was typed before.

    Raises `EOFError` at the input's end.
    """
    with suppress(ImportError):  # not everywhere; importing it gives `input` its editing
        import readline

        readline.parse_and_bind("set enable-bracketed-paste off")
    return input(prompt).strip()


def ask(question: str, answers: Sequence[str]) -> int:
    """Asks at the terminal until one of `answers` is typed; its index. Raises `EOFError`."""
    while (index := meant(answer := read_line(question), answers)) is None:
        print(f"{answer!r} is not possible; type one of {listed(answers)}")
    return index

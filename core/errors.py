"""What is said when something that a person gave cannot work: one line, with the nearest right word."""

from __future__ import annotations

import difflib


class ConfigurationError(ValueError):
    """What the user configured cannot be run; the message is one line saying what, where and what to do.

    Of a message that has become longer than `LONGEST_MESSAGE`, as it quotes what a file says, the middle is
    left out.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(_shortened(message))


LONGEST_MESSAGE = 2000
"""Characters."""


def _shortened(message: str) -> str:
    if len(message) <= LONGEST_MESSAGE:
        return message
    half = LONGEST_MESSAGE // 2
    return f"{message[:half]} [...] {message[-half:]}"


def did_you_mean(name: str, names: list[str]) -> str:
    """`, did you mean 'x'?` for the nearest of `names`, or nothing."""
    near = nearest(name, names)
    return f", did you mean {near!r}?" if near else ""


def nearest(name: str, names: list[str], cutoff: float = 0.6) -> str | None:
    """The one of `names` that `name` most probably misspells, or shortens: `--lr` is more like `--lr-init`
    than like `--per`. `cutoff` is how alike they must be at least, from 0 to 1.
    """
    if len(name) > LONGEST_NAME:
        return None
    lowered = {candidate.lower(): candidate for candidate in names}
    begun = [candidate for candidate in lowered if _begins(name.lower(), candidate)]
    matches = difflib.get_close_matches(name.lower(), begun or lowered, n=1, cutoff=0.0 if begun else cutoff)
    return lowered[matches[0]] if matches else None


LONGEST_NAME = 200
"""Characters of a name that may be a misspelt one: comparing longer ones takes long."""


def _begins(name: str, candidate: str) -> bool:
    """Whether `name` is the first words of `candidate`."""
    rest = candidate.removeprefix(name)
    return name.strip("-") != "" and rest != candidate and rest[:1] in ("-", "_", " ")


def require(condition: bool, name: str, message: str) -> None:
    """Raises `ConfigurationError` about field `name` unless `condition` holds."""
    if not condition:
        raise ConfigurationError(f"{name} {message}")


BAD_INPUT = 2
"""Exit status of a command that refused what it was given."""
INTERRUPTED = 130
"""Exit status after Ctrl-C."""

"""What a run has to know of the rule that it searches by, and the names of the rules.

Facts alone: what compiled code a rule consists of is in `search/rules/rule.py`, whose classes these are.
"""

from __future__ import annotations

from typing import ClassVar

from core.by_name import ByName


class SearchKind:
    """A rule of the search, whose facts are class attributes."""

    title: ClassVar[str]
    """Ends the sentence `the search is ...`."""
    options: ClassVar[tuple[str, ...]] = ()
    """Fields of the configuration that it reads, of those that not every rule does."""
    explores: ClassVar[bool] = False
    """Whether self-play plays the search's own choice, since its noise explores; else visits are sampled."""


SEARCHES: ByName[SearchKind] = ByName(
    "search", SearchKind, {"puct": "search.rules.puct:Puct", "gumbel": "search.rules.gumbel:Gumbel"}
)
"""The rules; another one is a line here, or stays outside and is called `MODULE:CLASS`."""

"""What a checkpoint says of itself in JSON, checked entry by entry."""

from __future__ import annotations

from typing import Any, NamedTuple, get_type_hints

from core.cost import Cost
from core.json_text import brief, entries, real, text, whole
from data import Counters

LONGEST_NAME = 200
"""Characters of a game's name: folders are called after it."""
MOST_PARTS = 5000


class Told(NamedTuple):
    """The facts of a checkpoint."""

    game: str
    config: dict[str, Any]
    counters: Counters
    evaluation: float | None
    cost: Cost | None
    recipe: str | None
    game_digest: str
    parts: dict[str, dict[str, Any]]  # of each part its own facts


def told(facts: dict[str, Any]) -> Told:
    """What `facts` say. Raises `ValueError`, `TypeError` or `LookupError` where they cannot be true."""
    recipe = facts.get("recipe")
    return Told(
        game=_game_name(facts["game"]),
        config=entries(facts["config"], "config"),
        counters=counters_of(entries(facts["counters"], "counters")),
        evaluation=_mean(facts["evaluation"]),
        cost=Cost.from_facts(entries(facts["cost"], "cost")) if "cost" in facts else None,
        recipe=None if recipe is None else text(recipe, "recipe"),
        game_digest=text(facts.get("game_digest", ""), "game_digest"),
        parts=_parts(entries(facts.get("parts", {}), "parts")),
    )


def counters_of(facts: dict[str, Any]) -> Counters:
    """Those of earlier versions count the steps played only: the games then running are a few."""
    complete = {"added_steps": facts["played_steps"]} | facts
    for name, kind in get_type_hints(Counters).items():
        if name in complete and kind is int:
            whole(complete[name], name)
        elif name in complete:
            real(complete[name], name, 0.0, 1e12)
    return Counters(**complete)


def _game_name(value: Any) -> str:
    """A game's name. Folders are called after it, so that it must not lead out of them."""
    name = text(value, "game", LONGEST_NAME)
    if name in ("", ".", "..") or "/" in name or not name.isprintable():
        raise ValueError(f"game {brief(name)} is no name of a game")
    return name


def _mean(value: Any) -> float | None:
    """A mean return; of returns that were not finite it may be anything."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise ValueError(f"evaluation is {brief(value)} and must be a number")


def _parts(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if len(facts) > MOST_PARTS:
        raise ValueError(f"{len(facts)} parts are too many")
    return {name: entries(of_part, f"part {brief(name)}") for name, of_part in facts.items()}

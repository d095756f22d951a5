"""Two players of whom one gains what the other loses."""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable


@register_jitable
def seen_by(player: int, other: int, value: Any) -> Any:
    """What `value` to the player `other` is worth to `player`."""
    return value if other == player else -value

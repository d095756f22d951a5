"""Configurations of files that were written for muzero-general."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from config import MuZeroConfig, field_docs, field_types
from core.errors import ConfigurationError
from core.temperatures import Schedule


class Adopted(NamedTuple):
    """A configuration in this project's form, and what has no effect here or another one, in lines."""

    config: MuZeroConfig
    notes: tuple[str, ...]


def adopt(plain: Any, has_expert: bool = False) -> Adopted:
    """The configuration of a muzero-general file, whose class is plain and sets attributes.

    What has another form here is converted. What steers parts that do not exist here, or is the game's own,
    is left to the game, and noted. Raises `ConfigurationError` on an option of the wrong type.
    """
    found = attributes_of(plain)
    values = {key: value for key, value in found.items() if key in field_docs() and key not in OBSOLETE}
    notes = [*_without_effect(found)]
    opponent = found.get("opponent")
    if opponent == "self" or (opponent == "expert" and not has_expert):
        why = "evaluation needs a yardstick" if opponent == "self" else "the game has no expert_agent"
        notes.append(f"opponent={opponent!r} is random here: {why}")
    elif opponent in ("random", "expert"):
        values.setdefault("opponents", (opponent,))
    _convert(values, found)
    if values.pop("num_workers", 1) != 1:
        notes.append(f"num_workers={found['num_workers']} is left to this machine (see --num-workers)")
    temperature = getattr(plain, "visit_softmax_temperature_fn", None)
    if callable(temperature):
        values["visit_softmax_temperature"] = sampled_schedule(
            temperature, values.get("training_steps", 10_000)
        )
    return Adopted(MuZeroConfig(**values), tuple(notes))


def attributes_of(plain: Any) -> dict[str, Any]:
    """What the object and its classes define, but methods and the like; numbers as plain Python's."""
    found: dict[str, Any] = {}
    owners = [owner for owner in reversed(type(plain).__mro__) if owner is not object]
    for part in (*owners, plain):
        found |= vars(part)
    no_values = property | classmethod | staticmethod
    types = field_types()
    return {
        key: plain_value(value, types.get(key))
        for key, value in found.items()
        if not (key.startswith("_") or callable(value) or isinstance(value, no_values))
    }


def plain_value(value: Any, expected: Any = None) -> Any:
    """`value` without numpy's types; a float that is whole becomes an integer where one is `expected`."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        value = value.tolist()
    if isinstance(value, list | tuple | range):
        arguments = [a for a in typing.get_args(expected) if a is not Ellipsis]
        inner = arguments[0] if arguments and len(set(arguments)) == 1 else None
        return type(value)(plain_value(v, inner) for v in value) if isinstance(value, list | tuple) else value
    if isinstance(value, float) and value.is_integer() and _is_whole(expected):
        return int(value)
    return value


def _is_whole(expected: Any) -> bool:
    return expected is int or int in typing.get_args(expected)


def _without_effect(found: dict[str, Any]) -> Iterable[str]:
    """One line on what is not taken over, with a guess at misspelt options."""
    known = list(field_docs())
    obsolete = [key for key in found if key in OBSOLETE]
    own = [key for key in found if key not in known and key not in OBSOLETE and key not in CONVERTED]
    if obsolete or own:
        guesses = {key: difflib.get_close_matches(key, known, 1, 0.85) for key in sorted(own)}
        meant = [f"{key} (did you mean {guess[0]}?)" if guess else key for key, guess in guesses.items()]
        yield f"without effect here: {', '.join(sorted(obsolete) + meant)}"


def _convert(values: dict[str, Any], found: dict[str, Any]) -> None:
    """Brings options of another form into this project's."""
    if "downsample" in values:
        values["downsample"] = values["downsample"] or "none"
    if not isinstance(values.get("players", 1), int):
        values["players"] = _count(values["players"])
    if values.get("temperature_threshold", 0) is None:
        values["temperature_threshold"] = 0
    if values.get("ratio", 0) is None:
        values["ratio"] = 0.0
    if values.get("optimizer") == "Adam":
        values["optimizer"] = "AdamW"
    if found.get("train_on_gpu", True) is False:
        values["device"] = "cpu"
    if "num_simulations" in values:
        values.setdefault("evaluation_simulations", values["num_simulations"])
    values["results_path"] = "results"


def _count(players: Any) -> int:
    try:
        return len(players)
    except TypeError:
        raise ConfigurationError(f"players={players!r} must be a list of players, or their number") from None


CONVERTED = ("opponent", "train_on_gpu", "visit_softmax_temperature_fn")
"""Attributes of muzero-general's configurations that have another name here."""
OBSOLETE = (
    *("max_num_gpus", "muzero_player", "save_model", "use_last_model_value", "reanalyse_on_gpu"),
    *("self_play_delay", "training_delay", "checkpoint_interval", "replay_buffer_size"),
)
"""Those without a counterpart here, or counted in other units."""


def sampled_schedule(function: Callable[[int], float], training_steps: int, parts: int = 100) -> Schedule:
    """A schedule given as a method of the training step, as data: its value in each of `parts` parts."""
    values = [float(function(training_steps * part // parts)) for part in range(parts)]
    ends = [part for part in range(1, parts) if values[part] != values[part - 1]] + [parts]
    return tuple((end / parts, values[end - 1]) for end in ends)

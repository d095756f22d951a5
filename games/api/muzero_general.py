"""Configurations of files that were written for muzero-general."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from config import MuZeroConfig, Schedule, field_docs
from core.errors import ConfigurationError, did_you_mean


def adopt(plain: Any, name: str) -> MuZeroConfig:
    """The configuration of a muzero-general file, whose class is plain and sets attributes in `__init__`.

    What has another form here is converted; what steers parts that do not exist here is dropped. Raises
    `ConfigurationError` on an attribute that nobody knows.
    """
    values = {key: value for key, value in vars(plain).items() if key not in OBSOLETE}
    if "downsample" in values:
        values["downsample"] = values["downsample"] or "none"
    if "players" in values:
        values["players"] = len(values["players"])
    if values.get("temperature_threshold", 0) is None:
        values["temperature_threshold"] = 0
    if values.get("ratio", 0) is None:
        values["ratio"] = 0.0
    if values.get("optimizer") == "Adam":
        values["optimizer"] = "AdamW"
    if values.pop("train_on_gpu", True) is False:
        values["device"] = "cpu"
    values["results_path"] = "results"
    temperature = getattr(plain, "visit_softmax_temperature_fn", None)
    if callable(temperature):
        values["visit_softmax_temperature"] = sampled_schedule(
            temperature, values.get("training_steps", 10_000)
        )
    for key in values:
        if key not in field_docs():
            raise ConfigurationError(
                f"games/{name}.py: unknown option {key!r}{did_you_mean(key, list(field_docs()))}"
            )
    return MuZeroConfig(**values)


OBSOLETE = (
    *("max_num_gpus", "muzero_player", "opponent", "save_model", "use_last_model_value", "reanalyse_on_gpu"),
    *("self_play_delay", "training_delay", "checkpoint_interval", "replay_buffer_size"),
)
"""Attributes of muzero-general's configurations without a counterpart here, or counted in other units."""


def sampled_schedule(function: Callable[[int], float], training_steps: int, parts: int = 100) -> Schedule:
    """A schedule given as a method of the training step, as data: its value in each of `parts` parts."""
    values = [float(function(training_steps * part // parts)) for part in range(parts)]
    ends = [part for part in range(1, parts) if values[part] != values[part - 1]] + [parts]
    return tuple((end / parts, values[end - 1]) for end in ends)

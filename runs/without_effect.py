"""Options that change nothing beside others: who gives them is told, rather than left to wonder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from config import MuZeroConfig
from core.network_kinds import NETWORKS
from core.search_kinds import SEARCHES


class Idle(NamedTuple):
    """Options that have no effect where `when` holds of the configuration; those of networks and
    searches are known to their kinds (`core/network_kinds.py`, `core/search_kinds.py`).
    """

    when: Callable[[MuZeroConfig], bool]
    why: str
    names: tuple[str, ...]


RULES = (
    Idle(
        lambda config: config.players == 1,
        "this is a game for one",
        ("opponents", "resign_value", "resign_check"),
    ),
    Idle(
        lambda config: config.q_transform != "bounds",
        "q_transform is not bounds",
        ("value_bounds",),
    ),
    Idle(
        lambda config: (
            config.search_kind.explores and not config.move_temperature and not config.temperature_threshold
        ),
        "the search explores by its own noise, where there is no temperature by move",
        ("visit_softmax_temperature",),
    ),
    Idle(
        lambda config: bool(config.move_temperature),
        "move_temperature is used in its place",
        ("visit_softmax_temperature",),
    ),
    Idle(lambda config: config.resign_value == -1.0, "resign_value=-1: nobody resigns", ("resign_check",)),
    Idle(
        lambda config: config.full_search_probability == 1.0,
        "full_search_probability=1: all searches are full",
        ("fast_simulations",),
    ),
    Idle(lambda config: config.optimizer != "SGD", "the optimiser is not SGD", ("momentum",)),
    Idle(
        lambda config: config.lr_decay_rate == 1.0,
        "lr_decay_rate=1: the learning rate stays",
        ("lr_decay_steps", "lr_decay_start"),
    ),
    Idle(lambda config: not config.PER, "PER is off", ("PER_alpha", "PER_beta")),
    Idle(
        lambda config: config.num_reanalyse_workers == 0,
        "num_reanalyse_workers=0: nothing is reanalysed",
        ("reanalyse_policy", "reanalyse_batch", "reanalyse_ratio", "target_update_interval"),
    ),
    Idle(
        lambda config: config.evaluation_interval == 0,
        "evaluation_interval=0: there are no evaluations",
        ("evaluation_games", "opponents", "target_reward", "target_games"),
    ),
    Idle(lambda config: config.target_reward is None, "there is no target_reward", ("target_games",)),
)
WITHOUT_RAY = ("object_store_mb", "weights_interval")


def of_another_kind(config: MuZeroConfig, name: str) -> str | None:
    """Why option `name` changes nothing, where it belongs to networks or searches that were not chosen."""
    for what, chosen, kinds in (
        ("network", config.network_kind, NETWORKS),
        ("search", config.search_kind, SEARCHES),
    ):
        others = (kinds.find(other).options for other in kinds.names)
        if name not in chosen.options and any(name in options for options in others):
            return f"the {what} is {chosen.title}"
    return None


def without_effect(
    config: MuZeroConfig,
    given: Collection[str],
    *,
    local: bool = False,
    called: Callable[[str], str] = str,
) -> Iterator[str]:
    """A line for each of the options `given` that changes nothing in a run of `config`."""
    for name in given:
        why = next((rule.why for rule in RULES if name in rule.names and rule.when(config)), None)
        why = why or of_another_kind(config, name)
        if why is None and local and name in WITHOUT_RAY:
            why = "a --local run is one process"
        if why is not None:
            yield f"{called(name)} has no effect: {why}"

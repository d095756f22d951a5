"""Who can play a game: a trained agent, and the opponents that it is measured against.

A player is data first: `PlayerSpec`, written `random`, `expert`, `minimax`, `minimax:6`, `mcts:1000`, or a
checkpoint's path. `make_player` turns it into something that chooses moves in many games at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from arena.mcts_player import MCTS
from arena.minimax_player import MINIMAX
from arena.network_player import CHECKPOINT, check_form
from arena.player_kind import Order, PlayerKind, PlayerSpec
from arena.simple_players import EXPERT, RANDOM
from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean, require
from core.randomness import Stream, child_seed, make_generator
from core.wording import counted, in_words
from games.api.spec import GameSpec
from playing.player import Player

KINDS: tuple[PlayerKind, ...] = (RANDOM, EXPERT, MINIMAX, MCTS, CHECKPOINT)
AnyPlayer = str | PlayerSpec
"""A player by name, or as a value."""


def named_kind(text: str, kinds: Sequence[PlayerKind] = KINDS) -> PlayerKind | None:
    """The kind that the player `text` names; None if it is called otherwise, as a checkpoint is."""
    name = text.partition(":")[0]
    return next((kind for kind in kinds if kind.name == name and not kind.by_path), None)


def parse_player(
    text: str, simulations: int | None = None, kinds: Sequence[PlayerKind] = KINDS
) -> PlayerSpec:
    """The player that `text` names, who makes `simulations` per move if they are given.

    Raises `ConfigurationError` when it is neither a player of one of the `kinds` nor an existing path, or
    one for whom that number of simulations makes no sense.
    """
    kind = named_kind(text, kinds)
    if kind is not None:
        amount = _amount(text, kind, kinds)
        if simulations is not None:
            _check_simulations(text, simulations, kind, kinds)
        return PlayerSpec(kind, simulations if amount is None else amount)
    if Path(text).exists():
        for kind in kinds:
            if kind.by_path:
                return PlayerSpec(kind, simulations, Path(text))
    names = [kind.name for kind in kinds if not kind.by_path]
    suggestion = did_you_mean(text.partition(":")[0], names)
    raise ConfigurationError(
        f"unknown player {text!r}{suggestion} (one of {', '.join(names)}, or a checkpoint's path)"
    )


def _amount(text: str, kind: PlayerKind, kinds: Sequence[PlayerKind]) -> int | None:
    """The number behind the name in `text`, if there is one. Raises `ConfigurationError` on anything else."""
    _, _, amount = text.partition(":")
    if not amount:
        return None
    if kind.amount is None or not re.fullmatch(r"[1-9]\d*", amount):
        forms = [f"{one.name}:{one.amount.counts.upper()}" for one in kinds if one.amount and not one.by_path]
        raise ConfigurationError(f"player {text!r}: write {' or '.join(forms)}")
    return int(amount)


def _check_simulations(text: str, simulations: int, kind: PlayerKind, kinds: Sequence[PlayerKind]) -> None:
    """Raises `ConfigurationError` unless the player `text` of `kind` can be told to make so many."""
    if not kind.searches or kind.amount is None:
        those = " or ".join(one.called for one in kinds if one.searches)
        raise ConfigurationError(
            f"player {text!r} makes no simulations: give a number of them for {those} only"
        )
    if ":" in text:
        raise ConfigurationError(f"player {text!r} says how many simulations: leave out the other number")
    if simulations < kind.amount.lowest:
        least = counted(kind.amount.lowest, "simulation")
        raise ConfigurationError(f"player {text!r} needs at least {least}, not {simulations}")


def player_specs(
    named: AnyPlayer | Sequence[AnyPlayer] | None, simulations: int | None = None
) -> tuple[PlayerSpec, ...]:
    """The players that are meant: none, one, or several. For `simulations` and errors see `parse_player`."""
    several = [named] if isinstance(named, AnyPlayer) else named or []
    return tuple(parse_player(one, simulations) if isinstance(one, str) else one for one in several)


def checkpoint_player(path: Path, simulations: int | None = None) -> PlayerSpec:
    """The player of the checkpoint `path`, which makes `simulations` per move, by default its own number."""
    return PlayerSpec(CHECKPOINT, simulations, path)


def check_player(spec: PlayerSpec, game: GameSpec) -> None:
    """Raises `ConfigurationError` if the player cannot play the game."""
    spec.kind.check(spec, game)
    spec.kind.require_possible(spec)


def make_player(spec: PlayerSpec, game: GameSpec, batch: int, seed: int, device: str = "cpu") -> Player:
    """The player `spec`, for up to `batch` games at a time. Raises `ConfigurationError` if it cannot play."""
    check_player(spec, game)
    return spec.kind.make(Order(spec, game, batch, make_generator(seed, Stream.OPPONENT), device))


def make_others(opponents: Sequence[PlayerSpec], game: GameSpec, batch: int, seed: int) -> list[Player]:
    """Those in the other seats of a player whose own choices `seed` determines; see `make_player`."""
    seeds = [
        child_seed(seed, Stream.OPPONENT, *([number] * (number > 0))) for number in range(len(opponents))
    ]
    return [make_player(spec, game, batch, own) for spec, own in zip(opponents, seeds, strict=True)]


def seated(game: GameSpec, opponents: Sequence[PlayerSpec]) -> tuple[PlayerSpec, ...]:
    """Who has the other seats, one for each: of `opponents` a single one takes all of them.

    Raises `ConfigurationError` where they are more or fewer than those seats.
    """
    others = game.config.players - 1
    if not others and opponents:
        raise ConfigurationError(f"{game.name} is a game for one: leave out the opponent")
    if others and not opponents:
        raise ConfigurationError(f"{game.name} is a game for {in_words(others + 1)}: name an opponent")
    if len(opponents) not in (1, others):
        either = (
            "one opponent" if others == 1 else f"one opponent, or one for each of the {others} other seats"
        )
        raise ConfigurationError(
            f"{game.name} is a game for {in_words(others + 1)}: name {either}, not {len(opponents)}"
        )
    return tuple(opponents) * others if len(opponents) == 1 else tuple(opponents)


def names_of(opponents: Sequence[PlayerSpec]) -> str | None:
    """Those in the other seats by name, where all are the same by that of one; None in a game for one."""
    names = [str(spec) for spec in opponents]
    return ", ".join(names[:1] if len(set(names)) == 1 else names) or None


def check_opponents(game: GameSpec, config: MuZeroConfig, kinds: Sequence[PlayerKind] = KINDS) -> None:
    """Raises `ConfigurationError` unless everybody against whom a run evaluates can play; starts nobody."""
    if config.players == 1:
        return
    require(bool(config.opponents), "opponents", "must name at least one")
    for name in config.opponents:
        try:
            _check_opponent(parse_player(name, kinds=kinds), game, config)
        except ConfigurationError as error:
            raise ConfigurationError(f"opponents: {error}") from None


def _check_opponent(spec: PlayerSpec, game: GameSpec, config: MuZeroConfig) -> None:
    from saving.checkpoint import load_checkpoint

    check_player(spec, game)
    if spec.path is not None:
        check_form(load_checkpoint(spec.path, expect_game=game.name).config, config)

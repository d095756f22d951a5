"""Which agent is meant: the one that is named, or the one in use."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean
from games.api.sources import OWN_GAMES, GameFolder
from saving.files import CheckpointError
from saving.run_folder import best_of, first_existing, named_runs, runs_by_age

if TYPE_CHECKING:
    from arena.player_kind import PlayerSpec

SHIPPED = "shipped"
PRETRAINED = "pretrained"  # what muzero-general calls it
BY_NAME = "by name"
ANY = 0
"""A board of whatever size."""
_VERSION = re.compile(r"v\d+")


class ChosenAgent(NamedTuple):
    """A checkpoint, and why it is this one."""

    path: Path
    name: str  # v0003, shipped, a run's name or a path
    why: str

    def __str__(self) -> str:
        return f"agent: {self.name} ({self.why})"

    def say(self) -> None:
        """Tells the person, beside the command's own output, unless it was named."""
        if self.why != BY_NAME:
            print(self, file=sys.stderr)


def chosen_agent(
    named: str | None, game: str, results_path: Path, games: GameFolder = OWN_GAMES, board_size: int = ANY
) -> ChosenAgent:
    """The agent called `named`, or the one in use. Raises `ConfigurationError` when there is none."""
    found = find_agent(named, game, results_path, games, board_size)
    if found is None:
        on = f" on a board of {board_size}" if board_size else ""
        raise ConfigurationError(
            f"no run of {game!r}{on} with a checkpoint under {results_path}, and no agent is registered or "
            "ships: train first, or name a checkpoint"
        )
    return found


def find_agent(
    named: str | None, game: str, results_path: Path, games: GameFolder = OWN_GAMES, board_size: int = ANY
) -> ChosenAgent | None:
    """The agent called `named`, or the one in use on a board of `board_size`, if there is one.

    Raises `ConfigurationError` when none is called so, or plays on another board.
    """
    if named is None:
        return agent_in_use(game, results_path, games, board_size)
    found = named_agent(named, game, results_path, games)
    if board_size and (side := _side(found.path, game)) != board_size:
        raise ConfigurationError(f"{named} plays {game} on a board of {side}, not of {board_size}")
    return found


def means_an_agent(name: str) -> bool:
    """Whether `name` stands for a version, or an agent that ships, in every game: no run can be called so."""
    return name in (SHIPPED, PRETRAINED) or _VERSION.fullmatch(name) is not None


def named_agent(name: str, game: str, results_path: Path, games: GameFolder = OWN_GAMES) -> ChosenAgent:
    """A version, `shipped`, a run by its name or its folder (its best), a generation, or a file.

    Raises `ConfigurationError` when it is none of them.
    """
    from arena.registry import Registry

    shipped = games.shipped(game)
    if name in (SHIPPED, PRETRAINED) and shipped.exists():
        return ChosenAgent(shipped, SHIPPED, BY_NAME)
    registry = Registry(results_path, game)
    if _VERSION.fullmatch(name):
        return ChosenAgent(registry.path(registry.version(name)), name, BY_NAME)
    path = first_existing(Path(name).expanduser(), results_path / game / name, results_path / name)
    names = named_runs(results_path, game)
    path = path or names.get(name)
    if path is not None:
        return ChosenAgent(best_of(path) if path.is_dir() else path, name, BY_NAME)
    known = [version.name for version in registry.versions()] + [SHIPPED] * shipped.exists()
    known += [*sorted(path.name for path in (results_path / game).glob("*/")), *names]
    raise CheckpointError(
        f"no checkpoint at {name}, and no agent of {game!r} is called so{did_you_mean(name, known)} (name a "
        f"version such as v0001, {SHIPPED}, a run, or a path)"
    )


def named_player(
    name: str,
    simulations: int | None,
    game: str,
    results_path: Path,
    games: GameFolder = OWN_GAMES,
) -> PlayerSpec:
    """The player that `name` stands for: one that `parse_player` reads, or an agent of the game by its
    version or as `shipped`, who makes `simulations` per move if they are given.

    Raises `ConfigurationError` when there is none.
    """
    from arena.players import checkpoint_player, parse_player  # bring numpy

    if means_an_agent(name):
        return checkpoint_player(named_agent(name, game, results_path, games).path, simulations)
    return parse_player(name, simulations)


def agent_in_use(
    game: str, results_path: Path, games: GameFolder = OWN_GAMES, board_size: int = ANY
) -> ChosenAgent | None:
    """The promoted version, else the best one that is registered or ships, else the newest run's best.

    Where a `board_size` is given, only of those that play on such a board.
    """
    from arena.registry import Registry

    registry = Registry(results_path, game)
    promoted = registry.promoted
    if promoted is not None and _fits(registry.path(promoted), game, board_size):
        return ChosenAgent(registry.path(promoted), promoted.name, "promoted")
    shipped = games.shipped(game)
    paths = {SHIPPED: shipped} if shipped.exists() else {}
    paths |= {version.name: registry.path(version) for version in registry.versions()}
    found = (_candidate(name, path, game) for name, path in paths.items())
    known = [one for one in found if one is not None and board_size in (ANY, one.board_size)]
    if known:
        return _best(known)
    for run in reversed(runs_by_age(results_path, game)):
        if _fits(best_of(run), game, board_size):
            return ChosenAgent(best_of(run), str(run), "the newest run's best; none is registered or ships")
    return None


def _fits(path: Path, game: str, board_size: int) -> bool:
    """Whether a checkpoint's agent plays on such a board. Raises `CheckpointError` on a bad file."""
    return board_size == ANY or _side(path, game) == board_size


def _side(path: Path, game: str) -> int:
    """The side of the board on which a checkpoint's agent plays. Raises `CheckpointError` on a bad file."""
    from saving.checkpoint import load_checkpoint

    return load_checkpoint(path, expect_game=game).config.board_size


class _Candidate(NamedTuple):
    name: str
    path: Path
    evaluation: float  # mean return
    board_size: int
    judged: tuple[object, ...]  # how: evaluations of the same kind can be compared


def _candidate(name: str, path: Path, game: str) -> _Candidate | None:
    """What is known of a checkpoint; None if it is missing or damaged, which its own commands will say."""
    from saving.checkpoint import load_checkpoint

    try:
        found = load_checkpoint(path, expect_game=game)
        side, judged = found.config.board_size, _judged(found.config)
    except ConfigurationError:
        return None
    mean = float("-inf") if found.evaluation is None else found.evaluation
    return _Candidate(name, path, mean, side, judged)


def _judged(config: MuZeroConfig) -> tuple[object, ...]:
    opponent = config.opponents[0] if config.players > 1 else None
    games = config.evaluation_games, config.target_reward, config.target_games
    position = config.observation_shape, config.action_space
    return (*position, opponent, *games, config.evaluation_simulations)


def _best(known: list[_Candidate]) -> ChosenAgent:
    """Of those judged alike the best (the newer of equals); among those judged otherwise the newest."""
    best: dict[tuple[object, ...], _Candidate] = {}
    for one in known:  # the oldest first
        if one.judged not in best or one.evaluation >= best[one.judged].evaluation:
            best[one.judged] = one
    found = max(best.values(), key=known.index)
    if len(known) == 1:
        why = "it ships, and none is registered" if found.name == SHIPPED else "the only one registered"
    elif len(best) == 1:
        why = f"best evaluation, {found.evaluation:.4g}, of the {len(known)} that are registered or ship"
    else:
        why = "the newest, as evaluations of different kinds cannot be compared"
    return ChosenAgent(found.path, found.name, why)

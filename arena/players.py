"""Who can play a game: a trained agent, and the opponents that it is measured against.

A player is data first: `PlayerSpec`, written `random`, `expert`, `minimax`, `minimax:6`, `mcts:1000`, or a
checkpoint's path. `make_player` turns it into something that chooses moves in many games at once.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError, did_you_mean, require
from core.policies import random_legal
from core.randomness import Stream, make_generator, one_of
from data import IntArray, Weights
from games.api.spec import GameSpec
from playing.environment import GameError
from playing.game_table import GameTable
from search.planner import Planner

if TYPE_CHECKING:
    from games.boards.alpha_beta import Solver

Kind = Literal["random", "expert", "minimax", "mcts", "checkpoint"]
BUILT_IN: tuple[Kind, ...] = ("random", "expert", "minimax", "mcts")
MCTS_SIMULATIONS = 1000
MINIMAX_DEPTH = 4


@dataclass(frozen=True)
class PlayerSpec:
    """A player by name."""

    kind: Kind
    amount: int | None = None  # minimax: depth; mcts and checkpoint: simulations; None: the default
    path: Path | None = None  # of a checkpoint

    @property
    def varies_little(self) -> bool:
        """Whether it plays the same in the same position; yardsticks draw among their moves."""
        return self.kind in ("checkpoint", "expert")

    def __str__(self) -> str:
        """As it is written on the command line, and as curves are named."""
        name = self.path.as_posix() if self.path is not None else self.kind
        return name if self.amount is None or self.path is not None else f"{name}:{self.amount}"


def parse_player(text: str, simulations: int | None = None) -> PlayerSpec:
    """The player that `text` names, who makes `simulations` per move if they are given.

    Raises `ConfigurationError` when it is neither a built-in player nor an existing path, or one for whom
    that number of simulations makes no sense.
    """
    name, _, amount = text.partition(":")
    if name in BUILT_IN:
        if amount and (name not in ("minimax", "mcts") or not re.fullmatch(r"[1-9]\d*", amount)):
            raise ConfigurationError(f"player {text!r}: write minimax:DEPTH or mcts:SIMULATIONS")
        if simulations is not None:
            _check_simulations(text, simulations)
        return PlayerSpec(name, int(amount) if amount else simulations)
    if Path(text).exists():
        return PlayerSpec("checkpoint", simulations, Path(text))
    suggestion = did_you_mean(name, list(BUILT_IN))
    raise ConfigurationError(
        f"unknown player {text!r}{suggestion} (one of {', '.join(BUILT_IN)}, or a checkpoint's path)"
    )


def _check_simulations(text: str, simulations: int) -> None:
    """Raises `ConfigurationError` unless the built-in player `text` can be told to make so many."""
    name, _, amount = text.partition(":")
    if name != "mcts":
        raise ConfigurationError(
            f"player {text!r} makes no simulations: give a number of them for mcts or a checkpoint only"
        )
    if amount:
        raise ConfigurationError(f"player {text!r} says how many simulations: leave out the other number")
    if simulations < 1:
        raise ConfigurationError(f"player {text!r} needs at least 1 simulation, not {simulations}")


class Player(Protocol):
    """Chooses moves in some of the games of a table."""

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """Actions [n] int32 for the games `rows` [n], in each of which it is this player's turn."""
        ...


@runtime_checkable
class DrawingPlayer(Player, Protocol):
    """One whose choices depend on random numbers."""

    def reseed(self, generator: np.random.Generator) -> None:
        """Draws from `generator` from now on, as if it had just been made with it."""
        ...


def legal_action(table: GameTable, row: int, action: Any) -> int:
    """`action`, which a player chose in the game `row`. Raises `GameError` unless it is a legal one."""
    try:
        number = operator.index(action)
    except TypeError:
        number = -1
    legal = table.legal[row]
    if 0 <= number < len(legal) and legal[number]:
        return number
    environment = table.environments[row]
    raise GameError(
        f"game {environment.name!r}, move {environment.moves}: a player chose the action {action}, which is "
        "not legal there; mend its expert_agent or legal_actions"
    )


class NetworkPlayer:
    """A network with a search (most visited actions, no noise); with 0 simulations its policy alone."""

    def __init__(
        self, config: MuZeroConfig, batch: int, simulations: int | None = None, device: str = "cpu"
    ) -> None:
        self.config = config
        self.simulations = config.evaluation_simulations if simulations is None else simulations
        self.planner = Planner(config, batch, self.simulations, device)
        self.network_evaluations = 0  # of all searches so far

    def load(self, weights: Weights, version: int) -> None:
        """Plays with `weights` from now on."""
        self.planner.load(weights, version)

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`. The table may stack more observations than this network reads.

        Equal positions are searched once: without noise, the same move is chosen in all of them.
        """
        seen = self.planner.seen(table, rows)
        first, same = distinct_rows(*seen)
        self.network_evaluations += len(first) * (1 + self.simulations)
        return self.planner.plan(seen.at(first)).action[same]


def distinct_rows(*parts: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where, in order, each different row of `parts` [n, ...] taken together first occurs, and which each is.

    With `first, same` as result, `part[first][same]` equals `part`. Rows are compared by their bytes.
    """
    as_bytes = [np.ascontiguousarray(part).reshape(len(part), -1).view(np.uint8) for part in parts]
    together = np.concatenate(as_bytes, axis=1)
    keys = together.view(np.dtype((np.void, together.shape[1]))).ravel()
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[same]


class RandomPlayer:
    """Plays any legal action."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`."""
        return random_legal(self.generator, table.legal[rows])

    def reseed(self, generator: np.random.Generator) -> None:
        """See `DrawingPlayer`."""
        self.generator = generator


class ExpertPlayer:
    """Plays what the game's own `expert_agent` says."""

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`. Raises `GameError` on what is no legal action."""
        chosen = ((row, table.environments[row].game.expert_agent()) for row in rows.tolist())
        return np.array([legal_action(table, row, action) for row, action in chosen], np.int32)


class MinimaxPlayer:
    """Alpha-beta on the real rules; a random one of the best actions.

    Exact in games so short that they can be solved, else of limited depth.
    """

    def __init__(self, depth: int | None, generator: np.random.Generator) -> None:
        self.depth, self.generator = depth, generator
        self._solver: Solver | None = None

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        """See `Player`."""
        if self._solver is None:
            self._solver = self._made_for(table)
        best = (self._solver.best_actions(table.environments[row].game.state) for row in rows)
        return np.array([one_of(self.generator, actions) for actions in best], np.int32)

    def reseed(self, generator: np.random.Generator) -> None:
        """See `DrawingPlayer`; what has been solved stays known."""
        self.generator = generator

    def _made_for(self, table: GameTable) -> Solver:
        """The search for the games of `table`, whose board may be another than the game's default."""
        from games.boards.alpha_beta import Solver

        depth = default_amount("minimax", table.config) if self.depth is None else self.depth
        return Solver(table.environments[0].game.rules, table.config.num_actions, depth)


LARGEST_SOLVED = 9
"""Moves of the longest games that `minimax` solves outright."""


def default_amount(kind: Kind, config: MuZeroConfig) -> int:
    """What holds for `minimax` and `mcts` that are named without an amount: a depth, simulations."""
    if kind == "mcts":
        return MCTS_SIMULATIONS
    return config.max_moves if config.max_moves <= LARGEST_SOLVED else MINIMAX_DEPTH


def make_player(spec: PlayerSpec, game: GameSpec, batch: int, seed: int, device: str = "cpu") -> Player:
    """The player `spec`, for up to `batch` games at a time. Raises `ConfigurationError` if it cannot play."""
    check_player(spec, game)
    generator = make_generator(seed, Stream.OPPONENT)
    if spec.kind == "random":
        return RandomPlayer(generator)
    if spec.kind == "expert":
        return ExpertPlayer()
    if spec.kind == "minimax":
        return MinimaxPlayer(spec.amount, generator)
    if spec.kind == "mcts":
        from arena.mcts_player import MctsPlayer

        simulations = default_amount(spec.kind, game.config) if spec.amount is None else spec.amount
        return MctsPlayer(game, simulations, batch, generator)
    return load_player(spec, game, batch, device)


def load_player(spec: PlayerSpec, game: GameSpec, batch: int, device: str) -> NetworkPlayer:
    """The player of a checkpoint. Raises `CheckpointError` if it cannot be read or is of another game."""
    from saving.checkpoint import load_checkpoint

    assert spec.path is not None, "only checkpoints are loaded"
    found = load_checkpoint(spec.path, expect_game=game.name)
    player = NetworkPlayer(found.config, batch, spec.amount, device)
    player.load(found.weights, found.training_step)
    return player


def check_player(spec: PlayerSpec, game: GameSpec) -> None:
    """Raises `ConfigurationError` if a built-in player cannot play the game."""
    if spec.kind == "expert" and not game.can.advise:
        raise ConfigurationError(f"game {game.name!r} has no expert_agent: choose another opponent")
    if spec.kind == "minimax":
        _check_minimax(spec.amount, game)


def _check_minimax(depth: int | None, game: GameSpec) -> None:
    from games.boards.alpha_beta import WHOLE_GAME

    if not game.can.be_searched:
        raise ConfigurationError(f"game {game.name!r} has no compiled rules: minimax cannot play it")
    if depth is not None and depth > WHOLE_GAME:
        raise ConfigurationError(f"player 'minimax:{depth}': the depth must be from 1 to {WHOLE_GAME}")


def check_opponents(game: GameSpec, config: MuZeroConfig) -> None:
    """Raises `ConfigurationError` unless everybody against whom a run evaluates can play; starts nobody."""
    if config.players == 1:
        return
    require(bool(config.opponents), "opponents", "must name at least one")
    for name in config.opponents:
        try:
            _check_opponent(parse_player(name), game, config)
        except ConfigurationError as error:
            raise ConfigurationError(f"opponents: {error}") from None


def _check_opponent(spec: PlayerSpec, game: GameSpec, config: MuZeroConfig) -> None:
    from saving.checkpoint import load_checkpoint

    check_player(spec, game)
    if spec.path is not None:
        check_form(load_checkpoint(spec.path, expect_game=game.name).config, config)


def check_form(network: MuZeroConfig, game: MuZeroConfig) -> None:
    """Raises `ConfigurationError` when a network was trained on other observations or actions."""
    if (network.observation_shape, network.num_actions) != (game.observation_shape, game.num_actions):
        raise ConfigurationError(
            f"a checkpoint was trained on observations {network.observation_shape} and "
            f"{network.num_actions} actions, the game has {game.observation_shape} and "
            f"{game.num_actions}: train it again"
        )

"""The whole diagnosis of an agent: its games, the figures, the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.policies import legal_policy
from core.randomness import Stream, make_generator
from core.wording import counted
from data import FloatArray, Weights
from diagnosis.measures import (
    MOST_GUESSED,
    Calibration,
    Horizon,
    SearchEffect,
    by_horizon,
    calibrate,
    search_effect,
)
from diagnosis.played import GamesCallback, Played, play_games, sample, to_first_player
from diagnosis.unrolling import Unrolled, load_network, look, unroll
from diagnosis.verdict import Verdict, judge
from games.api.spec import GameSpec
from models import MuZeroNetwork
from search.planner import Planner, Positions
from showing.agent import Agent
from showing.analysis import Analysis, TreeLimit
from showing.interactive import InteractiveGame

UNROLLED = 512
"""Positions from which the model is unrolled."""
CALIBRATED = 4096
"""Positions whose values are compared with what came of them."""
SEARCHED = 256
"""Positions that are searched again without noise."""
TREE = TreeLimit(depth=4, width=3)


class Trajectory(NamedTuple):
    """One game of T moves. Values are those to player 0."""

    network_values: FloatArray  # [T]
    search_values: FloatArray  # [T] of the search that played, with its noise
    realised: FloatArray  # [T]
    rewards: FloatArray  # [T] real ones, to the player who moved
    predicted_rewards: FloatArray  # [T] one move ahead
    prior: FloatArray  # [T] of the action that was played, by the network
    policy: FloatArray  # [T] of the same by the search


class Scene(NamedTuple):
    """A position, and what the agent thinks of it."""

    title: str
    text: str  # the position as text
    analysis: Analysis
    action_names: tuple[str, ...]
    line_end: str  # why the expected line ends, in words


class Diagnosis(NamedTuple):
    """All that was found out about an agent."""

    game: str
    config: MuZeroConfig
    played: Played
    unrolled: Unrolled
    horizon: Horizon
    reward_calibration: Calibration  # of the rewards one move ahead
    calibration: Calibration  # of the network's values
    search_calibration: Calibration  # of the search's
    search: SearchEffect
    trajectory: Trajectory
    scenes: tuple[Scene, ...]
    verdict: Verdict


def diagnose(
    spec: GameSpec,
    config: MuZeroConfig,
    weights: Weights,
    version: int,
    progress: GamesCallback | None = None,
) -> Diagnosis:
    """Plays `config.games_per_worker` games with `weights`, which `version` updates made, and compares.

    `config.seed` determines all that is random, `config.num_simulations` is that of every search. Raises
    `GameError` when the game breaks its contract.
    """
    generator = make_generator(config.seed, Stream.DIAGNOSIS)
    played = play_games(spec, config, weights, version, progress)
    network = load_network(config, weights)
    unrolled = unroll(network, played, sample(played.moves, UNROLLED, generator), 2 * config.num_unroll_steps)
    horizon = by_horizon(played, unrolled, generator)
    compared = sample(_comparable(played), CALIBRATED, generator)
    calibration = calibrate(_values(network, played, compared), played.realised[compared])
    search_calibration = calibrate(played.steps.root_values[compared], played.realised[compared])
    rewards = calibrate(unrolled.imagined.rewards[1], played.steps.rewards[unrolled.rows[0]])
    searched = search_again(network, played, sample(played.moves, SEARCHED, generator), weights)
    shown = typical(played)
    return Diagnosis(
        game=spec.name,
        config=config,
        played=played,
        unrolled=unrolled,
        horizon=horizon,
        reward_calibration=rewards,
        calibration=calibration,
        search_calibration=search_calibration,
        search=searched,
        trajectory=trajectory(network, played, shown),
        scenes=tuple(scenes(spec, Agent(config, weights, version, config.num_simulations), played, shown)),
        verdict=judge(horizon, rewards, calibration, searched, config.num_unroll_steps),
    )


def _comparable(played: Played) -> NDArray[np.int64]:
    """The moves whose return is known well enough; all of them if there are none."""
    moves = played.moves
    known = moves[played.guessed[moves] <= MOST_GUESSED]
    return known if len(known) else moves


def _values(network: MuZeroNetwork, played: Played, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(look(network, played, rows[None]).values[0], np.float32)


def search_again(
    network: MuZeroNetwork, played: Played, rows: NDArray[np.int64], weights: Weights
) -> SearchEffect:
    """Searches the positions `rows` [n] without noise, as when it counts."""
    planner = Planner(played.config, len(rows), played.config.num_simulations)
    planner.load(weights, 0)
    legal, to_play = played.legal(rows), played.steps.to_play[rows].astype(np.int32)
    found = planner.plan(Positions(played.stacked(rows), to_play, legal))
    seen = look(network, played, rows[None])
    return search_effect(found.policy, seen.logits[0], legal, (seen.values[0], found.value[:, 0]))


def typical(played: Played) -> int:
    """The number of the first game of median length."""
    lengths = played.steps.remaining[played.starts]
    return int(np.argsort(lengths, kind="stable")[(len(lengths) - 1) // 2])


def trajectory(network: MuZeroNetwork, played: Played, game: int) -> Trajectory:
    """The game number `game`, move by move."""
    steps, first = played.steps, int(played.starts[game])
    rows = np.arange(first, first + int(steps.remaining[first]))
    unrolled = unroll(network, played, rows, 1)
    prior = legal_policy(unrolled.fresh.logits[0], played.legal(rows))
    actions = steps.actions[rows][:, None]
    return Trajectory(
        network_values=to_first_player(unrolled.fresh.values[0], steps, rows),
        search_values=to_first_player(steps.root_values[rows], steps, rows),
        realised=to_first_player(played.realised[rows], steps, rows),
        rewards=steps.rewards[rows],
        predicted_rewards=unrolled.imagined.rewards[1],
        prior=np.take_along_axis(prior, actions, axis=1)[:, 0],
        policy=np.take_along_axis(steps.policies[rows], actions, axis=1)[:, 0],
    )


def scenes(spec: GameSpec, agent: Agent, played: Played, number: int) -> Iterator[Scene]:
    """The start of the game number `number`, and the middle of it."""
    first = int(played.starts[number])
    moves = int(played.steps.remaining[first])
    actions = played.steps.actions[first : first + moves].tolist()
    game = InteractiveGame(spec, agent, int(played.seeds[number]))
    for made in dict.fromkeys((0, moves // 2)):
        for action in actions[len(game.moves) : made]:
            game.play(action)
        title = f"after {counted(made, 'move')}" if made else "at the start"
        names = tuple(game.action_name(action) for action in range(played.config.num_actions))
        analysis = game.analyse(limit=TREE)
        yield Scene(title, game.text(), analysis, names, game.line_end(analysis))
    game.close()

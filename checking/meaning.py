"""Checks of meaning: whether observations, turns, rewards and ends are what learning takes them for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from checking.evidence import Evidence, short
from checking.traces import Trace, array_of, same
from core.supports import support_needed

FEWEST_ENDINGS = 3
"""Decided games of each player from which something is concluded about rewards."""
WIDE = 100.0
"""Numbers beyond this in an observation are worth a word."""


def observation_alias(evidence: Evidence) -> str | None:
    """An observation stays what it was when it was returned."""
    for where, seen in evidence.seen():
        if not same(seen.observation, seen.copy):
            return f"{where}: the observation that was returned changed later"
    return None


def observation_range(evidence: Evidence) -> str | None:
    """Observations are of a size that networks learn well from."""
    largest = max(float(np.abs(array_of(seen.copy).astype(float)).max()) for _, seen in evidence.seen())
    return f"the largest number in an observation is {largest:g}" if largest > WIDE else None


def turn_order(evidence: Evidence) -> str | None:
    """In a game for two or more, not always the same one moves."""
    if evidence.config.players == 1:
        return None
    if not evidence.spec.can.say_whose_turn:
        return f"players={evidence.config.players}, but the game has no to_play"
    moved = {seen.player for game in evidence.games for seen in game.seen[: len(game.made)]}
    longest = max(len(game.made) for game in evidence.games)
    if longest < FEWEST_ENDINGS or len(moved) > 1:
        return None
    return f"it was always the turn of player {moved.pop()}, in games of up to {longest} moves"


def turns_alternate(evidence: Evidence) -> str | None:
    """In a game for two nobody moves twice in a row: learned models do not learn whose turn it is."""
    if evidence.config.players != 2:
        return None
    for game in evidence.games:
        movers = [seen.player for seen in game.seen[: len(game.made)]]
        for number, (before, mover) in enumerate(itertools.pairwise(movers), 2):
            if before == mover and len(set(movers)) > 1:
                return f"game {game.seed}, move {number}: player {mover} moves twice in a row"
    return None


def reward_perspective(evidence: Evidence) -> str | None:
    """The reward of the move that ends a game belongs to the player who made it."""
    signs = [set(np.sign(rewards).tolist()) for rewards in last_rewards(evidence)]
    if signs == [{-1.0}, {-1.0}]:
        return "whoever made the last move of a decided game was given a negative reward"
    if signs in ([{1.0}, {-1.0}], [{-1.0}, {1.0}]):
        player = 0 if signs[0] == {1.0} else 1
        return (
            f"the last move of a decided game earned player {player} a positive reward and player "
            f"{1 - player} a negative one, always"
        )
    return None


def reward_symmetry(evidence: Evidence) -> str | None:
    """What one player can win by the last move is what the other can win."""
    wins = [sorted({reward for reward in rewards if reward > 0}) for rewards in last_rewards(evidence)]
    one = all(len(won) == 1 for won in wins)  # with several it may be by chance which were seen
    if one and wins[0] != wins[1]:
        return f"a won game earns player 0 {short(wins[0])} and player 1 {short(wins[1])}"
    return None


def last_rewards(evidence: Evidence) -> list[list[float]]:
    """Rewards other than 0 of the moves that ended games for two, by player; too few are none."""
    rewards: list[list[float]] = [[], []]
    for game in evidence.games:
        if evidence.config.players == 2 and game.terminated and earned(game.made[-1].reward):
            rewards[int(game.seen[len(game.made) - 1].player)].append(earned(game.made[-1].reward))
    return rewards if min(map(len, rewards)) >= FEWEST_ENDINGS else [[], []]


def value_support(evidence: Evidence) -> str | None:
    """The network can represent the returns and the rewards."""
    values = [value for game in evidence.games for value in values_of(game)]
    rewards = [earned(made.reward) for game in evidence.games for made in game.made]
    largest = max((abs(number) for number in values + rewards), default=0.0)
    needed = support_needed(largest, evidence.config.support_transform)
    if needed <= evidence.config.support_size:
        return None
    return (
        f"a reward or a discounted return of {largest:g} was seen, which takes "
        f"support_size={needed}; the configuration says {evidence.config.support_size}"
    )


def values_of_long_games(evidence: Evidence) -> str | None:
    """The network can represent what an agent gets who plays on for longer than random moves do."""
    config = evidence.config
    running = [abs(earned(made.reward)) for game in evidence.games for made in game.made[:-1]]
    last = [abs(earned(game.made[-1].reward)) for game in evidence.games if game.made]
    mean, end = float(np.mean(running)) if running else 0.0, max(last, default=0.0)
    horizon = float((config.discount ** np.arange(config.max_moves - 1)).sum())
    possible = mean * horizon + end * config.discount ** (config.max_moves - 1)
    needed = support_needed(possible, config.support_transform)
    if needed <= config.support_size or value_support(evidence) is not None:
        return None
    return (
        f"moves are rewarded with {mean:.3g} on average: max_moves={config.max_moves} of them at "
        f"discount={config.discount:g} are worth {possible:.4g}, which takes support_size={needed}; the "
        f"configuration says {config.support_size}"
    )


def value_bounds(evidence: Evidence) -> str | None:
    """The bounds of the values that the search is told hold."""
    low, high = evidence.config.value_bounds
    values = [value for game in evidence.games for value in values_of(game)]
    if evidence.config.q_transform != "bounds" or all(low <= value <= high for value in values):
        return None
    return f"discounted returns from {min(values):g} to {max(values):g} were seen outside [{low:g}, {high:g}]"


def values_of(game: Trace) -> list[float]:
    """The discounted return from each move on, to the player who makes it."""
    values: list[float] = []
    following = 0.0
    for number in reversed(range(len(game.made))):
        here, there = game.seen[number].player, game.seen[number + 1].player
        following = earned(game.made[number].reward) + game.spec.config.discount * (
            following if here == there else -following
        )
        values.append(following)
    return values


def earned(reward: Any) -> float:
    """What a move earned; where the game says it of each player, the largest of that in size."""
    each = np.ravel(np.asarray(reward, float))
    return float(each[np.abs(each).argmax()])


def no_reward(evidence: Evidence) -> str | None:
    """There is something to be learned from."""
    rewards = [earned(made.reward) for _, made in evidence.made()]
    return None if any(rewards) else f"all of {len(rewards)} random moves were rewarded with 0"


def never_ending(evidence: Evidence) -> str | None:
    """Games come to an end."""
    ended = [game for game in evidence.games if game.over]
    if ended or not evidence.games:
        return None
    return f"none of {len(evidence.games)} random games ended within max_moves={evidence.config.max_moves}"

"""Gumbel MuZero's rule (Danihelka et al. 2022): sequential halving at the root, planned visits below it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from config import MuZeroConfig
from core.kernels import inlined_njit
from data import BoolArray, FloatArray, SearchResult
from search.noise import RootNoise
from search.rules.rule import SearchRule
from search.rules.scoring import argmax_legal
from search.specialised import component, look
from search.tree import ROOT, SearchParameters, Tree

LOWEST_SCORE = -1e9  # of a considered action, so that an only one can always be visited, as in mctx


class GumbelConstants(NamedTuple):
    """Numbers of this rule."""

    max_considered: int
    rescale_values: bool
    value_scale: float
    maxvisit_init: float


class Gumbel(SearchRule):
    """At the root the best of a few actions drawn without replacement; below it the improved policy."""

    title = "gumbel"
    options = ("value_scale", "maxvisit_init", "rescale_values", "max_num_considered_actions", "gumbel_scale")
    explores = True

    def constants(self, config: MuZeroConfig) -> NamedTuple:
        """See `SearchRule`."""
        return GumbelConstants(
            most_considered(config), config.rescale_values, config.value_scale, config.maxvisit_init
        )

    def schedule(self, config: MuZeroConfig, simulations: int) -> list[list[int]]:
        """Visits of the actions whose turn it is, by the number of considered actions [M + 1]."""
        return [considered_visits(m, simulations) for m in range(most_considered(config) + 1)]

    def noise(
        self, config: MuZeroConfig, generator: np.random.Generator, legal: BoolArray, none: RootNoise
    ) -> RootNoise:
        """Gumbel noise, not scaled yet."""
        return none._replace(gumbel=np.asarray(generator.gumbel(size=legal.shape), none.gumbel.dtype))

    @staticmethod
    def prepare(
        tree: Tree, parameters: SearchParameters, b: int, legal: BoolArray, dirichlet: FloatArray
    ) -> None:
        """Counts the actions to consider."""
        count = 0
        for a in range(legal.shape[1]):
            count += legal[b, a]
        tree.rows[b].considered = min(count, parameters.constants[0].max_considered)

    @staticmethod
    def select(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> int:
        """The best of the considered actions whose turn it is; below the root what lags most behind."""
        if node == ROOT:
            simulation = tree.nodes[b, ROOT].visits - 1
            visits = np.int64(parameters.schedule[tree.rows[b].considered, simulation])
            score_considered(tree, parameters, b, visits, scores)
        else:
            improve_policy(tree, parameters, b, node, scores)
            for a in range(len(scores)):
                scores[a] -= tree.edges[b, node, a].visits / tree.nodes[b, node].visits
        choice: int = argmax_legal(tree, b, node, scores)
        return choice

    @staticmethod
    def decide(
        tree: Tree,
        parameters: SearchParameters,
        b: int,
        temperature: float,
        uniform: float,
        raw: FloatArray,
        scores: FloatArray,
        result: SearchResult,
    ) -> None:
        """The winner of sequential halving, the improved policy and what playing by it is worth."""
        most: Any = 0
        for a in range(len(scores)):
            most = max(most, np.int64(tree.edges[b, ROOT, a].visits))
        improve_policy(tree, parameters, b, ROOT, result.policy[b])
        score_considered(tree, parameters, b, most, scores)
        result.action[b] = argmax_legal(tree, b, ROOT, scores)
        own, players = tree.nodes[b, ROOT].to_play, result.value.shape[1]
        for turn in range(players):  # the player to move comes last, so that the root stays as it sees it
            player = (own + 1 + turn) % players
            look(tree, parameters, b, player, raw)
            result.value[b, component(parameters, player)] = play_value(tree, b, result.policy[b], scores)


def most_considered(config: MuZeroConfig) -> int:
    """Actions that are considered at the root, if so many are legal (M)."""
    return min(config.max_num_considered_actions, config.num_actions)


def considered_visits(considered: int, simulations: int) -> list[int]:
    """Sequential halving over `considered` actions, as one number of visits per simulation.

    A simulation takes the best of the actions that have exactly that many visits (Gumbel MuZero paper,
    section 3; mctx `get_sequence_of_considered_visits`).
    """
    if considered <= 1:
        return list(range(simulations))
    phases = math.ceil(math.log2(considered))
    sequence: list[int] = []
    visits, remaining = 0, considered
    while len(sequence) < simulations:
        rounds = max(1, int(simulations / (phases * remaining)))
        for visit in range(visits, visits + rounds):
            sequence += [visit] * remaining
        visits += rounds
        remaining = max(2, remaining // 2)
    return sequence[:simulations]


@inlined_njit
def complete_values(tree: Tree, b: int, node: int, completed: FloatArray) -> int:
    """Action values, unvisited ones replaced by the mixed value (Gumbel MuZero paper, appendix D).

    Returns the visits of the most visited action.
    """
    real = completed.dtype.type
    most, mass, weighted = 0, real(0), real(0)
    for a in range(len(completed)):
        edge = tree.edges[b, node, a]
        if edge.visits > 0:
            prior = max(edge.prior, np.finfo(completed.dtype).tiny)
            mass += prior
            weighted += prior * edge.q
            most = max(most, edge.visits)
    mixed = tree.nodes[b, node].raw_value + real(0)
    if most > 0:
        visits = real(tree.nodes[b, node].visits - 1)  # of all actions
        mixed = (mixed + visits * weighted / mass) / (visits + real(1))
    for a in range(len(completed)):
        edge = tree.edges[b, node, a]
        completed[a] = edge.q if edge.visits > 0 else mixed
    return most


@inlined_njit
def complete_q(tree: Tree, parameters: SearchParameters, b: int, node: int, completed: FloatArray) -> None:
    """Completed action values, scaled to be added to logits (Gumbel MuZero paper, equation 8)."""
    constants, real = parameters.constants[0], completed.dtype.type
    most = complete_values(tree, b, node, completed)
    low, high = real(np.inf), real(-np.inf)
    for a in range(len(completed)):
        low, high = min(low, completed[a]), max(high, completed[a])
    scale = (constants.maxvisit_init + real(most)) * constants.value_scale
    if constants.rescale_values:
        scale /= max(high - low, constants.least_range)
    else:
        low = real(0)
    for a in range(len(completed)):
        completed[a] = (completed[a] - low) * scale


@inlined_njit
def score_considered(
    tree: Tree, parameters: SearchParameters, b: int, visits: int, scores: FloatArray
) -> None:
    """At the root: Gumbel noise + logit + completed value of the actions that have this many visits."""
    complete_q(tree, parameters, b, ROOT, scores)
    for a in range(len(scores)):
        edge = tree.edges[b, ROOT, a]
        score = max(tree.gumbel[b, a] + edge.logit + scores[a], LOWEST_SCORE)
        scores[a] = score if edge.visits == visits else -np.inf


@inlined_njit
def improve_policy(tree: Tree, parameters: SearchParameters, b: int, node: int, policy: FloatArray) -> None:
    """softmax(logits + completed values), the improved policy of the Gumbel MuZero paper (equation 11)."""
    complete_q(tree, parameters, b, node, policy)
    largest, total = policy.dtype.type(-np.inf), policy.dtype.type(0)
    for a in range(len(policy)):
        policy[a] += tree.edges[b, node, a].logit
        largest = max(largest, policy[a])
    for a in range(len(policy)):
        policy[a] = np.exp(policy[a] - largest)
        total += policy[a]
    for a in range(len(policy)):
        policy[a] /= total


@inlined_njit
def play_value(tree: Tree, b: int, policy: FloatArray, scores: FloatArray) -> Any:
    """What playing by the improved policy is worth: sum of policy * completed values.

    The mean over visits is not: sequential halving visits bad actions as often as it has to.
    """
    complete_values(tree, b, ROOT, scores)
    value = scores.dtype.type(0)
    for a in range(len(scores)):
        value += policy[a] * scores[a]
    return value

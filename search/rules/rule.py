"""What a rule of the search consists of.

A rule is a class. Its static functions are compiled (helpers of theirs by `core/kernels.py:inlined_njit`):
`search/specialised.py` puts them into the search's kernels. All else of it prepares numbers for them.
"""

from __future__ import annotations

from inspect import signature
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from config import MuZeroConfig
from core.search_kinds import SearchKind
from data import BoolArray, FloatArray, SearchResult
from search.noise import RootNoise
from search.rules.scoring import sample_by_visits
from search.specialised import from_set
from search.tree import ROOT, SearchParameters, Tree


class NoConstants(NamedTuple):
    """No numbers of its own."""


class SearchRule(SearchKind):
    """How a search's roots are prepared, which actions it simulates, and what is read from it.

    The static functions are compiled, each under its own name and arguments. They get a tree and its row b;
    `scores` [A] is room for them to work in. A rule that is a dataclass has its fields as options of its
    own, given as `search="module:Mine(width=3)"`. Raises `TypeError` if a function takes other arguments.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in ("prepare", "select", "decide"):
            found, wanted = (list(signature(getattr(owner, name)).parameters) for owner in (cls, SearchRule))
            if found != wanted:
                raise TypeError(
                    f"{cls.__name__}.{name} takes ({', '.join(found)}), not ({', '.join(wanted)})"
                )

    def constants(self, config: MuZeroConfig) -> NamedTuple:
        """Numbers of its own: `parameters.constants[0].<name>` in its functions."""
        return NoConstants()

    def exploration(self, config: MuZeroConfig, visits: NDArray[np.float64]) -> NDArray[np.float64]:
        """`parameters.exploration`, by a node's visits [N + 1]."""
        return np.zeros_like(visits)

    def schedule(self, config: MuZeroConfig, simulations: int) -> list[list[int]]:
        """`parameters.schedule`: rows of one number for each simulation."""
        return [[0] * simulations]

    def noise(
        self, config: MuZeroConfig, generator: np.random.Generator, legal: BoolArray, none: RootNoise
    ) -> RootNoise:
        """`none` with what is random at roots of the legal actions [B, A]."""
        return none

    @staticmethod
    @from_set("rule")
    def prepare(
        tree: Tree, parameters: SearchParameters, b: int, legal: BoolArray, dirichlet: FloatArray
    ) -> None:
        """Changes a root whose edges are filled; `legal` and `dirichlet` are [B, A]."""

    @staticmethod
    @from_set("rule")
    def select(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> int:
        """The action to simulate in a node."""
        raise NotImplementedError

    @staticmethod
    @from_set("rule")
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
        """Fills row b of action and value, and of policy where it is not the shares of the visits.

        `raw` [B, P] are the values of the roots by the model. By default an action by its visits, and the
        mean of what was backed up.
        """
        result.action[b] = sample_by_visits(tree, b, temperature, uniform, scores)
        for p in range(result.value.shape[1]):
            result.value[b, p] = tree.value[b, ROOT, p]


def rule_of(config: MuZeroConfig) -> SearchRule:
    """The rule that `config.search` names."""
    return cast(SearchRule, config.search_kind)


def draw_noise(
    generator: np.random.Generator,
    legal: BoolArray,
    config: MuZeroConfig,
    dtype: DTypeLike = np.float32,
    rule: SearchRule | None = None,
) -> RootNoise:
    """What `rule` needs to be random in a search of roots with the legal actions [B, A].

    The rule is that of `config.search`, unless it is given: to find it takes as long as to draw.
    """
    batch, actions = legal.shape
    noise = (rule or rule_of(config)).noise(config, generator, legal, RootNoise.none(batch, actions, dtype))
    return noise._replace(
        tie_seeds=generator.integers(1, 2**64, batch, np.uint64, endpoint=False),
        uniform=np.asarray(generator.random(batch, np.float32), dtype),
    )

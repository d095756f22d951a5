"""What a rule of the search consists of, and which one a configuration names.

A rule is a class. Its functions are static and compiled (`core/kernels.py:inlined_njit`); an object of it
has the numbers of one search. `search/specialised.py` puts the functions into the search's kernels.
"""

from __future__ import annotations

import functools
import importlib
import operator
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from config import MuZeroConfig
from core.project import ours
from data import BoolArray, FloatArray, SearchResult
from search.noise import RootNoise
from search.tree import SearchParameters, Tree

RULES = {
    "puct": f"{ours('search.rules.puct')}:Puct",
    "gumbel": f"{ours('search.rules.gumbel')}:Gumbel",
}
"""The rules that the option `search` knows by name, and where they are."""


class NoConstants(NamedTuple):
    """No numbers of its own."""


class Rule:
    """How a search's roots are prepared, which actions it simulates, and what is read from it.

    The static functions are compiled, each under its own name and arguments. They get a tree and its row b;
    `scores` [A] is room for them to work in.
    """

    explores: ClassVar[bool] = False
    """Whether self-play plays the search's own choice, since its noise explores; else visits are sampled."""

    def __init__(self, config: MuZeroConfig) -> None:
        self.config = config

    def constants(self) -> NamedTuple:
        """Numbers of its own: `parameters.constants[0].<name>` in its functions."""
        return NoConstants()

    def exploration(self, visits: NDArray[np.float64]) -> NDArray[np.float64]:
        """`parameters.exploration`, by a node's visits [N + 1]."""
        return np.zeros_like(visits)

    def schedule(self, simulations: int) -> list[list[int]]:
        """`parameters.schedule`: rows of one number for each simulation."""
        return [[0] * simulations]

    def noise(self, generator: np.random.Generator, legal: BoolArray, none: RootNoise) -> RootNoise:
        """`none` with what is random at roots of the legal actions [B, A]."""
        return none

    @staticmethod
    def prepare(
        tree: Tree, parameters: SearchParameters, b: int, legal: BoolArray, dirichlet: FloatArray
    ) -> None:
        """Changes a root whose edges are filled; `legal` and `dirichlet` are [B, A]."""

    @staticmethod
    def select(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> int:
        """The action to simulate in a node."""
        raise NotImplementedError

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
        """Fills row b of action and value, and of policy where it is not the shares of the visits.

        `raw` [B, P] are the values of the roots by the model.
        """
        raise NotImplementedError


def rule_class(config: MuZeroConfig) -> type[Rule]:
    """The class of the rule that `config.search` names."""
    return cast(type[Rule], load(RULES.get(config.search, config.search)))


@functools.cache
def load(path: str) -> Any:
    """What `path` names, written `module:Name`."""
    module, _, name = path.partition(":")
    return operator.attrgetter(name)(importlib.import_module(module))


def draw_noise(
    generator: np.random.Generator, legal: BoolArray, config: MuZeroConfig, dtype: DTypeLike = np.float32
) -> RootNoise:
    """What `config.search` needs to be random in a search of roots with the legal actions [B, A]."""
    batch, actions = legal.shape
    noise = rule_class(config)(config).noise(generator, legal, RootNoise.none(batch, actions, dtype))
    return noise._replace(
        tie_seeds=generator.integers(1, 2**64, batch, np.uint64, endpoint=False),
        uniform=np.asarray(generator.random(batch, np.float32), dtype),
    )

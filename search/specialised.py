"""The functions of a rule, and of what a value is, in the search's kernels.

Kernels call the functions of this module, and those of `search/rules/rule.py:SearchRule`. When numba compiles
them, it finds in the type of the parameters which sets of functions are meant (`search/parameters.py`), and
compiles the functions of the same names and arguments in their place: nothing is asked, and no pointer is
followed, while a search runs.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from numba.extending import overload

from core.kernels import INLINED
from data import Evaluation, FloatArray
from search.tree import SearchParameters, Tree

Function = TypeVar("Function", bound=Callable[..., Any])


def load(path: str) -> Any:
    """The class that `path` names, `module:Class`; whoever has searched by it has imported the module."""
    module, _, name = path.partition(":")
    return operator.attrgetter(name)(sys.modules[module])


def from_set(what: str) -> Callable[[Function], Function]:
    """A decorator of functions that stand for those of the set of functions `what`."""

    def decorate(stands: Function) -> Function:
        where = list(inspect.signature(stands).parameters).index("parameters")

        @functools.wraps(stands)
        def implementation(*arguments: Any) -> Any:
            fields = arguments[where].types[0].dtype.fields
            path = next(name for name in fields if name.startswith(f"{what} ")).split()[1]
            return getattr(load(path), stands.__name__)

        overload(stands, jit_options=INLINED, strict=False)(implementation)
        return stands

    return decorate


# --- of what a value is, see `search/values.py` ---


@from_set("values")
def component(parameters: SearchParameters, player: int) -> int:
    """Where in a value [P] that of `player` is."""
    raise NotImplementedError


@from_set("values")
def signed_discount(parameters: SearchParameters, mover: int, player: int, discount: float) -> float:
    """The factor of the values of a node of `player` in those of its parent, of `mover`."""
    raise NotImplementedError


@from_set("values")
def keep(tree: Tree, parameters: SearchParameters, b: int, node: int, evaluation: Evaluation) -> None:
    """Keeps the value of a node, whose player is known, and the reward of the edge into it."""
    raise NotImplementedError


@from_set("values")
def back_up(tree: Tree, parameters: SearchParameters, b: int, node: int) -> None:
    """Adds a new node's value to all nodes above it, and counts a visit."""
    raise NotImplementedError


@from_set("values")
def look(tree: Tree, parameters: SearchParameters, b: int, player: int, raw: FloatArray) -> None:
    """Makes the action values of the root, and its value by the model [B, P], those of `player`."""
    raise NotImplementedError

"""A rule of the search that is added from outside: this file is all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.kernels import inlined_njit
from core.project import PROJECT
from data import FloatArray, SearchResult
from search.mcts import Search, UniformModel
from search.noise import RootNoise
from search.rules.rule import SearchRule
from search.rules.scoring import argmax_legal
from search.tree import SearchParameters, Tree
from tests.helpers.toy_games import fixed_source, toy_game


class PriorConstants(NamedTuple):
    weight: float


@inlined_njit
def lag(tree: Tree, b: int, node: int, a: int, weight: float) -> Any:
    edge = tree.edges[b, node, a]
    return weight * edge.prior - edge.visits


@dataclass(frozen=True)
class Proportional(SearchRule):
    """Visits follow the model's policy, whatever anything is worth."""

    title = "proportional"
    weight: float = 1.0

    def constants(self, config: MuZeroConfig) -> NamedTuple:
        return PriorConstants(self.weight * config.num_simulations)

    @staticmethod
    def select(tree: Tree, parameters: SearchParameters, b: int, node: int, scores: FloatArray) -> int:
        for a in range(len(scores)):
            scores[a] = lag(tree, b, node, a, parameters.constants[0].weight)
        choice: int = argmax_legal(tree, b, node, scores)
        return choice


NAME = f"{__name__}:Proportional"


class SkewedModel(UniformModel):
    def __init__(self) -> None:
        super().__init__(1, 3)
        self._evaluation = self._evaluation._replace(
            policy_logits=np.log(np.array([[0.6, 0.3, 0.1]], np.float32))
        )


def searched(config: MuZeroConfig) -> SearchResult:
    legal, root = np.ones((1, 3), np.bool_), np.zeros(1, np.int32)
    return Search(config, 1).run(SkewedModel(), root, root, legal, RootNoise.none(1, 3))


@pytest.mark.parametrize(("options", "visits"), [("", [12, 6, 2]), ("(weight=0)", [7, 7, 6])])
def test_it_is_called_by_where_it_is_and_searches_by_itself(options: str, visits: list[int]) -> None:
    config = MuZeroConfig(action_space=(0, 1, 2), num_simulations=20, search=NAME + options)
    assert searched(config).visit_counts[0].tolist() == visits
    assert MuZeroConfig.from_json(config.to_json()).search_kind == config.search_kind


def test_self_play_searches_by_it() -> None:
    from search.planner import self_play_planner
    from self_play import SelfPlay
    from tests.helpers.toy_games import WalkConfig

    config = WalkConfig(search=NAME, num_simulations=4)
    player = SelfPlay(toy_game("walk"), config, 0, fixed_source(config), self_play_planner(config, "cpu"))
    report, _ = player.play(20, 60)
    assert report.simulations == 4 * report.steps > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gumble", r"search='gumble' must be puct\|gumbel\|MODULE:CLASS, did you mean 'gumbel'"),
        (f"{__name__}:Nothing", "defines no class Nothing derived from SearchKind"),
        (f"{__name__}:PriorConstants", "defines no class PriorConstants derived from SearchKind"),
        (f"{NAME}(wieght=1)", "has no option 'wieght', did you mean 'weight'"),
        ("nowhere:SearchRule", "there is no module nowhere to import"),
    ],
)
def test_what_is_no_rule_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        MuZeroConfig(search=name)


def test_functions_with_other_arguments_are_refused_where_they_are_written() -> None:
    with pytest.raises(
        TypeError, match=r"Wrong.select takes \(tree, b\), not \(tree, parameters, b, node, s"
    ):

        class Wrong(SearchRule):
            @staticmethod
            def select(tree: Tree, b: int) -> int:  # type: ignore[override]
                return 0


RULE = """
from core.kernels import inlined_njit
from search.rules.rule import SearchRule

class Fixed(SearchRule):
    title = "fixed"

    @staticmethod
    def select(tree, parameters, b, node, scores):
        return {action}
"""
SEARCHED = """
import numpy as np
from config import MuZeroConfig
from search.mcts import Search, UniformModel, advance
from search.noise import RootNoise
legal, root = np.ones((1, 3), bool), np.zeros(1, np.int32)
search = Search(MuZeroConfig(action_space=(0, 1, 2), num_simulations=5, search="fixed:Fixed"), 1)
found = search.run(UniformModel(1, 3), root, root, legal, RootNoise.none(1, 3))
print(found.action[0], sum(advance.stats.cache_hits.values()))
"""


def test_an_edited_rule_is_compiled_anew_though_an_old_cache_is_there(tmp_path: Path) -> None:
    def run(action: int) -> str:
        (tmp_path / "fixed.py").write_text(RULE.format(action=action))
        paths = os.pathsep.join([str(PROJECT), str(tmp_path)])
        environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        ran = subprocess.run(
            [sys.executable, "-c", SEARCHED],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout.strip()

    assert run(1) == "1 0"
    assert run(1) == "1 1"
    assert run(2) == "2 0"

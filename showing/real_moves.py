"""What the game itself says of the moves that an agent imagines: its model knows no rules, and no end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from games.api.spec import GameSpec
from playing.environment import GameError
from playing.make_table import make_table
from search.chance import make_uncertain
from showing.analysis import Analysis, LineEnd, Standing, TreeNode, most_visited

MARKED = 48
"""Nodes of a tree, the most visited ones, that are tried in the game."""
MOST_STEPS = 10_000
"""Moves that are made for one analysis: half a second of a slow game. In long games fewer nodes are tried."""
RESET_STEPS = 50
"""As many moves a new game counts: some take longer to begin than to play."""
SAMPLES = 4
"""Futures that are tried of a game with chance: only what is so in all of them is said."""

Path = tuple[int, ...]


class RealMoves:
    """Tries imagined moves in a game of its own, which is played to the same position again and again.

    Chance that is still to come is drawn anew, so that nothing is said that a player could not know.
    """

    def __init__(self, spec: GameSpec, config: MuZeroConfig) -> None:
        self._table = make_table(spec, config, 1)
        self._futures = SAMPLES  # fewer where a game turns out to know no chance

    def close(self) -> None:
        """Closes the game, if it can be closed."""
        self._table.environments[0].close()

    def marked(
        self, analysis: Analysis, seed: int, moves: Sequence[int], stack: NDArray[np.float32]
    ) -> Analysis:
        """`analysis` with the standing of its nodes, and its line cut where the game would not go on.

        The position is that after `moves` from `seed`, whose stacked observations are `stack`: a game that
        comes out otherwise when it is played again is not asked.
        """
        line = analysis.principal_variation
        standings: dict[Path, Standing] = {}
        steps = MOST_STEPS
        for path in (line, *_leaves(most_visited(analysis.tree, MARKED))):
            if steps < 0 or path in standings:
                continue
            found = self._standings(path, seed, moves, stack)
            if found is None:
                return analysis
            standings.update({path[: depth + 1]: standing for depth, standing in enumerate(found)})
            steps -= self._futures * (RESET_STEPS + len(moves) + len(path))
        made, end = _cut(line, standings)
        return analysis._replace(
            principal_variation=made, line_end=end, tree=_marked_tree(analysis.tree, (), standings)
        )

    def _standings(
        self, path: Path, seed: int, moves: Sequence[int], stack: NDArray[np.float32]
    ) -> list[Standing] | None:
        """What becomes of each move of `path`; None where the position is not reached again."""
        futures: list[list[Standing]] = []
        for sample in range(SAMPLES):
            try:
                self._table.replay(0, seed, moves)
            except GameError:
                return None
            if not np.array_equal(self._table.stacks[0], stack):
                return None
            by_chance = self._draw_anew(sample)
            futures.append(self._played(path))
            if not by_chance:
                self._futures = 1
                break
        return list(_agreed(futures))

    def _draw_anew(self, sample: int) -> bool:
        """Draws chance and what is hidden anew; whether the game knows either."""
        environment = self._table.environments[0]
        generator = np.random.default_rng(sample)
        return make_uncertain(environment.game, environment.can.resample, generator)

    def _played(self, path: Path) -> list[Standing]:
        standings: list[Standing] = []
        for action in path:
            if standings and standings[-1] != "possible":
                known = standings[-1] != "unknown"
                standings.append("beyond" if known else "unknown")
            else:
                standings.append(self._after(action))
        return standings

    def _after(self, action: int) -> Standing:
        if not self._table.legal[0, action]:
            return "illegal"
        try:
            moves = self._table.move(0, action)
        except GameError:
            return "unknown"
        return "over" if moves.terminated[0] or moves.truncated[0] else "possible"


def _agreed(futures: list[list[Standing]]) -> Iterator[Standing]:
    """What is so in all futures, up to where they part; unknown from there on."""
    together = True
    for standings in zip(*futures, strict=True):
        together = together and len(set(standings)) == 1
        yield standings[0] if together else "unknown"


def _leaves(node: TreeNode, path: Path = ()) -> Iterator[Path]:
    """The paths from the root to all leaves."""
    for child in node.children:
        assert child.action is not None, "only the root has no action"
        yield from _leaves(child, (*path, child.action))
    if path and not node.children:
        yield path


def _cut(line: Path, standings: dict[Path, Standing]) -> tuple[Path, LineEnd]:
    """The moves of `line` that can be made, and what ends them."""
    for depth, action in enumerate(line):
        standing = standings[line[: depth + 1]]
        if standing == "illegal":
            return line[:depth], LineEnd("illegal", action)
        if standing == "over":
            return line[: depth + 1], LineEnd("over")
    return line, LineEnd()


def _marked_tree(node: TreeNode, path: Path, standings: dict[Path, Standing]) -> TreeNode:
    standing = standings.get(path, "unknown")
    if path and standing == "unknown":
        return node
    below = [(child, (*path, child.action)) for child in node.children if child.action is not None]
    children = tuple(_marked_tree(child, deeper, standings) for child, deeper in below)
    return node._replace(standing=standing, children=children)

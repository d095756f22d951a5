"""A search tree as a picture: the root on the left, a box for each of its most visited nodes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from showing.analysis import Standing, TreeNode, most_visited

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NODES = 26
"""Nodes that are drawn."""
ROW_INCHES = 0.36
COLUMN_INCHES = 2.1
LEAST_SPREAD = 0.2
"""Of values that differ in colour from red to green, by the largest of them: less is noise."""
LEAST_SPREAD_FOR_TWO = 0.5
"""The same in games for two, whose values are between a loss, -1, and a win, 1."""
MARKS: dict[Standing, str] = {"over": "  END", "illegal": "  ILLEGAL", "beyond": "  beyond the end"}
"""Behind the nodes whose move the game would end with, or not allow."""
LIGHT = 0.5
"""Strength of the colours, from 0, white, to 1."""


class Box(NamedTuple):
    """A node and its place: columns are moves from the root, rows count from the top."""

    node: TreeNode
    column: int
    row: float
    parent: int | None  # index of its parent's box
    best: bool  # on the most visited line


def figure(tree: TreeNode, action_names: Sequence[str]) -> Figure:
    """The picture; values in it are to the player to move at the root, colours follow them."""
    from matplotlib.figure import Figure as NewFigure

    boxes = place(most_visited(tree, NODES))
    columns = 1 + max(box.column for box in boxes)
    rows = 1 + max(box.row for box in boxes)
    drawn = NewFigure(
        figsize=(COLUMN_INCHES * columns + 0.3, ROW_INCHES * rows + 0.6), dpi=110, layout="constrained"
    )
    panel = drawn.add_subplot()
    panel.set_axis_off()
    panel.set_xlim(-0.1, columns - 0.05)
    panel.set_ylim(rows - 0.4, -0.6)
    for box in boxes:
        _draw(panel, box, boxes, action_names)
    panel.set_title("move, value to the player to move at the root, visits", fontsize=9, loc="left")
    return drawn


def place(tree: TreeNode) -> list[Box]:
    """A place for every node, parents first: a leaf takes a row, others are in their children's middle."""
    rows = itertools.count()
    boxes: list[Box] = []

    def add(node: TreeNode, column: int, parent: int | None, best: bool) -> float:
        index = len(boxes)
        boxes.append(Box(node, column, 0.0, parent, best))
        own = [add(child, column + 1, index, best and n == 0) for n, child in enumerate(node.children)]
        row = (own[0] + own[-1]) / 2 if own else float(next(rows))
        boxes[index] = boxes[index]._replace(row=row)
        return row

    add(tree, 0, None, True)
    return boxes


def _draw(panel: Any, box: Box, boxes: Sequence[Box], action_names: Sequence[str]) -> None:
    root = boxes[0].node
    if box.parent is not None:
        above = boxes[box.parent]
        share = box.node.visits / root.visits
        panel.plot(
            [above.column + 0.2, box.column],
            [above.row, box.row],
            color="black" if box.best else "grey",
            linewidth=0.6 + 4 * share,
            alpha=0.9 if box.best else 0.5,
            zorder=1,
        )
    mark = MARKS.get(box.node.standing, "")
    name = "root" if box.node.action is None else action_names[box.node.action]
    panel.text(
        box.column,
        box.row,
        f"{name}  {value_at_root(box.node, root):+.2f}  n={box.node.visits}{mark}",
        fontsize=8,
        va="center",
        weight="bold" if box.best else "normal",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": _colour(box, boxes), "edgecolor": "grey"},
        zorder=2,
    )


def value_at_root(node: TreeNode, root: TreeNode) -> float:
    """A node's value as the player to move at the root sees it."""
    return node.value if node.to_play == root.to_play else -node.value


def _colour(box: Box, boxes: Sequence[Box]) -> tuple[float, ...]:
    """From red, the lowest value in the picture, to green, the highest; light, to be written on."""
    from matplotlib import colormaps

    root = boxes[0].node
    values = [value_at_root(other.node, root) for other in boxes]
    low, high = min(values), max(values)
    for_two = any(other.node.to_play != root.to_play for other in boxes)
    least = LEAST_SPREAD_FOR_TWO if for_two else LEAST_SPREAD * max(abs(low), abs(high), LEAST_SPREAD)
    spread = max(high - low, least)
    share = 0.5 + (value_at_root(box.node, root) - (low + high) / 2) / spread
    return tuple(1 - LIGHT + LIGHT * part for part in colormaps["RdYlGn"](share)[:3])

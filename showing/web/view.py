"""What the page is told, as JSON: the game, a position, and what the agent thinks of it.

A board is recognised by its shapes, so that a game's file needs no line for the page: a game for two whose
observation is two planes [2, H, W], own and opponent's stones as the player to move sees them, with one
action for each cell in reading order (and at most one more: a pass) or one for each column. Any other game is
shown as a picture or text, with a button for each action.
"""

from __future__ import annotations

import io
import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from showing import frames
from showing.analysis import Analysis, TreeNode
from showing.interactive import InteractiveGame
from showing.web import MOST_SIMULATIONS
from showing.web.rooms import Room, Rooms

Json = dict[str, Any]
Cell = tuple[int, int]
"""Row and column."""

TREE_NODES = 40
TREE_DEPTH = 6
"""Of the tree as it is drawn: the most visited nodes, and moves below the root."""
NODE_FIELDS = ("action", "value", "prior", "reward", "to_play", "standing")
MILESTONES = 14
"""Most moments of a search at which its growth is shown."""


# --- the game ---


class Layout(NamedTuple):
    """How a game's actions lie on a board."""

    kind: Literal["cells", "columns", "none"]
    rows: int = 0
    columns: int = 0
    passing: int | None = None  # the action that is no cell


def layout(config: MuZeroConfig) -> Layout:
    """The board of a game, by the shapes of its observations and actions."""
    actions = config.num_actions
    if config.players == 2 and config.observation_shape[0] == 2:
        _, rows, columns = config.observation_shape
        if actions in (rows * columns, rows * columns + 1):
            return Layout("cells", rows, columns, rows * columns if actions > rows * columns else None)
        if actions == columns:
            return Layout("columns", rows, columns)
    return Layout("none")


def about(rooms: Rooms) -> Json:
    """What holds for all games of `rooms`."""
    agent = rooms.agent
    return {
        "game": rooms.spec.name,
        "players": rooms.config.players,
        "layout": layout(rooms.config)._asdict(),
        "actions": rooms.actions,
        "agent": None if agent is None else {"name": agent.name, "updates": agent.version},
        "defaults": rooms.defaults._asdict(),
        "opponents": rooms.opponents,
        "most_simulations": MOST_SIMULATIONS,
    }


# --- a position ---


def position(room: Room) -> Json:
    """A room's game as it stands."""
    game = room.game
    board = layout(game.config)
    return {
        "id": room.name,
        "game": game.spec.name,
        "ply": room.ply,
        "revision": room.revision,
        "to_play": game.to_play,
        "legal": game.legal_actions,
        "over": game.over,
        "outcome": game.outcome,
        "returns": game.returns,
        "moves": game.moves,
        "ahead": room.ahead,
        "rewards": game.rewards,
        "values": [room.values.get(ply) for ply in range(room.ply + 1)],
        "cells": cells(game) if board.kind != "none" else None,
        "line": winning_line(game, board) if board.kind != "none" else [],
        "text": game.text() if board.kind == "none" else None,
        "picture": board.kind == "none" and game.shown.can.draw_itself,
        **room.settings._asdict(),
    }


def cells(game: InteractiveGame) -> list[int]:
    """The cells of a board in reading order: 0 empty, 1 a stone of player 0, 2 one of player 1."""
    planes = game.observation.astype(np.int64)
    own, other = (1, 2) if game.to_play == 0 else (2, 1)
    stones: list[int] = (own * planes[0] + other * planes[1]).ravel().tolist()
    return stones


def winning_line(game: InteractiveGame, board: Layout) -> list[int]:
    """The cells of the row of stones that has won, through the newest; none where stones are not in a row.

    No rules are asked: it is the longest row of at least three of the winner's, on a board on which stones
    stay where they were set.
    """
    stones = np.array(cells(game)).reshape(board.rows, board.columns)
    newest = _newest(game, board, stones)
    if not game.over or not game.returns[0] or game.resigned or newest is None:
        return []
    if board.passing is not None or np.count_nonzero(stones) != len(game.moves):
        return []
    rows = [_row_through(stones, newest, step) for step in ((0, 1), (1, 0), (1, 1), (1, -1))]
    longest = max(rows, key=len)
    return [row * board.columns + column for row, column in longest] if len(longest) >= LEAST_ROW else []


LEAST_ROW = 3


def _newest(game: InteractiveGame, board: Layout, stones: NDArray[np.int64]) -> Cell | None:
    """Where the newest stone is."""
    if not game.moves or game.moves[-1] == board.passing:
        return None
    action = game.moves[-1]
    if board.kind == "cells":
        return divmod(action, board.columns)
    filled = np.flatnonzero(stones[:, action])
    return (int(filled[0]), action) if filled.size else None


def _row_through(stones: NDArray[np.int64], cell: Cell, step: tuple[int, int]) -> list[Cell]:
    """All cells in a row with `cell` in one direction and its opposite that hold the same stone."""
    found = [cell]
    for sign in (1, -1):
        row, column = cell[0] + sign * step[0], cell[1] + sign * step[1]
        while (
            0 <= row < stones.shape[0]
            and 0 <= column < stones.shape[1]
            and stones[row, column] == stones[cell]
        ):
            found.append((row, column))
            row, column = row + sign * step[0], column + sign * step[1]
    return sorted(found)


def picture(room: Room) -> bytes:
    """A game's own picture of its position, or of its text where it cannot draw itself here, as PNG."""
    from PIL import Image

    png = io.BytesIO()
    Image.fromarray(frames.drawn_or_text(room.game.shown)).save(png, "PNG", compress_level=1)
    return png.getvalue()


# --- an analysis ---


def analysis(room: Room, found: Analysis) -> Json:
    """What the agent thinks, and how its search has grown: a node's `growth` are its visits by milestone."""
    seen = grown(found.tree, milestones(found.simulations))
    by_action = {node.action: growth for node, parent, growth in seen if parent == 0}
    return {
        "ply": room.ply,
        "to_play": found.to_play,
        "action": found.action,
        "simulations": found.simulations,
        "milestones": milestones(found.simulations),
        "value": found.value,
        "network_value": found.network_value,
        "line": found.principal_variation,
        "line_end": room.game.line_end(found),
        "moves": [_move(found, action, by_action.get(action, [])) for action in room.game.legal_actions],
        "tree": [_node(*seen_node) for seen_node in drawn(seen)],
    }


def _node(node: TreeNode, parent: int | None, growth: list[int]) -> Json:
    shown = {name: getattr(node, name) for name in NODE_FIELDS}
    return {**shown, "parent": parent, "growth": growth}


def _move(found: Analysis, action: int, growth: list[int]) -> Json:
    value = float(found.action_values[action])
    return {
        "action": action,
        "prior": float(found.prior[action]),
        "policy": float(found.policy[action]),
        "visits": int(found.visits[action]),
        "value": value if math.isfinite(value) else None,
        "growth": growth,
    }


def milestones(simulations: int) -> list[int]:
    """Rising numbers of simulations, the last being all; about the same factor apart."""
    return sorted({round(number) for number in np.geomspace(1, max(simulations, 1), MILESTONES)})


class ShownNode(NamedTuple):
    """A node of a tree in a list, in which parents come before their children."""

    node: TreeNode
    parent: int | None  # index in the list; None at the root
    growth: list[int]  # visits after each milestone


def grown(tree: TreeNode, moments: list[int]) -> list[ShownNode]:
    """All nodes of `tree`. A simulation makes one node, so those of a node's branch are its visits, but for
    the ones that `max_depth` stopped at a node that was there.
    """
    nodes: list[tuple[TreeNode, int | None]] = []
    waiting: list[tuple[TreeNode, int | None]] = [(tree, None)]
    while waiting:
        node, parent = waiting.pop()
        waiting += [(child, len(nodes)) for child in reversed(node.children)]
        nodes.append((node, parent))
    made = np.array([node.simulation for node, _ in nodes])
    visits: NDArray[np.int64] = (made[:, None] <= np.array(moments)).astype(np.int64)
    for index in range(len(nodes) - 1, 0, -1):
        visits[nodes[index][1]] += visits[index]
    return [ShownNode(node, parent, visits[i].tolist()) for i, (node, parent) in enumerate(nodes)]


def drawn(seen: list[ShownNode]) -> list[ShownNode]:
    """The most visited nodes of the upper moves; `parent` counts among these."""
    depths: list[int] = []
    for _, parent, _ in seen:
        depths.append(0 if parent is None else depths[parent] + 1)
    # A parent has at least its child's visits and stands before it, which a stable sort keeps.
    order = sorted(range(len(seen)), key=lambda index: -seen[index].node.visits)
    kept = sorted([index for index in order if depths[index] <= TREE_DEPTH][:TREE_NODES])
    places: dict[int | None, int] = {index: place for place, index in enumerate(kept)}
    return [seen[index]._replace(parent=places.get(seen[index].parent)) for index in kept]

"""What the game says of the moves in an agent's tree."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from rich.console import Console

from core.project import PRETRAINED
from games.api.sources import load_game
from games.api.spec import GameSpec
from playing.environment import Environment, Step
from showing.agent import Agent
from showing.analysis import Analysis, LineEnd, TreeLimit, TreeNode
from showing.interactive import InteractiveGame
from showing.real_moves import MARKED, RealMoves
from showing.screen import analysis_picture
from tests.helpers.toy_games import random_weights

WHOLE = TreeLimit(depth=1000, width=1000)
Path = tuple[int, ...]


def asked(name: str, *moves: int, simulations: int = 200) -> tuple[InteractiveGame, Analysis]:
    spec = load_game(name)
    agent = Agent.load(PRETRAINED / name / "best.checkpoint", spec)
    game = InteractiveGame(spec, agent, seed=3)
    for action in moves:
        game.play(action)
    return game, game.analyse(simulations, WHOLE)


def paths(node: TreeNode, above: Path = ()) -> Iterator[tuple[Path, TreeNode]]:
    for child in node.children:
        assert child.action is not None
        path = (*above, child.action)
        yield path, child
        yield from paths(child, path)


def by_hand(spec: GameSpec, seed: int, moves: Path, path: Path) -> str:
    """What becomes of the last move of `path`, played move by move."""
    game = Environment(spec, spec.config)
    game.reset(seed)
    ended = False
    for action in moves:
        game.step(action)
    for number, action in enumerate(path):
        if ended:
            return "beyond"
        if not game.legal_mask()[action]:
            return "illegal" if number == len(path) - 1 else "beyond"
        step = game.step(action)
        ended = step.terminated or step.truncated
    return "over" if ended else "possible"


@pytest.mark.parametrize(
    ("name", "moves", "standings"),
    [
        ("tictactoe", (0, 3, 1, 4), {"over", "beyond"}),
        ("tictactoe", (4, 0, 2, 6, 3), {"possible", "over"}),
        ("connect4", (3, 3, 3, 3, 3, 2, 2), {"possible"}),
        ("cartpole", (1, 1, 1, 1, 1, 1, 1), {"possible", "over", "beyond"}),
    ],
)
def test_nodes_stand_as_the_game_says(name: str, moves: Path, standings: set[str]) -> None:
    game, found = asked(name, *moves)
    seen = {path: node.standing for path, node in paths(found.tree)}
    tried = {path: standing for path, standing in seen.items() if standing != "unknown"}
    assert len(tried) >= MARKED - 2
    assert tried == {path: by_hand(game.spec, 3, moves, path) for path in tried}
    assert standings <= set(tried.values())
    assert game.moves == moves, "analysing plays nothing"


def test_the_most_visited_nodes_are_tried_first() -> None:
    _, found = asked("tictactoe", 4, simulations=400)
    visits: dict[bool, list[int]] = {True: [], False: []}
    for path, node in paths(found.tree):
        if path[0] != found.action:  # its line is tried to its end
            visits[node.standing == "unknown"].append(node.visits)
    assert 0 < len(visits[False]) < MARKED
    assert min(visits[False]) >= max(visits[True])


def test_a_line_says_that_the_game_is_over() -> None:
    game, found = asked("tictactoe", 0, 3, 1, 4)
    assert found.principal_variation == (2,)
    assert (found.line_end, game.line_end(found)) == (LineEnd("over"), "the game's end")
    assert "expects 3\n        the game's end" in printed(game, found)


def printed(game: InteractiveGame, found: Analysis) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(analysis_picture(game, found, "MuZero"))
    lines = [line.strip("│╭╮╰╯─ \n") for line in captured.get().splitlines()]
    return "\n".join(lines).replace("\nthe game's", "\n        the game's")


def believing(line: Path) -> Analysis:
    """An analysis whose line and tree are `line`, whatever the game says of it."""
    tree = TreeNode(line[-1], len(line), 1, 0.0, 0.5, 0.0, 0, ())
    for number in range(len(line) - 2, -1, -1):
        tree = TreeNode(line[number], number + 1, len(line) - number, 0.0, 0.5, 0.0, 0, (tree,))
    root = TreeNode(None, 0, len(line) + 1, 0.0, 1.0, 0.0, 0, (tree,))
    nothing = np.zeros(9, np.float32)
    visits = np.zeros(9, np.int32)
    return Analysis(line[0], 0.0, 0.0, nothing, visits, nothing, nothing, line, LineEnd(), root, 0, len(line))


def test_an_illegal_move_that_the_model_believes_in_is_named() -> None:
    game = InteractiveGame(load_game("tictactoe"), None, seed=3)
    game.play(4)
    stack = np.zeros((2, 3, 3), np.float32)
    stack[1, 1, 1] = 1
    real = RealMoves(game.spec, game.config)
    found = real.marked(believing((0, 4, 8)), 3, (4,), stack)
    assert found.principal_variation == (0,)
    assert found.line_end == LineEnd("illegal", 4)
    assert game.line_end(found) == "then 5, which is illegal"
    assert [node.standing for _, node in paths(found.tree)] == ["possible", "illegal", "beyond"]


def test_a_game_that_comes_out_otherwise_is_not_asked() -> None:
    game = InteractiveGame(load_game("tictactoe"), None, seed=3)
    before = believing((0, 4, 8))
    other = np.ones((2, 3, 3), np.float32)
    assert RealMoves(game.spec, game.config).marked(before, 3, (4,), other) == before


def agent_without_training(name: str) -> tuple[GameSpec, Agent]:
    spec = load_game(name)
    return spec, Agent(spec.config, random_weights(spec.config))


def test_chance_is_not_foreseen() -> None:
    """To stick ends the game for certain; whether the next card ends it nobody knows."""
    spec, agent = agent_without_training("twentyone")
    found: dict[str, set[str]] = {"stick": set(), "hit": set()}
    for seed in range(40):
        game = InteractiveGame(spec, agent, seed)
        if game.over:
            continue
        for child in game.analyse(20).tree.children:
            assert child.action is not None
            found[game.action_name(child.action)].add(child.standing)
    assert found["stick"] == {"over"}
    assert found["hit"] == {"possible", "unknown", "over"}  # over where any card is too much for both


def test_long_games_are_tried_in_few_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    spec = load_game("cartpole")
    spec = dataclasses.replace(spec, config=spec.config.replace(max_moves=10_000))
    game = InteractiveGame(spec, agent_without_training("cartpole")[1], seed=1)
    for _ in range(3):
        game.play(0)
    monkeypatch.setattr("showing.real_moves.MOST_STEPS", 10)
    step = Environment.step

    def counted(self: Environment, action: int) -> Step:
        made.append(action)
        return step(self, action)

    monkeypatch.setattr(Environment, "step", counted)
    found = game.analyse(60, WHOLE)
    assert len(made) < 60
    assert "unknown" in {node.standing for _, node in paths(found.tree)}

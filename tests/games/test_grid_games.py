"""Gridworld and simple_grid: moves, rewards, shortest ways, and what optimal play earns."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from core.supports import transform
from games import gridworld, simple_grid
from games.api.sources import load_game
from games.gridworld import DOWN, LEFT, RIGHT, UP, distances, make_maze, mean_optimal_return, optimal_return
from playing.environment import Environment

MAZE = gridworld.Game.maze
CORRIDOR = make_maze((".#.", ".#.", "..."))  # from the top left down, along, and up again


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is typed at the terminal, in order; all of it must be asked for."""
    typed: list[str] = []
    monkeypatch.setattr(builtins, "input", lambda prompt="": typed.pop(0))
    yield typed
    assert not typed


def expert_game(game: gridworld.Game) -> tuple[float, int]:
    """Return and moves of the expert, from where the game is."""
    total = 0.0
    for moves in range(1, 100):
        _, reward, over = game.step(game.expert_agent())
        total += reward
        if over:
            return total, moves
    raise AssertionError("the expert does not arrive")


# --- gridworld: the maze ---


def test_moves_lead_to_the_neighbour_or_nowhere() -> None:
    assert CORRIDOR.free == (0, 2, 3, 5, 6, 7, 8)
    assert CORRIDOR.neighbours[0] == (0, 3, 0, 0)  # edge, down, edge, wall
    assert CORRIDOR.neighbours[7] == (7, 7, 6, 8)  # wall, edge, left, right
    assert CORRIDOR.neighbours[5] == (2, 8, 5, 5)


def test_distances_by_hand() -> None:
    assert distances(CORRIDOR, 2) == (6, -1, 0, 5, -1, 1, 4, 3, 2)
    assert distances(make_maze((".#.",)), 0) == (0, -1, -1)


def test_distances_agree_with_relaxation() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        cells = generator.random((4, 5)) < 0.3
        maze = make_maze(tuple("".join(".#"[int(wall)] for wall in row) for row in cells))
        for goal in maze.free:
            far = 1000
            expected = {cell: 0 if cell == goal else far for cell in maze.free}
            for _ in range(20):
                for cell in maze.free:
                    nearest = min(expected[neighbour] for neighbour in maze.neighbours[cell])
                    expected[cell] = min(expected[cell], nearest + 1)
            found = {cell: distances(maze, goal)[cell] for cell in maze.free}
            assert found == {cell: -1 if moves >= far else moves for cell, moves in expected.items()}


def test_optimal_return_by_hand() -> None:
    assert optimal_return(CORRIDOR, 3, 0) == 1.0
    assert optimal_return(CORRIDOR, 0, 2) == pytest.approx(1 - 5 * 0.05)
    assert optimal_return(CORRIDOR, 0, 7, discount=0.5) == pytest.approx(0.25 - 0.05 * 1.5)
    assert mean_optimal_return(make_maze(("...",)), 2) == pytest.approx(1 - 0.05 / 2)


def test_a_detour_earns_less_with_any_discount() -> None:
    for discount in (0.5, 0.9, 0.97, 1.0):
        returns = [
            gridworld.MOVE_REWARD * sum(discount**i for i in range(moves - 1)) + discount ** (moves - 1)
            for moves in range(1, 40)
        ]
        assert returns == sorted(returns, reverse=True)
        assert len(set(returns)) == len(returns)


def test_every_goal_can_be_reached_in_time() -> None:
    farthest = [max(distances(MAZE, goal)[cell] for cell in MAZE.free) for goal in MAZE.free]
    assert min(min(distances(MAZE, goal)[cell] for cell in MAZE.free) for goal in MAZE.free) == 0
    assert max(farthest) == 10
    assert 2 * max(farthest) <= gridworld.MuZeroConfig().max_moves


# --- gridworld: the game ---


def test_the_expert_walks_a_shortest_way_from_everywhere() -> None:
    game = gridworld.Game()
    for start, goal in itertools.permutations(MAZE.free, 2):
        game.cell, game.goal = start, goal
        total, moves = expert_game(game)
        assert moves == distances(MAZE, goal)[start]
        assert total == pytest.approx(optimal_return(MAZE, start, goal))


def test_the_expert_earns_the_mean_optimal_return() -> None:
    game = gridworld.Game()
    returns = []
    for seed in range(2000):
        game.reset(seed)
        returns.append(expert_game(game)[0])
    error = np.std(returns) / np.sqrt(len(returns))
    best = mean_optimal_return(MAZE, gridworld.GOAL)
    assert abs(np.mean(returns) - best) < 4 * error
    config = gridworld.MuZeroConfig()
    assert config.target_reward is not None
    assert best - 0.01 < config.target_reward < best - 0.5 * np.std(returns) / np.sqrt(config.target_games)


def test_gridworld_shows_agent_goal_and_walls() -> None:
    game = gridworld.Game()
    game.cell, game.goal = 6, 35
    planes = game.observation()
    assert planes.shape == gridworld.MuZeroConfig().observation_shape
    assert np.argwhere(planes[0]).tolist() == [[1, 0]]
    assert np.argwhere(planes[1]).tolist() == [[5, 5]]
    assert {6 * row + column for row, column in np.argwhere(planes[2]).tolist()} == MAZE.walls
    after, reward, over = game.step(RIGHT)
    assert np.argwhere(after[0]).tolist() == [[1, 1]]
    assert (reward, over) == (-0.05, False)
    assert planes[0, 1, 0] == 1, "an observation does not change afterwards"


def test_walls_and_edges_stop_the_agent() -> None:
    game = gridworld.Game()
    game.cell, game.goal = 1, 35
    for action, cell in ((RIGHT, 1), (UP, 1), (LEFT, 0), (LEFT, 0), (DOWN, 6)):
        _, reward, over = game.step(action)
        assert (game.cell, reward, over) == (cell, -0.05, False)


def test_starts_follow_from_the_seed_and_cover_all_free_cells() -> None:
    game = gridworld.Game(seed=5)
    starts = set()
    for seed in range(400):
        game.reset(seed)
        assert game.goal == gridworld.GOAL
        starts.add(game.cell)
    assert starts == set(MAZE.free) - {gridworld.GOAL}
    first, again = gridworld.Game(seed=5), gridworld.Game(seed=5)
    for _ in range(5):
        np.testing.assert_array_equal(first.reset(), again.reset())
    np.testing.assert_array_equal(first.reset(7), again.reset(7))


def test_starts_are_numpys_choice_among_the_free_cells() -> None:
    starts = [cell for cell in MAZE.free if cell != gridworld.GOAL]
    game = gridworld.Game()
    for seed in range(50):
        game.reset(seed)
        assert game.cell == np.random.default_rng(seed).choice(starts)


@pytest.mark.parametrize(("name", "moves", "earned"), [("gridworld", 20, -1.0), ("simple_grid", 6, 0.0)])
def test_wandering_is_truncated(name: str, moves: int, earned: float) -> None:
    spec = load_game(name)
    environment = Environment(spec, spec.config)
    environment.reset(2)  # the agent of gridworld starts away from its goal
    aimless = {"gridworld": (UP, UP), "simple_grid": (simple_grid.DOWN, simple_grid.DOWN)}[name]
    total, over = 0.0, False
    while not over:
        step = environment.step(aimless[environment.moves % 2])
        total += step.reward
        over = step.terminated or step.truncated
    assert (environment.moves, step.terminated, step.truncated) == (moves, False, True)
    assert total == pytest.approx(earned)


def test_gridworld_at_the_terminal(answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    game = gridworld.Game()
    game.cell, game.goal = 0, 35
    game.render()
    assert capsys.readouterr().out.splitlines()[0] == "A . # . . ."
    assert game.text().splitlines()[5] == ". . . # . G"
    answers += ["north", "", " Left "]
    assert game.human_to_action() == LEFT
    assert capsys.readouterr().out.count("is not possible") == 2


# --- simple_grid ---


def test_simple_grid_takes_four_moves() -> None:
    game = simple_grid.Game()
    for word in itertools.product((simple_grid.DOWN, simple_grid.RIGHT), repeat=4):
        game.reset()
        steps = [game.step(action) for action in word]
        arrives = sum(word) == 2
        assert [reward for _, reward, _ in steps] == [0, 0, 0, 10 if arrives else 0]
        assert [over for _, _, over in steps] == [False, False, False, arrives]


def test_simple_grid_moves() -> None:
    game = simple_grid.Game()
    assert np.argwhere(game.reset()[0]).tolist() == [[0, 0]]
    seen = [np.argwhere(game.step(action)[0][0]).tolist()[0] for action in (0, 1, 0, 0)]
    assert seen == [[1, 0], [1, 1], [2, 1], [2, 1]]
    assert game.text() == "- - -\n- - -\n- x 1"


def test_simple_grids_expert_is_optimal_from_everywhere() -> None:
    game = simple_grid.Game()
    for row, column in itertools.product(range(3), repeat=2):
        if (row, column) == simple_grid.GOAL:
            continue
        game.row, game.column = row, column
        earned = 0.0
        for move in range(simple_grid.moves_left(row, column)):
            _, reward, over = game.step(game.expert_agent())
            earned += reward * 0.9**move
        assert over
        assert earned == pytest.approx(simple_grid.optimal_return(row, column, 0.9))
    assert simple_grid.optimal_return(0, 0, 0.9) == pytest.approx(7.29)


def test_simple_grid_at_the_terminal(answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    game = simple_grid.Game()
    game.render()
    assert capsys.readouterr().out == "x - -\n- - -\n- - 1\n"
    answers += ["up", "RIGHT"]
    assert game.human_to_action() == simple_grid.RIGHT
    assert "'up' is not possible" in capsys.readouterr().out


# --- both ---


@pytest.mark.parametrize("game", [gridworld.Game(0), simple_grid.Game()])
def test_observations_cannot_be_changed(game: gridworld.Game | simple_grid.Game) -> None:
    """They are shared by all games."""
    with pytest.raises(ValueError, match="read-only"):
        game.reset()[0, 0, 0] = 7


@pytest.mark.parametrize(("name", "low", "high"), [("gridworld", -1.7, 1.0), ("simple_grid", 0.0, 10.0)])
def test_the_support_holds_all_values(name: str, low: float, high: float) -> None:
    config = load_game(name).config
    ends = transform(np.array([low, high]))
    assert abs(ends).max() < config.support_size
    if name == "gridworld":
        assert gridworld.MOVE_REWARD / (1 - config.discount) == pytest.approx(low, abs=0.05)

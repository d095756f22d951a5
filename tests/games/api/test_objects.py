"""Games that a program hands over: classes, and what makes Gymnasium environments."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import config
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.project import PROJECT
from games.api.objects import GameClassError, recipe_of
from games.api.sources import game_of
from games.tools.gymnasium import Seeing
from playing.environment import Environment
from runs.facade import MuZero
from tests.helpers.small_runs import SMALL


class MyCorridor:
    """Three cells; the last one is worth 1. Its constructor takes nothing."""

    class MuZeroConfig(config.MuZeroConfig):
        observation_shape = (1, 1, 3)
        max_moves = 5

    def reset(self) -> Any:
        self.cell = 0
        return np.eye(3, dtype=np.float32)[self.cell].reshape(1, 1, 3)

    def step(self, action: int) -> Any:
        self.cell = max(self.cell + (1 if action else -1), 0)
        return np.eye(3, dtype=np.float32)[self.cell].reshape(1, 1, 3), float(self.cell == 2), self.cell == 2


class Plain:
    """Says nothing of its configuration."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def reset(self) -> Any:
        return self.generator.random((2, 3, 1))

    def step(self, action: int) -> Any:
        return self.generator.random((2, 3, 1)), 0.0, True


def test_a_class_is_a_game() -> None:
    game = game_of(MyCorridor)
    assert (game.name, game.config.observation_shape, game.config.max_moves) == ("my-corridor", (1, 1, 3), 5)
    environment = Environment(game, game.config)
    environment.reset(0)
    assert [environment.step(1).reward for _ in range(2)] == [0.0, 1.0]
    assert game_of(Plain).config.observation_shape == (2, 3, 1), "looked up"
    first, second = (Environment(game_of(Plain), MuZeroConfig(observation_shape=(2, 3, 1))) for _ in range(2))
    assert first.reset(4).tolist() == second.reset(4).tolist() != second.reset(5).tolist()


def test_a_class_travels_pickled() -> None:
    made = game_of(recipe_of(game_of(MyCorridor)))
    assert (made.name, made.config.max_moves) == ("my-corridor", 5)
    assert recipe_of(made).text == ""
    assert Environment(made, made.config).reset(0).tolist() == [[[1, 0, 0]]]


def test_what_cannot_be_sent_is_refused_before_anything_starts(tmp_path: Path) -> None:
    class Locked(MyCorridor):
        lock = threading.Lock()

    options = {**SMALL, "results_path": str(tmp_path), "max_moves": 5}
    with pytest.raises(
        GameClassError, match=r"\Athe game 'locked' cannot be sent to other proc[^\n]*local=True\Z"
    ):
        MuZero(Locked, options).train()
    assert list(tmp_path.iterdir()) == []
    assert MuZero(Locked, options).train(local=True).counters.training_step == 50


def test_options_say_what_a_class_without_a_configuration_is(tmp_path: Path) -> None:
    wide = {**SMALL, "action_space": [0, 1, 2], "max_moves": 5, "results_path": str(tmp_path)}
    outcome = MuZero(Plain, wide).train(local=True)
    assert outcome.agent.config.num_actions == outcome.game.config.num_actions == 3
    assert game_of(recipe_of(outcome.game)).config.action_space == (0, 1, 2)
    with pytest.raises(ConfigurationError, match="contradicts my-corridor, whose own is"):
        MuZero(MyCorridor, {"action_space": [0, 1, 2]})


@pytest.mark.parametrize("game", [3, None, object(), int, lambda: 3])
def test_what_is_no_game(game: Any) -> None:
    with pytest.raises(GameClassError, match=r"no game"):
        game_of(game)


def test_what_a_program_raises_is_one_line() -> None:
    def make() -> Any:
        raise RuntimeError("no display")

    with pytest.raises(ConfigurationError, match=r"\Agame make: RuntimeError: no display\Z"):
        game_of(make)


def test_environments_of_gymnasium() -> None:
    game = game_of(lambda: gymnasium.make("CartPole-v1"))
    assert (game.name, game.config.observation_shape, game.config.action_space) == (
        "cart-pole-v1",
        (1, 1, 4),
        (0, 1),
    )
    assert game.config.max_moves == 500
    environment, raw = Environment(game, game.config), gymnasium.make("CartPole-v1")
    assert environment.reset(7).ravel().tolist() == raw.reset(seed=7)[0].tolist()
    for action in (0, 1, 1, 0):
        step, (observation, reward, *_) = environment.step(action), raw.step(action)
        assert (step.observation.ravel().tolist(), step.reward) == (observation.tolist(), reward)
    assert game_of(recipe_of(game)).name == "cart-pole-v1"


def box(*shape: int, dtype: Any = np.float32) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(0, 255, shape, dtype)


def test_observations_of_gymnasium_become_planes() -> None:
    spaces = gymnasium.spaces
    for space, shape in [
        (box(5), (1, 1, 5)),
        (box(3, 4), (1, 3, 4)),
        (box(2, 3, 4), (2, 3, 4)),
        (box(8, 9, 3, dtype=np.uint8), (3, 8, 9)),
        (spaces.Discrete(4, start=2), (1, 1, 4)),
        (spaces.MultiBinary(3), (1, 1, 3)),
        (spaces.Dict({"a": box(2), "b": spaces.Discrete(3)}), (1, 1, 5)),
    ]:
        see = Seeing(space)
        seen = see(space.sample())
        assert (see.shape, seen.shape) == (shape, shape)
    picture = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    seen = Seeing(box(8, 9, 3, dtype=np.uint8))(picture)
    assert seen.dtype == np.uint8
    assert seen[2, 1, 4] == picture[1, 4, 2]
    assert Seeing(spaces.Discrete(4, start=2))(3).ravel().tolist() == [0, 1, 0, 0]


class Odd(gymnasium.Env):  # type: ignore[misc]
    """Actions are 5, 6, 7; the observation is the newest one less 5."""

    observation_space = gymnasium.spaces.Discrete(3)
    action_space: Any = gymnasium.spaces.Discrete(3, start=5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        return action - 5, 1.0, False, action == 7, {}


def test_actions_of_gymnasium_are_numbered_from_0() -> None:
    game = game_of(Odd)
    assert (game.name, game.config.action_space) == ("odd", (0, 1, 2))
    environment = Environment(game, game.config)
    environment.reset(0)
    steps = [environment.step(action) for action in (0, 2)]
    assert [step.observation.ravel().tolist() for step in steps] == [[1, 0, 0], [0, 0, 1]]
    assert [step.truncated for step in steps] == [False, True]


@pytest.mark.parametrize(
    ("attribute", "space", "message"),
    [
        ("action_space", box(2), r"only Discrete ones can be chosen among; wrap the environment\Z"),
        ("observation_space", gymnasium.spaces.Sequence(box(2)), r"no fixed size: wrap the environment\Z"),
    ],
)
def test_environments_that_cannot_be_played(attribute: str, space: Any, message: str) -> None:
    other = type("Other", (Odd,), {attribute: space})
    with pytest.raises(ConfigurationError, match=message):
        game_of(other)


PROGRAM = """
import sys
from muzero import MuZero

class Walk:
    def reset(self):
        import numpy as np
        self.cell = 0
        return np.zeros((1, 1, 2), np.float32)
    def step(self, action):
        import numpy as np
        self.cell += 1
        return np.full((1, 1, 2), self.cell, np.float32), float(action), self.cell == 4

if __name__ == "__main__":
    options = {small!r} | {{"results_path": sys.argv[1]}}
    outcome = MuZero(Walk, options).train()
    print(outcome.game.name, outcome.reason, outcome.counters.training_step)
    again = MuZero.resume(outcome.folder, {{"training_steps": 60}}, game=Walk)
    print(again.counters.training_step)
    try:
        MuZero.resume(outcome.folder)
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_programs_class_is_trained_on_ray_and_gone_on_with_in_one_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(small=SMALL))
    ran = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "results")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = [line for line in ran.stdout.splitlines() if line.startswith(("walk ", "60", "CheckpointError"))]
    assert said[:2] == ["walk training_steps 50", "60"]
    assert said[2].startswith("CheckpointError the game 'walk' of this checkpoint is a class of a program")


def test_seeds_are_passed_where_they_are_taken() -> None:
    def plain(size: int = 3) -> Any:
        return MyCorridor()

    makers: list[Callable[..., Any]] = [plain, MyCorridor, Plain]
    for make in makers:
        game = game_of(make)
        assert Environment(game, game.config).reset(1).ndim == 3

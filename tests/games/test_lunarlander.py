"""LunarLander: it is gymnasium's, it repeats from its seed, and it says what to install without Box2D."""

from __future__ import annotations

import builtins
import importlib.util
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest

from core.errors import ConfigurationError
from core.supports import transform
from games import lunarlander
from games.api.sources import load_game
from playing.environment import Environment

needs_box2d = pytest.mark.skipif(
    importlib.util.find_spec("Box2D") is None, reason='needs Box2D: pip install "gymnasium[box2d]"'
)


def test_without_box2d_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("gymnasium.envs.box2d")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "Box2D", None)  # importing it raises ImportError
    load_game("lunarlander")
    with pytest.raises(ConfigurationError) as raised:
        lunarlander.Game(0)
    message = str(raised.value)
    assert "\n" not in message
    assert message.endswith('run: pip install "gymnasium[box2d]"')


def test_finding_the_game_does_not_import_box2d() -> None:
    find = "from games.api.sources import load_game; load_game('lunarlander')"
    code = f"{find}; import sys; sys.exit('Box2D' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@needs_box2d
def test_it_is_gymnasiums() -> None:
    real = gymnasium.make("LunarLander-v3")
    spec = load_game("lunarlander")
    environment = Environment(spec, spec.config)
    generator = np.random.default_rng(0)
    for seed in (3, 4):
        expected, _ = real.reset(seed=seed)
        np.testing.assert_array_equal(environment.reset(seed).ravel(), expected)
        over = False
        while not over:
            action = int(generator.integers(4))
            step = environment.step(action)
            expected, reward, over, _, _ = real.step(action)
            np.testing.assert_array_equal(step.observation.ravel(), expected)
            assert (step.reward, step.terminated, step.truncated) == (float(reward), over, False)


@needs_box2d
def test_games_repeat_in_any_order() -> None:
    def play(game: lunarlander.Game, seed: int) -> list[Any]:
        seen: list[Any] = [game.reset(seed).tolist()]
        over = False
        while not over:
            observation, reward, over, _, _ = game.step(len(seen) * 7 % 4)
            seen.append((observation.tolist(), reward))
        return seen

    first, second = lunarlander.Game(1), lunarlander.Game(2)
    assert [play(first, seed) for seed in (1, 2, 3)] == [play(second, seed) for seed in (3, 2, 1)][::-1]
    np.testing.assert_array_equal(lunarlander.Game(5).reset(), lunarlander.Game(6).reset(5))


@needs_box2d
def test_the_expert_lands() -> None:
    game = lunarlander.Game()
    returns = []
    for seed in range(10):
        game.reset(seed)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = game.step(game.expert_agent())
            total, over = total + reward, terminated or truncated
        returns.append(total)
    game.close()
    assert np.mean(returns) > 200
    assert max(returns) < 600, "the support holds returns up to 600"


@needs_box2d
def test_hovering_is_truncated() -> None:
    spec = load_game("lunarlander")
    environment = Environment(spec, spec.config.replace(max_moves=30))
    environment.reset(0)
    steps = [environment.step(2 if move % 2 else 0) for move in range(30)]
    assert [step.truncated for step in steps] == [False] * 29 + [True]
    assert not any(step.terminated for step in steps)


@needs_box2d
def test_at_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    game = lunarlander.Game()
    game.reset(0)
    game.render()
    assert capsys.readouterr().out.startswith("x ")
    game.state = np.array([-0.5, 0.25, 0.125, -0.75, 0.5, -0.25, 0, 1], np.float32)
    assert game.text() == "x -0.50 (+0.12)  y +0.25 (-0.75)  angle +0.50 (-0.25)  right leg down"
    answers = ["up", "Main"]
    monkeypatch.setattr(builtins, "input", lambda prompt: answers.pop(0))
    assert game.human_to_action() == 2
    assert "'up' is not possible" in capsys.readouterr().out


def test_the_support_holds_all_returns() -> None:
    config = load_game("lunarlander").config
    assert abs(transform(np.array([-600.0, 600.0]))).max() < config.support_size

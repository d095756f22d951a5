"""Each fault that is planted in a game is found by name and alone; sound games pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

import config
from checking.conformance import Report, check_game, check_names
from commands.check_game import check_game_command
from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.spec import GameSpec
from playing.environment import Environment
from tests.helpers.game_folders import folder_of
from tests.helpers.toy_games import FAULTS, toy_game


class NimConfig(config.MuZeroConfig):
    observation_shape = (1, 1, 2)
    action_space = (0, 1, 2)
    players = 2
    max_moves = 12
    discount = 1.0
    support_size = 2
    q_transform = "bounds"


class Nim:
    """Players take one, two or three of 6 to 12 stones in turns; who takes the last one wins."""

    def __init__(self, seed: int | None = None) -> None:
        self.generator = np.random.default_rng(seed)
        self.stones, self.player = 0, 0

    def reset(self, seed: int | None = None) -> Any:
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        self.stones, self.player = int(self.generator.integers(6, 13)), 0
        return self.observation()

    def step(self, action: int) -> Any:
        if action not in self.legal_actions():
            raise ValueError("not legal")
        self.take(action)
        self.player = 1 - self.player
        over = self.stones == 0
        return self.observation(), 1.0 if over else 0.0, over

    def take(self, action: int) -> None:
        self.stones -= action + 1

    def observation(self) -> NDArray[Any]:
        return np.array([[[self.stones / 12, self.player]]], np.float32)

    def legal_actions(self) -> list[int]:
        return [action for action in range(3) if action < self.stones]

    def to_play(self) -> int:
        return self.player

    def expert_agent(self) -> int:
        return self.legal_actions()[0]

    def action_to_string(self, action: int) -> str:
        return ("one", "two", "three")[action]

    def text(self) -> str:
        return f"{self.stones} stones"


def check(game_class: Callable[..., Any], spec_config: MuZeroConfig | None = None, **options: Any) -> Report:
    return check_game(GameSpec("nim", game_class, spec_config or NimConfig()), **options)


def names(report: Report) -> list[str]:
    return [finding.name for finding in report.findings]


def test_a_sound_game_passes_every_check() -> None:
    report = check(Nim)
    assert names(report) == []
    assert list(report.passed) == check_names()
    assert report.left_out == ()


# --- planted faults ---


class Counted(Nim):
    """Knows how many moves have been made."""

    def reset(self, seed: int | None = None) -> Any:
        self.moves = 0
        return super().reset(seed)

    def step(self, action: int) -> Any:
        self.moves += 1
        return super().step(action)


def replaced(**methods: Any) -> type[Nim]:
    return type("Faulty", (Nim,), methods)


def stepping(change: Callable[[Nim, Any], Any]) -> type[Nim]:
    """A `Nim` whose answers to moves are changed."""
    return replaced(step=lambda self, action: change(self, Nim.step(self, action)))


def last_reward(reward: Callable[[int], float]) -> type[Nim]:
    """A `Nim` in which the last move earns what `reward` says of the player who made it."""
    return stepping(
        lambda game, answer: (answer[0], reward(1 - game.player) if answer[2] else 0.0, answer[2])
    )


class Shared(Nim):
    pile: ClassVar[list[int]] = [0]

    @property
    def stones(self) -> int:
        return int(self.pile[0])

    @stones.setter
    def stones(self, stones: int) -> None:
        self.pile[0] = stones


class Global(Nim):
    """Draws from numpy's own generator, which `reset` seeds: alone it repeats."""

    def reset(self, seed: int | None = None) -> Any:
        np.random.seed(seed)  # noqa: NPY002
        return super().reset(seed)

    def observation(self) -> NDArray[Any]:
        return super().observation() + np.float32(np.random.random())  # noqa: NPY002


class Unseeded(Nim):
    """Every game is another one, whatever the seed."""

    seeds = itertools.count()

    def reset(self, seed: int | None = None) -> Any:
        return super().reset(next(self.seeds))


class Leftover(Nim):
    games = 0.0

    def reset(self, seed: int | None = None) -> Any:
        observation = super().reset(seed)
        self.games += 1
        return observation

    def observation(self) -> NDArray[Any]:
        return super().observation() + np.float32(self.games / 8)


class Aliased(Nim):
    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed)
        self.planes = np.zeros((1, 1, 2), np.float32)

    def observation(self) -> NDArray[Any]:
        self.planes[0, 0] = self.stones / 12, self.player
        return self.planes


class Endless(Nim):
    def take(self, action: int) -> None:
        self.stones = self.stones - 1 or 6

    def legal_actions(self) -> list[int]:
        return [0, 1]


class GoesOn(Nim):
    """After the end it starts again without being asked to."""

    def step(self, action: int) -> Any:
        if self.stones == 0:
            self.stones = 9
        return super().step(action)


class Permissive(Nim):
    def step(self, action: int) -> Any:
        if self.stones == 0:
            raise ValueError("over")
        self.stones = max(0, self.stones - action - 1)
        self.player = 1 - self.player
        return self.observation(), float(self.stones == 0), self.stones == 0


class Stuck(Nim):
    def to_play(self) -> int:
        return 0


class Peeked(Nim):
    """Asking for the legal actions draws chance that the next observation shows."""

    def legal_actions(self) -> list[int]:
        self.drawn = float(self.generator.random())
        return super().legal_actions()

    def reset(self, seed: int | None = None) -> Any:
        self.drawn = 0.0
        return super().reset(seed)

    def observation(self) -> NDArray[Any]:
        return super().observation() + np.float32(self.drawn)


def raise_error(*_: Any) -> Any:
    raise KeyError("x")


FAULTY: list[tuple[str, Callable[..., Any]]] = [
    ("raises", replaced(legal_actions=raise_error)),
    ("raises", replaced(__init__=raise_error)),
    ("reset-value", replaced(reset=lambda self, seed=None: (Nim.reset(self, seed), {}))),
    ("legal-action-refused", replaced(legal_actions=lambda self: [0, 1, 2], step=lambda self, action: (
        Nim.step(self, action) if action < self.stones else raise_error()))),
    ("step-values", stepping(lambda game, answer: (*answer, {}))),
    ("step-values", stepping(lambda game, answer: answer[0])),
    ("observation-shape", replaced(observation=lambda self: np.zeros(2, np.float32))),
    ("observation-shape", replaced(observation=lambda self: [[1.0], [2.0, 3.0]])),
    ("observation-type", replaced(observation=lambda self: np.full((1, 1, 2), "a"))),
    ("observation-type", replaced(observation=lambda self: np.full(
        (1, 1, 2), self.player, np.float32 if self.player else np.int8))),
    ("legal-actions-form", replaced(legal_actions=lambda self: [a < self.stones for a in range(3)])),
    ("legal-actions-exist", replaced(legal_actions=lambda self: [*Nim.legal_actions(self), 3])),
    ("legal-actions-exist", replaced(legal_actions=lambda self: [*Nim.legal_actions(self), -1])),
    ("legal-actions-empty", replaced(legal_actions=lambda self: [0] if self.stones > 4 else [])),
    ("to-play-range", replaced(to_play=lambda self: self.player + 1)),
    ("end-form", stepping(lambda game, answer: (*answer[:2], "over" if answer[2] else ""))),
    ("reward-form", stepping(lambda game, answer: (answer[0], float("nan"), answer[2]))),
    ("reward-form", stepping(lambda game, answer: (answer[0], [0.0, 1.0], answer[2]))),
    ("observation-finite", replaced(observation=lambda self: np.array(
        [[[np.nan if self.stones < 4 else 1, 0]]], np.float32))),
    ("determinism", Unseeded),
    ("observation-alias", Aliased),
    ("turn-order", Stuck),
    ("reward-perspective", last_reward(lambda mover: 1.0 if mover == 0 else -1.0)),
    ("reward-perspective", last_reward(lambda mover: -1.0 if mover == 0 else 1.0)),
    ("reward-perspective", last_reward(lambda mover: -1.0)),
    ("reward-symmetry", last_reward(lambda mover: 1.0 if mover == 0 else 0.5)),
    ("leftover-state", Leftover),
    ("shared-state", Shared),
    ("shared-state", Global),
    ("reading-changes-the-game", Peeked),
    ("illegal-action-accepted", Permissive),
    ("step-after-end", GoesOn),
    ("action-names", replaced(action_to_string=lambda self, action: "take")),
    ("action-names", replaced(action_to_string=raise_error)),
    ("action-names", replaced(action_to_string=lambda self, action: action)),
    ("text-of-position", replaced(text=raise_error)),
    ("expert-move", replaced(expert_agent=lambda self: 3)),
    ("expert-move", replaced(expert_agent=raise_error)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "game"), FAULTY, ids=[f"{i}-{name}" for i, (name, _) in enumerate(FAULTY)])
def test_a_planted_fault_is_found_by_name(name: str, game: Callable[..., Any]) -> None:
    report = check(game)
    found = [finding.name for finding in report.findings if finding.name != "no-reward"]
    assert found == [name]
    finding = next(finding for finding in report.findings if finding.name == name)
    assert finding.found.strip()
    assert finding.change.strip()
    assert len(finding.found) < 300


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_training_would_refuse_is_a_fault(fault: str) -> None:
    assert check_game(toy_game(fault)).faults


def test_a_game_for_two_without_turns_is_found() -> None:
    class Turnless:
        def __init__(self, seed: int | None = None) -> None:
            self.nim = Nim(seed)
            self.legal_actions, self.text = self.nim.legal_actions, self.nim.text

        def reset(self, seed: int | None = None) -> Any:
            return self.nim.reset(seed)

        def step(self, action: int) -> Any:
            return self.nim.step(action)

    assert names(check(Turnless)) == ["turn-order"]


# --- faults of the configuration, and advice ---


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"support_size": 1, "q_transform": "min_max"}, "value-support"),
        ({"value_bounds": (-1.0, 1.0), "support_size": 9}, "value-bounds"),
    ],
)
def test_a_configuration_that_does_not_fit_the_rewards_is_found(changes: dict[str, Any], name: str) -> None:
    rich = last_reward(lambda mover: 20.0)
    assert names(check(rich, NimConfig(**changes))) == [name]
    mended = NimConfig(q_transform="bounds", value_bounds=(-20.0, 20.0), support_size=4)
    assert names(check(rich, mended)) == []


def test_rewards_must_fit_the_support_too() -> None:
    class Paid(Counted):
        """A game for one: 20 for the first move, -15 for the last, so no return is beyond 15."""

        def step(self, action: int) -> Any:
            observation, _, over = super().step(action)
            return observation, 20.0 * (self.moves == 1) - 15.0 * over, over

        def to_play(self) -> int:
            return 0

    config = NimConfig(players=1, q_transform="min_max", support_transform=False, support_size=15)
    assert names(check(Paid, config)) == ["value-support"]
    assert check(Paid, config.replace(support_size=20)).faults == ()


class Balance(Nim):
    """A game for one that pays 1 per move; whoever plays at random is soon out."""

    def step(self, action: int) -> Any:
        observation, _, over = super().step(action)
        return observation, 1.0, over

    def to_play(self) -> int:
        return 0


@pytest.mark.parametrize(("discount", "needed"), [(0.9, 3), (0.99, 10), (0.999, 20), (1.0, 22)])
def test_values_are_reasoned_about_from_the_rewards_of_moves_that_could_follow(
    discount: float, needed: int
) -> None:
    """Sums of 500 powers of the discount: 10, 99.3, 393.6, 500; their transforms: 2.3, 9.1, 19.3, 21.9."""
    config = NimConfig(players=1, q_transform="min_max", max_moves=500, discount=discount)
    report = check(Balance, config.replace(support_size=needed - 1))
    assert names(report) == ["values-of-long-games"]
    assert report.faults == ()
    assert f"takes support_size={needed};" in report.findings[0].found
    assert names(check(Balance, config.replace(support_size=needed))) == []


def test_rewards_at_the_end_alone_are_not_multiplied() -> None:
    config = NimConfig(max_moves=500, discount=1.0, support_size=1)
    assert names(check(Nim, config)) == []


def test_a_game_that_raises_while_a_check_looks_is_a_finding() -> None:
    class Forgetful(Nim):
        """Its legal actions are fewer whenever they are asked for."""

        def reset(self, seed: int | None = None) -> np.ndarray:
            observation: np.ndarray = super().reset(seed)
            self.left = list(range(40))
            return observation

        def legal_actions(self) -> list[int]:
            self.left.pop()
            return [0]

    report = check(Forgetful, NimConfig())
    assert any("the game raised IndexError" in finding.found for finding in report.findings)
    assert report.moves_per_second >= 0


@pytest.mark.parametrize("transformed", [True, False])
def test_the_support_that_is_asked_for_suffices(transformed: bool) -> None:
    rich = last_reward(lambda mover: 300.0)
    config = NimConfig(q_transform="min_max", support_transform=transformed)
    found = check(rich, config).findings[0].found
    needed = int(found.split("support_size=")[1].split(";")[0])
    assert (needed == 300) == (not transformed)
    assert names(check(rich, config.replace(support_size=needed))) == []
    too_small = config.replace(support_size=needed - 1)
    assert names(check(rich, too_small)) == ["value-support"]


def test_turns_must_alternate() -> None:
    class Twice(Counted):
        """Everybody moves twice; the last move counts for whoever made it."""

        def to_play(self) -> int:
            return self.moves // 2 % 2

    report = check(Twice)
    assert "turns-alternate" in names(report)
    (finding,) = (finding for finding in report.findings if finding.name == "turns-alternate")
    assert "move 2: player 0 moves twice in a row" in finding.found


WORDED: list[Callable[..., Any]] = [
    stepping(lambda game, answer: (answer[0], np.array([answer[1]]), np.array([answer[2]]))),
    stepping(lambda game, answer: (answer[0], np.float32(answer[1]), int(answer[2]))),
    last_reward(lambda mover: float(np.random.default_rng(mover).integers(1, 3))),
]


@pytest.mark.parametrize("game", WORDED)
def test_ends_and_rewards_may_come_as_numbers_and_arrays_of_one(game: Callable[..., Any]) -> None:
    report = check(game)
    assert "end-form" not in names(report)
    assert "reward-form" not in names(report)
    environment = Environment(GameSpec("worded", game, NimConfig()), NimConfig())
    environment.reset(1)
    over = False
    while not over:
        step = environment.step(int(environment.legal_mask().argmax()))
        over = step.terminated
        assert type(step.reward) is float
        assert type(step.terminated) is bool


def test_a_mask_of_zeros_and_ones_is_no_list_of_actions() -> None:
    masked = replaced(legal_actions=lambda self: [int(a < self.stones) for a in range(3)])
    report = check(masked)
    assert names(report) == ["legal-actions-form"]
    assert "looks like a mask" in report.findings[0].found


def test_a_constructor_that_takes_its_time_counts() -> None:
    ticks = itertools.count(0.0, 1.0)
    slow = check(Nim, clock=lambda: next(ticks))
    assert slow.moves_per_second == pytest.approx(sum(map(len, recorded(3))) / 3)


ADVICE = [
    ("observation-range", replaced(observation=lambda self: np.full((1, 1, 2), self.stones * 100.0))),
    ("no-reward", last_reward(lambda mover: 0.0)),
    ("text-of-position", replaced(text=lambda self: "")),
]


def test_a_game_that_random_play_does_not_end_is_worth_a_word() -> None:
    report = check(Endless)
    assert "never-ending" in names(report)
    assert report.faults == ()


@pytest.mark.parametrize(("name", "game"), ADVICE)
def test_advice_is_no_fault(name: str, game: Callable[..., Any]) -> None:
    report = check(game)
    assert names(report) == [name]
    assert report.faults == ()


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, ["speed"]), (1e-6, [])])
def test_a_slow_game_is_named(seconds: float, expected: list[str]) -> None:
    ticks: Iterator[float] = itertools.count(0.0, seconds)
    report = check(Nim, clock=lambda: next(ticks))
    assert names(report) == expected
    moves = sum(len(check_moves) for check_moves in recorded(3))
    assert report.moves_per_second == pytest.approx(moves / (3 * seconds))


def recorded(games: int) -> list[list[int]]:
    from checking.traces import record

    return [record(GameSpec("nim", Nim, NimConfig()), seed).actions for seed in range(games)]


def test_a_check_can_be_left_out() -> None:
    misere = last_reward(lambda mover: -1.0)
    assert names(check(misere, ignored=["reward-perspective"])) == []


def test_a_missing_dependency_is_no_finding() -> None:
    def missing(self: Any, seed: int | None = None) -> None:
        raise ConfigurationError("needs Box2D")

    with pytest.raises(ConfigurationError, match="needs Box2D"):
        check(replaced(__init__=missing))


def test_every_check_has_a_test() -> None:
    planted = {name for name, _ in [*FAULTY, *ADVICE]} | {"value-support", "value-bounds", "speed"}
    planted |= {"values-of-long-games", "turns-alternate", "never-ending"}
    assert planted == set(check_names())


# --- the command ---


def test_the_command_says_what_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "Stuck as Game, NimConfig as MuZeroConfig"
    (tmp_path / "stuck.py").write_text(f"from {__name__} import {names}\n")  # a child process reads it
    assert check_game_command(["stuck", "--games", "5"], folder_of(tmp_path)) == 1
    printed = capsys.readouterr().out
    assert "5 random games" in printed
    assert "fault turn-order: it was always the turn of player 0" in printed
    assert "set players = 1" in printed
    assert "more will be made then" not in printed


def test_the_command_passes_a_shipped_game(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_game_command(["tictactoe"]) == 0
    assert f"the game keeps the contract: {len(check_names())} checks passed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tictactoe", "--ignore", "turnorder"], "there is no check 'turnorder', did you mean 'turn-order'"),
        (["tictactoe", "--games", "0"], "not a whole number of at least 1"),
        (["tictacto"], "did you mean 'tictactoe'"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_game_command(arguments)

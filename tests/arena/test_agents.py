"""Which agent is taken: the one in use, or one by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena.agents import ChosenAgent, agent_in_use, chosen_agent, named_agent
from arena.registry import Registry
from core.errors import ConfigurationError
from games.api.sources import OWN_GAMES, GameFolder, load_game
from games.api.spec import on_board
from saving.checkpoint import Checkpoint, load_checkpoint, save_best, save_generation
from tests.helpers.checkpoints import saved

GAME = "tictactoe"


class World:
    """A folder of results, and of what ships."""

    def __init__(self, folder: Path) -> None:
        self.results, self.shipped = folder / "results", folder / "shipped"
        self.games: GameFolder = replace(OWN_GAMES, pretrained=self.shipped)
        self.registry = Registry(self.results, GAME)
        self._seed = 0

    def ship(self, evaluation: float) -> None:
        (self.shipped / GAME).mkdir(parents=True)
        saved(self.shipped / GAME / "best.checkpoint", evaluation=evaluation)

    def run(self, name: str, evaluation: float | None, **changes: Any) -> Path:
        """A run's folder with a best checkpoint and a generation."""
        self._seed += 1
        folder = self.results / GAME / name
        folder.mkdir(parents=True)
        best = saved(folder / "best.checkpoint", seed=self._seed, evaluation=evaluation, **changes)
        found: Checkpoint = load_checkpoint(best)
        save_generation(folder, found, 1)
        return folder

    def register(self, name: str, evaluation: float | None, **changes: Any) -> str:
        return self.registry.add(self.run(name, evaluation, **changes)).name

    @property
    def used(self) -> ChosenAgent | None:
        return agent_in_use(GAME, self.results, self.games)

    def named(self, name: str) -> Path:
        return named_agent(name, GAME, self.results, self.games).path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_bad_run_does_not_hide_the_agent_that_ships(world: World) -> None:
    world.ship(0.9)
    world.register("bad", 0.2)
    assert world.used is not None
    assert world.used.name == "shipped"
    assert world.used.why == "best evaluation, 0.9, of the 2 that are registered or ship"
    world.register("good", 0.95)
    assert world.used.name == "v0002"
    world.register("as-good", 0.95)
    assert world.used.name == "v0003", "of equals the newer one"


def test_the_promoted_one_is_used_whatever_the_others_have_reached(world: World) -> None:
    world.ship(0.9)
    name = world.register("bad", 0.2)
    world.register("good", 1.0)
    world.registry.promote(name)
    assert world.used == ChosenAgent(world.registry.folder / "v0001.checkpoint", name, "promoted")


@pytest.mark.parametrize(
    "changes",
    [{"opponents": ("expert",)}, {"evaluation_games": 3}, {"target_games": 7, "target_reward": 1.0}],
)
def test_where_evaluations_cannot_be_compared_the_newest_is_used(
    world: World, changes: dict[str, object]
) -> None:
    world.ship(0.9)
    world.register("other", 0.1, **changes)
    assert world.used is not None
    assert world.used.name == "v0001"
    assert "cannot be compared" in world.used.why
    world.register("third", 0.5)  # like the one that ships, and worse
    assert world.used.name == "v0001"


def test_an_agent_without_an_evaluation_is_the_last_choice(world: World) -> None:
    world.register("judged", -1.0)
    world.register("unjudged", None)
    assert world.used is not None
    assert world.used.name == "v0001"


def test_the_newest_run_serves_where_nothing_is_registered_or_ships(world: World) -> None:
    assert agent_in_use(GAME, world.results, world.games) is None
    with pytest.raises(ConfigurationError, match="no run of 'tictactoe'"):
        chosen_agent(None, GAME, world.results, world.games)
    folder = world.run("only", 0.5)
    assert world.used is not None
    assert world.used.path == folder / "best.checkpoint"


def test_a_version_whose_file_is_damaged_is_passed_over(world: World) -> None:
    world.register("one", 0.5)
    world.register("two", 0.9)
    (world.registry.folder / "v0002.checkpoint").write_bytes(b"nonsense")
    assert world.used is not None
    assert world.used.name == "v0001"


def test_a_version_with_options_of_another_version_is_passed_over(world: World) -> None:
    """Its configuration cannot be judged here, which must not take every command down."""
    best = world.run("later", 0.9) / "best.checkpoint"
    found = load_checkpoint(best)
    options = json.loads(found.config_json) | {"an_option_of_tomorrow": 1}
    world.ship(0.1)
    name = world.registry.add(best.parent).name
    save_best(world.registry.folder / f"{name}.checkpoint", replace(found, config_json=json.dumps(options)))
    assert world.used is not None
    assert world.used.name == "shipped"


def test_agents_by_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ship(0.9)
    run = world.run("2026-01-01--00-00-00", 0.5)
    world.registry.add(run)
    best = run / "best.checkpoint"
    assert world.named("shipped") == world.named("pretrained") == world.shipped / GAME / "best.checkpoint"
    assert world.named("v0001") == world.registry.folder / "v0001.checkpoint"
    assert world.named("2026-01-01--00-00-00") == best
    assert world.named(f"{GAME}/2026-01-01--00-00-00") == best
    assert world.named(str(run)) == world.named(str(best)) == best
    [generation] = (run / "checkpoints").glob("*-step-*")
    assert world.named(str(generation)) == generation, "a generation is what it is"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v0009", "no version 'v0009' of 'tictactoe'"),
        ("shiped", "no agent of 'tictactoe' is called so, did you mean 'shipped'?"),
        ("2026-01-01--00-00-01", "did you mean '2026-01-01--00-00-00'?"),
        ("nowhere/best.checkpoint", "no checkpoint at nowhere/best.checkpoint"),
    ],
)
def test_names_of_nothing(world: World, name: str, message: str) -> None:
    world.ship(0.9)
    world.run("2026-01-01--00-00-00", 0.5)
    with pytest.raises(ConfigurationError) as caught:
        world.named(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# --- the board's side ---


def in_use_on(world: World, board_size: int) -> str | None:
    found = agent_in_use(GAME, world.results, world.games, board_size)
    return found and found.name


def test_the_agent_in_use_on_a_board_of_a_side(world: World) -> None:
    old, new = world.run("old", 0.1, board_size=8), world.run("new", 0.9, board_size=6)
    assert in_use_on(world, 8) == str(old)
    assert in_use_on(world, 0) == str(new)
    for run in (old, new):
        world.registry.add(run)
    assert (in_use_on(world, 8), in_use_on(world, 6), in_use_on(world, 7)) == ("v0001", "v0002", None)
    world.registry.promote("v0002")
    assert (in_use_on(world, 8), in_use_on(world, 0)) == ("v0001", "v0002")
    with pytest.raises(ConfigurationError, match="no run of 'tictactoe' on a board of 7 with a checkpoint"):
        chosen_agent(None, GAME, world.results, world.games, 7)


def test_a_named_agent_plays_on_its_own_board_only(world: World) -> None:
    world.register("one", 0.1, board_size=8)
    assert chosen_agent("v0001", GAME, world.results, world.games, 8).name == "v0001"
    with pytest.raises(ConfigurationError, match="v0001 plays tictactoe on a board of 8, not of 6"):
        chosen_agent("v0001", GAME, world.results, world.games, 6)


def test_a_board_is_chosen_where_a_game_has_several() -> None:
    chosen = on_board(load_game("othello"), 8)
    assert (chosen.config.observation_shape, on_board(chosen, 0)) == ((2, 8, 8), chosen)
    with pytest.raises(ConfigurationError, match="--board-size: tictactoe has one board"):
        on_board(load_game("tictactoe"), 3)
    with pytest.raises(ConfigurationError, match="board_size=7 must be 6 or 8 in othello"):
        on_board(load_game("othello"), 7)

"""Every game that ships keeps the games' contract; games and configurations are found and adopted by name."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checking.conformance import check_game
from commands.new_game import write_game
from config import MuZeroConfig
from core.errors import ConfigurationError
from games.api.catalogue import listing
from games.api.muzero_general import adopt, sampled_schedule
from games.api.shown import ShownGame
from games.api.sources import OWN_GAMES, GameFolder, game_of, load_game
from games.api.spec import GameSpec
from playing.environment import Environment
from tests.helpers.game_folders import folder_of, folder_with
from tests.helpers.toy_games import OldWalk, Walk, toy_game


@pytest.mark.parametrize("name", [*OWN_GAMES.names(), "walk", "old_walk"])
def test_conformance(name: str) -> None:
    if name == "lunarlander":
        pytest.importorskip("Box2D")
    spec = toy_game(name)
    report = check_game(spec)
    assert report.faults == ()
    assert name not in OWN_GAMES.names() or report.findings == (), "there is nothing to advise either"
    assert MuZeroConfig.from_json(spec.config.to_json()).to_json() == spec.config.to_json()


@pytest.mark.parametrize("name", OWN_GAMES.names())
def test_shipped_games_name_their_actions(name: str) -> None:
    spec = load_game(name)
    words = [spec.game_class(seed=0).action_to_string(action) for action in spec.config.action_space]
    assert len(set(words)) == len(words)


def test_cartpole_is_gymnasiums_with_scaled_observations() -> None:
    import gymnasium

    scale = np.array([1 / 2.4, 1 / 2.0, 1 / 0.21, 1 / 2.0], np.float32)
    real = gymnasium.make("CartPole-v1")
    environment = Environment(load_game("cartpole"), load_game("cartpole").config)
    for seed in (3, 4):
        expected, _ = real.reset(seed=seed)
        np.testing.assert_array_equal(environment.reset(seed).ravel(), expected * scale)
        over, moves = False, 0
        while not over:
            step = environment.step(moves % 2)
            expected, reward, over, _, _ = real.step(moves % 2)
            np.testing.assert_array_equal(step.observation.ravel(), expected * scale)
            assert (step.reward, step.terminated, step.truncated) == (reward, over, False)
            moves += 1


def test_cartpoles_cap_truncates_it() -> None:
    spec = load_game("cartpole")
    environment = Environment(spec, spec.config)
    observation = environment.reset(0).ravel()
    steps = 0
    while True:  # a hand-made controller that balances
        step = environment.step(int(observation[2] * 3 + observation[3] + 0.1 * observation[1] > 0))
        observation, steps = step.observation.ravel(), steps + 1
        if step.terminated or step.truncated:
            break
    assert (steps, step.terminated, step.truncated) == (500, False, True)


# --- finding games ---


def test_unknown_games_get_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown game 'cartoole', did you mean 'cartpole'\?"):
        load_game("cartoole")
    with pytest.raises(ConfigurationError, match=r"^unknown game 'zzz' \(games: .*cartpole"):
        load_game("zzz")


def test_game_names_are_the_files(tmp_path: Path) -> None:
    for file in ("zebra.py", "ant.py", "_helper.py", "__init__.py", "notes.txt"):
        (tmp_path / file).touch()
    assert folder_of(tmp_path).names() == ["ant", "zebra"]


def test_folders_have_games_of_the_same_name(tmp_path: Path) -> None:
    folders = [folder_of(tmp_path / side) for side in ("left", "right")]
    for folder, players in zip(folders, (1, 2), strict=True):
        folder.path.mkdir()
        write_game("mine", players, folder)
    assert [folder.load("mine").config.players for folder in (*folders, *folders)] == [1, 2, 1, 2]
    assert [folder.file("mine").exists() for folder in (*folders, OWN_GAMES)] == [True, True, False]
    with pytest.raises(
        ConfigurationError, match=r"unknown game 'tictactoe' \(games: mine; or the path of a file, NAME\.py\)"
    ):
        folders[0].load("tictactoe")


def test_a_game_is_itself_or_the_projects_own_of_its_name() -> None:
    walk = toy_game("walk")
    assert game_of(walk) is walk
    assert game_of("tictactoe") == load_game("tictactoe")
    with pytest.raises(ConfigurationError, match="unknown game 'walk'"):
        game_of("walk")


def test_a_file_without_a_game_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, monkeypatch, "mine", Game=Walk)
    with pytest.raises(ConfigurationError, match=r"/mine.py must define MuZeroConfig"):
        folder.load("mine")


# --- files with faults ---

GOOD = (
    "import numpy as np\n"
    "class MuZeroConfig:\n"
    "    def __init__(self):\n"
    "        self.observation_shape, self.action_space, self.players = (1, 1, 4), [0, 1], [0]\n"
    "class Game:\n"
    "    def __init__(self, seed=None): self.moves = 0\n"
    "    def reset(self): self.moves = 0; return np.zeros((1, 1, 4), np.float32)\n"
    "    def step(self, action): self.moves += 1; return self.reset(), 1.0, self.moves > 3\n"
    "    def render(self): print(self.moves); input('Press enter to take a step ')\n"
)
BAD = {
    "leaves": ("import sys\nsys.exit('no display')\n", "line 2: SystemExit: no display"),
    "breaks": (GOOD.replace("self.moves = 0\n", "raise OSError('no rom')\n", 1), "raises OSError: no rom"),
    "odd_players": (GOOD.replace("[0]", "None", 1), "players=None must be a list of players"),
    "odd_config": (
        GOOD.replace("def __init__(self):\n", "def __init__(self):\n        1 / 0\n"),
        "line 4: Zero",
    ),
    "no_syntax": ("class Game\n", "line 1: SyntaxError"),
    "odd_shape": (GOOD.replace("(1, 1, 4), [0, 1]", "'big', [0, 1]"), "observation_shape='big'"),
}


def folder_of_files(tmp_path: Path, **files: str) -> GameFolder:
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return folder_of(tmp_path)


def test_one_bad_file_does_not_take_the_list_down(tmp_path: Path) -> None:
    rows = listing(folder_of_files(tmp_path, good=GOOD, **{name: text for name, (text, _) in BAD.items()}))
    faults = {row.name: row.missing for row in rows}
    assert faults.pop("good") == ""
    assert faults.keys() == BAD.keys()
    for name, (_, fault) in BAD.items():
        assert fault in faults[name]
        assert "\n" not in faults[name]
        assert name in faults[name], "which file it is"


@pytest.mark.parametrize("name", set(BAD) - {"breaks"})
def test_the_fault_of_a_file_is_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    folder = folder_of_files(tmp_path, **{name: BAD[name][0]})
    with pytest.raises(ConfigurationError) as caught:
        folder.load(name)
    assert str(tmp_path / f"{name}.py") in str(caught.value)
    assert BAD[name][1] in str(caught.value)


def test_nobody_is_asked_for_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt="": pytest.fail(f"somebody is asked: {prompt}"))
    spec = folder_of_files(tmp_path, waits=GOOD).load("waits")
    game = spec.game_class(0)
    assert ShownGame.of(game).text() == "0"
    assert check_game(spec, games=3).moves > 0


# --- muzero-general's games and configurations ---


def test_a_game_on_muzero_generals_base_class_is_played() -> None:
    from games.abstract_game import AbstractGame

    class Count(AbstractGame):
        def __init__(self, seed: int | None = None) -> None:
            self.moves = 0

        def reset(self) -> Any:
            return np.zeros((1, 1, 4), np.float32)

        def step(self, action: int) -> Any:
            self.moves += 1
            return np.full((1, 1, 4), self.moves, np.float32), 1.0, self.moves == 3

    assert "abstract_game" not in OWN_GAMES.names()
    environment = Environment(GameSpec("count", Count, MuZeroConfig()), MuZeroConfig())
    environment.reset(0)
    assert [environment.step(0).terminated for _ in range(3)] == [False, False, True]


class PlainConfig:
    """Sets every attribute that muzero-general's games set."""

    def __init__(self) -> None:
        self.seed = 3
        self.max_num_gpus = None
        self.observation_shape = (1, 1, 3)
        self.action_space = list(range(3))
        self.players = list(range(2))
        self.stacked_observations = 2
        self.muzero_player = 0
        self.opponent = "self"
        self.num_workers = 1
        self.selfplay_on_gpu = False
        self.max_moves = 50
        self.num_simulations = 7
        self.discount = 1
        self.temperature_threshold = None
        self.root_dirichlet_alpha = 0.3
        self.root_exploration_fraction = 0.2
        self.pb_c_base = 19652
        self.pb_c_init = 1.25
        self.network = "resnet"
        self.support_size = 10
        self.downsample = False
        self.blocks = 1
        self.channels = 2
        self.reduced_channels_reward = 2
        self.reduced_channels_value = 2
        self.reduced_channels_policy = 2
        self.resnet_fc_reward_layers: list[int] = []
        self.resnet_fc_value_layers: list[int] = []
        self.resnet_fc_policy_layers = [8]
        self.encoding_size = 8
        self.fc_representation_layers: list[int] = []
        self.fc_dynamics_layers = [16]
        self.fc_reward_layers = [16]
        self.fc_value_layers = [16]
        self.fc_policy_layers = [16]
        self.results_path = Path("somewhere/else")
        self.save_model = True
        self.training_steps = 1000
        self.batch_size = 64
        self.checkpoint_interval = 10
        self.value_loss_weight = 1
        self.train_on_gpu = False
        self.optimizer = "Adam"
        self.weight_decay = 1e-4
        self.momentum = 0.9
        self.lr_init = 0.02
        self.lr_decay_rate = 0.8
        self.lr_decay_steps = 1000
        self.replay_buffer_size = 500
        self.num_unroll_steps = 10
        self.td_steps = 50
        self.PER = True
        self.PER_alpha = 0.5
        self.use_last_model_value = True
        self.reanalyse_on_gpu = False
        self.self_play_delay = 0
        self.training_delay = 0
        self.ratio = 1.5

    def visit_softmax_temperature_fn(self, trained_steps: int) -> float:
        """As in muzero-general: a method of the training step."""
        if trained_steps < 0.5 * self.training_steps:
            return 1.0
        return 0.5 if trained_steps < 0.75 * self.training_steps else 0.25


class OpponentConfig(PlainConfig):
    """A file that is evaluated against its expert."""

    def __init__(self) -> None:
        super().__init__()
        self.opponent = "expert"


def test_a_plain_configuration_is_adopted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = folder_with(tmp_path, monkeypatch, "mine", Game=OldWalk, MuZeroConfig=PlainConfig).load("mine")
    assert spec.config == MuZeroConfig(
        seed=3,
        observation_shape=(1, 1, 3),
        action_space=(0, 1, 2),
        players=2,
        stacked_observations=2,
        max_moves=50,
        num_simulations=7,
        evaluation_simulations=7,
        discount=1.0,
        root_dirichlet_alpha=0.3,
        root_exploration_fraction=0.2,
        network="resnet",
        blocks=1,
        channels=2,
        reduced_channels_policy=2,
        resnet_fc_reward_layers=(),
        resnet_fc_value_layers=(),
        resnet_fc_policy_layers=(8,),
        training_steps=1000,
        batch_size=64,
        value_loss_weight=1.0,
        device="cpu",
        selfplay_on_gpu=False,
        lr_init=0.02,
        lr_decay_rate=0.8,
        num_unroll_steps=10,
        td_steps=50,
        ratio=1.5,
    )
    assert check_game(spec, games=5).faults == ()


def test_the_temperature_method_becomes_data() -> None:
    schedule = adopt(PlainConfig()).config.visit_softmax_temperature
    assert schedule == ((0.5, 1.0), (0.75, 0.5), (1.0, 0.25))
    assert sampled_schedule(lambda step: 1.0, 77) == ((1.0, 1.0),)
    rising = MuZeroConfig(
        training_steps=10_000, visit_softmax_temperature=sampled_schedule(lambda step: step / 10_000, 10_000)
    )
    assert [rising.temperature(step) for step in (0, 99, 100, 5_000, 10_000)] == [0, 0, 0.01, 0.5, 0.99]


@pytest.mark.parametrize(
    ("plain", "adopted"),
    [
        ({"downsample": "CNN"}, {"downsample": "CNN"}),
        ({"downsample": False}, {"downsample": "none"}),
        ({"ratio": None}, {"ratio": 0.0}),
        ({"temperature_threshold": 30}, {"temperature_threshold": 30}),
        ({"train_on_gpu": True}, {"device": "auto"}),
        ({"optimizer": "SGD"}, {"optimizer": "SGD"}),
        ({"optimizer": "Adam"}, {"optimizer": "AdamW"}),
    ],
)
def test_other_forms_are_converted(plain: dict[str, Any], adopted: dict[str, Any]) -> None:
    assert adopt(types.SimpleNamespace(**plain)) == (MuZeroConfig(**adopted), ())


def test_what_is_not_ours_is_left_to_the_game_and_noted() -> None:
    plain = types.SimpleNamespace(num_obstacles=3, max_num_gpus=1, num_simulation=50, num_simulations=7)
    config, notes = adopt(plain)
    assert (config.num_simulations, config.evaluation_simulations) == (7, 7)
    assert notes == (
        "without effect here: max_num_gpus, num_obstacles, num_simulation (did you mean num_simulations?)",
    )


class ClassLevel:
    """Options on the class, and numbers of other types."""

    observation_shape = (np.int64(3), 6.0, 6)
    action_space = tuple(range(4))
    players = 2
    discount = np.float32(0.5)
    batch_size: Any = 64.0
    training_steps = 1e4
    lr_init = 1
    squares = 9

    def __init__(self) -> None:
        self.batch_size = np.int32(32)

    def helper(self) -> int:
        return 3


def test_options_of_the_class_and_numbers_of_other_types_are_taken_over() -> None:
    config, notes = adopt(ClassLevel())
    assert config == MuZeroConfig(
        observation_shape=(3, 6, 6),
        action_space=(0, 1, 2, 3),
        players=2,
        discount=0.5,
        batch_size=32,
        training_steps=10_000,
        lr_init=1.0,
    )
    assert notes == ("without effect here: squares",)


def test_what_is_adopted_otherwise_is_said() -> None:
    config, notes = adopt(types.SimpleNamespace(num_workers=350, opponent="self"))
    assert (config.num_workers, config.opponents) == (MuZeroConfig().num_workers, ("random",))
    assert any(note.startswith("num_workers=350 is left to this machine") for note in notes)
    assert any(note.startswith("opponent='self' is random here") for note in notes)


@pytest.mark.parametrize(("expert", "expected"), [(True, "expert"), (False, "random")])
def test_an_expert_that_a_file_asks_for_is_the_opponent_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expert: bool, expected: str
) -> None:
    game = type("Walker", (OldWalk,), {"expert_agent": lambda self: 0} if expert else {})
    spec = folder_with(tmp_path, monkeypatch, "mine", Game=game, MuZeroConfig=OpponentConfig).load("mine")
    assert spec.config.opponents == (expected,)
    assert any("opponent='expert' is random here" in note for note in spec.notes) != expert


def test_an_attribute_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="num_simulations='many' must be int"):
        adopt(types.SimpleNamespace(num_simulations="many"))
    with pytest.raises(ConfigurationError, match=r"players=None must be a list of players, or their number"):
        adopt(types.SimpleNamespace(players=None))

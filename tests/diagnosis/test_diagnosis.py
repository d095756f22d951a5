"""The diagnosis tells a model that knows its game from one that does not, by figures checked by hand."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import muzero
from commands.diagnose import default_file, diagnose_command, summary
from config import MuZeroConfig
from core.project import PRETRAINED
from data import Counters, Weights
from diagnosis import figures, report, tree_picture
from diagnosis.diagnose import Diagnosis, diagnose, typical
from diagnosis.extent import default_games
from diagnosis.measures import BINS, Horizon, SearchEffect, by_horizon, calibrate
from diagnosis.played import Played, gather, play_games, sample
from diagnosis.unrolling import Predicted, Unrolled, load_network, unroll
from diagnosis.verdict import judge
from games.api.sources import load_game
from models import get_weights, make_network
from playing.game_table import GameTable
from saving.checkpoint import Checkpoint, load_checkpoint, save_best
from showing.analysis import TreeNode, most_visited
from tests.helpers.histories import make_history

SMALL = {"fc_representation_layers": (8,), "fc_dynamics_layers": (8,), "num_simulations": 4}


def config_of(game: str, **changes: Any) -> MuZeroConfig:
    return load_game(game).config.replace(**changes)


def random_weights(config: MuZeroConfig, seed: int) -> Weights:
    """Those of a new network, whose heads are random instead of 0."""
    generator = np.random.default_rng(seed)
    weights = get_weights(make_network(config.replace(seed=seed)))
    for name, array in weights.items():
        if array.ndim == 2 and not array.any():
            weights[name] = generator.normal(0, array.shape[1] ** -0.5, array.shape).astype(np.float32)
    return weights


def pretrained(game: str, games: int, seed: int = 0) -> Diagnosis:
    found = load_checkpoint(PRETRAINED / game / "best.checkpoint")
    config = MuZeroConfig.from_json(found.config_json).replace(games_per_worker=games, seed=seed)
    return diagnose(load_game(game), config, found.weights, found.training_step)


# --- games ---


def test_realised_returns_by_hand() -> None:
    config = MuZeroConfig(observation_shape=(1, 1, 2), action_space=(0, 1, 2), discount=0.5)
    ended = make_history([1, 2, 4], [9, 9, 9, 0], seed=1)
    cut = make_history([1, 1], [9, 9, 8], seed=2, terminated=False, truncated=True)
    played = gather(config, [ended, cut])
    assert played.starts.tolist() == [0, 3]
    assert played.moves.tolist() == [0, 1, 2, 3, 4]
    assert played.realised.tolist() == [3, 4, 4, 3.5, 5, 8]  # 1 + 0.5 * 1 + 0.25 * 8 in the second game
    assert played.guessed.tolist() == [0, 0, 0, 0.25, 0.5, 1]


def test_returns_change_sides_with_the_player_to_move() -> None:
    config = MuZeroConfig(observation_shape=(1, 1, 2), action_space=(0, 1, 2), discount=1.0, players=2)
    won = make_history([0, 0, 1], [0, 0, 0, 0], to_play=np.array([0, 1, 0, 1], np.int8))
    assert gather(config, [won]).realised.tolist() == [1, -1, 1]


def test_games_are_whole_and_none_is_preferred() -> None:
    config = config_of(
        "cartpole", games_per_worker=24, segment_length=7, visit_softmax_temperature=((1.0, 9.0),), **SMALL
    )
    network_weights = random_weights(config, 3)
    seen: list[tuple[int, int]] = []
    played = play_games(load_game("cartpole"), config, network_weights, 5, lambda *done: seen.append(done))
    lengths = np.diff([*played.starts, len(played.steps.actions)])
    assert len(set(played.seeds.tolist())) == len(played.starts) == 24
    assert played.returns.tolist() == lengths.tolist(), "a reward of 1 for each move"
    assert lengths.max() > 2 * lengths.min(), "or else the short ones were not tempting"
    assert played.steps.terminated.all()
    assert seen[-1] == (24, 24)
    again = play_games(load_game("cartpole"), config, network_weights, 5)
    assert again.steps.actions.tolist() == played.steps.actions.tolist()


def test_stacked_observations_are_those_that_were_played() -> None:
    config = config_of("tictactoe", games_per_worker=2, stacked_observations=2, **SMALL)
    played = play_games(load_game("tictactoe"), config, random_weights(config, 0), 0)
    table = GameTable(load_game("tictactoe"), config, 1)
    for game, start in enumerate(played.starts):
        table.reset(0, int(played.seeds[game]))
        for row in range(start, start + played.steps.remaining[start]):
            assert (played.stacked(np.array([row]))[0] == table.stacks[0]).all()
            assert (played.legal(np.array([row]))[0] == table.legal[0]).all()
            table.step(np.array([0]), played.steps.actions[row : row + 1])


def test_a_sample_is_rising_and_without_repetition() -> None:
    rows = np.arange(100, 200)
    drawn = sample(rows, 30, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 30
    assert (np.diff(drawn) > 0).all()
    assert sample(rows, 100, np.random.default_rng(0)) is rows


# --- the model ---


def near(tensor: torch.Tensor) -> Any:
    """About equal: batches of another size are summed in another order."""
    return pytest.approx(tensor.squeeze().numpy(), abs=1e-5)


def test_the_model_is_unrolled_along_the_moves_that_were_made() -> None:
    config = config_of("tictactoe", games_per_worker=3, **SMALL)
    weights = random_weights(config, 1)
    played = play_games(load_game("tictactoe"), config, weights, 0)
    network = load_network(config, weights)
    start = int(played.starts[1])
    moves = int(played.steps.remaining[start])
    unrolled = unroll(network, played, np.array([start, start + 2]), 4)
    with torch.inference_mode():
        latent = network.represent(torch.from_numpy(played.stacked(np.array([start]))))
        for k in range(1, 4):
            output = network.recurrent_inference(latent, torch.tensor(played.steps.actions[[start + k - 1]]))
            latent = output.latent
            seen = network.initial_inference(torch.from_numpy(played.stacked(np.array([start + k]))))
            assert unrolled.imagined.rewards[k, 0] == near(network.decode(output.reward_logits))
            assert unrolled.imagined.values[k, 0] == near(network.decode(output.value_logits))
            assert unrolled.fresh.values[k, 0] == near(network.decode(seen.value_logits))
            assert unrolled.imagined.latents[k, 0] == near(latent[0])
    assert unrolled.imagined.values[0] == pytest.approx(unrolled.fresh.values[0], abs=1e-5)
    assert unrolled.valid[:, 0].tolist() == [k < moves for k in range(5)]
    assert unrolled.moved[:, 1].tolist() == [0 < k <= moves - 2 for k in range(5)]


# --- measures ---


def line(moves: int = 12) -> Played:
    """A game whose k-th reward is k."""
    config = MuZeroConfig(observation_shape=(1, 1, 2), action_space=(0, 1, 2), discount=0.5)
    history = make_history([float(k) for k in range(1, moves + 1)], [0.0] * (moves + 1))
    return gather(config, [history])


def said(played: Played, moves: int, reward_shift: float, value_shift: float, turn: float) -> Unrolled:
    """What a model says that knows the truth, but for the shifts, and whose latents are turned by `turn`."""
    starts = played.moves
    ahead = np.arange(moves + 1)[:, None]
    remaining = played.steps.remaining[starts]
    rows = starts + np.minimum(ahead, remaining - 1)
    logits = np.log(played.steps.policies[rows])
    real = played.realised[rows]
    unit = np.broadcast_to([1.0, 0.0], (*rows.shape, 2)).astype(np.float32)
    turned = np.broadcast_to([np.cos(turn), np.sin(turn)], (*rows.shape, 2)).astype(np.float32)
    rewards = (starts + ahead).astype(np.float32) + np.float32(reward_shift)
    imagined = Predicted(real + np.float32(value_shift), rewards, logits, turned)
    return Unrolled(
        rows,
        ahead < remaining,
        (ahead > 0) & (ahead <= remaining),
        imagined,
        Predicted(real, np.zeros_like(rewards), logits, unit),
    )


def test_errors_by_horizon_are_those_that_were_made() -> None:
    played = line()
    found = by_horizon(played, said(played, 4, 0.5, 2.0, np.pi / 3), np.random.default_rng(0))
    assert found.samples.tolist() == [12, 11, 10, 9, 8]
    assert np.isnan(found.reward_error[0])
    assert found.reward_error[1:] == pytest.approx(0.5)
    assert found.reward_size[1] == pytest.approx(np.sqrt(np.mean(np.arange(1, 13) ** 2)))
    assert found.reward_size[2] == pytest.approx(np.sqrt(np.mean(np.arange(2, 13) ** 2)))
    assert found.value_error == pytest.approx(2.0)
    assert found.fresh_value_error == pytest.approx(0.0)
    assert found.value_drift == pytest.approx(2.0)
    assert found.policy_divergence == pytest.approx(0.0, abs=1e-6)
    assert (found.uniform_divergence > 1e-4).all()
    assert found.agreement == pytest.approx(1.0)
    assert found.latent_drift == pytest.approx(1.0)  # a triangle of equal sides
    assert found.latent_cosine == pytest.approx(0.5)
    assert found.latent_apart == 0


def test_too_few_samples_give_no_figure() -> None:
    played = line(9)
    found = by_horizon(played, said(played, 4, 0.5, 0.0, 0.0), np.random.default_rng(0))
    assert np.isfinite(found.reward_error).tolist() == [False, True, True, False, False]
    assert np.isfinite(found.value_error).tolist() == [True, True, False, False, False]


def test_calibration_by_hand() -> None:
    generator = np.random.default_rng(0)
    truth = generator.uniform(-1, 1, 5000)
    outcomes = np.sign(truth - generator.uniform(-1, 1, 5000))  # 1 with probability (truth + 1) / 2, else -1
    right = calibrate(truth, outcomes)
    assert right.error < 0.05, "right on average, however noisy single outcomes are"
    assert right.explained == pytest.approx(1 / 3, abs=0.03)
    assert right.correlation == pytest.approx(np.sqrt(1 / 3), abs=0.03)
    assert right.counts.tolist() == [500] * BINS
    shifted = calibrate(truth + 0.5, outcomes)
    assert shifted.error == pytest.approx(0.5, abs=0.05)
    assert shifted.correlation == pytest.approx(right.correlation)
    nothing = calibrate(np.zeros(5000), outcomes)
    assert nothing.explained == 0
    assert np.isnan(nothing.correlation)
    assert len(nothing.counts) == 1


# --- the verdict ---


def horizon_of(reward_error: float, drift: float, moves: int = 10) -> Horizon:
    flat = np.ones(moves + 1)
    rewards = np.r_[np.nan, np.full(moves, reward_error)]
    return Horizon(flat.astype(int), rewards, *(flat,) * 3, drift * np.arange(moves + 1), *(flat,) * 8, 1.0)


NO_SEARCH = SearchEffect(*[np.ones(3)] * 5)
TRUTH = np.linspace(-1, 1, 1000)
WELL = calibrate(TRUTH, TRUTH)


def test_short_games_are_played_more_often() -> None:
    assert default_games(MuZeroConfig(max_moves=9)) == 455
    assert default_games(MuZeroConfig(max_moves=500)) == 64


def test_a_perfect_model_is_trusted() -> None:
    verdict = judge(horizon_of(0.0, 0.0), WELL, WELL, NO_SEARCH, 5)
    assert verdict.level == "trusted"
    assert [check.word for check in verdict.checks] == ["good"] * 5


def test_values_off_on_average_are_a_reason_for_care() -> None:
    verdict = judge(horizon_of(0.0, 0.0), WELL, calibrate(TRUTH + 0.3, TRUTH), NO_SEARCH, 5)
    assert verdict.level == "care"
    assert "values are off on average" in verdict.text


def test_values_far_off_are_not_trusted() -> None:
    verdict = judge(horizon_of(0.0, 0.0), WELL, calibrate(TRUTH * 0.2, TRUTH), NO_SEARCH, 5)
    assert verdict.level == "untrusted"
    assert "values are off on average" in verdict.text


def test_a_model_that_goes_wrong_early_is_a_reason_for_care() -> None:
    verdict = judge(horizon_of(0.0, 0.1), WELL, WELL, NO_SEARCH, 5)  # 0.3 after 3 moves, of a size of 0.58
    assert (verdict.checks[-1].found, verdict.level) == ("2", "care")
    assert judge(horizon_of(0.0, 0.1), WELL, WELL, NO_SEARCH, 2).level == "trusted"


def test_rewards_by_chance_can_be_known_as_well_as_possible() -> None:
    chance = np.sign(TRUTH - np.random.default_rng(1).uniform(-1, 1, 1000))
    rewards = calibrate(TRUTH, chance)
    assert judge(horizon_of(rewards.rms_error, 0.0), rewards, WELL, NO_SEARCH, 5).level == "trusted"


def test_a_model_that_knows_nothing_is_not_trusted() -> None:
    nothing = calibrate(np.zeros(1000), TRUTH)
    for rewards, values in ((nothing, WELL), (WELL, nothing)):
        assert judge(horizon_of(0.0, 0.0), rewards, values, NO_SEARCH, 5).level == "untrusted"


def test_without_any_reward_nothing_can_be_said() -> None:
    zeros = calibrate(np.zeros(100), np.zeros(100))
    verdict = judge(horizon_of(0.0, 0.0), zeros, zeros, NO_SEARCH, 5)
    assert verdict.level == "unknown"
    assert verdict.text.startswith("the model cannot be judged: no reward came up")
    assert "--games" in verdict.text


@pytest.mark.parametrize(
    ("correlation", "words"),
    [
        (-0.1, "-0.10, next to none"),
        (0.3, "0.30, weak"),
        (0.9, "0.90"),
        (float("nan"), "unknown: the values"),
    ],
)
def test_correlations_are_explained(correlation: float, words: str) -> None:
    values = WELL._replace(correlation=correlation)
    found = judge(horizon_of(0.0, 0.0), WELL, values, NO_SEARCH, 5).facts
    (text,) = [fact.text for fact in found if fact.name == "correlation of values and returns"]
    assert text.startswith(words)


@pytest.mark.parametrize("game", ["cartpole", "tictactoe"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("heads", ["random", "new"])
def test_random_weights_are_not_trusted(game: str, seed: int, heads: str) -> None:
    config = config_of(game, games_per_worker=24, seed=seed)
    weights = random_weights(config, seed) if heads == "random" else get_weights(make_network(config))
    verdict = diagnose(load_game(game), config, weights, 0).verdict
    assert verdict.level == "untrusted"
    assert verdict.text.startswith("the model is NOT to be trusted")


@pytest.fixture(scope="module")
def tictactoe() -> Diagnosis:
    return pretrained("tictactoe", 256)


@pytest.fixture(scope="module")
def cartpole() -> Diagnosis:
    return pretrained("cartpole", 8)


def test_trained_agents_know_their_rewards(tictactoe: Diagnosis, cartpole: Diagnosis) -> None:
    for diagnosis in (tictactoe, cartpole):
        assert diagnosis.verdict.level != "untrusted"
        assert diagnosis.reward_calibration.explained > 0.95
        assert diagnosis.horizon.reward_error[1] < 0.1 * diagnosis.horizon.reward_size[1]
    assert tictactoe.verdict.level == "trusted"


def test_a_trajectory_is_one_game_of_median_length(tictactoe: Diagnosis) -> None:
    game, played = tictactoe.trajectory, tictactoe.played
    shown = typical(played)
    lengths = played.steps.remaining[played.starts]
    assert len(game.rewards) == lengths[shown] == np.quantile(lengths, 0.5, method="lower")
    assert set(game.realised.tolist()) == {played.returns[shown]}, "one outcome, always to the first player"
    assert ((game.prior > 0) & (game.prior <= 1)).all()


# --- what people see ---


def node(action: int | None, visits: int, to_play: int, *children: TreeNode) -> TreeNode:
    return TreeNode(action, 0, visits, 0.5, 0.1, 0.0, to_play, children)


TREE = node(
    *(None, 10, 0),
    node(2, 6, 1, node(0, 3, 0), node(1, 2, 0)),
    node(0, 3, 1, node(1, 2, 0)),
)


def test_the_most_visited_nodes_are_kept() -> None:
    kept = most_visited(TREE, 4)
    assert [child.action for child in kept.children] == [2, 0]
    assert [[grandchild.action for grandchild in child.children] for child in kept.children] == [[0], []]


def test_nodes_do_not_lie_on_each_other() -> None:
    boxes = tree_picture.place(TREE)
    assert len({(box.column, box.row) for box in boxes}) == len(boxes) == 6
    assert [(box.column, box.row) for box in boxes] == [(0, 1.25), (1, 0.5), (2, 0), (2, 1), (1, 2), (2, 2)]
    assert [box.best for box in boxes] == [True, True, True, False, False, False]


def test_a_tree_shows_moves_visits_and_values_to_the_one_who_asks() -> None:
    texts = [text.get_text() for text in tree_picture.figure(TREE, ["a", "b", "c"]).axes[0].texts]
    assert texts[:3] == ["root  +0.50  n=10", "c  -0.50  n=6", "a  +0.50  n=3"]


@pytest.mark.parametrize("name", ["rewards", "horizon", "latents", "calibration", "search", "trajectory"])
def test_pictures_are_labelled_and_nothing_is_cut_off(
    tictactoe: Diagnosis, cartpole: Diagnosis, name: str
) -> None:
    for diagnosis in (tictactoe, cartpole):
        picture = getattr(figures, name)(diagnosis)
        for panel in picture.axes:
            for label in (panel.get_xlabel(), panel.get_ylabel()):
                assert re.search(r"\(.+\)", label), f"no unit: {label!r}"
        picture.draw_without_rendering()
        inked = picture.get_tightbbox()
        width, height = picture.get_size_inches()
        assert (inked.x0 >= 0, inked.y0 >= 0, inked.x1 <= width, inked.y1 <= height) == (True,) * 4


def test_the_page_is_whole_in_itself(tictactoe: Diagnosis) -> None:
    text = report.page(tictactoe, "a <checkpoint>")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == 8
    assert all(base64.b64decode(data).startswith(b"\x89PNG") for data in pictures)
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "a &lt;checkpoint&gt;" in text
    assert tictactoe.verdict.text in text


def test_the_summary_has_every_check_and_the_verdict(tictactoe: Diagnosis) -> None:
    lines = summary(tictactoe, "x", Path("y.html")).splitlines()
    for check in tictactoe.verdict.checks:
        assert any(check.name in line and check.found in line and check.word in line for line in lines)
    assert lines[-2:] == [tictactoe.verdict.text, "report: y.html"]


def test_the_page_lies_in_the_runs_folder(tmp_path: Path) -> None:
    run = tmp_path / "cartpole" / "run"
    (run / "checkpoints" / "000001-step-5").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    for checkpoint in (run, run / "best.checkpoint", run / "checkpoints" / "000001-step-5"):
        assert default_file(checkpoint, "cartpole", tmp_path / "x").parent == run
    shipped = PRETRAINED / "cartpole" / "best.checkpoint"
    assert default_file(shipped, "cartpole", tmp_path / "x").parent == tmp_path / "x" / "cartpole"


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "image", lambda figure, title: title)  # pictures take seconds
    config = config_of("tictactoe", **SMALL)
    path = tmp_path / "best.checkpoint"
    save_best(path, Checkpoint("tictactoe", config.to_json(), random_weights(config, 0), Counters(7)))
    out = tmp_path / "new" / "page.html"
    options = [
        "tictactoe",
        "--checkpoint",
        str(path),
        "--games",
        "9",
        "--simulations",
        "3",
        "--out",
        str(out),
    ]
    assert diagnose_command([*options, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["level"] == "untrusted"
    assert answer["report"] == str(out)
    assert "7 updates; 9 self-play games" in out.read_text()
    assert "3 simulations" in out.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["cartpole", "--checkpoint", "nowhere"], "no checkpoint at nowhere"),
        (["tictactoe", "--checkpoint", str(PRETRAINED / "cartpole" / "best.checkpoint")], "give one of"),
        (["cartpole", "--games", "0"], "at least 1"),
        (["cartpole", "--out", "/proc/nowhere/x.html"], "cannot write"),
        (["cartpol"], "unknown game"),
    ],
)
def test_bad_input_is_one_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = [*options, "--results-path", str(tmp_path)]
    assert muzero._reported(lambda: diagnose_command(arguments)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1

"""The command line: every form, every refusal in one line with exit status 2."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import muzero
from arena import summaries
from arena.duel import Duel, PlayedBatch
from arena.network_player import CHECKPOINT
from arena.player_kind import PlayerSpec
from arena.players import names_of
from arena.summaries import return_summary
from commands import train
from commands._config_options import canonical, config_values, option_name
from config import MuZeroConfig, field_docs
from core.errors import ConfigurationError
from core.options import parse_json_object
from data import Counters, Snapshot
from games.api.sources import OWN_GAMES, load_game
from games.api.spec import GameSpec
from games.boards.game import BoardGame
from runs import launch as training
from saving.checkpoint import Checkpoint, load_checkpoint, save_best, save_generation
from tests.helpers.command_line import python
from tests.helpers.results import evaluation_result
from tests.helpers.statuses import make_status
from tests.helpers.typing_people import type_lines


def outcome(reason: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(reason=reason, counters=Counters(), evaluation=None)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """Replaces training and evaluation by fakes that note how they were called; works in a fresh folder."""
    noted: list[dict[str, Any]] = []

    def train(game: GameSpec, config: MuZeroConfig, run_folder: Path, **rest: Any) -> object:
        noted.append({"game": game.name, "config": config, "folder": run_folder, **rest})
        rest["observer"].status(make_status())
        rest["observer"].event("solved: mean of 100")
        return outcome("interrupted" if config.seed == 130 else "target_reward")

    def play(duel: Duel, games: int, progress: object = None) -> Iterator[PlayedBatch]:
        if duel.player.path is not None:
            load_checkpoint(duel.player.path, expect_game=duel.game.name)
        noted.append({"duel": duel, "games": games})
        result = evaluation_result(1, 2, 3, 6, opponent=names_of(duel.opponents))
        yield PlayedBatch(result, [(1,), (2,), (1,), (2,)], 0, result.returns)

    fake = types.SimpleNamespace(train=train, check_launch=training.check_launch)
    monkeypatch.setitem(sys.modules, "runs.launch", fake)
    monkeypatch.setattr(summaries, "play_batches", play)
    monkeypatch.chdir(tmp_path)
    return noted


def line(*arguments: str) -> int:
    """Carries a command line out; what ships is in `pretrained`, where the test works."""
    games = dataclasses.replace(OWN_GAMES, pretrained=Path.cwd() / "pretrained")
    return muzero._reported(lambda: muzero.run(arguments, games))


def save(folder: Path, game: str = "cartpole", step: int = 5, **changes: Any) -> Checkpoint:
    config = load_game("cartpole").config.replace(**changes)
    weights = {"w": np.ones(3, np.float32)}
    saved = Checkpoint(game, config.to_json(), weights, Counters(step), {"trainer": Snapshot({}, {})})
    save_generation(folder, saved, keep=2)
    save_best(folder / "best.checkpoint", saved)
    return saved


# --- training ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["cartpole", "--lr-init", "0.01", "--num-workers", "2"],
        ["train", "cartpole", "--lr-init=0.01", "--num_workers=2"],
        ["--num-workers", "2", "cartpole", "--lr_init", "1e-2"],
        ["cartpole", '{"lr_init": 0.01, "num_workers": 2}'],
        ["cartpole", '{"lr_init": 0.5, "num_workers": 2}', "--lr-init", "0.01"],
    ],
)
def test_forms_of_training(calls: list[dict[str, Any]], arguments: list[str]) -> None:
    assert line(*arguments) == 0
    [call] = calls
    assert call["config"] == load_game("cartpole").config.replace(lr_init=0.01, num_workers=2)
    assert (call["game"], call["local"], call["address"], call["resume_from"]) == (
        "cartpole",
        False,
        None,
        None,
    )


def test_training_leaves_config_log_and_events(
    calls: list[dict[str, Any]], capsys: pytest.CaptureFixture
) -> None:
    assert line("cartpole", "--results-path", "there", "--local", "--address", "1.2.3.4:5") == 2
    assert "leave out --address" in capsys.readouterr().err
    assert not Path("there").exists()
    assert line("cartpole", "--results-path", "here", "--address", "1.2.3.4:5") == 0
    [call] = calls
    folder = call["folder"]
    assert folder.parts[:2] == ("here", "cartpole")
    assert (call["local"], call["address"]) == (False, "1.2.3.4:5")
    assert MuZeroConfig.from_json((folder / "config.json").read_text()).results_path == "here"
    assert list(folder.glob("events.out.tfevents.*"))
    printed = capsys.readouterr().out
    assert printed == (folder / "log.txt").read_text()
    assert "solved: mean of 100" in printed
    assert "step 1200/10000" in printed


def test_interrupted_training_exits_with_130(calls: list[dict[str, Any]]) -> None:
    assert line("cartpole", "--seed", "130") == 130


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--reanalyse-policy"], {"reanalyse_policy": True}),
        (["--reanalyse-policy", "true"], {"reanalyse_policy": True}),
        (["--reanalyse_policy=True"], {"reanalyse_policy": True}),
        (["--no-reanalyse-policy"], {"reanalyse_policy": False}),
        (["--PER", "false"], {"PER": False}),
        (["--no-per"], {"PER": False}),
        (["--no-PER"], {"PER": False}),
        (["--PER"], {"PER": True}),
        (["--selfplay-on-gpu"], {"selfplay_on_gpu": True}),
        (["--no-selfplay-on-gpu"], {"selfplay_on_gpu": False}),
        (["--selfplay-on-gpu", "none"], {"selfplay_on_gpu": None}),
        (["--PER_alpha", "0.25"], {"PER_alpha": 0.25}),
        (["--per-alpha=0.25"], {"PER_alpha": 0.25}),
        (["--target-reward", "-1e2"], {"target_reward": -100.0}),
        (["--value-bounds", "[-2, 2]"], {"value_bounds": (-2.0, 2.0)}),
        (["--fc-value-layers", "32"], {"fc_value_layers": (32,)}),
        (["--device", "cuda:0", "--device", "cpu"], {"device": "cpu"}),
    ],
)
def test_spellings_of_options(arguments: list[str], expected: dict[str, Any]) -> None:
    for line_ in ([*arguments, "cartpole"], ["cartpole", *arguments]):
        parsed = train._parser(MuZeroConfig(), []).parse(canonical(line_))
        assert parsed.game == "cartpole"
        assert config_values(parsed) == expected


@pytest.mark.parametrize("name", list(field_docs()))
def test_every_field_is_an_option(name: str) -> None:
    value = getattr(MuZeroConfig(), name)
    text = value if isinstance(value, str) else json.dumps(value)
    parsed = train._parser(MuZeroConfig(), []).parse(canonical(["cartpole", option_name(name), text]))
    assert config_values(parsed) == {name: value}


# --- bad input ---


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["cartoole"], "unknown game 'cartoole', did you mean 'cartpole'?"),
        (["qqqq"], "unknown game 'qqqq' (games: "),
        (["evalute", "cartpole"], "did you mean 'evaluate'?"),
        (["train"], "GAME"),
        (["cartpole", "--lr-initt", "1"], "unknown option '--lr-initt', did you mean '--lr-init'?"),
        (["cartpole", "--lr"], "unknown option '--lr'"),
        (["cartpole", "--no-lr-init"], "unknown option '--no-lr-init'"),
        (["cartpole", "-x"], "-x"),
        (["cartpole", "--lr-init"], "--lr-init"),
        (["cartpole", "--lr-init", "fast"], "lr_init='fast' must be float"),
        (["cartpole", "--PER=maybe"], "PER='maybe' must be bool"),
        (["cartpole", "--discount", "1.5"], "discount=1.5 is out of range [0, 1]"),
        (["cartpole", "--players", "2"], "players=2 contradicts cartpole, whose own is 1"),
        (["cartpole", "--action-space", "0,1,2"], "action_space=[0, 1, 2] contradicts cartpole"),
        (["cartpole", "--observation-shape", "1,1,5"], "whose own is [1, 1, 4]: leave it out"),
        (["tictactoe", "--board-size", "4"], "board_size=4 contradicts tictactoe, whose own is 0"),
        (["cartpole", "--batch-size", "9" * 20], "most is for batches (batch_size)"),
        (["cartpole", "--fc-value-layers", "9999999999"], "most is for network (layers"),
        (["connect4", "--channels", "9999999"], "most is for network (layers"),
        (
            ["cartpole", "--num-simulations", "65535", "--games-per-worker", "65536"],
            "most is for search trees",
        ),
        (["cartpole", "--max-moves", "9" * 14], "max_moves=99999999999999 is out of range"),
        (["tune", "cartpole", "--param", "players=choice:1,2"], "it would change the game"),
        (["tune", "cartpole", "--param", "lr_init=log:1e-4:1", "--players", "2"], "players=2 contradicts"),
        (
            ["cartpole", "--network", "resnte"],
            "network='resnte' must be fullyconnected|resnet|MODULE:CLASS, did you mean 'resnet'?",
        ),
        (["cartpole", "--network", "nowhere_at_all:Net"], "there is no module nowhere_at_all to import"),
        (["cartpole", "--seed", "-1"], "seed=-1 is out of range"),
        (["cartpole", "{"], "the JSON argument is not valid JSON"),
        (["cartpole", "[1]"], "the JSON argument must be a JSON object"),
        (["cartpole", '{"lr_initt": 1}'], "unknown option 'lr_initt', did you mean 'lr_init'?"),
        (["cartpole", '{"lr_init": "fast"}'], "lr_init='fast' must be float"),
        (["cartpole", "{}", "more"], "unexpected argument 'more'"),
        (["cartpole", "--results-path", "/dev/null/x"], "results_path: cannot write to /dev/null/x"),
        (["resume"], "no run with a checkpoint under results"),
        (["resume", "nowhere"], "no run at nowhere"),
        (["resume", "cartpole"], "no run of 'cartpole'"),
        (["evaluate"], "GAME"),
        (["evaluate", "cartoole"], "did you mean 'cartpole'?"),
        (["evaluate", "cartpole"], "no run of 'cartpole'"),
        (["evaluate", "cartpole", "--checkpoint", "nowhere"], "no checkpoint at nowhere"),
        (["evaluate", "cartpole", "--games", "0"], "--games"),
        (["evaluate", "cartpole", "--game", "1"], "unknown option '--game', did you mean '--games'?"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(
    calls: list[dict[str, Any]],
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert line(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert expected in printed.err
    assert calls == []


def test_corrupt_and_foreign_checkpoints(
    calls: list[dict[str, Any]], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    save(tmp_path / "run", game="gomoku")
    assert line("evaluate", "cartpole", "--checkpoint", "run/best.checkpoint") == 2
    assert (
        "run/best.checkpoint is a checkpoint of 'gomoku': give one of 'cartpole'" in capsys.readouterr().err
    )
    path = tmp_path / "run" / "best.checkpoint"
    path.write_bytes(path.read_bytes()[:-7])
    assert line("evaluate", "cartpole", "--checkpoint", "run/best.checkpoint") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert line("resume", "run/best.checkpoint") == 2


TUNED = ("tictactoe", "--param", "lr_init=log:0.01:0.1")


@pytest.mark.parametrize(
    ("opponents", "expected"),
    [
        ("random,minmx", "opponents: unknown player 'minmx', did you mean 'minimax'?"),
        ("nowhere/best.checkpoint", "opponents: unknown player 'nowhere/best.checkpoint'"),
        ("random,run/best.checkpoint", "opponents: run/best.checkpoint is a checkpoint of 'cartpole'"),
        ("other/best.checkpoint", "opponents: a checkpoint was trained on observations (1, 1, 4)"),
        ("minimax:1000", "opponents: player 'minimax:1000': the depth must be from 1 to 512"),
        ("random,expert", "opponents: game 'tictactoe' has no expert_agent"),
        ("minimax", "opponents: game 'tictactoe' has no compiled rules"),
        ("[]", "opponents must name at least one"),
    ],
)
def test_opponents_who_cannot_play_are_refused_before_a_run_begins(
    calls: list[dict[str, Any]],
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    opponents: str,
    expected: str,
) -> None:
    save(Path("run"))
    save(Path("other"), game="tictactoe")
    game = load_game("tictactoe")
    earlier = Checkpoint("tictactoe", game.config.to_json(), {}, Counters(), {"trainer": Snapshot({}, {})})
    save_generation(Path("earlier"), earlier, keep=1)
    monkeypatch.delattr(BoardGame, "expert_agent")
    if opponents == "minimax":
        monkeypatch.delattr(game.game_class, "rules")
    for command in (["tictactoe"], ["resume", "earlier"], ["tune", *TUNED]):
        assert line(*command, "--opponents", opponents) == 2
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert expected in printed
    assert calls == []
    assert not Path("results").exists()
    assert not Path("earlier/config.json").exists()


# --- evaluating and resuming ---


def test_evaluate_prints_a_summary(
    calls: list[dict[str, Any]], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    save(tmp_path / "run", lr_init=0.25)
    path = str(tmp_path / "run" / "best.checkpoint")
    command = [
        "evaluate",
        "cartpole",
        "--checkpoint",
        path,
        "--games",
        "4",
        "--seed",
        "9",
        "--simulations",
        "3",
    ]
    assert line(*command, "--json") == 0
    printed = capsys.readouterr().out
    expected = {
        "games": 4,
        "mean": 3.0,
        "standard_error": pytest.approx(1.0801, abs=1e-4),
        "min": 1.0,
        "max": 6.0,
    }
    assert parse_json_object(printed, "output") == expected
    assert line(*command) == 0
    assert "4 games, mean 3.00, standard error 1.08, min 1, max 6" in capsys.readouterr().out
    duel = calls[0]["duel"]
    assert (duel.game.name, duel.seed, calls[0]["games"]) == ("cartpole", 9, 4)
    assert duel.player == PlayerSpec(CHECKPOINT, 3, Path(path))


def test_evaluate_defaults_to_the_best_of_the_newest_run(calls: list[dict[str, Any]]) -> None:
    save(Path("results/cartpole/a"))
    assert line("evaluate", "cartpole") == 0
    duel = calls[0]["duel"]
    assert (duel.seed, calls[0]["games"], duel.player.amount) == (0, 100, None)
    assert duel.player.path == Path("results/cartpole/a/best.checkpoint")


def test_evaluate_falls_back_on_what_ships(calls: list[dict[str, Any]]) -> None:
    save(Path("pretrained/cartpole"))
    assert line("evaluate", "cartpole") == 0
    assert calls[0]["duel"].player.path == Path("pretrained/cartpole/best.checkpoint").resolve()


def test_one_game_has_no_standard_error() -> None:
    summary = return_summary(evaluation_result(7))
    assert summary == (1, 7.0, None, 7.0, 7.0)
    assert "standard error -" in str(summary)


@pytest.mark.parametrize("named", [[], ["cartpole"], ["results/cartpole/new"], ["cartpole/new"]])
def test_resume_finds_the_run(calls: list[dict[str, Any]], named: list[str]) -> None:
    for time, name in ((1000, "old"), (2000, "new")):
        folder = Path("results/cartpole") / name
        save(folder, step=time, lr_init=0.125)
        for manifest in folder.glob("checkpoints/*/manifest.json"):
            os.utime(manifest, (time, time))
    assert line("resume", *named, "--training-steps", "77", "--lr-decay-rate", "0.5") == 0
    [call] = calls
    assert call["folder"] == Path("results/cartpole/new")
    assert call["resume_from"].training_step == 2000
    assert (call["config"].lr_init, call["config"].training_steps) == (0.125, 77)
    assert call["config"].lr_decay_rate == 0.5
    assert json.loads((call["folder"] / "config.json").read_text())["training_steps"] == 77
    assert call["resume_from"].counters.ratio_since_update == 0
    assert line("resume", *named, "--ratio", "0.125") == 0
    assert (calls[1]["config"].ratio, calls[1]["resume_from"].counters.ratio_since_update) == (0.125, 2000)
    assert line("resume", *named, "--lr-decay-start", "-1") == 0
    assert (calls[0]["config"].lr_decay_start, calls[2]["config"].lr_decay_start) == (0, 2000)


def test_training_from_another_runs_games(calls: list[dict[str, Any]], capsys: pytest.CaptureFixture) -> None:
    assert line("cartpole", "--games-from", "nowhere") == 2
    assert "no run at nowhere" in capsys.readouterr().err
    save(Path("results/cartpole/run"))
    assert line("cartpole", "--games-from", "cartpole/run") == 2
    assert "no games" in capsys.readouterr().err
    assert line("twentyone", "--games-from", "cartpole/run") == 2
    assert "is a checkpoint of 'cartpole'" in capsys.readouterr().err
    assert calls == []
    assert {path.name for path in Path("results/cartpole").iterdir()} == {"run"}, "nothing is left behind"


def test_resume_from_an_earlier_generation(calls: list[dict[str, Any]]) -> None:
    folder = Path("results/cartpole/run")
    for step in (10, 20):
        save(folder, step=step)
    first = min((folder / "checkpoints").iterdir())
    assert line("resume", str(first)) == 0
    assert (calls[0]["folder"], calls[0]["resume_from"].training_step) == (folder, 10)


def test_resume_says_what_changes_nothing(calls: list[dict[str, Any]], capsys: pytest.CaptureFixture) -> None:
    folder = Path("results/cartpole/run")
    saved = save(folder, search="gumbel")
    (folder / "config.json").write_text(saved.config_json)
    assert line("resume", "--root-dirichlet-alpha", "0.5", "--lr-init", "0.01") == 0
    said = "note: --root-dirichlet-alpha has no effect: the search is gumbel\n"
    assert capsys.readouterr().err == said
    assert calls[0]["config"].root_dirichlet_alpha == 0.5


def test_training_says_what_changes_nothing(
    calls: list[dict[str, Any]], capsys: pytest.CaptureFixture
) -> None:
    network = "tests.networks.test_kinds:Gated"
    given = {"network": network, "channels": 3, "fused_update": False, "support_size": 5}
    assert line("cartpole", json.dumps(given), "--encoding-size", "9") == 0
    names = ("channels", "fused-update", "encoding-size")
    notes = [f"note: --{name} has no effect: the network is gated" for name in names]
    assert capsys.readouterr().err.splitlines() == notes
    assert calls[0]["config"].network == network


def test_resume_refuses_what_cannot_change(
    calls: list[dict[str, Any]], capsys: pytest.CaptureFixture
) -> None:
    save(Path("results/cartpole/run"))
    for option in (["--encoding-size", "4"], ["--seed", "3"], ["--num-workers", "2"]):
        assert line("resume", *option) == 2
        assert "cannot be changed when a run is resumed" in capsys.readouterr().err
    assert line("resume", "--consistency-loss-weight", "1") == 2
    assert "cannot be switched on or off" in capsys.readouterr().err
    assert calls == []


def test_from_python(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    agent = muzero.MuZero("cartpole", {"lr_init": 0.01})
    assert agent.train(local=True).reason == "target_reward"
    assert calls[0]["config"].lr_init == 0.01
    save(calls[0]["folder"])
    assert load_checkpoint(calls[0]["folder"]).game == "cartpole"
    agent.resume(calls[0]["folder"], {"training_steps": 3})
    assert calls[1]["config"].training_steps == 3
    with pytest.raises(ConfigurationError, match="unknown option"):
        muzero.MuZero("cartpole", {"lr": 0.01})


# --- terminals ---


def answers(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    """Types `lines` into `input()`, then closes it."""
    type_lines(monkeypatch, *lines)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)


@pytest.mark.parametrize(("typed", "status"), [("", 0), ("y", 0), ("Yes", 0), ("n", 2), ("what", 2)])
def test_misspelt_game_is_asked_about_on_a_terminal(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, typed: str, status: int
) -> None:
    answers(monkeypatch, typed)
    assert line("cartoole") == status
    assert [call["game"] for call in calls] == (["cartpole"] if status == 0 else [])


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, KeyboardInterrupt)
    assert line("cartoole") == 130


def test_piped_misspelling_exits_with_2() -> None:
    finished = python("cartoole", stdin=subprocess.DEVNULL)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.startswith("error: unknown game 'cartoole', did you mean 'cartpole'?")


def test_real_terminal_is_asked() -> None:
    parent, child = pty.openpty()
    os.write(parent, b"n\n")
    finished = python("cartoole", stdin=child)
    os.close(child)
    os.close(parent)
    assert "unknown game 'cartoole': did you mean 'cartpole'? [Y/n]" in finished.stdout
    assert finished.returncode == 2

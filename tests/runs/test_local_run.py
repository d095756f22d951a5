"""Training without Ray: repeats bit for bit, interrupted or not, and never waits for what cannot come."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import muzero
import replay_buffer
import trainer
from arena import match
from arena.evaluator import Evaluator
from arena.match import Match
from arena.network_player import NetworkPlayer
from config import MuZeroConfig
from core.errors import ConfigurationError
from core.memory import Memory
from core.project import PROJECT
from data import Counters
from games.api.sources import load_game
from learning.targets import OWN
from models import get_weights, make_network
from playing.environment import GameError
from runs import session
from runs.beginning import beginning
from runs.launch import check_launch, train
from runs.memory_watch import MemoryWatch
from runs.session import TrainingOutcome
from runs.status import RunStatus
from saving.checkpoint import Checkpoint, load_checkpoint, save_best
from saving.run_folder import BEST_NAME
from search import planner
from tests.helpers.small_runs import SMALL
from tests.helpers.toy_games import Fragile, Watcher, toy_game


def run(
    folder: Path,
    act: Callable[[RunStatus], object] = lambda status: None,
    game: str = "cartpole",
    resume_from: Checkpoint | None = None,
    **changes: Any,
) -> tuple[TrainingOutcome, Checkpoint, Watcher]:
    """Trains a small agent in `folder`; returns the outcome, the checkpoint on the disk, and the observer."""
    folder.mkdir(exist_ok=True)
    config = toy_game(game).config.replace(**SMALL | {"results_path": str(folder / "results")} | changes)
    watcher = Watcher(act)
    spec = toy_game(game)
    outcome = train(spec, config, folder, local=True, address=None, resume_from=resume_from, observer=watcher)
    return outcome, load_checkpoint(folder), watcher


def interrupt_at(training_step: int) -> Callable[[RunStatus], None]:
    """Sends one Ctrl-C, after the round in which that step is made; the next round is the last."""
    sent: list[int] = []

    def act(status: RunStatus) -> None:
        if status.counters.training_step >= training_step and not sent:
            sent.append(training_step)
            signal.raise_signal(signal.SIGINT)

    return act


def assert_same(left: Checkpoint, right: Checkpoint) -> None:
    """Bit for bit the same weights, played games and buffer, after as many steps."""
    assert left.weights.keys() == right.weights.keys()
    for name, array in left.weights.items():
        np.testing.assert_array_equal(array, right.weights[name], err_msg=name)
    for part in left.parts.keys() - {"judge"}:
        assert left.parts[part].facts == right.parts[part].facts
        for name, array in left.parts[part].arrays.items():
            np.testing.assert_array_equal(array, right.parts[part].arrays[name], err_msg=f"{part}.{name}")
    for name in ("training_step", "played_steps", "played_games", "simulations", "reanalysed_steps"):
        assert getattr(left.counters, name) == getattr(right.counters, name), name


REANALYSIS = {"num_reanalyse_workers": 1, "reanalyse_policy": True, "reanalyse_batch": 32}


@pytest.mark.parametrize("changes", [{}, REANALYSIS | {"num_workers": 2, "search": "gumbel"}])
def test_runs_repeat_bit_for_bit_interrupted_or_not(tmp_path: Path, changes: dict[str, Any]) -> None:
    outcome, one, _ = run(tmp_path / "one", **changes)
    assert outcome.reason == "training_steps"
    assert outcome.counters.training_step == one.training_step == 50
    assert (one.counters.reanalysed_steps > 0) == bool(changes)
    _, two, _ = run(tmp_path / "two", evaluation_interval=1e-6, **changes)
    assert_same(one, two)

    outcome, stopped, _ = run(tmp_path / "three", interrupt_at(20), **changes)
    assert outcome.reason == "interrupted"
    assert 20 <= stopped.training_step < 50
    _, three, _ = run(tmp_path / "three", resume_from=stopped, **changes)
    assert_same(one, three)
    assert three.counters.seconds > stopped.counters.seconds


@pytest.mark.parametrize("workers", [1, 2])
def test_a_round_with_updates_has_one_reanalysis_however_much_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    trained = []
    train_batches = trainer.Trainer.train

    def noted(own: trainer.Trainer, batches: Any) -> Any:
        trained.append(len(batches))
        return train_batches(own, batches)

    monkeypatch.setattr(trainer.Trainer, "train", noted)
    due: dict[str, Any] = {
        "num_reanalyse_workers": workers,
        "reanalyse_batch": 8,
        "reanalyse_ratio": 50.0,
        "ratio": 0.05,
    }
    outcome, _, _ = run(tmp_path, **due)
    assert outcome.counters.played_steps > 8 * 4 * len(trained), "there are rounds without updates"
    assert outcome.counters.reanalysed_steps == 8 * len(trained)


class CountingModel:
    """A model that counts how many positions it evaluates."""

    def __init__(self, model: Any, counts: Counter[str]) -> None:
        self.model, self.counts = model, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def root(self, observations: Any, to_play: Any) -> Any:
        self.counts["searches"] += len(observations)
        return self.model.root(observations, to_play)

    def recurrent(self, parents: Any, actions: Any, node: int) -> Any:
        self.counts["searches"] += len(actions)
        return self.model.recurrent(parents, actions, node)

    def evaluate(self, observations: Any) -> Any:
        self.counts["values"] += len(observations)
        return self.model.evaluate(observations)


def counted(module: Any, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What the models that `module` makes from now on evaluate."""
    counts: Counter[str] = Counter()
    make = module.make_model
    monkeypatch.setattr(module, "make_model", lambda *arguments: CountingModel(make(*arguments), counts))
    return counts


@pytest.mark.parametrize(
    "changes",
    [
        {"reanalyse_policy": True},
        {"reanalyse_policy": False, "evaluation_interval": 1e-6, "search": "gumbel"},
        {"policy_surprise": 0.5, "full_search_probability": 0.5, "fast_simulations": 2},
    ],
)
def test_network_evaluations_are_what_the_models_were_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    playing, reanalysing = counted(planner, monkeypatch), counted(replay_buffer, monkeypatch)
    _, saved, watcher = run(tmp_path, **REANALYSIS | changes)
    networks = watcher.statuses[-1].cost.network_evaluations
    assert networks is not None
    assert networks.self_play + networks.evaluation == playing["searches"] > 0
    assert networks.reanalysis == reanalysing.total() > 0
    assert (networks.evaluation > 0) == ("evaluation_interval" in changes)
    assert saved.cost.network_evaluations == networks


def test_a_player_who_resigns_has_searched_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing = counted(planner, monkeypatch)
    game = load_game("tictactoe").config
    own = {name: SMALL[name] for name in ("games_per_worker", "learning_starts", "ratio")}
    own["training_steps"] = 200
    config = game.replace(
        **own, num_workers=1, resign_value=0.0, resign_check=0.0, evaluation_interval=0.0, target_reward=None
    )
    watcher = Watcher()
    train(
        load_game("tictactoe"), config, tmp_path, local=True, address=None, resume_from=None, observer=watcher
    )
    status = watcher.statuses[-1]
    assert status.cost.network_evaluations is not None
    assert status.cost.network_evaluations.self_play == playing["searches"]
    searches = playing["searches"] // (1 + config.num_simulations)
    assert searches > status.counters.played_steps, "some have resigned"


def test_the_opponents_network_is_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing = counted(planner, monkeypatch)
    config = load_game("tictactoe").config.replace(evaluation_simulations=4)
    weights = get_weights(make_network(config))
    path = tmp_path / BEST_NAME
    save_best(path, Checkpoint("tictactoe", config.to_json(), weights, Counters()))
    judge = Evaluator(load_game("tictactoe"), config, "cpu")
    for opponent, both in (("random", False), (str(path), True), ("random", False)):
        playing.clear()
        judge.start(6, 1, 0, weights, opponent)
        result = judge.play(float("inf"))
        assert result is not None
        assert result.network_evaluations == playing["searches"]
        opening = match.openings_of(config) if both else 0
        assert (result.network_evaluations == (result.lengths - opening).sum() * 5) == both


def test_the_one_process_is_measured(tmp_path: Path) -> None:
    started = time.process_time()
    _, saved, watcher = run(tmp_path, evaluation_interval=1e-6, training_steps=5)
    taken = time.process_time() - started
    cost = watcher.statuses[-1].cost
    assert cost.cpu_seconds is not None
    assert 0 < cost.cpu_seconds.driver <= taken + 0.02  # the system counts in hundredths
    assert watcher.statuses[-1].memory["driver"] > 2**20
    assert cost.peak_memory is not None
    assert cost.peak_memory >= watcher.statuses[-1].memory["driver"]
    assert (cost.updates, cost.played_steps) == (5, watcher.counters.played_steps)
    assert cost.gpu_seconds == 0
    assert saved.cost.updates == 5


def test_a_run_begins_with_the_games_of_another(tmp_path: Path) -> None:
    _, earlier, _ = run(tmp_path / "one", ratio=0.1, replay_window=1.0)
    config = toy_game("cartpole").config.replace(**SMALL | {"encoding_size": 8})
    start = beginning("cartpole", config, tmp_path / "one", None).checkpoint
    stored = int((earlier.parts["buffer"].arrays["kind"] == OWN).sum())
    assert start.counters == Counters(played_steps=stored, added_steps=stored)
    played: list[tuple[int, int]] = []

    def act(status: RunStatus) -> None:
        played.append((status.counters.training_step, status.counters.played_steps))

    changes: dict[str, Any] = {"encoding_size": 8, "training_steps": 140, "replay_window": 1.0}
    outcome, last, _ = run(tmp_path / "two", act, resume_from=start, **changes)
    assert outcome.counters.training_step == 140
    learned = [steps for updates, steps in played if updates <= 0.2 * stored - 16]
    assert learned
    assert set(learned) == {stored}, "the games that are there are learned from first"
    assert last.counters.played_steps > stored, "then its own"
    assert earlier.cost.played_steps is not None
    assert last.cost.played_steps == earlier.cost.played_steps + last.counters.played_steps - stored
    buffer = last.parts["buffer"].arrays["observations"]
    np.testing.assert_array_equal(buffer[:stored], earlier.parts["buffer"].arrays["observations"][:stored])


def test_another_ratio_holds_from_the_resumption_on(tmp_path: Path) -> None:
    _, earlier, _ = run(tmp_path)
    ahead = earlier.with_ratio_from_here()
    _, later, _ = run(tmp_path, resume_from=ahead, ratio=2.0, training_steps=650)
    played = later.counters.played_steps - earlier.counters.played_steps
    assert 600 / played == pytest.approx(2.0, rel=0.2)
    assert later.counters.ratio_since_update == 50
    assert later.counters.ratio_since_step == earlier.counters.added_steps


def test_a_game_that_raises_late_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fragile, "moves_made", 0)
    with pytest.raises(
        GameError,
        match=rf"game 'fragile', move \d+: step\(\d\) raised ZeroDivisionError: a bug of late \(.*.py, "
        rf"line \d+\); what was learned is kept: 'python muzero.py resume {tmp_path}' goes on from it",
    ):
        run(tmp_path, game="fragile", training_steps=1000)
    saved = load_checkpoint(tmp_path)
    assert saved.training_step > 10
    assert {"trainer", "buffer"} <= saved.parts.keys()
    monkeypatch.setattr(Fragile, "moves_made", -(10**6))  # it has been mended
    outcome, _, _ = run(tmp_path, game="fragile", resume_from=saved, training_steps=saved.training_step + 20)
    assert outcome.counters.training_step == saved.training_step + 20


@pytest.mark.parametrize("segment_length", [3, 30, 100])
def test_updates_are_paid_for_by_steps_in_the_buffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segment_length: int
) -> None:
    """Not by those of running games: these would be learned from by way of the few that are stored."""
    drawn: list[tuple[int, int]] = []  # updates, and steps ever added until then
    sample = replay_buffer.ReplayBuffer.sample

    def counted(buffer: replay_buffer.ReplayBuffer, batches: int) -> Any:
        drawn.append((batches, buffer.added))
        return sample(buffer, batches)

    monkeypatch.setattr(replay_buffer.ReplayBuffer, "sample", counted)
    outcome, _, watcher = run(
        tmp_path, game="walk", games_per_worker=16, segment_length=segment_length, ratio=0.1
    )
    updates = np.cumsum([batches for batches, _ in drawn])
    assert (updates <= 0.1 * np.array([added for _, added in drawn]) + 1e-9).all()
    assert drawn[0][1] >= 60, "learning starts with as many steps as are asked for"
    counters = outcome.counters
    assert counters.training_step == 50
    assert 500 <= counters.added_steps <= counters.played_steps
    assert watcher.counters == counters


def test_games_of_another_kind_are_refused(tmp_path: Path) -> None:
    run(tmp_path / "one")
    config = toy_game("cartpole").config.replace(observation_shape=(2, 1, 4))
    with pytest.raises(ConfigurationError, match=r"\Acannot begin with the games of [^\n]*\(2, 1, 4\)"):
        beginning("cartpole", config, tmp_path / "one", None)


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    _, one, _ = run(tmp_path / "one", training_steps=1)
    _, two, _ = run(tmp_path / "two", training_steps=1, seed=4)
    assert any((one.weights[name] != two.weights[name]).any() for name in one.weights)


def test_a_run_that_was_ahead_of_its_updates_goes_on(tmp_path: Path) -> None:
    """More updates are due than one round makes, so that self-play waits when the run is stopped."""
    _, one, _ = run(tmp_path / "one", ratio=2.0)
    _, stopped, _ = run(tmp_path / "two", interrupt_at(1), ratio=2.0)
    assert stopped.training_step == 32
    _, two, _ = run(tmp_path / "two", resume_from=stopped, ratio=2.0)
    assert_same(one, two)


def test_games_longer_than_the_first_steps_do_not_stop_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learning would start before any game has ended or been sent on as a segment."""
    monkeypatch.setattr(toy_game("walk").game_class, "reset", forty_moves)
    outcome, _, _ = run(
        tmp_path, game="walk", learning_starts=8, training_steps=3, max_moves=40, segment_length=100
    )
    assert outcome.counters.training_step == 3
    assert outcome.counters.played_steps >= 4 * 39


def forty_moves(walk: Any, seed: int | None = None) -> Any:
    walk.number, walk.move, walk.action, walk.length = 39, 0, 0, 40
    return walk._observation()


def test_steps_and_updates_keep_the_ratio(tmp_path: Path) -> None:
    outcome, _, _ = run(tmp_path, training_steps=420)
    assert outcome.counters.played_steps >= 2000
    assert outcome.counters.training_step / outcome.counters.played_steps == pytest.approx(0.2, rel=0.1)


def test_evaluations_keep_the_best_weights(tmp_path: Path) -> None:
    outcome, _, watcher = run(tmp_path, evaluation_interval=1e-6)
    best = load_checkpoint(tmp_path / BEST_NAME, expect_game="cartpole")
    seen = {s.evaluation.mean for s in watcher.statuses if s.evaluation is not None}
    assert best.evaluation == max(seen)
    assert outcome.evaluation is not None
    assert len(outcome.evaluation.returns) == 2
    config = MuZeroConfig.from_json(best.config_json)
    player = NetworkPlayer(config, 2)
    player.load(best.weights, best.training_step)
    match = Match(load_game("cartpole"), config, 2, [player])
    match.start(seed=0)
    assert match.play()
    assert match.result(0).lengths.min() > 0


def test_the_target_reward_ends_a_run(tmp_path: Path) -> None:
    outcome, checkpoint, watcher = run(
        tmp_path, evaluation_interval=1e-6, target_reward=1.0, target_games=3, training_steps=10_000
    )
    assert outcome.reason == "target_reward"
    assert outcome.evaluation is not None
    assert len(outcome.evaluation.returns) == 3
    assert checkpoint.training_step == outcome.counters.training_step < 10_000
    assert watcher.events[-2].startswith("solved: mean of 3 greedy games")
    assert watcher.events[-1].startswith("registered as v0001; ")


def test_checkpoints_are_written_while_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(session, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    saved: set[int] = set()

    def act(status: RunStatus) -> None:
        saved.update(load_checkpoint(path).training_step for path in (tmp_path / "checkpoints").glob("*"))

    run(tmp_path, act, checkpoint_interval=20.0, keep_checkpoints=1)
    assert len(saved) > 1
    assert 0 < min(saved) < max(saved) <= 50


def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    def act(status: RunStatus) -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, act)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_broken_game_ends_a_run_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(GameError, match=r"\Agame 'nan_reward', move 3: [^\n]+\Z"):
        run(tmp_path, game="nan_reward")


def test_without_ray_there_is_no_cluster_to_join(tmp_path: Path) -> None:
    config = load_game("cartpole").config
    with pytest.raises(ConfigurationError, match="--address"):
        train(
            load_game("cartpole"),
            config,
            tmp_path,
            local=True,
            address="auto",
            resume_from=None,
            observer=Watcher(),
        )
    with pytest.raises(ConfigurationError, match="--address"):
        check_launch(MuZeroConfig(), local=True, address="auto")
    for local, address in ((True, None), (False, None), (False, "auto")):
        check_launch(MuZeroConfig(), local, address)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(PROJECT / "muzero.py"), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)


def test_the_command_line_trains_evaluates_and_resumes(tmp_path: Path) -> None:
    results = ("--results-path", str(tmp_path))
    sizes = [f"--{n.replace('_', '-').lower()}={json.dumps(v)}" for n, v in SMALL.items() if v is not None]
    sizes = [size.replace('"', "") for size in sizes]
    train_options = ("--training-steps", "20", "--target-reward", "none", "--evaluation-interval", "0.01")
    trained = command("cartpole", "--local", *sizes, *results, *train_options)
    assert trained.returncode == 0, trained.stderr
    assert "step 20/20" in trained.stdout
    (folder,) = (tmp_path / "cartpole").iterdir()
    best = str(folder / BEST_NAME)
    evaluated = command("evaluate", "cartpole", "--checkpoint", best, "--games", "3", "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    summary = json.loads(evaluated.stdout)
    assert list(summary) == ["games", "mean", "standard_error", "min", "max"]
    assert summary["games"] == 3
    assert muzero.MuZero.resume(folder, {"training_steps": 24}, local=True).counters.training_step == 24
    assert load_checkpoint(folder).training_step == 24


def test_a_run_without_memory_is_saved_and_ends_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, seconds = Memory(1, 1, "the container's memory"), itertools.count(1)
    monkeypatch.setattr(session, "MemoryWatch", lambda: MemoryWatch(lambda: full, seconds.__next__))
    options = SMALL | {"training_steps": 10**6, "results_path": str(tmp_path)}
    with pytest.raises(ConfigurationError, match="want of memory: 100% of the container's") as caught:
        muzero.MuZero("cartpole", options).train(local=True)
    assert "\n" not in str(caught.value)
    assert "resume" in str(caught.value)
    (run,) = (tmp_path / "cartpole").glob("*/checkpoints/*")
    assert load_checkpoint(run).counters.played_steps > 0

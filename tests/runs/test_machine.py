"""How many players a machine gets, and that a run which cannot fit is refused before it starts."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.memory import usable_memory
from games.api.sources import OWN_GAMES
from models import make_network
from runs.launch import check_launch
from runs.machine import (
    ACTOR_THREADS,
    MOST_WORKERS,
    WORKER_BYTES,
    budget_note,
    check_descriptors,
    check_memory,
    check_processes,
    descriptors_needed,
    fitted,
    fitted_here,
    memory_budget,
    needed_memory,
    parameters_of,
    processes_needed,
)
from search.planner import Planner
from search.tree import make_tree, tree_bytes

GIB = 1 << 30


@pytest.mark.parametrize(
    ("cores", "gib", "workers"),
    [
        (1, 4, 1),
        (2, 8, 1),
        (4, 16, 2),
        (16, 64, 14),
        (16, 4, 5),
        (128, 512, 32),
    ],
)
def test_left_to_itself_it_follows_cores_and_memory(cores: int, gib: int, workers: int) -> None:
    config, notes = fitted(MuZeroConfig(), cores, gib * GIB)
    assert config == MuZeroConfig(num_workers=workers)
    assert notes == (f"num_workers={workers}, by this machine's {cores} cores and {gib}.0 GiB",)
    assert workers <= MOST_WORKERS


def test_left_to_itself_it_follows_the_processes_that_may_be_started() -> None:
    needed = processes_needed(MuZeroConfig(num_workers=1))
    for more, workers in ((0, 1), (ACTOR_THREADS - 1, 1), (ACTOR_THREADS, 2), (10**6, 14)):
        config, notes = fitted(MuZeroConfig(), 16, 64 * GIB, needed + more)
        assert config.num_workers == workers
        assert ("may still be started" in notes[0]) == (workers < 14)
        check_processes(config, needed + more)


def test_who_says_how_many_gets_them_and_a_line_if_they_are_too_many() -> None:
    wanted = MuZeroConfig(num_workers=350)
    assert fitted(wanted, 2, GIB) == (wanted, ("num_workers=350 on 2 cores: they will take turns",))
    assert fitted(MuZeroConfig(num_workers=2), 2, GIB).notes == ()


def test_one_process_and_clusters_have_one_player_unless_told() -> None:
    for local, address in ((True, None), (False, "auto")):
        assert fitted_here(MuZeroConfig(), local=local, address=address) == (MuZeroConfig(num_workers=1), ())
    assert fitted_here(MuZeroConfig(num_workers=3), local=True, address=None).config.num_workers == 3


def test_a_run_that_may_open_too_few_files_is_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    config = MuZeroConfig(num_workers=1)
    needed = descriptors_needed(config)
    for limit in (needed, resource.RLIM_INFINITY):
        check_descriptors(config, limit)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    with pytest.raises(ConfigurationError, match=rf"needs about {needed} open files a process, and 64 are"):
        check_launch(config, local=False, address=None)
    check_launch(config, local=True, address=None)


# --- memory ---


def test_the_containers_limit_counts(tmp_path: Path) -> None:
    whole = usable_memory(())
    assert whole > GIB
    limit, none, broken = tmp_path / "limit", tmp_path / "max", tmp_path / "missing"
    limit.write_text(f"{GIB // 2}\n")
    none.write_text("max\n")
    assert usable_memory((broken, none, limit)) == GIB // 2
    assert usable_memory((none,)) == whole


def test_images_with_a_long_look_ahead_are_refused_in_one_line() -> None:
    config = MuZeroConfig(
        observation_shape=(3, 96, 96),
        td_steps=65535,
        max_moves=27_000,
        games_per_worker=16,
        replay_buffer_size=100_000,
        network="resnet",
    )
    with pytest.raises(ConfigurationError) as caught:
        check_memory(config, 8 * GIB)
    assert "most is for running games (games_per_worker, segment_length, td_steps)" in str(caught.value)
    assert "\n" not in str(caught.value)
    check_memory(config.replace(td_steps=10, segment_length=200), 8 * GIB)


def test_the_budget_names_what_a_run_will_take_and_warns_where_it_is_too_much() -> None:
    config = MuZeroConfig(num_workers=2, object_store_mb=1024, replay_buffer_mb=1024)
    budget = memory_budget(config)
    assert budget["object store"] == GIB
    assert memory_budget(config.replace(num_workers=3))["7 actors"] - budget["6 actors"] == WORKER_BYTES
    total = sum(budget.values())
    line = budget_note(config, 2 * total)
    assert line.startswith(
        f"memory: up to about {total / GIB:.1f} of {2 * total / GIB:.1f} GiB (replay buffer"
    )
    assert budget_note(config, total).startswith("warning: memory: up to about")


def test_look_ahead_takes_no_more_room_than_a_game() -> None:
    short, long = (
        needed_memory(MuZeroConfig(td_steps=steps, max_moves=500, replay_buffer_size=50_000))
        for steps in (500, 65535)
    )
    assert short == long


@pytest.mark.parametrize("name", OWN_GAMES.names())
def test_presets_fit_into_two_gibibytes(name: str) -> None:
    check_memory(OWN_GAMES.load(name).config, 2 * GIB)


@pytest.mark.parametrize("name", OWN_GAMES.names())
def test_parameters_are_counted_without_a_network(name: str) -> None:
    config = OWN_GAMES.load(name).config
    counted = sum(parameter.numel() for parameter in make_network(config).parameters())
    assert parameters_of(config) == pytest.approx(counted, rel=0.25)  # biases and norms are left out


@pytest.mark.parametrize(("batch", "nodes", "actions"), [(1, 2, 2), (3, 51, 7), (64, 33, 121)])
def test_trees_take_what_is_said(batch: int, nodes: int, actions: int) -> None:
    for dtype in (np.float32, np.float64):
        tree = make_tree(batch, nodes, actions, dtype)
        assert tree_bytes(batch, nodes, actions, dtype) == sum(array.nbytes for array in tree)


def test_searches_for_which_there_is_no_room_are_refused_in_one_line() -> None:
    config = OWN_GAMES.load("cartpole").config
    with pytest.raises(ConfigurationError, match=r"latent states of 99,999,999,999 simulations in 100 game"):
        Planner(config, 100, 99_999_999_999)
    with pytest.raises(ConfigurationError, match=r"trees of 99,999,999,999 simulations in 1 game.*GiB, and"):
        make_tree(1, 10**11, 2, np.float32)

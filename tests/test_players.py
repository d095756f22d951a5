"""Players by name, and what they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena import Duel, openings_needed, play, stronger_side, total
from checkpoint import Checkpoint, CheckpointError, save_best
from config import ConfigurationError, MuZeroConfig
from data import Counters
from game_table import GameTable
from games import load_game
from players import NetworkPlayer, PlayerSpec, make_player, parse_player
from ratings import Sprt, Tally
from tests.toy_games import random_weights

TICTACTOE = load_game("tictactoe")


def small_tictactoe(**changes: Any) -> MuZeroConfig:
    return TICTACTOE.config.replace(evaluation_simulations=4, **changes)


def saved(path: Path, game: str = "tictactoe", seed: int = 0, **changes: Any) -> Path:
    config = small_tictactoe(**changes)
    save_best(path, Checkpoint(game, config.to_json(), random_weights(config, seed), Counters(7)))
    return path


def score(player: str, opponent: str, games: int = 40, **settings: Any) -> Any:
    duel = Duel(TICTACTOE, parse_player(player), parse_player(opponent), **settings)
    return total(list(play(duel, games)))


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("random", PlayerSpec("random")),
        ("expert", PlayerSpec("expert")),
        ("minimax", PlayerSpec("minimax")),
        ("minimax:6", PlayerSpec("minimax", 6)),
        ("mcts", PlayerSpec("mcts")),
        ("mcts:1000", PlayerSpec("mcts", 1000)),
    ],
)
def test_players_by_name(text: str, spec: PlayerSpec) -> None:
    assert parse_player(text) == spec


def test_simulations_are_for_those_who_search(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.checkpoint")
    assert parse_player("mcts", simulations=33) == PlayerSpec("mcts", 33)
    assert parse_player(str(path), simulations=0) == PlayerSpec("checkpoint", 0, path)
    for text in ("random", "expert", "minimax", "minimax:6"):
        with pytest.raises(ConfigurationError, match=f"player '{text}' makes no simulations"):
            parse_player(text, simulations=33)
    with pytest.raises(ConfigurationError, match="'mcts:20' says how many simulations"):
        parse_player("mcts:20", simulations=33)
    with pytest.raises(ConfigurationError, match="'mcts' needs at least 1 simulation, not 0"):
        parse_player("mcts", simulations=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("randon", "did you mean 'random'"),
        ("nowhere/best.checkpoint", "unknown player 'nowhere/best.checkpoint'"),
        ("mcts:0", "mcts:SIMULATIONS"),
        ("minimax:deep", "minimax:DEPTH"),
        ("random:3", "write minimax:DEPTH"),
    ],
)
def test_what_is_no_player(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_player(text)


def test_names_are_read_back(tmp_path: Path) -> None:
    for text in ("random", "minimax:6", "mcts:20", str(saved(tmp_path / "a"))):
        assert str(parse_player(text)) == text


def test_a_random_player_plays_every_legal_action_and_no_other() -> None:
    table = GameTable(TICTACTOE, TICTACTOE.config, 300)
    for row in range(300):
        table.reset(row, 0)
    player = make_player(PlayerSpec("random"), TICTACTOE, 300, 0)
    rows = np.arange(300)
    table.step(rows, np.full(300, 4, np.int32))
    chosen = player.choose(table, rows)
    assert set(chosen.tolist()) == {0, 1, 2, 3, 5, 6, 7, 8}


def test_minimax_and_mcts_do_not_lose_tictactoe() -> None:
    assert score("minimax", "random").losses == 0
    assert score("minimax", "minimax").draws == 40
    assert score("mcts:3000", "minimax").losses == 0
    assert score("random", "minimax").wins == 0


def test_minimax_of_little_depth_is_not_perfect() -> None:
    assert score("minimax:1", "minimax").losses > 0


def test_a_duel_repeats_exactly() -> None:
    one, two = score("random", "minimax", seed=3), score("random", "minimax", seed=3)
    np.testing.assert_array_equal(one.lengths, two.lengths)
    assert not np.array_equal(one.lengths, score("random", "minimax", seed=4).lengths)


def test_checkpoints_play_as_they_were_saved(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.checkpoint")
    player = make_player(PlayerSpec("checkpoint", None, path), TICTACTOE, 3, 0)
    assert isinstance(player, NetworkPlayer)
    assert (player.simulations, player.planner.version) == (4, 7)
    assert openings_needed(player, player) == 2
    assert openings_needed(player, make_player(PlayerSpec("random"), TICTACTOE, 3, 0)) == 0


def test_a_checkpoint_against_itself_scores_exactly_half(tmp_path: Path) -> None:
    path = str(saved(tmp_path / "best.checkpoint"))
    result = score(path, path, games=60)
    assert result.score == 0.5
    assert len({tuple(lengths) for lengths in result.lengths.reshape(-1, 2)}) > 3


def test_a_checkpoint_of_another_game_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.checkpoint", game="connect4")
    with pytest.raises(CheckpointError, match="is a checkpoint of 'connect4'"):
        make_player(PlayerSpec("checkpoint", None, path), TICTACTOE, 3, 0)


def test_duels_need_as_many_players_as_the_game() -> None:
    with pytest.raises(ConfigurationError, match="is a game for two: name an opponent"):
        Duel(TICTACTOE, PlayerSpec("random"), None)
    with pytest.raises(ConfigurationError, match="is a game for one: leave out the opponent"):
        Duel(load_game("cartpole"), PlayerSpec("random"), PlayerSpec("random"))


def test_players_that_cannot_play_a_game() -> None:
    with pytest.raises(ConfigurationError, match="no expert_agent"):
        make_player(PlayerSpec("expert"), load_game("cartpole"), 1, 0)
    with pytest.raises(ConfigurationError, match="no compiled rules"):
        make_player(PlayerSpec("minimax"), load_game("cartpole"), 1, 0)


def test_batches_of_a_match_go_on_where_it_was() -> None:
    duel = Duel(TICTACTOE, PlayerSpec("expert"), PlayerSpec("expert"), seed=5, openings=4)
    whole = list(play(duel, 60, batch=20))
    assert [len(result.returns) for result in whole] == [20, 20, 20]
    assert any(not np.array_equal(whole[0].lengths, result.lengths) for result in whole[1:])
    rest = list(play(duel, 40, batch=20, first=1))
    assert [len(result.returns) for result in rest] == [20, 20]


def test_the_sequential_test_is_asked_for_both_sides() -> None:
    sprt = Sprt()
    assert stronger_side(sprt, Tally(600, 0, 200)) == "first"
    assert stronger_side(sprt, Tally(200, 0, 600)) == "second"
    assert stronger_side(sprt, Tally(2000, 0, 2000)) == "neither"
    assert stronger_side(sprt, Tally(6, 0, 4)) == "undecided"

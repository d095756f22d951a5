"""Players by name, and what they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from arena.duel import Duel, openings_needed, play, play_batches, stronger_side, total
from arena.evaluator import Evaluator
from arena.match import Match
from arena.mcts_player import MCTS
from arena.minimax_player import MINIMAX, MinimaxPlayer
from arena.network_player import CHECKPOINT, NetworkPlayer
from arena.player_kind import Amount, Order, PlayerKind, PlayerSpec
from arena.players import KINDS, make_player, parse_player
from arena.ratings import Sprt, Tally
from arena.simple_players import EXPERT, RANDOM
from commands._options import PLAYERS
from core.errors import ConfigurationError
from data import Counters, IntArray
from games.api.sources import load_game
from games.api.spec import GameSpec
from playing.environment import GameError
from playing.game_table import GameTable
from saving.checkpoint import Checkpoint, save_best
from saving.files import CheckpointError
from tests.helpers.checkpoints import saved
from tests.helpers.heap import HEAP
from tests.helpers.toy_games import random_weights

TICTACTOE = load_game("tictactoe")


def score(player: str, opponent: str, games: int = 40, **settings: Any) -> Any:
    duel = Duel(TICTACTOE, parse_player(player), (parse_player(opponent),), **settings)
    return total(list(play(duel, games)))


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("random", PlayerSpec(RANDOM)),
        ("expert", PlayerSpec(EXPERT)),
        ("minimax", PlayerSpec(MINIMAX)),
        ("minimax:6", PlayerSpec(MINIMAX, 6)),
        ("mcts", PlayerSpec(MCTS)),
        ("mcts:1000", PlayerSpec(MCTS, 1000)),
    ],
)
def test_players_by_name(text: str, spec: PlayerSpec) -> None:
    assert parse_player(text) == spec


def test_simulations_are_for_those_who_search(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.checkpoint")
    assert parse_player("mcts", simulations=33) == PlayerSpec(MCTS, 33)
    assert parse_player(str(path), simulations=0) == PlayerSpec(CHECKPOINT, 0, path)
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


# --- a kind from outside ---


class Greedy:
    """Plays the highest legal action, or the one that is so many below it."""

    def __init__(self, below: int) -> None:
        self.below = below

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        legal = [np.flatnonzero(table.legal[row]) for row in rows]
        return np.array([actions[max(-len(actions), -1 - self.below)] for actions in legal], np.int32)


def _make_greedy(order: Order) -> Greedy:
    return Greedy(order.spec.amount or 0)


def _boards_only(spec: PlayerSpec, game: GameSpec) -> None:
    if game.config.players == 1:
        raise ConfigurationError(f"greedy does not play {game.name}")


GREEDY = PlayerKind(
    "greedy",
    _make_greedy,
    _boards_only,
    Amount("depth", lambda config: 0, highest=lambda: 8),
    varies_little=True,
)


def test_a_kind_from_outside_is_read_checked_made_and_played_with() -> None:
    kinds = [*KINDS, GREEDY]
    greedy, lower = parse_player("greedy", kinds=kinds), parse_player("greedy:2", kinds=kinds)
    assert (greedy, lower, str(lower)) == (PlayerSpec(GREEDY), PlayerSpec(GREEDY, 2), "greedy:2")
    duel = Duel(TICTACTOE, greedy, (lower,), openings=0)
    [batch] = play_batches(duel, 2)
    assert batch.actions[0][:4] == (8, 5, 7, 3), "the highest, and the third highest"
    assert batch.result.opponent == "greedy:2"
    assert openings_needed(Duel(TICTACTOE, greedy, (parse_player("expert"),)), TICTACTOE.config) == 3


def test_a_kind_from_outside_is_refused_where_it_says_so() -> None:
    kinds = [*KINDS, GREEDY]
    with pytest.raises(ConfigurationError, match="greedy does not play cartpole"):
        make_player(PlayerSpec(GREEDY), load_game("cartpole"), 1, 0)
    with pytest.raises(ConfigurationError, match="'greedy:9': the depth must be from 1 to 8"):
        make_player(parse_player("greedy:9", kinds=kinds), TICTACTOE, 1, 0)
    with pytest.raises(
        ConfigurationError, match=r"'greedy' makes no simulations: .* for mcts or a checkpoint"
    ):
        parse_player("greedy", 5, kinds)
    with pytest.raises(
        ConfigurationError, match=r"did you mean 'greedy'\? \(one of random, .*mcts, greedy, or"
    ):
        parse_player("greed", kinds=kinds)
    with pytest.raises(ConfigurationError, match="write minimax:DEPTH or mcts:SIMULATIONS or greedy:DEPTH"):
        parse_player("greedy:much", kinds=kinds)
    with pytest.raises(ConfigurationError, match="unknown player 'greedy'"):
        parse_player("greedy")


def test_an_evaluation_takes_kinds_from_outside() -> None:
    config = TICTACTOE.config.replace(evaluation_simulations=2)
    judge = Evaluator(TICTACTOE, config, "cpu", [*KINDS, GREEDY])
    judge.start(20, 1, 0, random_weights(config), "greedy")
    result = judge.play(float("inf"))
    assert result is not None
    assert result.opponent == "greedy"
    assert judge._current is not None
    assert len({tuple(actions) for actions in judge._current[0].table.played}) > 3, (
        "it varies little: openings"
    )


def test_a_player_of_a_programs_own_is_matched_as_it_is() -> None:
    match = Match(TICTACTOE, TICTACTOE.config, 2, [Greedy(0), Greedy(2)])
    match.start(0)
    assert match.play()
    assert [actions[0] for actions in match.table.played] == [8, 6]


def test_the_help_names_every_kind_of_the_table() -> None:
    written = [
        kind.name + (f"[:{kind.amount.counts.upper()}]" if kind.amount is not None else "")
        for kind in KINDS
        if not kind.by_path
    ]
    assert list(PLAYERS) == written


def test_those_who_cannot_play_more_than_two_say_so() -> None:
    game = load_game(HEAP)
    with pytest.raises(ConfigurationError, match="no compiled rules"):
        make_player(parse_player("minimax"), game, 1, 0)
    with pytest.raises(ConfigurationError, match="players=3 is for matches between players such as random"):
        make_player(PlayerSpec(CHECKPOINT, None, Path("best.checkpoint")), game, 1, 0)


def test_names_are_read_back(tmp_path: Path) -> None:
    for text in ("random", "minimax:6", "mcts:20", str(saved(tmp_path / "a"))):
        assert str(parse_player(text)) == text


def test_a_random_player_plays_every_legal_action_and_no_other() -> None:
    table = GameTable(TICTACTOE, TICTACTOE.config, 300)
    for row in range(300):
        table.reset(row, 0)
    player = make_player(PlayerSpec(RANDOM), TICTACTOE, 300, 0)
    rows = np.arange(300)
    table.step(rows, np.full(300, 4, np.int32))
    chosen = player.choose(table, rows)
    assert set(chosen.tolist()) == {0, 1, 2, 3, 5, 6, 7, 8}


def test_minimax_and_mcts_do_not_lose_tictactoe() -> None:
    assert score("minimax", "random").losses == 0
    assert score("minimax", "minimax", openings=0).draws == 40
    assert score("mcts:3000", "minimax").losses == 0
    assert score("random", "minimax").wins == 0


def test_minimax_of_little_depth_is_not_perfect() -> None:
    assert score("minimax:1", "minimax", openings=0).losses > 0


def test_a_duel_repeats_exactly() -> None:
    one, two = score("random", "minimax", seed=3), score("random", "minimax", seed=3)
    np.testing.assert_array_equal(one.lengths, two.lengths)
    assert not np.array_equal(one.lengths, score("random", "minimax", seed=4).lengths)


def test_checkpoints_play_as_they_were_saved(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.checkpoint")
    player = make_player(PlayerSpec(CHECKPOINT, None, path), TICTACTOE, 3, 0)
    assert isinstance(player, NetworkPlayer)
    assert (player.simulations, player.planner.version) == (4, 7)


def test_games_begin_with_random_moves_where_both_players_vary_little() -> None:
    network = PlayerSpec(CHECKPOINT, None, Path("best.checkpoint"))
    expert, minimax, random, mcts = (parse_player(text) for text in ("expert", "minimax", "random", "mcts:5"))
    for pair in ((network, network), (network, expert), (expert, expert)):
        assert openings_needed(Duel(TICTACTOE, pair[0], pair[1:]), TICTACTOE.config) == 3
    for pair in ((network, random), (mcts, network), (random, expert), (minimax, network), (expert, minimax)):
        assert openings_needed(Duel(TICTACTOE, pair[0], pair[1:]), TICTACTOE.config) == 0
    assert openings_needed(Duel(load_game("cartpole"), network), load_game("cartpole").config) == 0


def test_a_long_match_between_networks_has_many_openings(tmp_path: Path) -> None:
    game = load_game("connect4")
    config = game.config.replace(channels=4, blocks=1)
    players = []
    for seed in (0, 1):
        path = tmp_path / f"{seed}.checkpoint"
        save_best(path, Checkpoint("connect4", config.to_json(), random_weights(config, seed), Counters()))
        players.append(PlayerSpec(CHECKPOINT, 0, path))
    duel = Duel(game, players[0], (players[1],))
    played = [actions for batch in play_batches(duel, 400, 100) for actions in batch.actions]
    assert len(played) == 400
    assert len({actions[:6] for actions in played}) > 150
    assert [actions[:6] for actions in played[::2]] == [actions[:6] for actions in played[1::2]]


@pytest.mark.parametrize(("side", "depth"), [(3, 9), (5, 4)])
def test_minimax_solves_a_small_board_and_looks_a_few_moves_ahead_on_others(side: int, depth: int) -> None:
    game = load_game("tictactoe" if side == 3 else "gomoku")
    config = game.config if side == 3 else game.config.replace(board_size=side)
    table = GameTable(game, config, 1)
    table.reset(0, 0)
    player = MinimaxPlayer(None, np.random.default_rng(0))
    player.choose(table, np.arange(1))
    assert player._solver is not None
    assert (player._solver.depth, player._solver.num_actions) == (depth, side * side)
    assert MINIMAX.usual(config) == depth


@pytest.mark.parametrize(("name", "least_wins"), [("minimax:1", 10), ("expert", 10), ("mcts:20", 0)])
def test_players_play_on_the_board_that_is_there(name: str, least_wins: int) -> None:
    game = load_game("gomoku")
    config = game.config.replace(board_size=7)
    player, opponent = (make_player(parse_player(text), game, 10, 0) for text in (name, "random"))
    match = Match(game, config, 10, [player, opponent])
    match.start(0)
    assert match.play()
    assert all(max(actions) < 49 for actions in match.table.played)
    assert match.result(0).wins >= least_wins


def test_a_checkpoint_against_itself_scores_exactly_half(tmp_path: Path) -> None:
    path = str(saved(tmp_path / "best.checkpoint"))
    result = score(path, path, games=60)
    assert result.score == 0.5
    assert len({tuple(lengths) for lengths in result.lengths.reshape(-1, 2)}) > 3


def test_a_checkpoint_of_another_game_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "best.checkpoint", game="connect4")
    with pytest.raises(CheckpointError, match="is a checkpoint of 'connect4'"):
        make_player(PlayerSpec(CHECKPOINT, None, path), TICTACTOE, 3, 0)


def test_duels_need_as_many_players_as_the_game() -> None:
    with pytest.raises(ConfigurationError, match="is a game for two: name an opponent"):
        Duel(TICTACTOE, PlayerSpec(RANDOM))
    with pytest.raises(ConfigurationError, match="is a game for one: leave out the opponent"):
        Duel(load_game("cartpole"), PlayerSpec(RANDOM), (PlayerSpec(RANDOM),))


def test_players_that_cannot_play_a_game() -> None:
    with pytest.raises(ConfigurationError, match="no expert_agent"):
        make_player(PlayerSpec(EXPERT), load_game("cartpole"), 1, 0)
    with pytest.raises(ConfigurationError, match="no compiled rules"):
        make_player(PlayerSpec(MINIMAX), load_game("cartpole"), 1, 0)
    with pytest.raises(ConfigurationError, match="'minimax:513': the depth must be from 1 to 512"):
        make_player(PlayerSpec(MINIMAX, 513), TICTACTOE, 1, 0)


@pytest.mark.parametrize("answer", [99, -1, None, 2.5])
def test_an_experts_answer_must_be_an_action(answer: Any) -> None:
    class Game(TICTACTOE.game_class):  # type: ignore[misc, name-defined]
        def expert_agent(self) -> Any:
            return answer

    game = GameSpec("mine", Game, TICTACTOE.config)
    with pytest.raises(
        GameError, match=rf"game 'mine', move 0: a player chose the action {answer}, which is"
    ):
        list(play(Duel(game, PlayerSpec(EXPERT), (PlayerSpec(RANDOM),)), 2))


@pytest.mark.parametrize("pair", [("random", "random"), ("mcts:5", "random"), ("expert", "minimax:2")])
def test_batches_of_a_match_go_on_where_it_was(pair: tuple[str, str]) -> None:
    player, opponent = (parse_player(text) for text in pair)
    duel = Duel(TICTACTOE, player, (opponent,), seed=5, openings=2)
    whole = list(play(duel, 50, batch=20))
    assert [len(result.returns) for result in whole] == [20, 20, 10]
    assert not np.array_equal(whole[0].lengths, whole[1].lengths)
    for first, left in ((1, 30), (2, 10)):
        rest = list(play(duel, left, batch=20, first=first))
        assert len(rest) == 3 - first
        for one, other in zip(rest, whole[first:], strict=True):
            for name in ("returns", "lengths", "seats"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_sequential_test_is_asked_for_both_sides() -> None:
    sprt = Sprt()
    assert stronger_side(sprt, Tally(600, 0, 200)) == "first"
    assert stronger_side(sprt, Tally(200, 0, 600)) == "second"
    assert stronger_side(sprt, Tally(2000, 0, 2000)) == "neither"
    assert stronger_side(sprt, Tally(6, 0, 4)) == "undecided"

"""A player for each seat: who sits where, what comes of it to whom; games for two are the same as ever."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from arena.duel import Duel, play, play_batches, total, whole_rounds
from arena.match import Match, shares_of
from arena.player_kind import PlayerSpec
from arena.players import parse_player, seated
from arena.simple_players import RANDOM, ExpertPlayer, RandomPlayer
from arena.summaries import MatchSummary, summarised
from core.errors import ConfigurationError
from data import EvaluationResult, IntArray
from games.api.sources import load_game
from playing.game_table import GameTable
from playing.player import Player
from tests.helpers.heap import HEAP, SMALLEST

GAME = load_game(HEAP)
TAKEN = (1, 2, 3)
"""What the three players of most tests take, or all that is left."""


class Taking:
    """Takes so many from the heap, or all that are left; notes in which seats it was asked, by game."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: dict[int, set[int]] = {}

    def choose(self, table: GameTable, rows: NDArray[np.intp]) -> IntArray:
        for row in rows.tolist():
            self.asked.setdefault(row, set()).add(int(table.to_play[row]))
        legal = table.legal[rows].sum(axis=1)
        taken: IntArray = np.minimum(self.most, legal).astype(np.int32) - 1
        return taken


def winning_seat(heap: int, taken: tuple[int, int, int]) -> int:
    """Who takes the last one, where seat i takes taken[i] or all that are left."""
    seat = 0
    while heap > taken[seat]:
        heap, seat = heap - taken[seat], (seat + 1) % 3
    return seat


def heap_match(games: int, judged: int = 0, seed: int = 4) -> tuple[Match, list[Taking]]:
    players = [Taking(most) for most in TAKEN]
    match = Match(GAME, GAME.config, games, players, judged)
    match.start(seed)
    assert match.play()
    return match, players


@pytest.mark.parametrize("judged", [0, 1, 2])
def test_the_returns_of_three_players_are_those_of_their_seats(judged: int) -> None:
    match, _ = heap_match(30, judged)
    result = match.result(0, "others")
    for game in range(30):
        seats = tuple(TAKEN[(seat - game) % 3] for seat in range(3))
        heap = SMALLEST + int(match.table.seeds[game]) % 5
        won = winning_seat(heap, seats)  # type: ignore[arg-type]
        own = (judged + game) % 3
        assert result.seats[game] == own
        assert result.returns[game] == (1.0 if won == own else -0.5)
    assert (result.wins, result.draws, result.wins + result.losses) == (
        int((result.returns > 0).sum()),
        0,
        30,
    )
    assert result.in_seat(1).wins == int((result.returns[result.seats == 1] > 0).sum())


def test_by_hand_a_heap_of_seven() -> None:
    """1, 2 and 3 are taken, the last by the first: that is worth 1 to it, and -0.5 to each of the others."""
    tables = (heap_match(1, 0, seed)[0].table for seed in range(99))
    table = next(table for table in tables if SMALLEST + table.seeds[0] % 5 == 7)
    assert table.played[0] == [0, 1, 2, 0]
    assert table.returns.tolist() == [[1.0, -0.5, -0.5]]


def test_the_scores_of_all_seats_add_up_to_one() -> None:
    results = [heap_match(33, judged)[0].result(0) for judged in range(3)]
    assert sum(result.wins for result in results) == 33
    assert sum(result.score for result in results) == pytest.approx(1.0)


def test_everybody_has_every_seat_in_turn_and_a_round_begins_alike() -> None:
    match, players = heap_match(6)
    assert [players[0].asked[game] for game in range(6)] == [{0}, {1}, {2}, {0}, {1}, {2}]
    assert [players[2].asked.get(game, {(2 + game) % 3}) for game in range(6)] == [{2}, {0}, {1}] * 2
    seeds = match.table.seeds.reshape(2, 3)
    assert (seeds == seeds[:, :1]).all()
    assert seeds[0, 0] != seeds[1, 0]


def test_openings_are_the_same_in_a_round() -> None:
    match = Match(GAME, GAME.config, 30, [Taking(1)] * 3)
    match.start(1, openings=2)
    begun = [tuple(actions) for actions in match.table.played]
    assert begun[::3] == begun[1::3] == begun[2::3]
    assert len(set(begun)) > 3


def test_a_player_who_has_all_seats_moves_in_all_of_them() -> None:
    alone = Taking(3)
    match = Match(GAME, GAME.config, 3, [alone] * 3)
    match.start(0)
    assert match.play()
    assert alone.asked[0] == {0, 1, 2} or len(match.table.played[0]) < 3


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_match_needs_a_player_for_each_seat(count: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"heap needs 3 players, one per seat, not {count}"):
        Match(GAME, GAME.config, 3, [ExpertPlayer()] * count)


def test_players_of_three_kinds_repeat_from_their_seed() -> None:
    one, other = (RandomPlayer(np.random.default_rng(seed)) for seed in range(2))
    players: list[Player] = [one, ExpertPlayer(), other]
    match = Match(GAME, GAME.config, 60, players)
    played = []
    for seed in (3, 4, 3):
        match.start(seed)
        match.play()
        played.append([tuple(actions) for actions in match.table.played])
    assert played[0] == played[2] != played[1]


# --- what a win is ---


def test_who_shares_the_lead_shares_the_win() -> None:
    returns = np.array([[3.0, 1.0, 2.0], [2.0, 2.0, -1.0], [0.0, 0.0, 0.0], [-2.0, -1.0, -2.0]])
    expected = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3, [0, 1, 0]])
    np.testing.assert_array_equal(shares_of(returns), expected)
    shares = shares_of(returns)[:, 1].astype(np.float32)
    ones = np.ones(4, np.int32)
    result = EvaluationResult(returns[:, 1].astype(np.float32), ones, 0, ones, shares=shares)
    assert (result.wins, result.draws, result.losses) == (1, 2, 1), "the best of -2, -1, -2 has won"
    assert result.score == pytest.approx((0.5 + 1 / 3 + 1) / 4)


def test_of_two_the_signs_of_returns_say_the_same() -> None:
    returns = np.array([[2.0, -2.0], [0.0, -0.0], [-1.0, 1.0]])
    ones, own = np.ones(3, np.int32), returns[:, 0].astype(np.float32)
    by_sign = EvaluationResult(own, ones, 0, ones)
    by_share = by_sign._replace(shares=shares_of(returns)[:, 0].astype(np.float32))
    for name in ("wins", "draws", "losses", "score"):
        assert getattr(by_sign, name) == getattr(by_share, name)
    assert (by_sign.wins, by_sign.draws, by_sign.losses, by_sign.score) == (1, 1, 1, 0.5)


# --- duels ---


def test_a_single_opponent_takes_all_other_seats() -> None:
    random, expert = parse_player("random"), parse_player("expert")
    assert seated(GAME, [random]) == Duel(GAME, expert, (random,)).opponents == (random, random)
    assert seated(GAME, [random, expert]) == (random, expert)
    with pytest.raises(
        ConfigurationError, match=r"for three: name one opponent, or one for each of the 2 other"
    ):
        seated(GAME, [random] * 3)
    with pytest.raises(ConfigurationError, match="heap is a game for three: name an opponent"):
        seated(GAME, [])
    with pytest.raises(ConfigurationError, match="is a game for two: name one opponent, not 2"):
        seated(load_game("tictactoe"), [random, random])


def test_a_duel_of_three_is_summed_up_by_seat() -> None:
    duel = Duel(GAME, parse_player("expert"), (parse_player("random"),), seed=1)
    summary = summarised(duel, 300)
    assert isinstance(summary, MatchSummary)
    assert [seat.games for seat in summary.by_seat] == [100, 100, 100]
    assert summary.score > 0.45, "a random player scores a third"
    assert "as player 3: 100 games" in str(summary)
    experts = summarised(Duel(GAME, parse_player("expert"), (parse_player("expert"),), openings=1), 9)
    assert "rounds of three games begin with 1 random moves" in str(experts)


def test_those_in_other_seats_draw_apart_and_by_their_order() -> None:
    random, expert = parse_player("random"), parse_player("expert")
    pairs = (random, expert), (expert, random)
    one, other = (total(list(play(Duel(GAME, random, pair, 2), 90))) for pair in pairs)
    assert one.opponent == "random, expert"
    assert total(list(play(Duel(GAME, random, (random,), 2), 9))).opponent == "random"
    assert one.lengths.tolist() != other.lengths.tolist()
    assert one.shares is not None
    assert len(one.shares) == 90


def test_batches_hold_whole_rounds() -> None:
    assert [whole_rounds(256, players) for players in (1, 2, 3)] == [256, 256, 258]
    assert [whole_rounds(7, players) for players in (1, 2, 3)] == [8, 8, 9]


@pytest.mark.parametrize(
    ("name", "player", "opponents", "openings", "expected"),
    [
        ("tictactoe", "random", ("minimax:2",), 2, 3163002587),
        ("connect4", "mcts:20", ("expert",), None, 2636101412),
        ("othello", "expert", ("random",), None, 2703650968),
        ("cartpole", "random", (), None, 4161280536),
    ],
)
def test_games_for_one_and_two_are_those_that_two_sides_played(
    name: str, player: str, opponents: tuple[str, ...], openings: int | None, expected: int
) -> None:
    """The numbers are those of 417ff75, the commit before matches took a player per seat: these lines print
    them there, with an opponent or None in place of the tuple.
    """
    duel = Duel(load_game(name), parse_player(player), tuple(map(parse_player, opponents)), 5, openings)
    found = []
    for batch in play_batches(duel, 9, 4):
        result = batch.result
        arrays = (batch.digests, result.returns, result.lengths, result.seats)
        found.append((*(zlib.crc32(array.tobytes()) for array in arrays), result.network_evaluations))
    assert zlib.crc32(repr(found).encode()) == expected


def test_a_random_player_alone_has_one_seat() -> None:
    [result] = play(Duel(load_game("cartpole"), PlayerSpec(RANDOM)), 3)
    assert (result.seats.tolist(), result.opponent, result.shares) == ([0, 0, 0], None, None)

"""Games of a duel, and who is told how far they are."""

from __future__ import annotations

from arena.duel import Duel, play_batches
from arena.player_kind import PlayerSpec
from arena.simple_players import RANDOM
from games.api.sources import load_game


def test_progress_counts_on_over_batches() -> None:
    told: list[tuple[int, int]] = []
    random = PlayerSpec(RANDOM)
    duel = Duel(load_game("tictactoe"), random, (random,))
    batches = list(play_batches(duel, 7, 2, progress=lambda ended, moves: told.append((ended, moves))))
    ended = [games for games, _ in told]
    assert ended == sorted(ended)
    assert (ended[0], ended[-1]) == (0, 7)
    longest = [int(batch.result.lengths.max()) for batch in batches]
    assert max(moves for _, moves in told) == max(longest)
    assert len(told) == sum(longest), "after each move of each batch"

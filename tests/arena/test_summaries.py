"""What games of a duel come to: repeated games are no further evidence."""

from __future__ import annotations

import json

from arena.duel import Duel
from arena.players import parse_player
from arena.ratings import wilson_interval
from arena.summaries import MatchSummary, match_summary, summarised
from games.api.sources import load_game
from tests.helpers.results import evaluation_result


def test_the_interval_counts_different_games() -> None:
    result = evaluation_result(1, -1, 1, 1, 1, 0, 1, 1, opponent="expert")
    all_different, repeated = match_summary(result, 8, 0), match_summary(result, 2, 0)
    assert (all_different.score_low, all_different.score_high) == wilson_interval(result.score, 8)
    assert (repeated.score_low, repeated.score_high) == wilson_interval(result.score, 2)
    assert "in 8 games, 2 different ones" in str(repeated)


def between(first: str, second: str, openings: int | None = None) -> MatchSummary:
    duel = Duel(load_game("tictactoe"), parse_player(first), (parse_player(second),), 1, openings)
    summary = summarised(duel, 60)
    assert isinstance(summary, MatchSummary)
    return summary


def test_experts_begin_with_openings_and_it_is_said() -> None:
    """They play the same game again and again otherwise."""
    varied, asked_not_to = between("expert", "expert"), between("expert", "expert", openings=0)
    assert varied.openings == 3
    assert varied.distinct_games > 20
    assert "pairs of games begin with 3 random moves" in str(varied)
    assert json.loads(varied.to_json())["openings"] == 3
    assert asked_not_to.openings == 0
    assert asked_not_to.distinct_games < varied.distinct_games
    assert "random moves" not in str(asked_not_to)


def test_figures_against_yardsticks_have_no_openings() -> None:
    assert [between("expert", name).openings for name in ("random", "minimax", "mcts:5")] == [0, 0, 0]

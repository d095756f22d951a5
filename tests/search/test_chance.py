"""Who searches copies of a game knows no more than the player: chance and hidden cards are drawn anew."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest

from arena.mcts_player import MctsPlayer
from config import MuZeroConfig
from games.api.sources import load_game
from games.api.spec import GameSpec
from games.twentyone import Game as Twentyone
from playing.game_table import GameTable
from playing.make_table import make_table
from search.chance import foresees, generators_in, make_uncertain


class Bet:
    """One move: 0 pays nothing, 1 wins or loses 5 by a coin that is thrown then."""

    def __init__(self, seed: int | None = None) -> None:
        self.coins = self.make(seed)

    def make(self, seed: int | None) -> Any:
        return {"coin": [np.random.default_rng(seed)]}

    def reset(self) -> Any:
        return np.zeros((1, 1, 4), np.float32)

    def step(self, action: int) -> Any:
        return self.reset(), (10.0 * self.thrown() - 5.0) * action, True

    def thrown(self) -> int:
        return int(self.coins["coin"][0].integers(2))


class OldBet(Bet):
    def make(self, seed: int | None) -> Any:
        return np.random.RandomState(seed)

    def thrown(self) -> int:
        return int(self.coins.randint(2))


class PlainBet(Bet):
    def make(self, seed: int | None) -> Any:
        return random.Random(seed)

    def thrown(self) -> int:
        return int(self.coins.randrange(2))


class Dealt(Bet):
    """The coin has been thrown before, and lies covered."""

    def __init__(self, seed: int | None = None) -> None:
        self.coin = int(np.random.default_rng(seed).integers(2))

    def thrown(self) -> int:
        return self.coin


class Resampled(Dealt):
    def resample(self, generator: np.random.Generator) -> None:
        self.coin = int(generator.integers(2))


class Certain(Bet):
    def __init__(self, seed: int | None = None) -> None:
        pass

    def thrown(self) -> int:
        return 1


CONFIG = MuZeroConfig(max_moves=1)


def spec_of(game: type) -> GameSpec:
    return GameSpec(game.__name__.lower(), game, CONFIG)


def played(spec: GameSpec, games: int, simulations: int) -> float:
    """The mean return of the searching player, alone."""
    table: GameTable = make_table(spec, spec.config, 1)
    player = MctsPlayer(spec, simulations, 1, np.random.default_rng(5))
    returns = []
    for seed in range(games):
        table.reset(0, seed)
        over = False
        while not over:
            moves = table.move(0, int(player.choose(table, np.array([0]))[0]))
            over = bool(moves.terminated[0] or moves.truncated[0])
        returns.append(table.returns[0, 0])
    return float(np.mean(returns))


@pytest.mark.parametrize("game", [Bet, OldBet, PlainBet, Resampled])
def test_dice_that_are_still_to_be_thrown_are_not_foreseen(game: type) -> None:
    """Honest play is worth 0, with a standard error of 0.25; who foresees bets on wins alone: 2.5."""
    assert abs(played(spec_of(game), 400, 20)) < 1


def test_what_was_dealt_face_down_is_foreseen_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert played(spec_of(Dealt), 100, 20) > 2
    assert capsys.readouterr().err.startswith("mcts foresees what is random or hidden in dealt: ")


@pytest.mark.parametrize(
    ("game", "expected"), [(Bet, False), (Resampled, False), (Certain, False), (Dealt, True)]
)
def test_foresight_is_told_from_certainty(game: type, expected: bool) -> None:
    assert foresees(spec_of(game)) is expected


def test_the_dealers_hidden_card_is_not_known() -> None:
    """The best honest play is worth -0.05 or so; who knows the card and the deck wins."""
    assert played(load_game("twentyone"), 400, 60) < 0.1


def test_resampling_keeps_what_the_player_sees() -> None:
    game = Twentyone(3)
    game.reset()
    seen, totals = game.observation(), set()
    for seed in range(30):
        other = copy.deepcopy(game)
        assert make_uncertain(other, True, np.random.default_rng(seed))
        np.testing.assert_array_equal(other.observation(), seen)
        totals.add(other.round.dealer.total)
    assert len(totals) > 3
    assert game.observation().tolist() == seen.tolist()


def test_generators_are_found_once_wherever_they_are() -> None:
    shared = np.random.default_rng(0)
    game = Bet(0)
    game.coins = {"a": [shared], "b": (shared, random.Random(1)), "c": "text"}
    assert len(list(generators_in(game))) == 2
    assert not make_uncertain(Certain(), False, np.random.default_rng(0))

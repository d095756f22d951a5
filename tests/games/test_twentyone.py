"""Twenty-one: its rules by scripted cards, and its exact solution by hand, by tables and by simulation."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from core.supports import transform
from games import twentyone
from games.api.sources import load_game
from games.twentyone import (
    EMPTY,
    HIT,
    STICK,
    Hand,
    Round,
    best_action,
    dealer_totals,
    hit_value,
    optimal_return,
    stick_value,
    value,
)

TENS = Fraction(4, 13)


def cards(*values: int) -> Callable[[], int]:
    """Draws these cards, and fails after them."""
    return iter(values).__next__


def hand(*values: int) -> Hand:
    """The hand of these cards."""
    result = EMPTY
    for card in values:
        result = result.plus(card)
    return result


# --- rules ---


@pytest.mark.parametrize(
    ("values", "total", "soft"),
    [
        ((10, 1), 21, True),
        ((1, 1), 12, True),
        ((1, 1, 9), 21, True),
        ((1, 1, 10), 12, False),
        ((1, 6, 9), 16, False),
        ((1, 6, 9, 1), 17, False),
        ((10, 5, 1), 16, False),
        ((5, 5, 1), 21, True),
        ((10, 6, 10), 26, False),
        ((1,) * 21, 21, False),
        ((1,) * 22, 22, False),
    ],
)
def test_hands(values: tuple[int, ...], total: int, soft: bool) -> None:
    assert hand(*values) == (total, soft)


def test_hands_agree_with_counting_every_ace_both_ways() -> None:
    for values in itertools.product(range(1, 11), repeat=4):
        hard = sum(values)
        ways = [hard + 10 * aces for aces in range(values.count(1) + 1)]
        best = max((total for total in ways if total <= 21), default=hard)
        assert hand(*values) == (best, best > hard)


@pytest.mark.parametrize(
    ("drawn", "actions", "reward"),
    [
        ((10, 10, 10, 9), [STICK], 1),  # 20 against 19
        ((10, 9, 10, 9), [STICK], 0),
        ((10, 8, 10, 9), [STICK], -1),
        ((10, 1, 10, 1), [STICK], 0),  # two naturals
        ((10, 1, 10, 5, 6), [STICK], 0),  # a natural is worth no more than three cards
        ((10, 6, 10, 6), [HIT], None),  # 16 and a card: the script ends, so see below
        ((10, 6, 10, 6, 10), [HIT], -1),  # bust, whatever the dealer would have done
        ((10, 2, 10, 6, 10), [STICK], 1),  # the dealer draws on 16 and goes bust
        ((10, 7, 1, 6), [STICK], 0),  # the dealer sticks on a soft 17
        ((10, 8, 1, 5, 10, 5), [STICK], -1),  # soft 16, hard 16, 21
        ((5, 6, 10, 7, 10), [HIT, STICK], 1),
        ((2, 3, 10, 10, 4, 1, 1), [HIT, HIT, HIT, STICK], 1),  # 9, soft 20, soft 21
    ],
)
def test_rounds_by_hand(drawn: tuple[int, ...], actions: list[int], reward: int | None) -> None:
    game = Round(cards(*drawn))
    if reward is None:
        with pytest.raises(StopIteration):
            game.play(HIT)
        return
    rewards = [game.play(action) for action in actions]
    assert rewards == [0] * (len(actions) - 1) + [reward]
    assert game.over


def test_a_hit_goes_on_until_above_21() -> None:
    game = Round(cards(10, 6, 10, 6, 5, 1))
    assert (game.play(HIT), game.over, game.player) == (0, False, (21, False))
    assert (game.play(HIT), game.over, game.player) == (-1, True, (22, False))


# --- exact solution ---


def test_a_dealer_by_hand() -> None:
    assert dealer_totals(Hand(17, True)) == {17: 1}
    assert dealer_totals(Hand(26, False)) == {26: 1}
    each = Fraction(1, 13)
    sixteen = dict.fromkeys(range(17, 26), each) | {26: TENS}
    assert dealer_totals(Hand(16, False)) == sixteen


@pytest.mark.parametrize("open_card", range(1, 11))
def test_a_dealers_busts_are_those_of_published_tables(open_card: int) -> None:
    """Infinite deck, the dealer stands on soft 17 and does not look for a natural first; per cent."""
    percent = {1: 11.53, 2: 35.36, 3: 37.39, 4: 39.45, 5: 41.64}
    percent |= {6: 42.32, 7: 26.23, 8: 24.47, 9: 22.84, 10: 21.21}
    totals = dealer_totals(hand(open_card))
    assert sum(totals.values()) == 1
    bust = sum(share for total, share in totals.items() if total > 21)
    assert float(100 * bust) == pytest.approx(percent[open_card], abs=0.005)


def test_values_by_hand() -> None:
    # On 16 or less the player wins exactly when the dealer goes bust.
    bust = sum(share for total, share in dealer_totals(hand(10)).items() if total > 21)
    assert stick_value(4, 10) == stick_value(16, 10) == 2 * bust - 1
    # On 21 the player wins unless the dealer has 21 as well.
    assert stick_value(21, 6) == 1 - dealer_totals(hand(6))[21]
    # A hard 21 that hits is lost; a hard 20 survives only an ace.
    assert hit_value(Hand(21, False), 6) == -1
    assert hit_value(Hand(20, False), 6) == (stick_value(21, 6) - 12) / 13
    # One hit on 17 against a 10: ace to 4 lead to 18 to 21, which stick; the rest is bust.
    assert hit_value(Hand(17, False), 10) == (sum(stick_value(t, 10) for t in range(18, 22)) - 9) / 13
    assert value(Hand(17, False), 10) == stick_value(17, 10)
    assert value(Hand(22, False), 10) == -1


def test_the_optimal_policy_is_the_known_one() -> None:
    """Basic strategy where only hit and stick are allowed and the dealer's natural is met like any 21."""
    first_stick = (
        dict.fromkeys((2, 3), 13) | dict.fromkeys((4, 5, 6), 12) | dict.fromkeys((7, 8, 9, 10, 1), 17)
    )
    first_soft_stick = dict.fromkeys(range(2, 9), 18) | dict.fromkeys((9, 10, 1), 19)
    for open_card in range(1, 11):
        for total in range(4, 22):
            expected = STICK if total >= first_stick[open_card] else HIT
            assert best_action(Hand(total, False), open_card) == expected, (total, open_card)
        for total in range(12, 22):
            expected = STICK if total >= first_soft_stick[open_card] else HIT
            assert best_action(Hand(total, True), open_card) == expected, (total, open_card)


Policy = NDArray[np.bool_]
"""[2, 32, 11]: whether to hit, by softness, total and open card."""


def optimal_policy() -> Policy:
    """The solution as a table."""
    hits = np.zeros((2, 32, 11), bool)
    for soft, total, open_card in itertools.product(range(2), range(2, 22), range(1, 11)):
        if not soft or total >= 12:
            hits[soft, total, open_card] = best_action(Hand(total, bool(soft)), open_card) == HIT
    return hits


def simulate(hits: Policy, games: int, seed: int) -> NDArray[np.int64]:
    """Rewards [games] of a policy; the rules are written anew, on sums that count all aces 1."""
    generator = np.random.default_rng(seed)

    def deal() -> NDArray[np.int64]:
        return np.minimum(generator.integers(1, 14, games), 10)

    def totals(sums: NDArray[np.int64], aces: Policy) -> tuple[NDArray[np.int64], Policy]:
        soft = aces & (sums <= 11)
        return sums + 10 * soft, soft

    def draw(sums: NDArray[np.int64], aces: Policy, who: Policy) -> None:
        card = deal()
        sums += card * who
        aces |= (card == 1) & who

    everyone = np.ones(games, bool)
    player, players_ace, dealer, dealers_ace = (np.zeros(games, kind) for kind in (int, bool, int, bool))
    draw(player, players_ace, everyone)
    draw(player, players_ace, everyone)
    draw(dealer, dealers_ace, everyone)
    open_card = dealer.copy()
    draw(dealer, dealers_ace, everyone)
    while True:
        total, soft = totals(player, players_ace)
        wants = (total <= 21) & hits[soft.astype(int), np.minimum(total, 31), open_card]
        if not wants.any():
            break
        draw(player, players_ace, wants)
    while (totals(dealer, dealers_ace)[0] < 17).any():
        draw(dealer, dealers_ace, totals(dealer, dealers_ace)[0] < 17)
    theirs = totals(dealer, dealers_ace)[0]
    return np.where(total > 21, -1, np.where(theirs > 21, 1, np.sign(total - theirs)))


def test_the_optimal_return_is_what_simulation_finds() -> None:
    rewards = simulate(optimal_policy(), 1_000_000, seed=1)
    error = rewards.std() / np.sqrt(rewards.size)
    assert error < 0.001
    assert abs(rewards.mean() - float(optimal_return())) < 4 * error
    assert float(optimal_return()) == pytest.approx(-0.04656, abs=1e-5)


@pytest.mark.parametrize(("soft", "total", "open_card"), [(0, 12, 10), (0, 14, 7), (1, 17, 6), (0, 17, 2)])
def test_another_policy_earns_less(soft: int, total: int, open_card: int) -> None:
    """Always sticking or always hitting in one column of the table costs what simulation can see."""
    hits = optimal_policy()
    hits[soft, total:, open_card] = not hits[soft, total, open_card]
    changed = simulate(hits, 400_000, seed=2)
    best = simulate(optimal_policy(), 400_000, seed=2)
    assert changed.mean() < best.mean() - 2 * (changed - best).std() / np.sqrt(best.size)


# --- the game ---


def test_the_expert_earns_the_optimal_return() -> None:
    game = twentyone.Game(seed=3)
    rewards = []
    for _ in range(6000):
        game.reset()
        over = False
        while not over:
            _, reward, over = game.step(game.expert_agent())
        rewards.append(reward)
    error = np.std(rewards) / np.sqrt(len(rewards))
    assert abs(np.mean(rewards) - float(optimal_return())) < 4 * error


def test_cards_come_with_their_probabilities() -> None:
    game = twentyone.Game(seed=4)
    counts = np.bincount([game.draw() for _ in range(13_000)], minlength=11)
    expected = np.array([0] + [1000] * 9 + [4000])
    assert (np.abs(counts - expected) <= 4.5 * np.sqrt(expected)).all()


def test_the_observation_hides_the_hidden_card() -> None:
    game = twentyone.Game()
    game.round = Round(cards(1, 6, 9, 10, 10))
    np.testing.assert_allclose(game.observation(), [[[17 / 21, 1, 0.9]]], rtol=1e-6)
    observation, reward, over = game.step(HIT)
    np.testing.assert_allclose(observation, [[[17 / 21, 0, 0.9]]], rtol=1e-6)
    assert (reward, over) == (0.0, False)
    shown, _, _ = game.step(STICK)
    np.testing.assert_array_equal(shown, observation)


def test_rounds_follow_from_the_seed() -> None:
    def play(game: twentyone.Game, seed: int | None) -> list[object]:
        seen: list[object] = [game.reset(seed).tolist()]
        over = False
        while not over:
            observation, reward, over = game.step(HIT if game.round.player.total < 15 else STICK)
            seen += [observation.tolist(), reward, over]
        return seen

    first, second = twentyone.Game(1), twentyone.Game(2)
    played = [play(first, seed) for seed in range(50)]
    assert played == [play(second, seed) for seed in range(50)]
    assert len({str(game) for game in played}) > 40
    assert play(twentyone.Game(9), None) == play(twentyone.Game(9), None)


def test_the_configuration_fits_the_game() -> None:
    config = load_game("twentyone").config
    game = twentyone.Game(0)
    game.round = Round(cards(1, 1, 10, 10, *[1] * 20))
    moves = 0
    while not game.round.over:
        game.step(HIT)
        moves += 1
    assert moves == 20 < config.max_moves <= config.td_steps
    assert abs(transform(np.array([-1.0, 1.0]))).max() < config.support_size


def test_at_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    game = twentyone.Game()
    game.round = Round(cards(1, 6, 1, 10))
    game.render()
    assert capsys.readouterr().out == "player has soft 17; dealer shows an ace\n"
    answers = ["stand", "", "Stick"]
    monkeypatch.setattr(builtins, "input", lambda prompt: answers.pop(0))
    assert game.human_to_action() == STICK
    assert capsys.readouterr().out.count("is not possible") == 2
    game.step(STICK)
    assert game.text() == "player has soft 17; dealer has 21"

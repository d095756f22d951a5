"""Twenty-one: blackjack against a dealer, a game of chance with a hidden card.

The rules:

- The deck is infinite: every card is drawn independently, an ace to a king with probability 1/13 each. Court
  cards count 10. An ace counts 11 where that keeps the hand at 21 or less (then it is a soft hand), else 1.
- The player is dealt two cards, the dealer one face up and one face down. An ace and a ten count 21 like any
  other 21: there is no bonus for a natural, no doubling, splitting, insurance or surrender.
- The player hits (draws a card) as often as wanted. Above 21 the player has lost at once.
- Once the player sticks, the dealer turns the hidden card over and draws until the hand counts 17 or more,
  soft or not. The dealer loses above 21; else the higher hand wins.
- The reward, at the end of the game, is 1 for a win, 0 for equal hands, -1 for a loss.

The expert is optimal: its policy is solved exactly, in fractions, when first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import config
from core.prompts import ask
from games.tools.over import refuse_if

HIT, STICK = 0, 1
WORDS = ("hit", "stick")

ACE, TEN = 1, 10
LIMIT = 21
DEALER_STICKS = 17
PROBABILITIES = {card: Fraction(4 if card == TEN else 1, 13) for card in range(ACE, TEN + 1)}
"""Of each card by its value; 10 stands for tens and court cards, 1 for aces."""

Observation = NDArray[np.float32]
"""[1, 1, 3]: the player's total / 21, whether it is soft, the dealer's open card (an ace as 1) / 10."""


class MuZeroConfig(config.MuZeroConfig):
    """For two cores."""

    observation_shape = (1, 1, 3)
    action_space = (HIT, STICK)
    max_moves = 21  # never reached: 21 aces make 21

    discount = 1.0
    td_steps = 21  # to the end of the game: with so few moves, what happened is the better target
    num_simulations = 16
    evaluation_simulations = 16

    encoding_size = 16
    fc_representation_layers = (64,)
    fc_dynamics_layers = (64,)
    fc_reward_layers = (32,)
    fc_value_layers = (32,)
    fc_policy_layers = (32,)
    support_size = 1  # holds values from -1 to 1, which are -0.4 to 0.4 transformed

    # The outcome of a game is mostly luck: many games, so that learning sees the average.
    games_per_worker = 64
    batch_size = 256
    replay_buffer_size = 100_000
    ratio = 0.25
    value_loss_weight = 1.0
    visit_softmax_temperature = ((1.0, 1.0),)
    training_steps = 30_000
    lr_decay_rate = 0.9
    evaluation_interval = 5.0
    evaluation_games = 1024  # the standard error of their mean is 0.03; the best possible mean is -0.04


class Hand(NamedTuple):
    """What a hand counts."""

    total: int  # with an ace as 11 if the hand is soft
    soft: bool

    def plus(self, card: int) -> Hand:
        """The hand with one more card, 1 (an ace) to 10."""
        total, soft = self.total + card, self.soft
        if card == ACE and total + 10 <= LIMIT:
            return Hand(total + 10, True)
        if soft and total > LIMIT:
            return Hand(total - 10, False)
        return Hand(total, soft)


EMPTY = Hand(0, False)


def dealers_hand(hand: Hand, draw: Callable[[], int]) -> Hand:
    """What the dealer ends with, starting from `hand` and drawing cards from `draw`."""
    while hand.total < DEALER_STICKS:
        hand = hand.plus(draw())
    return hand


def outcome(player: int, dealer: int) -> int:
    """The reward, 1, 0 or -1, when the player's total and the dealer's final one are compared."""
    if player > LIMIT:
        return -1
    if dealer > LIMIT:
        return 1
    return (player > dealer) - (player < dealer)


class Round:
    """A round; cards come from `draw`: two for the player, the open one, the hidden one, then as asked."""

    def __init__(self, draw: Callable[[], int]) -> None:
        self.draw = draw
        self.player = EMPTY.plus(draw()).plus(draw())
        self.open_card = draw()
        self.over = False
        self.hide()

    def hide(self) -> None:
        """Draws the dealer's hidden card."""
        self.dealer = EMPTY.plus(self.open_card).plus(self.draw())

    def play(self, action: int) -> int:
        """Hits or sticks; returns the reward."""
        if action == HIT:
            self.player = self.player.plus(self.draw())
            self.over = self.player.total > LIMIT
        else:
            self.dealer = dealers_hand(self.dealer, self.draw)
            self.over = True
        return outcome(self.player.total, self.dealer.total) if self.over else 0


# --- exact solution, by dynamic programming over (the player's hand, the dealer's open card) ---


@cache
def dealer_totals(hand: Hand) -> dict[int, Fraction]:
    """The probability of each final total, 17 to 26, of a dealer who has `hand`."""
    if hand.total >= DEALER_STICKS:
        return {hand.total: Fraction(1)}
    totals: dict[int, Fraction] = {}
    for card, probability in PROBABILITIES.items():
        for total, share in dealer_totals(hand.plus(card)).items():
            totals[total] = totals.get(total, Fraction(0)) + probability * share
    return totals


@cache
def stick_value(total: int, open_card: int) -> Fraction:
    """The expected reward of sticking on `total`."""
    chances = dealer_totals(EMPTY.plus(open_card))
    return sum((share * outcome(total, dealer) for dealer, share in chances.items()), Fraction(0))


@cache
def hit_value(player: Hand, open_card: int) -> Fraction:
    """The expected reward of hitting, and of optimal play from there."""
    return sum(
        (share * value(player.plus(card), open_card) for card, share in PROBABILITIES.items()), Fraction(0)
    )


def value(player: Hand, open_card: int) -> Fraction:
    """The expected reward of optimal play."""
    if player.total > LIMIT:
        return Fraction(-1)
    return max(stick_value(player.total, open_card), hit_value(player, open_card))


def best_action(player: Hand, open_card: int) -> int:
    """The optimal action; sticking where both are equally good."""
    return STICK if stick_value(player.total, open_card) >= hit_value(player, open_card) else HIT


@cache
def optimal_return() -> Fraction:
    """The expected reward of optimal play from the deal."""
    return sum(
        (
            first_share * second_share * open_share * value(EMPTY.plus(first).plus(second), open_card)
            for first, first_share in PROBABILITIES.items()
            for second, second_share in PROBABILITIES.items()
            for open_card, open_share in PROBABILITIES.items()
        ),
        Fraction(0),
    )


class Game:
    """Rounds in this project's game API."""

    def __init__(self, seed: int | None = None) -> None:
        self.generator = np.random.default_rng(seed)
        self.round = Round(self.draw)

    def draw(self) -> int:
        """A card of the infinite deck, 1 (an ace) to 10."""
        return min(int(self.generator.integers(1, 14)), TEN)

    def reset(self, seed: int | None = None) -> Observation:
        """Deals; returns the observation [1, 1, 3] float32."""
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        self.round = Round(self.draw)
        return self.observation()

    def resample(self, generator: np.random.Generator) -> None:
        """Draws anew what the player cannot know: the dealer's hidden card, and all cards to come."""
        self.generator = generator.spawn(1)[0]
        self.round.hide()

    def step(self, action: int) -> tuple[Observation, float, bool]:
        """Hits or sticks; returns observation, reward and whether the round is over."""
        refuse_if(self.round.over)
        reward = float(self.round.play(action))
        return self.observation(), reward, self.round.over

    def observation(self) -> Observation:
        """What the player sees, [1, 1, 3] float32; the dealer's hidden card is not in it."""
        total, soft = self.round.player
        return np.array([[[total / LIMIT, soft, self.round.open_card / TEN]]], np.float32)

    def expert_agent(self) -> int:
        """The optimal action."""
        return best_action(self.round.player, self.round.open_card)

    def action_to_string(self, action: int) -> str:
        """The action in words."""
        return WORDS[action]

    def human_to_action(self) -> int:
        """Asks at the terminal for an action, until there is one."""
        return ask("Hit or stick? ", WORDS)

    def render(self) -> None:
        """Prints what the player sees, and the dealer's hand once it is open."""
        print(self.text())

    def text(self) -> str:
        """The position as text."""
        total, soft = self.round.player
        card = "an ace" if self.round.open_card == ACE else self.round.open_card
        dealer = f"has {self.round.dealer.total}" if self.round.over else f"shows {card}"
        return f"player has {'soft ' if soft else ''}{total}; dealer {dealer}"

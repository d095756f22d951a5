"""Tic-tac-toe: three in a row on 3 x 3 squares. An action is a square, row by row from the top left."""

from __future__ import annotations

from typing import Any

import numpy as np

import config
from games.boards.game import BoardGame
from games.boards.rules import (
    DRAWN,
    EVALUATE,
    LEGAL,
    MOVES,
    OBSERVE,
    OUTCOME,
    OWN,
    PLAY,
    RUNNING,
    TO_PLAY,
    WON_BY_0,
    BoardState,
    Rules,
    compiled,
)

SQUARES = 9
STONES = OWN  # entries: the stones of player 0 and of player 1, one bit for each square
LINES = (0o7, 0o70, 0o700, 0o111, 0o222, 0o444, 0o421, 0o124)  # a digit is a row


class MuZeroConfig(config.MuZeroConfig):
    """For two cores and less than five minutes."""

    observation_shape = (2, 3, 3)
    action_space = tuple(range(SQUARES))
    players = 2
    max_moves = SQUARES
    symmetry = "dihedral"

    discount = 1.0
    td_steps = SQUARES  # the value target is the game's outcome
    num_simulations = 25
    random_opening_moves = 4  # a strong agent would never see what a weak opponent's moves lead to
    evaluation_simulations = 50
    q_transform = "bounds"
    segment_length = SQUARES
    visit_softmax_temperature = ((1.0, 1.0),)

    encoding_size = 64
    fc_representation_layers = (128,)
    fc_dynamics_layers = (128,)
    fc_reward_layers = (64,)
    fc_value_layers = (64,)
    fc_policy_layers = (64,)
    support_size = 1
    support_transform = False  # a win is the outermost atom
    value_loss_weight = 1.0

    # Games cost little. Priorities would favour positions in which somebody blundered.
    PER = False
    games_per_worker = 64
    ratio = 0.03
    replay_buffer_size = 100_000
    batch_size = 256
    lr_decay_rate = 0.95

    training_steps = 60_000
    training_minutes = 4.5
    evaluation_interval = 10.0
    evaluation_games = 200
    opponents = ("minimax", "random")


def start() -> BoardState:
    """The empty board."""
    return np.zeros(STONES + 2, np.int64)


@compiled(LEGAL)
def legal(state: Any, mask: Any) -> Any:
    """The empty squares."""
    taken = state[STONES] | state[STONES + 1]
    count = 0
    for square in range(SQUARES):
        mask[square] = state[OUTCOME] == RUNNING and (taken >> square) & 1 == 0
        count += mask[square]
    return count


@compiled(PLAY)
def play(state: Any, square: Any) -> None:
    """Puts a stone on `square`."""
    player = state[TO_PLAY]
    state[STONES + player] |= 1 << square
    state[MOVES] += 1
    state[TO_PLAY] = 1 - player
    if state[MOVES] == SQUARES:
        state[OUTCOME] = DRAWN
    for line in LINES:
        if state[STONES + player] & line == line:
            state[OUTCOME] = WON_BY_0 + player


@compiled(EVALUATE)
def evaluate(state: Any) -> float:
    """Nothing is guessed: a search sees the end of such a short game."""
    return 0.0


@compiled(OBSERVE)
def observe(state: Any, planes: Any) -> None:
    """The own stones, and the opponent's."""
    for plane in range(2):
        stones = state[STONES + (state[TO_PLAY] ^ plane)]
        for square in range(SQUARES):
            planes[plane, square // 3, square % 3] = (stones >> square) & 1


class Game(BoardGame):
    """Tic-tac-toe in this project's game API."""

    rules = Rules(start, legal, play, evaluate, observe)
    shape = (2, 3, 3)
    num_actions = SQUARES
    expert_depth = SQUARES  # the whole game: it never loses
    move_help = "a number on the board"

    def action_to_string(self, action: int) -> str:
        """The square's number on the board, 1 to 9."""
        return str(action + 1)

    def text(self) -> str:
        """The board; empty squares show their numbers."""
        signs = [self._sign(square) for square in range(SQUARES)]
        rows = [" " + " | ".join(signs[first : first + 3]) for first in range(0, SQUARES, 3)]
        return "\n---+---+---\n".join(rows)

    def _sign(self, square: int) -> str:
        for player in range(2):
            if int(self.state[STONES + player]) >> square & 1:
                return self.symbols[player]
        return self.action_to_string(square)

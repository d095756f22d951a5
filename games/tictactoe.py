"""Tic-tac-toe: three in a row on 3 x 3 squares. An action is a square, row by row from the top left."""

from __future__ import annotations

from typing import Any

import numpy as np

import config
from board import (
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
    BoardGame,
    Rules,
    State,
    compiled,
)

SQUARES = 9
STONES = OWN  # entries: the stones of player 0 and of player 1, one bit for each square
LINES = (0o7, 0o70, 0o700, 0o111, 0o222, 0o444, 0o421, 0o124)  # a digit is a row


class MuZeroConfig(config.MuZeroConfig):
    """A small network; the value target is the game's outcome."""

    observation_shape = (2, 3, 3)
    action_space = tuple(range(SQUARES))
    players = 2
    max_moves = SQUARES
    symmetry = "dihedral"
    opponents = ("expert", "random")

    discount = 1.0
    td_steps = SQUARES
    num_simulations = 25
    evaluation_simulations = 25
    q_transform = "bounds"
    segment_length = SQUARES

    encoding_size = 32
    fc_representation_layers = (64,)
    fc_dynamics_layers = (64,)
    fc_reward_layers = (32,)
    fc_value_layers = (32,)
    fc_policy_layers = (32,)
    support_size = 1
    value_loss_weight = 1.0


def start() -> State:
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

from functools import cache

import numpy as np

from benchmarks.connect4_solver import COLUMNS, ILLEGAL, ROWS, Connect4Solver
from games.boards.rules import TO_PLAY
from games.connect4 import STONES, Game

Board = tuple[str, ...]  # columns from the bottom up


def wins(board: Board, column: int) -> bool:
    """Whether the newest stone, on top of `column`, is in a line of four: counted square by square."""
    row, stone = len(board[column]) - 1, board[column][-1]

    def same(c: int, r: int) -> bool:
        return 0 <= c < COLUMNS and 0 <= r < len(board[c]) and board[c][r] == stone

    for dc, dr in ((1, 0), (0, 1), (1, 1), (1, -1)):
        line = 1
        for way in (1, -1):
            step = 1
            while same(column + way * step * dc, row + way * step * dr):
                line += 1
                step += 1
        if line >= 4:
            return True
    return False


@cache
def worth(board: Board, mover: str, column: int) -> int:
    """Plain minimax."""
    after = (*board[:column], board[column] + mover, *board[column + 1 :])
    if wins(after, column):
        return 1
    other = "xo"[mover == "x"]
    replies = [worth(after, other, c) for c in range(COLUMNS) if len(after[c]) < ROWS]
    return -max(replies, default=0)


def position(moves: int, generator: np.random.Generator) -> Game | None:
    """After so many random moves, if the game lasts as long."""
    game = Game(0)
    game.reset()
    for _ in range(moves):
        if game.step(int(generator.choice(game.legal_actions())))[2]:
            return None
    return game


def test_late_positions_are_solved_as_by_plain_minimax() -> None:
    generator, solver = np.random.default_rng(3), Connect4Solver(10_007)
    compared = 0
    while compared < 60:
        game = position(int(generator.integers(31, 41)), generator)
        if game is None:
            continue
        own, other = (int(game.state[STONES + (game.state[TO_PLAY] ^ seat)]) for seat in range(2))
        board = tuple(
            "".join(
                "x" if own >> bit & 1 else "o" for bit in range(c * 7, c * 7 + 6) if (own | other) >> bit & 1
            )
            for c in range(COLUMNS)
        )
        expected = [worth(board, "x", c) if len(board[c]) < ROWS else ILLEGAL for c in range(COLUMNS)]
        assert solver.values(own, other).tolist() == expected
        compared += 1


def test_what_is_remembered_changes_nothing() -> None:
    generator, remembering = np.random.default_rng(4), Connect4Solver()
    for _ in range(20):
        game = position(24, generator)
        if game is not None:
            stones = [int(game.state[STONES + (game.state[TO_PLAY] ^ seat)]) for seat in range(2)]
            assert remembering.values(*stones).tolist() == Connect4Solver(3).values(*stones).tolist()

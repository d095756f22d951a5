"""Which game a process was moving can be read when the process is gone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from playing.game_note import GameNote, NoNote, Noted, note_at, taken, taken_if_again


def killed_while_moving(path: Path, seed: int, moves: int = 12) -> None:
    """A process that is ended while it moves a game."""
    child = os.fork()
    if child == 0:
        GameNote(path).moving(3, seed, moves)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_note_outlives_its_process_and_is_taken_once(tmp_path: Path) -> None:
    killed_while_moving(tmp_path / "note", 99)
    assert taken(tmp_path / "note") == Noted(3, 99, 12)
    assert taken(tmp_path / "note") is None


def test_who_moves_nothing_or_has_begun_anew_leaves_nothing(tmp_path: Path) -> None:
    note = GameNote(tmp_path / "note")
    note.moving(0, 5, 1)
    note.rest()
    assert taken(tmp_path / "note") is None
    note.moving(0, 5, 1)
    GameNote(tmp_path / "note")
    assert taken(tmp_path / "note") is None


def test_chance_is_told_from_a_game_by_its_happening_again(tmp_path: Path) -> None:
    for seed, found in ((7, None), (8, None), (8, Noted(3, 8, 12))):
        killed_while_moving(tmp_path / "note", seed)
        assert taken_if_again(tmp_path / "note") == found


@pytest.mark.parametrize("content", [b"", b"x" * 47, b"x" * 10_000])
def test_what_is_no_note_says_nothing_or_is_written_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "note").write_bytes(content)
    taken(tmp_path / "note")
    GameNote(tmp_path / "note").moving(1, 2, 3)
    assert taken(tmp_path / "note") == Noted(1, 2, 3)


def test_where_nothing_can_be_noted_games_are_played_all_the_same(tmp_path: Path) -> None:
    for path in (None, tmp_path / "nowhere" / "note", tmp_path):
        note = note_at(path)
        assert type(note) is NoNote
        note.moving(0, 1, 2)
        note.rest()
    assert taken(tmp_path / "nowhere") is None

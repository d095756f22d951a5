"""The games of a run that broke: one line each in its folder, and the rule by which they are too many."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from core.json_text import entries, parse_json, whole
from core.output import say_on_stderr
from core.wording import counted
from data import LostGame
from playing.game_note import Caution, taken, taken_if_again
from saving.appending import AppendedFile, Troubles
from saving.reading import read_end

LOST_GAMES = "lost_games.jsonl"
NOTES = ".playing"
"""The folder, in a run's, of the notes of who plays."""
WINDOW = 100
"""Of the newest games so many are looked at, at least twice as many as are played side by side."""
MOST_FATAL = 10
"""Games that take their process with them, one after another, while none finishes."""
MOST_ACTIONS = 1000
"""Games of more moves are written without them."""
MOST_READ = 1 << 20
"""Bytes of the file's end that are read."""


class LostGames:
    """Writes lost games into a run's `folder`, and says when there are too many: `verdict`.

    `side_by_side` is how many games all players play at a time. `troubles` says what the disk refuses.
    """

    def __init__(self, folder: Path, game: str, side_by_side: int, troubles: Troubles | None = None) -> None:
        self.folder, self.game = folder.absolute(), game
        self.path = self.folder / LOST_GAMES
        self._fatal_seeds = set(fatal_seeds(self.path, game))
        self._recent: deque[bool] = deque(maxlen=max(WINDOW, 2 * side_by_side))  # True: lost
        self._fatal_in_a_row = 0
        self._newest: LostGame | None = None
        self._file = AppendedFile(self.path, troubles or Troubles(say_on_stderr), later=True)

    def finished(self, games: int) -> None:
        """So many games were played to their ends."""
        if games:
            self._recent.extend([False] * games)
            self._fatal_in_a_row = 0

    def add(self, lost: Sequence[LostGame], actor: str) -> None:
        """Games that `actor` has lost. Where the disk refuses the lines they wait for the next ones."""
        for game in lost:
            self._newest = game
            self._recent.append(True)
            self._fatal_in_a_row += game.fatal
            if game.fatal:
                self._fatal_seeds.add(game.seed)
            self._file.write(line_of(game, actor).encode())

    def verdict(self) -> str | None:
        """One line on the game, if it breaks again and again; else None."""
        lost, known = sum(self._recent), len(self._recent)
        if self._newest is None:
            return None
        if self._fatal_in_a_row >= MOST_FATAL:
            which = (
                f"{counted(self._fatal_in_a_row, 'game')} took their process along, and none finished since"
            )
        elif known == self._recent.maxlen and 2 * lost > known:
            which = f"{lost} of the newest {known} games broke"
        else:
            return None
        return f"{which}, the last one so: {self._newest.reason}; {self.path} lists them"

    # --- games that take their process along ---

    def caution(self, actor: str) -> Caution:
        """What `actor` is told before it plays."""
        with suppress(OSError):
            (self.folder / NOTES).mkdir(exist_ok=True)
        note = None if self._notes is None else self._notes / actor
        return Caution(note, frozenset(self._fatal_seeds))

    def died(self, actor: str, why: str) -> list[LostGame]:
        """The game that `actor` was moving when its process ended, if it was; `why` says how it ended."""
        noted = None if self._notes is None else taken(self._notes / actor)
        return [] if noted is None else [self._fatal(noted.seed, noted.moves, why)]

    def left_over(self) -> list[LostGame]:
        """Games that were being moved when both this run's newest two sittings were ended from outside.

        Once may be chance: `kill -9` hits any of them, and the run is to go on as if it had not been.
        """
        found = (taken_if_again(note) for note in self._all_notes())
        why = "the run ended twice without a word"
        return [self._fatal(noted.seed, noted.moves, why) for noted in found if noted is not None]

    def close(self) -> None:
        """The run has ended in order: nothing is being played."""
        self._file.close()
        with suppress(OSError):
            for note in self._all_notes():
                note.unlink(missing_ok=True)
            (self.folder / NOTES).rmdir()

    @property
    def _notes(self) -> Path | None:
        """The folder of the notes; None where a link is in its place: it would lead out of the run's."""
        path = self.folder / NOTES
        return None if path.is_symlink() else path

    def _all_notes(self) -> list[Path]:
        return [] if self._notes is None else sorted(self._notes.glob("*"))

    def _fatal(self, seed: int, moves: int, why: str) -> LostGame:
        reason = f"game {self.game!r}, move {moves}: {why} while the game of seed {seed} made this move"
        return LostGame(self.game, seed, moves, reason, fatal=True)


def line_of(game: LostGame, actor: str) -> str:
    """A lost game as a line of the file."""
    known = game.actions is not None and len(game.actions) <= MOST_ACTIONS
    facts = game._asdict() | {"actions": game.actions if known else None, "actor": actor}
    return json.dumps(facts) + "\n"


def fatal_seeds(path: Path, game: str) -> list[int]:
    """The seeds of those games in the file `path` that took their process along.

    A damaged line says nothing.
    """
    try:
        lines = read_end(path, MOST_READ).splitlines()
    except OSError:
        return []
    return [seed for line in lines if (seed := _fatal_seed(line, game)) is not None]


def _fatal_seed(line: bytes, game: str) -> int | None:
    """The seed in a line, if it is of a `game` that took its process along."""
    with suppress(ValueError, LookupError):
        facts = entries(parse_json(line), "a lost game")
        if facts["fatal"] is True and facts["game"] == game:
            return whole(facts["seed"], "seed")
    return None

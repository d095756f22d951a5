"""Games that break in a run: written down, counted, and the run's end when they are too many."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from data import LostGame
from games.api.spec import GameSpec
from playing.environment import GameError
from playing.game_note import GameNote
from runs.launch import train
from runs.lost_games import LOST_GAMES, MOST_FATAL, NOTES, LostGames, fatal_seeds
from saving.appending import Troubles
from saving.checkpoint import Checkpoint, load_checkpoint
from search.planner import self_play_planner
from self_play import SelfPlay
from tests.helpers.breaking_games import FATAL_MOVE, Breaking, Exiting, breaking
from tests.helpers.small_runs import SMALL
from tests.helpers.statuses import make_status
from tests.helpers.toy_games import WalkConfig, Watcher, fixed_source

BROKE = LostGame("breaking", 7, 2, "game 'breaking', move 2: it broke", (1, 2))
KILLED = BROKE._replace(fatal=True, actions=None)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOST_GAMES).read_text().splitlines()]


def run(
    folder: Path, game: GameSpec, resume_from: Checkpoint | None = None, **changes: Any
) -> tuple[Checkpoint, Watcher]:
    """A run without Ray."""
    folder.mkdir(exist_ok=True)
    options = SMALL | {"results_path": str(folder / "results"), "max_moves": 25} | changes
    watcher = Watcher()
    config = game.config.replace(**options)
    train(game, config, folder, local=True, address=None, resume_from=resume_from, observer=watcher)
    return load_checkpoint(folder), watcher


def test_a_run_goes_on_without_the_games_that_raise(tmp_path: Path) -> None:
    saved, watcher = run(tmp_path, breaking(Breaking), evaluation_interval=1e-6, evaluation_games=8)
    assert saved.training_step == SMALL["training_steps"]
    found = lines(tmp_path)
    assert {game["actor"] for game in found} == {"self_play_0", "evaluator"}
    for game in found:
        assert (game["game"], game["seed"] % Breaking.every, game["moves"]) == ("breaking", 0, FATAL_MOVE)
        assert len(game["actions"]) == FATAL_MOVE
        assert "raised ZeroDivisionError: by this seed" in game["reason"]
    assert watcher.counters.lost_games == len(found) == saved.counters.lost_games
    (told,) = (event for event in watcher.events if "lost" in event)
    assert told.startswith("a game was lost, and the others go on: game 'breaking', move 2: step(")


class Rare(Breaking):
    """Nothing of it breaks for long; then four of five games do."""

    begun = 0

    def reset(self, seed: int | None = None) -> Any:
        Rare.begun += 1
        return super().reset(seed)

    def step(self, action: int) -> Any:
        if Rare.begun > 60 and self.number % 5 and self.move == 1:
            raise ZeroDivisionError("mostly")
        return Breaking.__mro__[1].step(self, action)  # type: ignore[attr-defined]


def test_a_game_that_mostly_breaks_ends_the_run_after_a_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Rare, "begun", 0)
    with pytest.raises(GameError) as ended:
        run(tmp_path, breaking(Rare), training_steps=100_000)
    (line,) = str(ended.value).splitlines()
    assert "game 'breaking', move 1: step(" in line
    assert f"'python muzero.py resume {tmp_path}' goes on" in line
    saved = load_checkpoint(tmp_path)
    assert saved.training_step > 0
    assert saved.counters.lost_games == len(lines(tmp_path)) > 10


# --- the rule ---


def test_as_many_games_as_finish_may_break_and_no_more(tmp_path: Path) -> None:
    games = LostGames(tmp_path, "breaking", 4)
    games.finished(50)
    games.add([BROKE] * 50, "self_play_0")
    assert games.verdict() is None
    games.add([BROKE], "self_play_0")
    said = games.verdict() or ""
    assert said.startswith("51 of the newest 100 games broke, the last one so: game 'breaking', move 2: it")
    games.finished(52)
    assert games.verdict() is None


def test_many_games_side_by_side_may_break_before_the_first_one_finishes(tmp_path: Path) -> None:
    games = LostGames(tmp_path, "breaking", 1000)
    games.add([BROKE] * 999, "self_play_0")
    games.finished(1001)
    assert games.verdict() is None


def test_a_game_that_takes_every_process_along_ends_the_run_soon(tmp_path: Path) -> None:
    games = LostGames(tmp_path, "breaking", 4)
    games.add([KILLED] * (MOST_FATAL - 1), "self_play_0")
    games.finished(1)
    games.add([KILLED] * (MOST_FATAL - 1), "self_play_0")
    assert games.verdict() is None
    games.add([KILLED], "self_play_1")
    assert "10 games took their process along" in (games.verdict() or "")


def full(*_: Any, **__: Any) -> int:
    """In the place of `os.open` and `os.write`."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_lines_wait_while_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    games = LostGames(tmp_path, "breaking", 4, Troubles(said.append))
    for refused in ("open", "write"):
        with monkeypatch.context() as patched:
            patched.setattr(os, refused, full)
            games.add([BROKE], "self_play_0")
    warning = (
        "warning: cannot write lost_games.jsonl: No space left on device; the run goes on and tries again"
    )
    assert said == [warning]
    games.add([BROKE._replace(seed=8)], "self_play_0")
    assert said == [warning, "lost_games.jsonl can be written again"]
    assert [game["seed"] for game in lines(tmp_path)] == [7, 7, 8]


def test_lines_that_wait_are_written_when_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    games = LostGames(tmp_path, "breaking", 4)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", full)
        games.add([BROKE], "self_play_0")
    games.close()
    assert [game["seed"] for game in lines(tmp_path)] == [7]


def test_a_run_without_lost_games_has_no_list_of_them(tmp_path: Path) -> None:
    LostGames(tmp_path, "breaking", 4).close()
    assert not (tmp_path / LOST_GAMES).exists()


def test_lost_games_are_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    (tmp_path / LOST_GAMES).symlink_to("other")
    said: list[str] = []
    LostGames(tmp_path, "breaking", 4, Troubles(said.append)).add([BROKE], "self_play_0")
    assert (tmp_path / "other").read_text() == "kept"
    assert ["symbolic link" in line for line in said] == [True]


def test_games_of_very_many_moves_are_written_without_them(tmp_path: Path) -> None:
    LostGames(tmp_path, "breaking", 4).add([BROKE._replace(moves=5000, actions=(0,) * 5000)], "self_play_0")
    assert [(game["moves"], game["actions"]) for game in lines(tmp_path)] == [(5000, None)]


# --- processes that are gone ---


def test_notes_in_a_folder_elsewhere_are_neither_written_nor_removed(tmp_path: Path) -> None:
    """A run's folder may come from anybody."""
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "run"
    for folder in (elsewhere, run):
        folder.mkdir()
    note = elsewhere / "self_play_0"
    GameNote(note).moving(1, 77, 9)
    before = note.read_bytes()
    (run / NOTES).symlink_to(elsewhere)
    games = LostGames(run, "breaking", 4)
    assert games.caution("self_play_0").note is None
    assert games.died("self_play_0", "it died") == games.left_over() == []
    games.close()
    assert note.read_bytes() == before


def test_a_longer_file_in_the_place_of_a_note_stays_as_it_is(tmp_path: Path) -> None:
    games = LostGames(tmp_path, "breaking", 4)
    note = games.caution("self_play_0").note
    assert note is not None
    note.write_bytes(b"x" * 1000)
    assert games.died("self_play_0", "it died") == []
    assert note.read_bytes() == b"x" * 1000


def moving(games: LostGames, actor: str, seed: int) -> None:
    note = games.caution(actor).note
    assert note is not None
    GameNote(note).moving(1, seed, 9)


def test_the_game_that_an_actor_died_of_is_known_and_avoided_from_then_on(tmp_path: Path) -> None:
    games = LostGames(tmp_path, "breaking", 4)
    moving(games, "self_play_1", 77)
    assert games.died("self_play_0", "it died") == []
    (lost,) = games.died("self_play_1", "it died")
    assert (lost.game, lost.seed, lost.moves, lost.fatal) == ("breaking", 77, 9, True)
    assert lost.reason.startswith("game 'breaking', move 9: it died")
    games.add([lost, BROKE], "self_play_1")
    for known in (games, LostGames(tmp_path, "breaking", 4)):
        assert known.caution("self_play_1").avoid == {77}
    assert LostGames(tmp_path, "another", 4).caution("self_play_1").avoid == frozenset()


def test_a_run_that_is_killed_once_blames_no_game(tmp_path: Path) -> None:
    for expected in ([], [77]):
        moving(LostGames(tmp_path, "breaking", 4), "self_play_0", 77)
        assert [lost.seed for lost in LostGames(tmp_path, "breaking", 4).left_over()] == expected


def test_damaged_lines_and_files_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / LOST_GAMES
    good = json.dumps(KILLED._asdict())
    path.write_text(f'{good}\n[1]\n{{"fatal": true}}\n{"[" * 100_000}\n\x00\n7\n{good[:30]}')
    assert fatal_seeds(path, "breaking") == [7]
    path.unlink()
    os.mkfifo(path)
    assert fatal_seeds(path, "breaking") == []


def play_in_a_sitting(folder: Path) -> None:
    """Plays as a sitting without Ray does, always from the same start."""
    spec = breaking(Exiting)
    games = LostGames(folder, spec.name, 4)
    games.add(games.left_over(), "the sitting before")
    planner, source = self_play_planner(spec.config, "cpu"), fixed_source(spec.config)
    player = SelfPlay(spec, spec.config, 0, source, planner, caution=games.caution("self_play_0"))
    player.play(120, float("inf"))


def test_a_game_that_ends_the_only_process_is_met_twice_and_then_left_out(tmp_path: Path) -> None:
    """The first time may have been chance, the second time tells."""
    fixed_source(WalkConfig())  # what is slow to import is there before the processes fork
    ended = [1]
    while ended[-1]:
        child = os.fork()
        if child == 0:
            play_in_a_sitting(tmp_path)
            os._exit(0)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        assert len(ended) < 100
    found = lines(tmp_path)
    assert len(found) > 1
    assert ended == [1, *[3, 3] * len(found), 0]
    assert all(game["fatal"] and game["seed"] % Exiting.every == 0 for game in found)
    assert len({game["seed"] for game in found}) == len(found)


def test_lost_games_are_in_the_status_line_and_in_the_scalars() -> None:
    from dataclasses import replace

    from runs.reports.panel import status_line
    from runs.reports.scalars import status_scalars

    none = make_status()
    some = replace(none, counters=replace(none.counters, lost_games=3))
    assert "3 games lost" in status_line(some)
    assert "lost" not in status_line(none)
    assert status_scalars(some)["progress/lost_games"] == 3
    assert "progress/lost_games" not in status_scalars(none)
